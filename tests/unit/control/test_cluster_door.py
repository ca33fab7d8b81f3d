"""Who may be the cluster's bridge, and what becomes of one that says what it should not."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from played_bridge import PlayedBridge
from way import OpenDaemon

from asr_daemon import __version__
from asr_daemon.config_cluster import ClusterSection
from asr_daemon.control import cluster_door, status
from asr_daemon.control.cluster_door import ClusterDoor
from asr_daemon.control.cluster_status import cluster_there
from asr_daemon.dispatch.cluster_messages import Hello, Hire, Offer, Refused, encode
from asr_daemon.errors import OperatorError
from asr_daemon.telemetry.metrics import Metrics
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.config import Config

CONNECT = """
import json, os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[3]))
end = socket.socket(socket.AF_UNIX)
try:
    end.connect(sys.argv[1])
    print(end.makefile().readline())
except PermissionError:
    print("closed")
"""


class Door(OpenDaemon):
    """An opened daemon with a door for bridges."""

    def __init__(self, folder: Path, **section: object) -> None:
        super().__init__(folder)
        self.in_force = self.with_section(**section)
        self.parts.configuration.now = self.in_force
        self.parts.dispatcher.reload(self.in_force)
        self.cluster = self.parts.dispatcher.cluster
        self.door = ClusterDoor(self.cluster)
        self.door.arrange(self.in_force)

    def with_section(self, **section: object) -> Config:
        """Return a configuration with a cluster."""
        cluster = ClusterSection.model_validate({"address": "head:6379", **section})
        return self.config.model_copy(update={"cluster": cluster})

    def bridge(self, **how: object) -> PlayedBridge:
        """Connect one."""
        return PlayedBridge(self.in_force.cluster_socket_path, **how)  # type: ignore[arg-type]

    def wait_until_it_offers(self) -> None:
        """Wait for an offer."""
        eventually(lambda: not self.cluster.standing.problem, what="an offer")

    def close(self) -> None:
        """End."""
        self.door.close()
        super().close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Return the door of a daemon, open."""
    door = Door(tmp_path)
    yield door
    door.close()


def test_bridge_of_another_release_is_refused_in_a_sentence(door: Door) -> None:
    """Both are named, and status says it as long as no other comes."""
    bridge = door.bridge(release="0.0.9")
    assert bridge.is_over.wait(10)
    (refused,) = bridge.heard
    assert isinstance(refused, Refused)
    assert "0.0.9" in refused.message
    assert __version__ in refused.message
    assert door.cluster.standing.problem == refused.message
    door.bridge()
    door.wait_until_it_offers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
