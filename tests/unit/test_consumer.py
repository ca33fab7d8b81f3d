"""The consumer with a recogniser that does as it is told: crashes, hangs, full disks, missing models."""

from __future__ import annotations

import collections
import os
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from way import PROFILE, Way, make_config, segment

from asr_daemon.consumer import Consumer
from asr_daemon.deliver import Deliverer
from asr_daemon.errors import JobError, ModelMissingError, RecogniserCrashedError
from asr_daemon.profile import Profile
from asr_daemon.recogniser import protocol

if TYPE_CHECKING:
    from pathlib import Path

    from way import HandClock

Script = "Callable[[protocol.Recognise, bytes], list[object]]"


@dataclass
class Model:
    """A model that is there, or not."""

    identity: str = "model@1"
    name: str = "model"
    label: str = "model"
    family: str = "seaco_paraformer"
    folder: str = "/model"
    vad_folder: str = ""
    punctuation_folder: str = ""
    is_builtin: bool = False


@dataclass
class Profiles:
    """Profiles of one inbox."""

    model_or_error: Model | JobError = field(default_factory=Model)
    hotwords: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        """The model, or why there is none."""
        if isinstance(self.model_or_error, JobError):
            raise self.model_or_error
        return self.model_or_error

    def profile(self, inbox: str) -> Profile:
        """Return the inbox's profile of now; the command line's has no hotwords."""
        model = "missing" if isinstance(self.model_or_error, JobError) else self.model_or_error.identity
        return Profile(model, hotwords=self.hotwords if inbox else ())


class Scripted:
    """A recogniser that answers each order with the script's messages; an error among them is its end."""

    pid = 4711

    def __init__(self, time: HandClock, script: Script, first: object) -> None:
        self.time = time
        self.script = script
        self.said: collections.deque[object] = collections.deque([first])
        self.orders: list[protocol.Recognise] = []
        self.is_alive = True

    def send(self, message: protocol.Message, fd: int | None = None) -> None:
        """Take an order."""
        if not self.is_alive:
            raise RecogniserCrashedError
        assert isinstance(message, protocol.Recognise)
        assert fd is not None
        self.orders.append(message)
        self.said += self.script(message, os.pread(fd, 1000, 0))

    def receive(self, timeout_s: float) -> protocol.Message | None:
        """Say the next thing; silence lets the time pass."""
        if not self.said:
            self.time.pass_s(timeout_s)
            return None
        message = self.said.popleft()
        if isinstance(message, Exception):
            self.is_alive = False
            raise message
        return message  # type: ignore[return-value]

    def kill(self) -> None:
        """End."""
        self.is_alive = False

    def stop(self, timeout_s: float) -> bool:
        """End obediently."""
        self.is_alive = False
        return True


def well(order: protocol.Recognise, content: bytes) -> list[object]:
    """Recognise two segments."""
    done = {number for number, _, _ in order.done}
    texts = tuple(segment(number, f"{content.decode()}{number}") for number in range(2) if number not in done)
    places = tuple((number, number * 1000, number * 1000 + 1000) for number in range(2))
    return [
        protocol.Segmented(order.job, places, complete=True),
        protocol.Recognised(order.job, texts),
        protocol.Finished(order.job, 2000, 2),
    ]


