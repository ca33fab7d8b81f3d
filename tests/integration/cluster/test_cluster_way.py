"""Bridge, Ray and machines, all of them real: what is recognised there, and how each loss of one is told.

One walk, since a cluster takes ten seconds to start and a lost machine fifteen to be noticed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

from clustered import PlayedDaemon, RayCluster, Remote, setup

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.local_process import RecogniserProcess
from support import SAMPLES, convert, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clustered import Hired

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

RECORDINGS = ("lecture.wav", "finance.m4a", "interview.ogg")


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    """A head, and three machines with a card each."""
    cluster = RayCluster(3)
    yield cluster
    cluster.close()


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[PlayedDaemon]]:
    """Those that were started."""
    made: list[PlayedDaemon] = []
    yield made
    for daemon in made:
        daemon.close()


def start(daemons: list[PlayedDaemon], folder: Path, address: str, extra: str = "") -> PlayedDaemon:
    """Start a daemon with its bridge."""
    daemon = PlayedDaemon(folder, address, f"insecure = true\n{extra}")
    daemons.append(daemon)
    daemon.start_bridge()
    eventually(lambda: daemon.offers and daemon.offers[-1].machines, what="an offer")
    return daemon


def test_the_way_over_a_cluster(cluster: RayCluster, daemons: list[PlayedDaemon], tmp_path: Path) -> None:
    """From the hire to the last of the losses."""
    here = RecogniserProcess.spawn(setup())
    local = Remote(here.send, here.receive)
    daemon = start(daemons, tmp_path / "gcs", cluster.address)
    assert daemon.offers[-1].machines == ("gpu1", "gpu2", "gpu3")
    assert daemon.offers[-1].cards == 3

    hired = [daemon.hire() for _ in range(3)]
    for one in hired:
        one.begin_loading()
    for one in (local, *hired):
        one.listen(lambda one=one: one.first)
    texts = {name: local.transcribe(SAMPLES / name).text for name in RECORDINGS}
    here.stop(20)
    by_name = {machine_of(one): one for one in hired}
    assert by_name.keys() == {"gpu1", "gpu2", "gpu3"}

    assert len(texts["lecture.wav"]) > 20
    for name, text in texts.items():
        assert hired[0].transcribe(SAMPLES / name).text == text
        assert hired[1].transcribe(SAMPLES / name, root=SAMPLES).text == text
    assert not hired[1].notes
    sent = [line for line in daemon.log_path.read_text().splitlines() if '"recording_sent"' in line]
    assert sum('"bytes": 0' in line for line in sent) == len(RECORDINGS)
    nothing_is_left_on_a_disk(cluster, texts)

    losses(cluster, by_name, tmp_path)
    again = daemon.hire().load()  # on the one machine that lives and has a free card
    assert again.transcribe(SAMPLES / "lecture.wav").text == texts["lecture.wav"]
    bridge_ends(daemon, cluster)
    by_rays_client(start(daemons, tmp_path / "client", cluster.client_address), cluster, texts, tmp_path)


def nothing_is_left_on_a_disk(cluster: RayCluster, texts: dict[str, str]) -> None:
    """Neither sound nor text is in Ray's folder: logs, sockets, spilled objects."""
    sound = (SAMPLES / "lecture.wav").read_bytes()
    secrets = [sound[at : at + 64] for at in range(len(sound) // 3, len(sound) - 64, len(sound) // 7)]
    secrets += [text[at : at + 6].encode() for text in texts.values() for at in (0, 6, 12)]
    read = 0
    for path in cluster.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            read += len(content)
            assert not [secret for secret in secrets if secret in content], path
    assert read > 10_000


def losses(cluster: RayCluster, hired: dict[str, Hired], folder: Path) -> None:
    """A process is killed, a machine freezes, a machine is gone: all in the midst of work."""
    half_an_hour = convert(
        SAMPLES / "lecture.wav", folder / "long.wav", "-af", "aloop=loop=120:size=232928", "-t", "1700"
    )
    for one in hired.values():
        order = one.begin(half_an_hour)
        one.listen(lambda one=one, order=order: one.heard[order].segments)
    actors = {name: actor_on(cluster, name) for name in hired}
    frozen = [cluster.raylet("gpu2"), *cluster.workers("gpu2")]
    os.kill(actors["gpu1"], signal.SIGKILL)
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        os.kill(cluster.raylet("gpu3"), signal.SIGKILL)
        for one in hired.values():
            one.await_loss(within_s=20)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    codes = {name: one.lost.code for name, one in hired.items() if one.lost is not None}
    assert codes == {"gpu1": "recogniser_crashed", "gpu2": "machine_lost", "gpu3": "machine_lost"}
    assert all(one.after_lost == 0 for one in hired.values())
    eventually(lambda: not is_running(actors["gpu2"]), within_s=5, what="the end of the actor that woke up")


def bridge_ends(daemon: PlayedDaemon, cluster: RayCluster) -> None:
    """By SIGTERM, within seconds and with status 0; what it hired ends with it."""
    recognisers = recognisers_of(cluster)
    assert recognisers
    assert daemon.bridge is not None
    daemon.bridge.send_signal(signal.SIGTERM)
    assert daemon.bridge.wait(8) == 0
    eventually(lambda: not any(map(is_running, recognisers)), within_s=15, what="the recogniser's end")


def by_rays_client(daemon: PlayedDaemon, cluster: RayCluster, texts: dict[str, str], folder: Path) -> None:
    """From outside the cluster it is the same, also in pieces; a daemon that starts anew is found again."""
    hired = daemon.hire().load()
    assert hired.transcribe(SAMPLES / "lecture.wav").text == texts["lecture.wav"]
    large = folder / "large.wav"  # three pieces
    large.write_bytes((SAMPLES / "lecture.wav").read_bytes() + bytes(18 << 20))
    assert hired.transcribe(large).text.startswith(texts["lecture.wav"][:10])
    recognisers = recognisers_of(cluster)
    daemon.hang_up()
    eventually(lambda: not any(map(is_running, recognisers)), within_s=15, what="the recogniser's end")
    daemon.hello = None
    daemon.listen()
    eventually(lambda: daemon.hello, within_s=10, what="the bridge's return")


def machine_of(hired: Hired) -> str:
    """Return where it is."""
    assert isinstance(hired.first, protocol.Ready), hired.first
    return hired.first.machine


def actor_on(cluster: RayCluster, name: str) -> int:
    """Return the process number of the actor on a machine."""
    found = [pid for pid in cluster.workers(name) if b"Actor" in command_of(pid)]
    assert len(found) == 1, found
    return found[0]


def recognisers_of(cluster: RayCluster) -> list[int]:
    """Return the process numbers of all recogniser children on machines."""
    pids = [pid for name in ("gpu1", "gpu2") for pid in cluster.workers(name)]
    return [pid for pid in pids if b"asr_daemon.recogniser" in command_of(pid)]


def command_of(pid: int) -> bytes:
    """Return how a process was started, b"" of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
