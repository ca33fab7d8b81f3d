"""Several recognisers: each claims for itself, and what befalls one takes nothing from the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from room import Room, well
from way import HandClock, make_config, segment

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.dispatcher import Dispatcher, recogniser_names
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import RecogniserCrashedError
from asr_daemon.service.heartbeats import Heartbeats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.dispatch.session import Session


class Two(Room):
    """A room with a dispatcher of two recognisers, stepped by the test."""

    def __init__(self, folder: Path, devices: Sequence[str] = ("cuda:0", "cuda:1")) -> None:
        super().__init__(folder)
        self.heartbeats = Heartbeats(self.time.clock)
        self.dispatcher = Dispatcher(with_devices(self.way.config, devices), self.around, self.heartbeats)
        for session in self.dispatcher.sessions.values():
            session.wake.set = session.wake.clear = lambda: None  # type: ignore[method-assign]
            session.wake.wait = lambda _timeout=None: True  # type: ignore[assignment,method-assign]

    @property
    def sessions(self) -> list[Session]:
        """Both."""
        return list(self.dispatcher.sessions.values())

    def put(self, count: int) -> None:
        """Queue so many short recordings."""
        for number in range(1, count + 1):
            self.way.put(f"{number}.wav", f"{number}-".encode())

    def run_all(self, *, steps: int = 200, pause_s: float = 0.0) -> None:
        """Let all work in turns until nothing is left to do."""
        for _ in range(steps):
            for session in self.sessions:
                session.step()
            self.time.pass_s(pause_s)
            if self.way.jobs.is_empty() and not self.dispatcher.in_work:
                return

    def held(self) -> dict[str, set[int]]:
        """Return the jobs that each has in hand."""
        return {
            name: {work.job.id for work in session.state.in_work.values()}
            for name, session in self.dispatcher.sessions.items()
        }


def with_devices(config: Config, devices: Sequence[str], **engine: object) -> Config:
    """Return the configuration with those devices."""
    engine = {"devices": tuple(devices), **engine}
    return config.model_copy(update={"engine": config.engine.model_copy(update=engine)})


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """Return two recognisers that do not finish."""
    two = Two(tmp_path)
    two.script = lambda order, content: []
    return two


def test_each_recogniser_has_a_name_of_its_own() -> None:
    """The device's, numbered where several are on it."""
    assert recogniser_names(("cuda:0", "cuda:1")) == {"cuda:0": "cuda:0", "cuda:1": "cuda:1"}
    assert recogniser_names(("cpu", "cuda:0", "cpu")) == {"cpu#1": "cpu", "cuda:0": "cuda:0", "cpu#2": "cpu"}
    assert recogniser_names(("auto",)) == {"auto": "auto"}


def test_one_device_is_one_recogniser(tmp_path: Path) -> None:
    """The default."""
    assert make_config(tmp_path).engine.recognisers == ("auto",)
    assert [session.hiring.device for session in Two(tmp_path, ()).sessions] == ["auto"]


def test_each_claims_for_itself_and_the_claim_says_who(two: Two) -> None:
    """No job is given twice; the history and the setup say which recogniser and device it is."""
    two.put(2)
    for session in two.sessions:
        session.step()
    assert two.held() == {"cuda:0": {1}, "cuda:1": {2}}
    rows = two.way.history.db.execute("SELECT claimed_by FROM jobs ORDER BY id")
    assert [row["claimed_by"] for row in rows] == ["cuda:0", "cuda:1"]
    rows = two.way.history.db.execute("SELECT recogniser FROM attempts ORDER BY job_id")
    assert [row["recogniser"] for row in rows] == ["cuda:0", "cuda:1"]
    assert [(setup.device, setup.sharers) for setup in two.setups] == [("cuda:0", 2), ("cuda:1", 2)]