class Room:
    """A consumer in its surroundings; ``script`` may be changed at any time."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.way = Way(folder, **settings)  # type: ignore[arg-type]
        self.time = self.way.time
        self.profiles = Profiles()
        self.script: Script = well
        self.first: object = protocol.Ready("cpu", "model", 1)
        self.started: list[Scripted] = []
        self.setups: list[protocol.Setup] = []
        self.deliverer = Deliverer(self.way.config, self.way.history, self.time.clock)
        self.consumer = Consumer(
            self.way.config,
            self.way.queue,
            self.profiles,  # type: ignore[arg-type]
            self.deliverer,
            self.time.clock,
            self.start,  # type: ignore[arg-type]
            lambda given: given or "/usr/bin/ffmpeg",
        )
        self.consumer.wake.set = self.consumer.wake.clear = lambda: None  # type: ignore[method-assign]
        self.consumer.wake.wait = lambda _timeout=None: True  # type: ignore[assignment,method-assign]

    def start(self, setup: protocol.Setup) -> Scripted:
        """Start a recogniser."""
        self.setups.append(setup)
        self.started.append(Scripted(self.time, self.answer, self.first))
        return self.started[-1]

    def answer(self, order: protocol.Recognise, content: bytes) -> list[object]:
        """Answer by the script of now."""
        return self.script(order, content)  # type: ignore[operator]

    def run(self, *, steps: int = 400, pause_s: float = 0.0) -> None:
        """Let the consumer work until it has nothing to do, or for so many steps."""
        for _ in range(steps):
            self.consumer.step()
            self.time.pass_s(pause_s)
            if (
                not self.consumer.state.in_work
                and not self.way.history.all("interrupted_jobs")
                and not pause_s
            ):
                return

    def states(self) -> dict[str, str]:
        """Return the state of each file's job."""
        rows = self.way.history.all("history", inbox=None, state=None, since=None, limit=1000)
        return {row["name"]: row["job_state"] for row in rows}

    @property
    def orders(self) -> list[protocol.Recognise]:
        """Everything that any recogniser was told."""
        return [order for recogniser in self.started for order in recogniser.orders]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Return a room with an inbox."""
    return Room(tmp_path)


def test_recordings_are_recognised_and_written(room: Room) -> None:
    """Two recordings share one recogniser and find their transcripts beside them."""
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"B")
    room.run()
    assert "A0 A1" in (room.way.inbox / "a.txt").read_text(encoding="utf-8")
    assert "B0 B1" in (room.way.inbox / "b.txt").read_text(encoding="utf-8")
    assert len(room.started) == 1
    assert room.states() == {"a.wav": "done", "b.wav": "done"}


def test_failure_of_a_recording_is_its_own(room: Room) -> None:
    """What the recogniser cannot decode gets a failure file; the one beside it is done."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"bad":
            return [protocol.Failed(order.job, "not_decodable", "no sound", "ffmpeg's words")]
        return well(order, content)

    room.script = script
    room.way.put("bad.wav", b"bad")
    room.way.put("good.wav", b"good")
    room.run()
    assert room.states() == {"bad.wav": "failed", "good.wav": "done"}
    assert "无法作为录音打开" in (room.way.inbox / "bad.转写失败.txt").read_text(encoding="utf-8")
    (attempt,) = room.way.history.all("attempts_of_job", job=1)
    assert attempt["evidence"] == "ffmpeg's words"


