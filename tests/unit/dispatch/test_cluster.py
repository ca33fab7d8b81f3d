"""Recognisers on other machines, behind a bridge that the test plays: losses, sizes, coming and going."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from played_bridge import PlayedBridge
from room import Room, well
from way import PROFILE, segment

from asr_daemon.config_cluster import ClusterSection
from asr_daemon.control.cluster_door import ClusterDoor
from asr_daemon.dispatch import protocol, remote_process
from asr_daemon.dispatch.cluster_messages import Offer, encode
from asr_daemon.dispatch.dispatcher import Dispatcher
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.files.passing import send_line
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.history.settings import Settings
from asr_daemon.models import weights
from asr_daemon.service.heartbeats import Heartbeats
from support import PATIENCE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from played_bridge import Hired

    from asr_daemon.dispatch.session import Session


class Clustered(Room):
    """A room with a dispatcher that is stepped by the test, and a door for bridges."""

    def __init__(self, folder: Path, **cluster: object) -> None:
        super().__init__(folder)
        self.section = ClusterSection.model_validate({"address": "ray://head:10001", **cluster})
        self.config = self.way.config.model_copy(update={"cluster": self.section})
        self.dispatcher = Dispatcher(self.config, self.around, Heartbeats(self.time.clock))
        self.door = ClusterDoor(self.dispatcher.cluster)
        self.door.arrange(self.config)
        self.bridges: list[PlayedBridge] = []

    def bridge(self, *machines: str, script: Callable[..., list[object]] = well) -> PlayedBridge:
        """Connect a bridge, and wait until what it offers is known."""
        bridge = PlayedBridge(self.config.cluster_socket_path, machines or ("gpu1",), connects=False)
        bridge.script = script
        bridge.connect()
        self.bridges.append(bridge)
        eventually(lambda: not self.dispatcher.cluster.standing.problem, what="an offer")
        return bridge

    def offer(self, bridge: PlayedBridge, *machines: str, problem: str = "") -> None:
        """Offer something else, and wait until that is known."""
        before = self.dispatcher.cluster.standing.offer
        bridge.offer(*machines, problem=problem)
        eventually(lambda: self.dispatcher.cluster.standing.offer != before, what="another offer")
        with self.dispatcher._arranging:
            pass

    def reload(self, *, cluster: ClusterSection | None) -> None:
        """Take up another section."""
        config = self.way.config.model_copy(update={"cluster": cluster})
        self.dispatcher.reload(config)
        self.door.arrange(config)

    @property
    def sessions(self) -> list[Session]:
        """All of them; none sleeps."""
        sessions = list(self.dispatcher.sessions.values())
        for session in sessions:
            session.wake.wait = lambda _timeout=None: True  # type: ignore[assignment,method-assign]
        return sessions

    @property
    def remote(self) -> list[Session]:
        """Those of other machines."""
        return [session for session in self.sessions if session.state.name.startswith("cluster#")]

    def put(self, *names: str) -> None:
        """Queue short recordings, whose content is their name."""
        for name in names:
            self.way.put(f"{name}.wav", name.encode())

    def run_all(self, until: Callable[[], object], *, only: str = "") -> None:
        """Let all work in turns (``only``: those whose name begins so) until something is so."""
        until_s = time.monotonic() + PATIENCE_S / 3
        while time.monotonic() < until_s:
            for session in self.sessions:
                if session.state.name.startswith(only):
                    session.step()
            if until():
                return
            self.time.pass_s(0.1)
        raise AssertionError(f"it did not come about: {self.states()}")

    def segments(self) -> int:
        """Return how many are committed."""
        return int(self.way.history.db.execute("SELECT count(*) FROM segments").fetchone()[0])

    def all_done(self) -> bool:
        """Whether every recording is."""
        return set(self.states().values()) == {"done"}

    def close(self) -> None:
        """End."""
        self.door.close()
        for bridge in self.bridges:
            bridge.close()
        self.dispatcher.stop()
        for session in self.dispatcher.sessions.values():
            if session.state.name not in self.dispatcher._threads:
                session.run()
        self.dispatcher.join(time.monotonic() + 10)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Clustered]]:
    """Return a maker of rooms, whose model lies nowhere."""
    monkeypatch.setattr("asr_daemon.dispatch.session.POLL_S", 0.02)
    monkeypatch.setattr(weights, "describe", lambda _choice: (weights.Weights("model", "m", False),))
    made: list[Clustered] = []

    def make_one(**cluster: object) -> Clustered:
        made.append(Clustered(tmp_path, **cluster))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


def text(room: Clustered, name: str) -> str:
    """Return a transcript."""
    return (room.way.inbox / f"{name}.txt").read_text(encoding="utf-8")


def test_two_machines_and_this_one_share_a_queue(make: Callable[..., Clustered]) -> None:
    """Each takes its part; what another machine is told suffices to know the file by."""
    room = make()
    bridge = room.bridge("gpu1", "gpu2")
    names = [f"r{number}" for number in range(12)]
    room.put(*names)
    room.run_all(room.all_done)
    by = {row["recogniser"] for row in room.way.history.db.execute("SELECT recogniser FROM attempts")}
    assert by == {"auto", "cluster#1", "cluster#2"}
    for name in names:
        assert f"{name}0 {name}1" in text(room, name)
    assert {hired.machine for hired in bridge.hired} == {"gpu1", "gpu2"}
    order = bridge.orders[0]
    found = (room.way.inbox / order.name).stat()
    assert order.source is not None
    assert (order.source.size_bytes, order.source.mtime_ns) == (found.st_size, found.st_mtime_ns)
    assert len(order.source.sha256) == 64
    assert (order.source.path, order.source.root) == ("", "")
    setup = bridge.hired[0].setup
    assert setup is not None
    assert (setup.device, setup.sharers, setup.remembered, setup.ffmpeg) == ("auto", 1, "", "")
    assert not setup.is_verified
    assert {(hired.lease, hired.name) for hired in bridge.hired} == {(1, "cluster#1"), (2, "cluster#2")}


def test_loss_in_the_middle_is_finished_elsewhere_from_the_committed_segment(
    make: Callable[..., Clustered],
) -> None:
    """One transcript, no attempt spent, the segment that was committed is not recognised again."""
    room = make(recognisers=1)
    bridge = room.bridge(
        "gpu1", script=lambda order, content: [protocol.Recognised(order.order, (segment(0, "long0"),))]
    )
    room.put("long")
    (remote,) = room.remote
    room.run_all(lambda: any(work.committed for work in remote.state.in_work.values()), only="cluster")
    bridge.hired[0].lose()
    room.run_all(lambda: not remote.state.in_work, only="cluster")
    assert room.way.job(1)["state"] in ("queued", "running")
    bridge.script = well
    room.run_all(room.all_done)
    assert "long0 long1" in text(room, "long")
    job = room.way.job(1)
    assert (job["attempts"], job["strikes"], job["is_suspect"]) == (1, 0, 0)
    done = [order.done for order in (*bridge.orders, *room.orders)]
    assert done[-1] == ((0, 0, 1000),)
    assert room.dispatcher.cluster.machines.lost == {"gpu1": 1}


def test_bridge_that_dies_takes_its_recognisers_along_and_one_that_comes_is_used_at_once(
    make: Callable[..., Clustered],
) -> None:
    """Nothing is spent; the remote session says why it waits, and needs no back-off to begin again."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1", script=lambda _order, _content: [])
    room.put("a")
    (remote,) = room.remote
    room.run_all(lambda: remote.state.in_work, only="cluster")
    bridge.close()
    room.run_all(lambda: remote.state.phase is Phase.BLOCKED, only="cluster")
    assert "bridge" in remote.state.reason
    assert room.dispatcher.is_blocked
    assert room.way.job(1)["attempts"] == 0
    room.bridge("gpu1")
    for _ in range(20):  # no time passes
        remote.step()
    assert room.all_done()
    assert not room.dispatcher.is_blocked
    assert room.way.job(1)["attempts"] == 1


