"""The consumer with a recogniser that does as it is told: crashes, hangs, full disks, missing models."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from model_folders import lay
from room import Model, Room, well
from way import PROFILE, RECOGNISER, make_config, segment

from asr_daemon.dispatch import protocol
from asr_daemon.errors import ModelMissingError, RecogniserCrashedError
from asr_daemon.transcripts.profile import Profile


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


def test_time_that_the_device_computed_is_added_up(room: Room) -> None:
    """Over all batches, whosever they are."""

    def busy(order: protocol.Recognise, content: bytes) -> list[object]:
        return [protocol.Computed(1500), *well(order, content)]

    room.script = busy
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"B")
    room.run()
    assert room.session.state.device_busy_s == 3.0


def test_failure_of_a_recording_is_its_own(room: Room) -> None:
    """What the recogniser cannot decode gets a failure file; the one beside it is done."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"bad":
            return [protocol.Failed(order.order, "not_decodable", "no sound", "ffmpeg's words")]
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
    assert room.session.state.restarts == 3


def test_suspect_has_the_recogniser_to_itself(room: Room) -> None:
    """While it is in work nothing else is begun, and it is not begun while others are."""
    room.script = lambda order, content: []
    for name in ("suspect", "innocent"):
        room.way.put(f"{name}.wav", name.encode())
    room.way.jobs.fail(room.way.claim().id, RecogniserCrashedError(), at_once=True)
    room.session._feed()
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
                protocol.Segmented(order.order, ((0, 0, 1000),)),
                protocol.Recognised(order.order, (segment(0, "A0"),)),
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
        room.session.step()
    assert room.session.state.restarts == 1


def test_daemon_that_was_stopped_itself_blames_nobody(room: Room) -> None:
    """After SIGSTOP for an hour the recogniser's silence is not held against it."""
    answers: list[object] = []
    room.script = lambda order, content: answers
    room.way.put("a.wav", b"A")
    room.run(steps=1, pause_s=0)
    room.time.pass_s(3600)
    room.session.step()
    assert room.session.state.restarts == 0
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
    assert room.session.state.phase == "blocked"
    assert room.session.state.reason
    assert {row["attempts"] for row in (room.way.job(1), room.way.job(2))} == {0}
    assert 3 <= len(room.started) <= 40
    assert not any(recogniser.is_alive for recogniser in room.started if recogniser.orders)
    room.first = protocol.Ready("cpu", "model", 1)
    room.run(steps=80, pause_s=10.0)
    assert room.states() == {"a.wav": "done", "b.wav": "done"}
    assert room.session.state.phase in ("idle", "working")
    assert room.session.state.reason == ""


def test_damaged_model_is_read_again_when_a_file_of_it_changed(room: Room, tmp_path: Path) -> None:
    """Comparing gigabytes is not repeated every few seconds; a file that changed is noticed at once."""
    folder = lay(tmp_path / "models", "paraformer-zh")
    room.profiles.model_or_error = Model(folder=str(folder))
    room.first = protocol.Broken("model_missing", "model.pt differs")
    room.way.put("a.wav", b"A")
    room.run(steps=40, pause_s=5.0)
    assert room.session.state.reason == "model.pt differs"
    assert len(room.started) == 1
    assert room.way.job(1)["attempts"] == 0
    room.first = protocol.Ready("cpu", "model", 1)
    (folder / "model.pt").write_bytes(b"another")
    room.run(steps=10, pause_s=5.0)
    assert room.states() == {"a.wav": "done"}


def test_model_replaced_while_it_is_loaded_is_loaded_again(room: Room) -> None:
    """A transcript never stands under another model's name: what was loaded might be either."""

    class Replaced(Model):
        """Another one as soon as the first recogniser is there."""

        @property
        def identity(self) -> str:
            return f"model@{min(2, 1 + len(room.started))}"

        @identity.setter
        def identity(self, _value: str) -> None:
            """Nothing: the dataclass sets its default."""

    room.profiles.model_or_error = Replaced()
    room.way.put("a.wav", b"A", Profile("model@1"))
    room.run(steps=40, pause_s=5.0)
    assert [recogniser.orders == [] for recogniser in room.started] == [True, False]
    assert [order.profile.model for order in room.orders] == ["model@2"]
    assert room.states() == {"a.wav": "done"}
    assert room.way.job(2)["attempts"] == 1