def test_after_a_crash_each_is_tried_alone_and_the_guilty_one_is_quarantined(room: Room) -> None:
    """Of three that were in work together one brings the recogniser down: it alone ends in quarantine."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"evil":
            return [RecogniserCrashedError("was ended by SIGSEGV", evidence="Segmentation fault")]
        return well(order, content)

    room.script = script
    for name in ("one", "evil", "two", "three"):
        room.way.put(f"{name}.wav", name.encode())
    room.run(pause_s=20.0)
    assert room.states() == {
        "one.wav": "done",
        "evil.wav": "quarantined",
        "two.wav": "done",
        "three.wav": "done",
    }
    job = room.way.job(2)
    assert (job["attempts"], job["error_code"]) == (3, "recogniser_crashed")
    evidence = [row["evidence"] for row in room.way.history.all("attempts_of_job", job=2)]
    assert evidence == ["Segmentation fault"] * 3
    assert "意外退出" in (room.way.inbox / "evil.转写失败.txt").read_text(encoding="utf-8")
    assert room.consumer.state.restarts == 3


def test_suspect_has_the_recogniser_to_itself(room: Room) -> None:
    """While it is in work nothing else is begun, and it is not begun while others are."""
    room.script = lambda order, content: []
    for name in ("suspect", "innocent"):
        room.way.put(f"{name}.wav", name.encode())
    room.way.queue.fail(room.way.claim().id, RecogniserCrashedError(), at_once=True)
    room.consumer._feed()
    assert [order.job for order in room.orders] == [1]
    room.script = well
    room.started[0].said += well(room.orders[0], b"A")
    room.run()
    room.run()
    assert [order.job for order in room.orders] == [1, 2]


def test_hang_is_ended_after_stall_s_and_committed_segments_are_kept(room: Room) -> None:
    """Silence for stall_s ends the recogniser; the next one is told which segments are done."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if not order.done:
            return [
                protocol.Segmented(order.job, ((0, 0, 1000),), complete=False),
                protocol.Recognised(order.job, (segment(0, "A0"),)),
                *[protocol.Note("info", "still_here", {})] * 3,
            ]
        return well(order, content)

    room.script = script
    room.way.put("a.wav", b"A")
    room.run(pause_s=1.0)
    assert [order.done for order in room.orders] == [(), ((0, 0, 1000),)]
    assert not room.started[0].is_alive
    assert room.states() == {"a.wav": "done"}
    assert [row["error_code"] for row in room.way.history.all("attempts_of_job", job=1)] == [
        "recogniser_hung",
        None,
    ]
    assert "A0 A1" in (room.way.inbox / "a.txt").read_text(encoding="utf-8")


def test_chatter_is_no_progress(room: Room) -> None:
    """A recogniser that only writes log lines is hung all the same."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        return [protocol.Note("info", "waiting", {})] * 5000

    room.script = script
    room.way.put("a.wav", b"A")
    room.run(steps=1, pause_s=0)
    for _ in range(100):
        room.time.pass_s(1.0)
        room.consumer.step()
    assert room.consumer.state.restarts == 1


def test_daemon_that_was_stopped_itself_blames_nobody(room: Room) -> None:
    """After SIGSTOP for an hour the recogniser's silence is not held against it."""
    answers: list[object] = []
    room.script = lambda order, content: answers
    room.way.put("a.wav", b"A")
    room.run(steps=1, pause_s=0)
    room.time.pass_s(3600)
    room.consumer.step()
    assert room.consumer.state.restarts == 0
    room.started[0].said += well(room.orders[0], b"A")
    room.run()
    assert room.states() == {"a.wav": "done"}


@pytest.mark.parametrize(
    "first",
    [
        protocol.Broken("model_missing", "model.pt is not there"),
        protocol.Broken("device_missing", "no CUDA"),
        protocol.Broken("out_of_memory", "while loading"),
        RecogniserCrashedError("was ended by SIGKILL"),
    ],
)
def test_recogniser_that_cannot_start_blocks_the_queue_and_spends_nothing(room: Room, first: object) -> None:
    """Whatever keeps the model from loading is no recording's fault; all goes on once it loads."""
    room.first = first
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"B")
    room.run(steps=40, pause_s=10.0)
    assert room.consumer.state.state == "blocked"
    assert room.consumer.state.reason
    assert {row["attempts"] for row in (room.way.job(1), room.way.job(2))} == {0}
    assert 3 <= len(room.started) <= 40
    assert not any(recogniser.is_alive for recogniser in room.started if recogniser.orders)
    room.first = protocol.Ready("cpu", "model", 1)
    room.run(steps=80, pause_s=10.0)
    assert room.states() == {"a.wav": "done", "b.wav": "done"}
    assert room.consumer.state.state in ("idle", "working")
    assert room.consumer.state.reason == ""