@pytest.mark.parametrize("count", [3, 4, 7])
def test_short_ones_are_spread(two: Two, count: int) -> None:
    """The first to ask does not take them all."""
    two.put(count)
    for session in two.sessions:
        session.step()
    sizes = sorted(len(jobs) for jobs in two.held().values())
    assert sizes == [count // 2, count - count // 2]


def test_alone_a_recogniser_takes_what_its_places_hold(tmp_path: Path) -> None:
    """One recogniser shares its batches among many."""
    one = Two(tmp_path, ())
    one.script = lambda order, content: []
    one.put(20)
    one.sessions[0].step()
    assert len(one.sessions[0].state.in_work) == 12


def test_one_that_is_blocked_leaves_its_share_to_the_others(two: Two) -> None:
    """A card that is not there holds up nothing."""
    two.first = protocol.Broken("device_missing", "no such card")
    two.put(4)
    two.sessions[0].step()
    assert two.sessions[0].state.phase is Phase.BLOCKED
    assert not two.dispatcher.is_blocked  # the queue goes on
    two.first = protocol.Ready("cuda:1", "model", 1)
    two.time.pass_s(14)
    for _ in range(5):
        two.time.pass_s(0.3)
        two.sessions[1].step()
    assert two.held() == {"cuda:0": set(), "cuda:1": {1, 2, 3, 4}}


def test_the_queue_is_blocked_where_all_are(two: Two) -> None:
    """Whoever is told of a queue that waits hears of nothing less."""
    two.first = protocol.Broken("device_missing", "no such card")
    two.put(4)
    for session in two.sessions:
        assert not two.dispatcher.is_blocked
        two.time.pass_s(14)
        session.step()
    assert two.dispatcher.is_blocked


def test_crash_of_one_takes_nothing_from_the_other(two: Two) -> None:
    """Its own recordings are tried again, alone; the other's stay where they are, unsuspected."""
    two.put(4)
    first, second = two.sessions
    first.step()
    second.step()
    mine, others = two.held().values()
    two.started[0].said.append(RecogniserCrashedError("was ended by SIGSEGV"))
    first.step()
    assert two.held()["cuda:1"] == others
    assert (first.state.restarts, second.state.restarts) == (1, 0)
    assert two.started[1].is_alive
    rows = two.way.history.db.execute("SELECT id, state, attempts, claimed_by FROM jobs ORDER BY id")
    states = {row["id"]: (row["state"], row["claimed_by"]) for row in rows}
    assert {states[job] for job in others} == {("running", "cuda:1")}
    two.script = well
    for order in two.started[1].orders:
        two.started[1].said += well(order, b"x")
    two.run_all(pause_s=10.0)
    assert set(two.states().values()) == {"done"}
    for job in others:
        assert (two.way.job(job)["attempts"], two.way.job(job)["is_suspect"]) == (1, 0)
    assert {two.way.job(job)["is_suspect"] for job in mine} == {1}


def test_suspect_runs_alone_in_one_while_the_other_goes_on(two: Two) -> None:
    """Nothing is begun beside it there; the other takes what comes."""
    two.put(1)
    two.way.jobs.fail(two.way.claim().id, RecogniserCrashedError(), at_once=True)
    first, second = two.sessions
    first.step()
    two.way.put("b.wav", b"B")
    two.way.put("c.wav", b"C")
    for _ in range(3):
        first.step()
        second.step()
    assert two.held() == {"cuda:0": {1}, "cuda:1": {2, 3}}


def test_hang_of_one_is_ended_and_the_other_is_not_blamed(two: Two) -> None:
    """Each has its own stall clock."""
    two.put(2)
    first, second = two.sessions
    first.step()
    second.step()
    for _ in range(200):
        two.started[1].said.append(protocol.Progress(1, 1, 1, 1))
        first.step()
        second.step()
        if first.state.restarts:
            break
    assert (first.state.restarts, second.state.restarts) == (1, 0)
    assert (two.started[0].is_alive, two.started[1].is_alive) == (False, True)


def test_memory_ladder_of_one_leaves_the_other_its_device(two: Two) -> None:
    """A recording that does not fit is tried on the CPU by one; the other stays on its card."""

    def script(order: protocol.Recognise, content: bytes) -> list[object]:
        if content == b"1-" and two.setups[-1].device != "cpu":
            return [protocol.Failed(order.order, "out_of_memory", "too large")]
        return well(order, content)

    two.script = script
    two.first = protocol.Ready("cuda:0", "model", 1)
    two.put(1)
    two.sessions[0].step()
    for _ in range(20):
        two.sessions[0].step()
        two.time.pass_s(1.0)
    assert two.way.job(1)["state"] == "done"
    assert two.sessions[1].state.memory_steps["cpu"] == 0
    assert two.sessions[0].state.memory_steps["cpu"] == 1
    two.way.put("b.wav", b"B")
    two.sessions[1].step()
    assert two.setups[-1].device == "cuda:1"


def test_cancelled_in_one_while_the_other_works(two: Two) -> None:
    """Only the recogniser that holds it is told."""
    two.put(2)
    for session in two.sessions:
        session.step()
    two.way.arrivals.cancel(2)
    for session in two.sessions:
        session.step()
    assert two.held() == {"cuda:0": {1}, "cuda:1": set()}
    assert [child.cancelled for child in two.started] == [[], [1]]  # its first order


def test_recovery_returns_only_what_nobody_holds(two: Two) -> None:
    """A recogniser that outlived the daemon keeps its work; a start with none of them takes back all."""
    two.put(2)
    for session in two.sessions:
        session.step()
    assert two.way.jobs.recover(held=["cuda:1"]) == [1]
    assert [two.way.job(job)["state"] for job in (1, 2)] == ["queued", "running"]
    assert two.way.jobs.recover() == [2]


def test_recovery_takes_back_what_an_older_release_claimed(two: Two) -> None:
    """It wrote no name."""
    two.put(1)
    two.way.claim()
    two.way.history.db.execute("UPDATE jobs SET claimed_by = NULL")
    assert two.way.jobs.recover(held=["cuda:1"]) == [1]


def test_recognisers_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    """What one that goes has in work goes back untried, and is done by those that stay."""
    room = Two(tmp_path, ("cuda:0", "cuda:1"))
    room.script = lambda order, content: []
    room.put(2)
    for session in room.sessions:
        session.step()
    goes = room.dispatcher.sessions["cuda:1"]
    thread = threading.Thread(target=goes.run)
    room.dispatcher._threads["cuda:1"] = thread
    room.heartbeats.watch("recogniser cuda:1")
    thread.start()
    room.dispatcher.reload(with_devices(room.way.config, ("cuda:0",)))
    assert not thread.is_alive()
    assert list(room.dispatcher.sessions) == ["cuda:0"]
    assert not room.started[1].is_alive
    assert (room.way.job(2)["state"], room.way.job(2)["attempts"]) == ("queued", 0)
    room.time.pass_s(1e4)
    assert room.heartbeats.stuck() == {}
    assert room.dispatcher.dead_threads() == []
    assert room.started[0].is_alive
    assert set(room.dispatcher.sessions["cuda:0"].state.in_work) == {1}
    room.dispatcher.reload(with_devices(room.way.config, ("cuda:0", "cpu")))
    assert list(room.dispatcher.sessions) == ["cuda:0", "cpu"]


def test_reload_hands_every_recogniser_its_settings(two: Two) -> None:
    """Threads, say: each next recording's child has them, and knows how many share the machine."""
    two.put(2)
    for session in two.sessions:
        session.step()
    for child in two.started:
        child.said += well(child.orders[0], b"x")
    two.run_all()
    two.dispatcher.reload(with_devices(two.way.config, ("cuda:0", "cuda:1", "cpu"), threads=3))
    for name in "xy":
        two.way.put(f"{name}.wav", name.encode())
    for session in two.sessions[:2]:
        session.step()
    assert [(setup.threads, setup.sharers) for setup in two.setups] == [(0, 2), (0, 2), (3, 3), (3, 3)]


def test_each_thread_is_looked_after(tmp_path: Path) -> None:
    """Every recogniser's thread beats for itself; one that died is named."""
    room = Room(tmp_path)
    heartbeats = Heartbeats(HandClock().clock)
    dispatcher = Dispatcher(with_devices(room.way.config, ("cpu", "cpu")), room.around, heartbeats)
    dispatcher.start()
    assert set(heartbeats.ages_s()) == {"recogniser cpu#1", "recogniser cpu#2"}
    assert dispatcher.dead_threads() == []
    dispatcher.sessions["cpu#2"].stop()
    dispatcher._threads["cpu#2"].join(20)
    assert dispatcher.dead_threads() == ["recogniser cpu#2"]
    dispatcher.stop()
    dispatcher._threads["cpu#1"].join(20)


def test_a_thread_that_is_about_to_begin_is_not_taken_for_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main thread may look at any moment, and a dead thread ends the daemon."""
    room = Room(tmp_path)
    dispatcher = Dispatcher(
        with_devices(room.way.config, ("cpu",)), room.around, Heartbeats(HandClock().clock)
    )
    start, dead = threading.Thread.start, []

    def look_first(thread: threading.Thread) -> None:
        dead.append(dispatcher.dead_threads())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", look_first)
    dispatcher.start()
    dispatcher.stop()
    dispatcher.join(time.monotonic() + 20)
    assert dead == [[]]


def test_long_recording_in_one_does_not_hold_up_short_ones(two: Two) -> None:
    """While one has hours before it, what is dropped meanwhile is done by both, beside it."""
    two.way.put("long.wav", b"L")
    for _ in range(3):
        for session in two.sessions:
            session.step()
    two.script = well
    two.put(6)
    two.started[0].said.append(protocol.Recognised(1, (segment(0, "L0"),)))
    for _ in range(30):
        for session in two.sessions:
            session.step()
    states = two.states()
    assert states.pop("long.wav") == "running"
    assert set(states.values()) == {"done"}