def test_only_the_bridges_user_may_connect(tmp_path: Path) -> None:
    """Others of its group are told so by the kernel's word, everybody else does not reach the socket."""
    tmp_path.chmod(0o755)
    for folder in list(tmp_path.parents)[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)
    door = Door(tmp_path, user="nobody", socket=tmp_path / "cluster.sock")
    group = (tmp_path / "cluster.sock").stat().st_gid

    def connect(group: int, user: int) -> str:
        command = [sys.executable, "-c", CONNECT, os.fspath(tmp_path / "cluster.sock"), str(group), str(user)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    try:
        assert json.loads(connect(group, 12345))["type"] == "Refused"
        assert connect(12345, 12345) == "closed"
    finally:
        door.close()


NO_OFFERS = (
    b"\n",
    b"{}\n",
    b"\xff\xfe\x00\n",
    b'{"type": "Offer", "cards": "many"}\n',
    b'{"type": "Offer", "cards": 1, "machines": ["\\ud800"], "problem": ""}\n',
    encode(Hire(1, "cluster#1", ())),
    encode(Hello(__version__, "again")),
    b"x" * (3 << 20),
)


def test_line_that_is_none_ends_the_bridge_and_nothing_else(door: Door) -> None:
    """The next one is let in, and status can be told."""
    for said in NO_OFFERS:
        bridge = door.bridge()
        door.wait_until_it_offers()
        bridge.tell(said)
        assert bridge.is_over.wait(10), said[:40]
        eventually(lambda: door.cluster.standing.problem, what="that it is gone")
    door.bridge()
    door.wait_until_it_offers()
    json.dumps(status.live_status(door.parts), ensure_ascii=False).encode()


def test_who_says_no_hello_is_no_bridge(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is who says nothing at all; whoever is connected stays."""
    monkeypatch.setattr(cluster_door, "HELLO_WITHIN_S", 0.2)
    door.bridge()
    door.wait_until_it_offers()
    for said in (b"hello\n", encode(Offer(1)), b'{"type": "Hello", "release": 1}\n', b"", b"y" * (3 << 20)):
        with socket.socket(socket.AF_UNIX) as end, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            end.settimeout(30)
            end.connect(os.fspath(door.in_force.cluster_socket_path))
            end.sendall(said)
            while end.recv(1 << 16):
                pass
    assert door.cluster.standing.problem == ""


def test_offer_without_measure_costs_no_more_than_a_real_one(door: Door) -> None:
    """A thread for each card that somebody makes up would end the daemon."""
    bridge = door.bridge()
    bridge.tell(Offer(10**12, ("m" * 10_000, *(["x"] * 5000)), ""))
    eventually(lambda: door.cluster.cards == 1000)
    offer = door.cluster.standing.offer
    assert (len(offer.machines), len(offer.machines[0])) == (1000, 100)
    bridge.tell(Offer(-5, (), "p" * 100_000))
    eventually(lambda: len(door.cluster.standing.offer.problem) == 1000)


def test_silent_bridge_is_gone(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be frozen: what it holds is recognised elsewhere."""
    monkeypatch.setattr(cluster_door, "SILENT_FOR_S", 0.3)
    bridge = door.bridge()
    assert bridge.is_over.wait(10)
    eventually(lambda: door.cluster.standing.bridge is None)


def test_newer_bridge_takes_the_place_of_an_older_one(door: Door) -> None:
    """One that hangs holds up nobody."""
    first = door.bridge(machines=("old",))
    door.wait_until_it_offers()
    door.bridge(machines=("new",))
    assert first.is_over.wait(10)
    eventually(lambda: door.cluster.standing.offer.machines == ("new",))
    assert door.cluster.standing.problem == ""


def test_door_moves_with_the_configuration(door: Door, tmp_path: Path) -> None:
    """Its place, or that there is none; a user that does not exist is told by name."""
    bridge = door.bridge()
    door.wait_until_it_offers()
    path = door.in_force.cluster_socket_path
    door.door.arrange(door.with_section(recognisers=7))
    assert not bridge.is_over.is_set()
    door.door.arrange(door.with_section(socket=tmp_path / "elsewhere.sock"))
    assert bridge.is_over.wait(10)
    assert not path.exists()
    PlayedBridge(tmp_path / "elsewhere.sock")
    door.wait_until_it_offers()
    door.door.arrange(door.config)
    assert not (tmp_path / "elsewhere.sock").exists()
    with pytest.raises(OperatorError, match="nobody-of-that-name"):
        door.door.arrange(door.with_section(user="nobody-of-that-name"))


def test_status_and_figures_say_how_it_stands(door: Door, tmp_path: Path) -> None:
    """What is offered and was lost; and why nothing can be hired."""
    before = cluster_there(door.parts)
    assert before is not None
    assert (before["bridge"], "asr-daemon-cluster" in before["problem"]) == (None, True)
    door.bridge(machines=("gpu1", "gpu2"))
    door.wait_until_it_offers()
    door.cluster.machines.lost["gpu1"] += 2
    door.parts.dispatcher.states[1].machine = "gpu2"
    told = cluster_there(door.parts)
    assert told is not None
    assert (told["problem"], told["cards"], told["machines"], told["lost"]) == ("", 2, ["gpu1", "gpu2"], 2)
    metrics = Metrics(door.parts)
    metrics.write(tmp_path / "asr.prom")
    figures = (tmp_path / "asr.prom").read_text(encoding="utf-8")
    for figure in (
        "asr_daemon_cluster_up 1.0",
        "asr_daemon_cluster_cards 2.0",
        'asr_daemon_cluster_recognisers{machine="gpu2"} 1.0',
        'asr_daemon_cluster_machines_lost_total{machine="gpu1"} 2.0',
    ):
        assert figure in figures
    metrics.port.close()