def test_missing_model_blocks_and_the_real_one_takes_over(room: Room) -> None:
    """Queued while there was no model: bound to the real one's profile when it comes."""
    room.profiles.model_or_error = ModelMissingError("no folder")
    room.way.put("a.wav", b"A", Profile("missing"))
    room.run(steps=20, pause_s=5.0)
    assert (room.consumer.state.state, room.consumer.state.reason) == ("blocked", "no folder")
    assert room.started == []
    room.profiles.model_or_error = Model()
    room.run(steps=20, pause_s=5.0)
    assert [order.profile.model for order in room.orders] == ["model@1"]
    assert room.states() == {"a.wav": "done"}


def test_another_model_ends_the_child_that_has_the_old_one(room: Room) -> None:
    """A model that changed is loaded for the next recording."""
    room.way.put("a.wav", b"A")
    room.run()
    room.profiles.model_or_error = Model(identity="model@2")
    room.way.put("b.wav", b"B", Profile("model@2"))
    room.run()
    assert [recogniser.is_alive for recogniser in room.started] == [False, True]


class Full:
    """Refuses every write to the history while it is full."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.is_full = False
        self.refused = 0
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        """Execute, or refuse as SQLite does."""
        if self.is_full and sql == "COMMIT":
            self.refused += 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(sql, *arguments)


@pytest.mark.parametrize("full_after", range(12))
def test_full_disk_loses_no_message_and_sticks_nowhere(room: Room, full_after: int) -> None:
    """Wherever the history stops taking writes: afterwards every segment is there, no attempt is spent."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"bad":
            return [protocol.Failed(order.job, "not_decodable", "no sound")]
        return well(order, content)

    room.script = script
    full = Full(room.way.history.db.conn)
    room.way.history.db.conn = full  # type: ignore[assignment]
    room.way.put("a.wav", b"A")
    room.way.put("bad.wav", b"bad")
    for _ in range(full_after):
        room.consumer.step()
    full.is_full = True
    for _ in range(30):
        room.time.pass_s(0.5)
        room.consumer.step()
    full.is_full = False
    room.run(steps=60, pause_s=1.0)
    room.deliverer.deliver_all()
    assert room.states() == {"a.wav": "done", "bad.wav": "failed"}
    assert "A0 A1" in (room.way.inbox / "a.txt").read_text(encoding="utf-8")
    assert (room.way.inbox / "bad.转写失败.txt").exists()
    assert room.way.job(1)["attempts"] == 1
    assert len(room.orders) == 2, "nothing was recognised twice"


def test_crash_while_the_disk_is_full_leaves_no_job_behind(room: Room) -> None:
    """The recogniser dies and the history cannot say so: it does when it can, and the job goes on."""
    room.script = lambda order, content: [RecogniserCrashedError()]
    full = Full(room.way.history.db.conn)
    room.way.history.db.conn = full  # type: ignore[assignment]
    room.way.put("a.wav", b"A")
    room.consumer._feed()
    full.is_full = True
    for _ in range(20):
        room.time.pass_s(1.0)
        room.consumer.step()
    assert full.refused > 3
    full.is_full = False
    room.script = well
    room.run(steps=100, pause_s=2.0)
    assert room.states() == {"a.wav": "done"}


def test_child_that_died_idle_costs_no_attempt(room: Room) -> None:
    """The kernel kills a recogniser without work: the next recording gets a new one, at its first attempt."""
    room.way.put("a.wav", b"A")
    room.run()
    room.started[0].said.append(RecogniserCrashedError())
    room.consumer.step()
    room.way.put("b.wav", b"B")
    room.run()
    assert room.states() == {"a.wav": "done", "b.wav": "done"}
    assert room.way.job(2)["attempts"] == 1
    assert len(room.started) == 2


def test_idle_recogniser_is_unloaded(room: Room) -> None:
    """After idle_unload_min without work its memory is given back; the next recording loads it again."""
    room.way.put("a.wav", b"A")
    room.run()
    room.time.pass_s(room.way.config.engine.idle_unload_min * 60 - 1)
    room.consumer.step()
    assert room.started[0].is_alive
    room.time.pass_s(2)
    room.consumer.step()
    assert not room.started[0].is_alive
    assert room.consumer.state.pid is None