def test_words_under_an_old_lease_are_dropped(make: Callable[..., Clustered]) -> None:
    """Whatever a bridge's machines said that is not taken yet when another bridge takes its place."""
    room = make(recognisers=1, local=False)
    first = room.bridge("gpu1", script=lambda _order, _content: [])
    room.put("a")
    (remote,) = room.remote
    room.run_all(lambda: remote.state.in_work and first.orders, only="cluster")
    first.hired[0].say(*well(first.orders[0], b"of the old lease "))
    second = room.bridge("gpu2", script=lambda _order, _content: [])
    eventually(first.is_over.is_set, what="the end of the first one's line")
    room.run_all(lambda: second.orders, only="cluster")
    assert room.segments() == 0
    second.hired[0].say(*well(second.orders[0], b"a"))
    room.run_all(room.all_done, only="cluster")
    assert "a0 a1" in text(room, "a")
    assert "old lease" not in text(room, "a")
    assert [hired.lease for hired in (*first.hired, *second.hired)] == [1, 2]
    assert Settings(room.way.history).next_lease() == 3


def test_recording_that_takes_three_machines_along_spends_an_attempt(make: Callable[..., Clustered]) -> None:
    """Nothing is stuck for ever; one that was brought on meanwhile begins to count anew."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1", script=lambda _order, _content: [])
    room.put("evil")

    machines = room.dispatcher.cluster.machines

    def lose(count: int) -> None:
        for _ in range(count):
            lost = machines.lost.total()
            room.run_all(lambda: room.remote[0].state.in_work, only="cluster")
            bridge.hired[-1].lose()
            room.run_all(
                lambda lost=lost: room.dispatcher.cluster.machines.lost.total() > lost, only="cluster"
            )
        room.remote[0].step()

    def brings_on(order: protocol.Recognise, _content: bytes) -> list[object]:
        return [] if order.done else [protocol.Recognised(order.order, (segment(0, "evil0"),))]

    lose(1)
    bridge.script = brings_on
    lose(1)
    room.run_all(lambda: room.segments() == 1, only="cluster")
    lose(3)  # the first of them brought it on
    assert (room.way.job(1)["strikes"], room.way.job(1)["is_suspect"]) == (0, 0)
    lose(1)
    job = room.way.job(1)
    assert (job["strikes"], job["is_suspect"], job["error_code"]) == (1, 1, "recogniser_crashed")
    assert "machines in a row" in str(job["error_message"])


@pytest.mark.parametrize(
    ("code", "told"),
    [("recogniser_crashed", "recogniser_crashed"), ("killed_for_memory", "out_of_memory")],
)
def test_recogniser_that_dies_while_its_machine_lives_spends_an_attempt(
    make: Callable[..., Clustered], code: str, told: str
) -> None:
    """As it does on this machine."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1", script=lambda _order, _content: [])
    room.put("a")
    room.run_all(lambda: bridge.orders, only="cluster")
    bridge.hired[0].lose(code, "the process ended")
    room.run_all(lambda: room.remote[0].state.failures, only="cluster")
    job = room.way.job(1)
    assert (job["strikes"], job["error_code"]) == (1, told)
    assert room.dispatcher.cluster.machines.lost.total() == 0