def test_damaged_model_is_tried_again_in_the_end(room: Room, tmp_path: Path) -> None:
    """What hid behind the files (a share that stuttered, a library) may have passed, too."""
    room.profiles.model_or_error = Model(folder=str(lay(tmp_path / "models", "paraformer-zh")))
    room.first = protocol.Broken("model_missing", "model.pt cannot be read")
    room.way.put("a.wav", b"A")
    room.run(steps=5, pause_s=5.0)
    room.first = protocol.Ready("cpu", "model", 1)
    room.run(steps=80, pause_s=5.0)
    assert room.states() == {"a.wav": "done"}


def test_missing_model_blocks_and_the_real_one_takes_over(room: Room) -> None:
    """Queued while there was no model: bound to the real one's profile when it comes."""
    room.profiles.model_or_error = ModelMissingError("no folder")
    room.way.put("a.wav", b"A", Profile("missing"))
    room.run(steps=20, pause_s=5.0)
    assert (room.session.state.phase, room.session.state.reason) == ("blocked", "no folder")
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
            return [protocol.Failed(order.order, "not_decodable", "no sound")]
        return well(order, content)

    room.script = script
    full = Full(room.way.history.db.conn)
    room.way.history.db.conn = full  # type: ignore[assignment]
    room.way.put("a.wav", b"A")
    room.way.put("bad.wav", b"bad")
    for _ in range(full_after):
        room.session.step()
    full.is_full = True
    for _ in range(30):
        room.time.pass_s(0.5)
        room.session.step()
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
    room.session._feed()
    full.is_full = True
    for _ in range(20):
        room.time.pass_s(1.0)
        room.session.step()
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
    room.session.step()
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
    room.session.step()
    assert room.started[0].is_alive
    room.time.pass_s(2)
    room.session.step()
    assert not room.started[0].is_alive
    assert room.session.state.pid is None


def test_recogniser_is_unloaded_when_somebody_asks(room: Room) -> None:
    """Once nothing is in work, paused or not; the next recording loads it again, and it stays then."""
    room.way.put("a.wav", b"A")
    room.run()
    assert room.started[0].is_alive
    room.way.settings.pause(True)
    room.session.unload.set()
    room.session.step()
    assert not room.started[0].is_alive
    assert room.session.state.pid is None
    room.way.settings.pause(False)
    room.way.put("b.wav", b"B")
    room.run()
    assert room.states() == {"a.wav": "done", "b.wav": "done"}
    room.session.step()
    assert [each.is_alive for each in room.started] == [False, True]


def test_pause_finishes_what_is_in_work_and_begins_nothing(room: Room) -> None:
    """Paused: the state says so, and the queue stays; resumed, it goes on."""
    room.way.settings.pause(True)
    room.way.put("a.wav", b"A")
    room.session.step()
    assert room.session.state.phase == "paused"
    assert room.orders == []
    room.way.settings.pause(False)
    room.run()
    assert room.states() == {"a.wav": "done"}


def test_stopped_consumer_puts_back_what_is_in_work(room: Room) -> None:
    """At the end the recogniser is killed and its jobs are as if they had not been tried."""
    room.script = lambda order, content: []
    room.way.put("a.wav", b"A")
    room.session._feed()
    room.session.stop()
    room.session.run()
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
    room.way.segments.save(job.id, (segment(0, "A0"),))
    room.way.jobs.put_back(job.id)
    room.profiles.hotwords = ("词",)
    room.run()
    assert [order.profile.hotwords for order in room.orders] == [()]


def test_command_line_keeps_the_profile_that_it_asked_for(room: Room) -> None:
    """`transcribe --inbox NAME` is recognised with that inbox's hotwords, though it belongs to no inbox."""
    wanted = Profile("model@1", hotwords=("词",))
    room.way.arrivals.put("", room.way.candidate("a.wav", b"A").look, "a" * 64, wanted)
    room.run()
    assert [order.profile.hotwords for order in room.orders] == [("词",)]


def test_recording_that_changed_meanwhile_waits_unspent(room: Room) -> None:
    """What lies there is not what was hashed: it is not recognised under the old name, nor kept open."""
    room.way.put("a.wav", b"A")
    (room.way.inbox / "a.wav").write_bytes(b"another")
    room.run()
    assert room.orders == []
    assert (room.way.job(1)["state"], room.way.job(1)["attempts"]) == ("queued", 0)
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # of the iteration itself
            opened.append(descriptor.readlink())
    assert room.way.inbox / "a.wav" not in opened