def test_pause_finishes_what_is_in_work_and_begins_nothing(room: Room) -> None:
    """Paused: the state says so, and the queue stays; resumed, it goes on."""
    room.way.queue.set_setting("paused", "1")
    room.way.put("a.wav", b"A")
    room.consumer.step()
    assert room.consumer.state.state == "paused"
    assert room.orders == []
    room.way.queue.set_setting("paused", "0")
    room.run()
    assert room.states() == {"a.wav": "done"}


def test_stopped_consumer_puts_back_what_is_in_work(room: Room) -> None:
    """At the end the recogniser is killed and its jobs are as if they had not been tried."""
    room.script = lambda order, content: []
    room.way.put("a.wav", b"A")
    room.consumer._feed()
    room.consumer.stop()
    room.consumer.run()
    assert not room.started[0].is_alive
    assert (room.way.job(1)["state"], room.way.job(1)["attempts"]) == ("queued", 0)


def test_changed_hotwords_are_taken_up_by_what_waits(room: Room) -> None:
    """A recording that was queued under old hotwords is recognised with the new ones."""
    room.way.put("a.wav", b"A")
    room.profiles.hotwords = ("词",)
    room.run()
    room.run()
    assert [order.profile.hotwords for order in room.orders] == [("词",)]
    assert (room.way.inbox / "a.txt").exists()


def test_begun_recording_is_finished_with_the_hotwords_it_was_begun_with(room: Room) -> None:
    """Half a transcript with these words and half with those would be neither."""
    room.way.put("a.wav", b"A")
    job = room.way.claim()
    room.way.queue.save_segments(job.id, (segment(0, "A0"),))
    room.way.queue.put_back(job.id)
    room.profiles.hotwords = ("词",)
    room.run()
    assert [order.profile.hotwords for order in room.orders] == [()]


def test_command_line_keeps_the_profile_that_it_asked_for(room: Room) -> None:
    """`transcribe --inbox NAME` is recognised with that inbox's hotwords, though it belongs to no inbox."""
    wanted = Profile("model@1", hotwords=("词",))
    room.way.queue.put("", room.way.candidate("a.wav", b"A"), "a" * 64, wanted)
    room.run()
    assert [order.profile.hotwords for order in room.orders] == [("词",)]


def test_recording_that_changed_meanwhile_waits_unspent(room: Room) -> None:
    """What lies there is not what was hashed: it is not recognised under the old name."""
    room.way.put("a.wav", b"A")
    (room.way.inbox / "a.wav").write_bytes(b"another")
    room.run()
    assert room.orders == []
    assert (room.way.job(1)["state"], room.way.job(1)["attempts"]) == ("queued", 0)


def test_share_that_is_gone_holds_up_nobody_else(room: Room, tmp_path: Path) -> None:
    """Its recordings stay queued untried; another inbox's go on."""
    (tmp_path / "there").mkdir()
    room.way.put("a.wav", b"A")
    room.consumer.config = make_config(tmp_path, path=tmp_path / "gone")
    room.way.queue.put("", room.way.candidate("b.wav", b"B"), "b" * 64, PROFILE)
    room.run()
    room.run()
    assert room.states() == {"a.wav": "queued", "b.wav": "done"}
    assert room.way.job(1)["attempts"] == 0


def test_unexpected_error_of_the_consumer_itself_puts_the_jobs_back(room: Room) -> None:
    """A fault of ours is logged, counted, and the recording is tried again."""
    room.script = lambda order, content: [protocol.Finished(order.job, 2000, "two")]  # type: ignore[arg-type,list-item]
    room.way.put("a.wav", b"A")
    room.run()
    assert room.way.job(1)["state"] == "queued"
    room.script = well
    room.run(steps=20, pause_s=10.0)
    assert room.states() == {"a.wav": "done"}
