"""Reloads, bridges and machines come and go at random while recordings pass, and the daemon is killed."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording
from bridge_process import CLUSTER, BridgeProcess, reload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUNDS = 120
PAUSE_S = 0.6  # at most, between what happens
MOST_BRIDGES = 2  # the second is refused, or waits for the first one's end
THREE, TWO_ALONE = "recognisers = 3\n", "recognisers = 2\nlocal = false\n"


class Office:
    """What may happen, each thing at random."""

    def __init__(self, daemon: AttackedDaemon, seed: int) -> None:
        self.daemon = daemon
        self.chance = random.Random(seed)
        self.contents: dict[str, bytes] = {}
        self.bridges: list[BridgeProcess] = []
        self.happened: list[str] = []
        self.ways: dict[str, tuple[int, Callable[[], None]]] = {
            "a recording": (4, self.record),
            "a reload": (3, self.reload),
            "a bridge": (2, self.begin_bridge),
            "a bridge is killed": (1, self.kill_bridge),
            "a machine is lost": (2, self.lose_machine),
            "the daemon is killed": (1, self.kill),
            "the daemon is stopped": (1, self.stop),
        }

    def go_on(self) -> None:
        """Let one thing happen."""
        weights = [weight for weight, _ in self.ways.values()]
        (what,) = self.chance.choices(list(self.ways), weights)
        self.happened.append(what)
        self.ways[what][1]()
        time.sleep(self.chance.uniform(0, PAUSE_S))
        assert self.daemon.is_running(), f"the daemon ended by itself after {what}"

    def record(self) -> None:
        """Drop a recording, short or long."""
        segments, name = self.chance.choice((1, 3, 30, 90)), f"{len(self.contents)}.wav"
        self.contents[name] = recording(name, segments=segments, ms=self.chance.choice((5, 20, 40)))
        drop(self.daemon.inbox / name, self.contents[name])

    def reload(self) -> None:
        """Change the cluster."""
        reload(self.daemon, self.chance.choice(("", CLUSTER, CLUSTER + THREE, CLUSTER + TWO_ALONE)))

    def begin_bridge(self) -> None:
        """Start one, where it can be let in."""
        socket = self.daemon.folder / "state" / "cluster.sock"
        if len(self.bridges) < MOST_BRIDGES and socket.exists():
            machines = [f"gpu{number}" for number in range(self.chance.choice((1, 2, 3)))]
            self.bridges.append(BridgeProcess(self.daemon, *machines))

    def kill_bridge(self) -> None:
        """End one, if there is one."""
        if self.bridges:
            self.bridges.pop(self.chance.randrange(len(self.bridges))).kill()

    def lose_machine(self) -> None:
        """Let a bridge lose one, which may not have it."""
        if self.bridges:
            self.chance.choice(self.bridges).tell(f"lose gpu{self.chance.randrange(3)}")

    def kill(self) -> None:
        """Kill the daemon, and start it."""
        self.daemon.kill()
        self.daemon.start()

    def stop(self) -> None:
        """Stop the daemon as systemd does, and start it."""
        assert self.daemon.stop() == 0
        self.daemon.start()

    def end(self) -> None:
        """Let the bridges go, and this machine do what is left."""
        reload(self.daemon, "")
        while self.bridges:
            self.kill_bridge()
        self.daemon.wait_until_done(len(self.contents), within_s=300)
        self.daemon.check_exactly_once(self.contents)
        assert self.daemon.stop() == 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_recording_has_one_transcript_whatever_comes_and_goes(tmp_path: Path, seed: int) -> None:
    """Nothing is lost or done twice, and the daemon never ends by itself."""
    with AttackedDaemon(tmp_path) as daemon:
        daemon.start()
        office = Office(daemon, seed)
        for _ in range(ROUNDS):
            office.go_on()
        office.end()
        assert set(office.happened) == set(office.ways)
        log = daemon.log_text()
    for said in ("exception_uncaught", "session_failed", "Traceback"):
        assert said not in log, said