def test_share_that_is_gone_holds_up_nobody_else(room: Room, tmp_path: Path) -> None:
    """Its recordings stay queued untried; another inbox's go on."""
    (tmp_path / "there").mkdir()
    room.way.put("a.wav", b"A")
    room.opener.config = make_config(tmp_path, path=tmp_path / "gone")
    room.way.arrivals.put("", room.way.candidate("b.wav", b"B").look, "b" * 64, PROFILE)
    room.run()
    room.run()
    assert room.states() == {"a.wav": "queued", "b.wav": "done"}
    assert room.way.job(1)["attempts"] == 0


def test_unexpected_error_of_the_consumer_itself_puts_the_jobs_back(room: Room) -> None:
    """A fault of ours is logged, counted, and the recording is tried again."""
    room.script = lambda order, content: [protocol.Finished(order.order, 2000, "two")]  # type: ignore[arg-type,list-item]
    room.way.put("a.wav", b"A")
    room.run()
    assert room.way.job(1)["state"] == "queued"
    room.script = well
    room.run(steps=20, pause_s=10.0)
    assert room.states() == {"a.wav": "done"}


def test_suspect_is_not_put_off_for_ever_by_a_queue_that_never_ends(room: Room) -> None:
    """After ten minutes nothing more is begun beside what is in work, until the suspect had its turn."""
    room.way.put("suspect.wav", b"suspect")
    room.way.jobs.fail(room.way.claim().id, RecogniserCrashedError(), at_once=True)
    room.script = lambda order, content: []
    room.way.put("long.wav", b"long")
    long = room.way.jobs.claim(RECOGNISER, fresh_only=True)
    assert long is not None
    room.session._begin(long)
    room.script = well
    for minute in range(20):
        room.way.put(f"{minute}.wav", str(minute).encode())
        room.started[0].said.append(protocol.Progress(long.id, 0, minute, minute))
        for _ in range(5):
            room.session.step()
        room.time.pass_s(55)
    begun = [order.job for order in room.orders]
    assert 9 <= len(begun) <= 13, "others are begun for about ten minutes, and then no more"
    assert 1 not in begun, "the suspect runs alone or not at all"
    room.started[0].said += well(room.orders[0], b"long")
    room.run(steps=100, pause_s=1.0)
    assert set(room.states().values()) == {"done"}


@pytest.mark.parametrize("changed", ["model", "threads", "batch_s", "max_duration_h", "half_precision"])
def test_another_model_or_setting_gives_back_what_is_in_work(room: Room, changed: str) -> None:
    """A reload in mid-recording: no attempt is spent, nobody is blamed, its segments are kept."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if len(room.orders) == 1:
            return [protocol.Recognised(order.order, (segment(0, "long0"),))]
        return well(order, content)

    room.script = script
    room.way.put("long.wav", b"long")
    room.session.step()
    room.session.step()
    if changed == "model":
        room.profiles.model_or_error = Model(identity="model@2")
    else:
        other = {"threads": 7, "batch_s": 33.0, "max_duration_h": 1.0, "half_precision": False}[changed]
        engine = room.way.config.engine.model_copy(update={changed: other})
        room.session.reload(engine, room.session.hiring)
    room.way.put("b.wav", b"B", Profile("model@2" if changed == "model" else "model@1"))
    room.run(steps=20, pause_s=0.5)
    assert room.states() == {"long.wav": "done", "b.wav": "done"}
    assert room.session.state.restarts == 0
    assert {row["error_code"] for row in room.way.history.all("attempts_of_job", job=1)} <= {None}
    assert [recogniser.is_alive for recogniser in room.started] == [False, True]


def test_ffmpeg_that_is_gone_spends_no_attempt(room: Room) -> None:
    """Uninstalled, say: the queue waits and says why; with it back, everything goes on."""
    room.has_ffmpeg = False
    room.way.put("a.wav", b"a")
    room.run(steps=40, pause_s=20.0)
    assert room.states() == {"a.wav": "queued"}
    assert room.session.state.phase == "blocked"
    assert "no ffmpeg" in room.session.state.reason
    assert room.way.job(1)["attempts"] == 0
    room.has_ffmpeg = True
    room.run(steps=40, pause_s=20.0)
    assert room.states() == {"a.wav": "done"}