def test_channel_that_ends_without_a_word_is_a_lost_machine(make: Callable[..., Clustered]) -> None:
    """The bridge is there all the same, and is hired of again."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1", script=lambda _order, _content: [])
    room.put("a")
    room.run_all(lambda: bridge.orders, only="cluster")
    bridge.script = well
    bridge.hired[0].hang_up()
    room.run_all(room.all_done, only="cluster")
    assert room.dispatcher.cluster.machines.lost == {"gpu1": 1}
    assert room.way.job(1)["attempts"] == 1


NO_WORDS = (
    b"{}\n",
    b'{"type": "Lost"}\n',
    b'{"type": "Lost", "code": "machine_lost", "message": "\\ud800"}\n',
    b"\xff\xfe\n",
    b'"' * 20_000,
)


def test_what_a_recogniser_says_that_is_no_message_ends_it_and_nothing_else(
    make: Callable[..., Clustered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line without an end fills the memory, and no field breaks journal or history."""
    monkeypatch.setattr(remote_process, "MOST_LINE_BYTES", 10_000)
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1", script=lambda _order, _content: [])
    note = protocol.Note("info", "said", {"event": "another", "exc_info": "no exception"})
    for number, said in enumerate(NO_WORDS):
        room.put(f"a{number}")
        room.run_all(bridge.has_one_at_work, only="cluster")
        if said is NO_WORDS[-1]:  # the next one may have its orders before this one's end is seen
            bridge.script = well
        bridge.hired[-1].say(note, said)
        room.run_all(bridge.hired[-1].is_dismissed.is_set, only="cluster")
        room.time.pass_s(3600)
    room.run_all(lambda: set(room.states().values()) <= {"done", "quarantined"}, only="cluster")
    assert room.dispatcher.cluster.standing.problem == ""
    assert room.remote[0].state.failures.keys() == {"recogniser_crashed"}


