"""A machine, a process, the head or the bridge is lost at work: the daemon hears how, and nothing after it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

from clustered import PlayedDaemon, RayCluster
from support import SAMPLES, convert, eventually

from asr_daemon.dispatch import protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from clustered import Hired

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster() -> RayCluster:
    """Three machines: two are lost."""
    cluster = RayCluster(3)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour of speech."""
    return convert(
        SAMPLES / "lecture.wav",
        tmp_path_factory.mktemp("long") / "long.wav",
        "-af",
        "aloop=loop=120:size=232928",
        "-t",
        "1700",
    )


def at_work(daemon: PlayedDaemon, recording: Path) -> Hired:
    """Return a recogniser in the midst of a recording."""
    hired = daemon.hire().load()
    assert isinstance(hired.first, protocol.Ready), hired.first
    order = hired.begin(recording)
    hired.listen(lambda: hired.heard[order].segments)
    return hired


def node_of(cluster: RayCluster, hired: Hired) -> object:
    """Return the node that works."""
    assert isinstance(hired.first, protocol.Ready)
    return cluster.nodes[hired.first.machine]


def actor_of(cluster: RayCluster, node: object) -> int:
    """Return the process number of the actor on a node."""
    found = [pid for pid in cluster.workers(node) if b"Actor" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(found) == 1, found
    return found[0]


def await_loss(hired: Hired, within_s: float) -> protocol.Lost:
    """Return how it was lost; it is the last that is said, and in time."""
    began_s = time.monotonic()
    hired.listen(lambda: hired.is_over, within_s + 20)
    assert hired.lost is not None
    assert hired.after_lost == 0
    assert hired.lost_s - began_s < within_s, hired.lost
    print(f"{hired.lost.code} after {hired.lost_s - began_s:.1f} s: {hired.lost.message}")  # noqa: T201
    return hired.lost


def test_whatever_is_lost_is_named_and_the_others_go_on(
    make_daemon: Callable[..., PlayedDaemon], cluster: RayCluster, long_recording: Path
) -> None:
    """Process, machine (killed), machine (frozen): the code says whose fault it may have been."""
    daemon = make_daemon(cards=3)

    hired = at_work(daemon, long_recording)
    os.kill(actor_of(cluster, node_of(cluster, hired)), signal.SIGKILL)
    lost = await_loss(hired, within_s=5)
    assert lost.code == "recogniser_crashed"

    hired = at_work(daemon, long_recording)
    frozen = node_of(cluster, hired)
    actor, processes = actor_of(cluster, frozen), [cluster.raylet(frozen), *cluster.workers(frozen)]
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        lost = await_loss(hired, within_s=18)
        assert lost.code == "machine_lost"
        assert isinstance(hired.first, protocol.Ready)
        assert hired.first.machine in lost.message
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: not is_running(actor), within_s=5, what="the end of the actor that woke up")
    time.sleep(1)

    hired = at_work(daemon, long_recording)
    lost_node = node_of(cluster, hired)
    os.kill(cluster.raylet(lost_node), signal.SIGKILL)
    lost = await_loss(hired, within_s=18)
    assert lost.code == "machine_lost"

    hired = daemon.hire().load()  # elsewhere
    assert node_of(cluster, hired) is not lost_node
    assert hired.transcribe(SAMPLES / "lecture.wav").text
    eventually(lambda: daemon.offers[-1].cards < 3, what="the offer without the lost machine")


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
