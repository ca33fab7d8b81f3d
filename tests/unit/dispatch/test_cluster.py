"""Recognisers on other machines, behind a bridge that the test plays: losses, sizes, coming and going."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from played_bridge import PlayedBridge
from room import Room, well
from way import segment

from asr_daemon.config_cluster import ClusterSection
from asr_daemon.control.cluster_door import ClusterDoor
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.dispatcher import Dispatcher
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.models import weights
from asr_daemon.service.heartbeats import Heartbeats
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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

    def run_all(self, until: Callable[[], object], *, only: str = "", steps: int = 400) -> None:
        """Let all work in turns (``only``: those whose name begins so) until something is so."""
        for _ in range(steps):
            for session in self.sessions:
                if session.state.name.startswith(only):
                    session.step()
            if until():
                return
            self.time.pass_s(0.1)
        raise AssertionError(f"it did not come about: {self.states()}")

    def all_done(self) -> bool:
        """Whether every recording is."""
        return set(self.states().values()) == {"done"}

    def close(self) -> None:
        """End."""
        self.door.close()
        for bridge in self.bridges:
            bridge.close()
        self.dispatcher.stop()
        for session in self.sessions:
            session.run()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Clustered]]:
    """Return a maker of rooms, whose model lies nowhere."""
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