def test_descriptors_that_a_bridge_sends_are_closed(make: Callable[..., Clustered]) -> None:
    """On its line, and in the name of a recogniser."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1")
    room.put("a")
    room.run_all(room.all_done)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        send_line(bridge.hired[0].end, protocol.encode(protocol.Computed(1)), [0])
        send_line(bridge.end, encode(Offer(1, ("gpu1",))), [0])
    bridge.offer("gpu1", "gpu2")
    eventually(lambda: room.dispatcher.cluster.cards == 2)
    room.remote[0]._keeper.check_idle()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_what_is_too_large_for_a_machine_goes_to_one_that_takes_it(make: Callable[..., Clustered]) -> None:
    """By what each said that it takes; here, where all are too small."""
    room = make(local=False)
    bridge = room.bridge("small", "large", script=lambda _order, _content: [])
    bridge.most_bytes = {"small": 10, "large": 100}
    for name, size in {"s": 5, "m": 50, "l": 500}.items():
        room.way.put(f"{name}.wav", name.encode().ljust(size))
    local = room.sessions[0]
    room.run_all(lambda: len(bridge.orders) == 2, only="cluster")
    assert {order.name: hired.machine for hired in bridge.hired for order in hired.orders} == {
        "s.wav": "small",
        "m.wav": "large",
    }
    for _ in range(5):
        for session in room.remote:
            session.step()
    local.step()
    assert [order.name for order in room.orders] == ["l.wav"]
    assert len(bridge.orders) == 2
    room.run_all(lambda: room.states()["l.wav"] == "done", only="auto")


def test_without_local_this_machine_serves_live_captions_only(make: Callable[..., Clustered]) -> None:
    """It loads for nothing in the queue, whose wait is said, until a bridge comes."""
    room = make(local=False)
    room.put("a")
    local = room.sessions[0]
    for _ in range(5):
        for session in room.sessions:
            session.step()
    assert room.started == []
    assert local.state.phase is Phase.IDLE
    assert room.dispatcher.is_blocked
    assert [state.name for state in room.dispatcher.serving] == ["cluster#1"]
    room.bridge("gpu1")
    room.run_all(room.all_done)
    assert room.started == []


def test_live_sessions_stay_on_this_machine(make: Callable[..., Clustered]) -> None:
    """Whoever speaks is never given to another, however busy this one is."""
    room = make()
    room.bridge("gpu1")
    assert len(room.remote) == 1
    ours, theirs = socket.socketpair()
    with ours, theirs:
        room.dispatcher.start()
        number = room.dispatcher.live.open("inbox", PROFILE, (), theirs.fileno(), interim=True)
    (listening,) = [child for child in room.started if child.listens]
    assert listening.listens[0].session == number
    assert not any(hired.others for hired in room.bridges[0].hired)


def test_sessions_come_and_go_with_the_cards_and_leave_work_alone(make: Callable[..., Clustered]) -> None:
    """Who has something in work stays until that is done; nobody is told twice."""
    room = make(local=False)
    bridge = room.bridge("gpu1", "gpu2", "gpu3", script=lambda _order, _content: [])
    assert [session.state.name for session in room.remote] == ["cluster#1", "cluster#2", "cluster#3"]
    room.put("a", "b", "c")
    room.run_all(lambda: len(bridge.orders) == 3, only="cluster")
    room.offer(bridge, "gpu1")
    assert len(room.remote) == 3
    busy = room.dispatcher.remote["cluster#2"]
    bridge.at_work("gpu2").say(*well(bridge.at_work("gpu2").orders[0], b"x"))
    room.run_all(lambda: not busy.state.in_work, only="cluster")
    room.offer(bridge, "gpu1", problem="away for a moment")
    room.offer(bridge, "gpu1")
    assert [session.state.name for session in room.remote] == ["cluster#1", "cluster#3"]
    room.offer(bridge, "gpu1", "gpu2", "gpu3", "gpu4")
    assert sorted(session.state.name for session in room.remote) == [f"cluster#{n}" for n in (1, 2, 3, 4)]
    bridge.script = well
    for hired in bridge.hired:
        if not hired.is_dismissed.is_set():
            hired.say(*well(hired.orders[0], b"x"))
    room.run_all(room.all_done)


def test_one_recording_loads_one_machine(make: Callable[..., Clustered]) -> None:
    """A hundred cards are not taken for it; where that one cannot be had, the next is tried."""
    room = make(local=False)
    bridge = room.bridge(*(f"gpu{number}" for number in range(20)))
    room.dispatcher.start()
    room.put("a")
    room.dispatcher.wake()
    eventually(room.all_done)
    assert len(bridge.hired) <= 2


def test_machine_with_other_weights_is_named_and_the_others_go_on(make: Callable[..., Clustered]) -> None:
    """It is asked again after a while, longer each time: it reads its whole model for the answer."""
    room = make()
    bridge = room.bridge("gpu1", "gpu2")
    told = "On gpu1 the model paraformer-zh differs from the daemon's: model.pt."
    usual = bridge.first

    def first(hired: Hired) -> list[object]:
        return [protocol.Broken("model_missing", told)] if hired.machine == "gpu1" else usual(hired)

    bridge.first = first  # type: ignore[method-assign]
    room.put(*(f"r{number}" for number in range(9)))
    room.run_all(room.all_done)
    refused = [session.state for session in room.remote if session.state.reason == told]
    assert refused
    assert "识别模型尚未就绪" in refused[0].reason.chinese  # type: ignore[attr-defined]
    assert sum(hired.machine == "gpu1" for hired in bridge.hired) <= 2  # each session may find out for itself


def test_other_machine_that_comes_is_tried_at_once(make: Callable[..., Clustered]) -> None:
    """No back-off holds up a session whose last machine refused."""
    room = make(recognisers=1, local=False)
    bridge = room.bridge("gpu1")
    usual = bridge.first

    def first(hired: Hired) -> list[object]:
        refused = protocol.Broken("model_missing", "model.pt differs")
        return [refused] if hired.machine == "gpu1" else usual(hired)

    bridge.first = first  # type: ignore[method-assign]
    room.put("a")
    (remote,) = room.remote
    room.run_all(lambda: remote.state.phase is Phase.BLOCKED)
    room.offer(bridge, "gpu2")
    for _ in range(20):  # no time passes
        remote.step()
    assert room.all_done()


def test_shared_paths_say_where_the_file_lies(make: Callable[..., Clustered]) -> None:
    """Below its inbox; not of a file that was handed over on the command line."""
    room = make(local=False, shared_paths=True)
    bridge = room.bridge("gpu1")
    room.put("a")
    path = room.way.inbox / "单独.wav"
    path.write_bytes(b"alone")
    candidate = room.way.candidate("单独.wav", b"alone")
    room.way.arrivals.put(COMMAND_LINE, candidate.look, hashlib.sha256(b"alone").hexdigest(), PROFILE)
    room.run_all(lambda: len(bridge.orders) == 2, only="cluster")
    sources = {order.name: order.source for order in bridge.orders}
    assert sources["a.wav"] is not None
    assert (sources["a.wav"].path, sources["a.wav"].root) == (
        str(room.way.inbox / "a.wav"),
        str(room.way.inbox),
    )
    assert sources["单独.wav"] is not None
    assert sources["单独.wav"].path == ""


def test_reload_brings_a_cluster_and_takes_it_away(make: Callable[..., Clustered]) -> None:
    """What other machines had in work goes back untried when they go; numbers and settings change at once."""
    room = make(local=False)
    room.dispatcher.start()
    bridge = room.bridge("gpu1", "gpu2", script=lambda _order, _content: [])
    eventually(lambda: len(room.dispatcher.remote) == 2)
    room.put("a", "b", "c", "d", "e", "f")
    room.dispatcher.wake()
    eventually(lambda: len(room.dispatcher.in_work) == 6)
    room.reload(cluster=None)
    eventually(bridge.is_over.is_set)
    assert list(room.dispatcher.sessions) == ["auto"]
    assert not room.config.cluster_socket_path.exists()
    eventually(room.all_done)
    assert {row["strikes"] for row in room.way.history.db.execute("SELECT strikes FROM jobs")} == {0}
    room.reload(cluster=room.section.model_copy(update={"recognisers": 3, "local": False}))
    assert list(room.dispatcher.sessions) == ["auto", "cluster#1", "cluster#2", "cluster#3"]
    room.bridge("gpu9")
    room.put("g")
    room.dispatcher.wake()
    eventually(room.all_done)
    by = room.way.history.db.execute("SELECT recogniser FROM attempts ORDER BY id DESC").fetchone()
    assert by["recogniser"].startswith("cluster#")
    assert room.dispatcher.dead_threads() == []


def test_unloading_lets_cards_of_other_machines_go(make: Callable[..., Clustered]) -> None:
    """As this machine's."""
    room = make(local=False)
    bridge = room.bridge("gpu1")
    room.put("a")
    room.run_all(room.all_done, only="cluster")
    (remote,) = room.remote
    assert (remote.state.machine, remote.state.pid) == ("gpu1", None)
    assert room.dispatcher.unload() == 1
    remote.step()
    assert bridge.hired[0].is_dismissed.wait(10)
    assert protocol.Stop() in bridge.hired[0].others
    assert (remote.state.machine, room.dispatcher.unload()) == ("", 0)


def test_threads_run(make: Callable[..., Clustered]) -> None:
    """As the daemon runs them: sessions come with the cards, and go once they have nothing in work."""
    room = make()
    room.dispatcher.start()
    bridge = room.bridge("gpu1", "gpu2", "gpu3")
    eventually(lambda: len(room.dispatcher.remote) == 3)
    room.put("a", "b")
    room.dispatcher.wake()
    eventually(room.all_done)
    room.offer(bridge, "gpu1")
    eventually(lambda: len(room.dispatcher.remote) == 1)
    names = {thread.name for thread in threading.enumerate()}
    assert sum(name.startswith("recogniser cluster#") for name in names) == 1
    assert room.dispatcher.dead_threads() == []
