"""What a machine of a cluster recognises is what a child here recognises, however bridge and sound get there."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

from clustered import Remote, rss_mb, setup
from support import SAMPLES, eventually

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.local_process import RecogniserProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from clustered import PlayedDaemon, RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

RECORDINGS = ("lecture.wav", "finance.m4a", "support.mp3", "interview.ogg")


def locally(names: tuple[str, ...]) -> dict[str, str]:
    """Return what a child on this machine makes of recordings."""
    child = RecogniserProcess.spawn(setup())
    here = Remote(child.send, child.receive)
    here.listen(lambda: here.first)
    texts = {name: here.transcribe(SAMPLES / name).text for name in names}
    child.stop(20)
    return texts


def test_the_text_is_the_same_to_the_byte_and_stays_in_memory(
    make_daemon: Callable[..., PlayedDaemon], cluster: RayCluster
) -> None:
    """On two machines, by bytes and by path; neither sound nor text is left in Ray's folder."""
    daemon = make_daemon(extra="insecure = true\nshared_paths = true")
    hired = [daemon.hire() for _ in range(2)]
    for one in hired:
        one.load()
        assert isinstance(one.first, protocol.Ready), one.first
    assert {one.first.machine for one in hired if isinstance(one.first, protocol.Ready)} == {"gpu1", "gpu2"}
    expected = locally(RECORDINGS)
    assert len(expected["lecture.wav"]) > 20
    for name, text in expected.items():
        assert hired[0].transcribe(SAMPLES / name).text == text
        assert hired[1].transcribe(SAMPLES / name, root=SAMPLES).text == text
    sent = [line for line in daemon.log_path.read_text().splitlines() if '"recording_sent"' in line]
    assert sum('"bytes": 0' in line for line in sent) == len(RECORDINGS)
    assert not any(note.event == "shared_path_refused" for note in hired[1].notes)

    sound = (SAMPLES / "lecture.wav").read_bytes()
    secrets = [sound[at : at + 64] for at in range(len(sound) // 3, len(sound) - 64, len(sound) // 7)]
    secrets += [text[at : at + 6].encode() for text in expected.values() for at in (0, 6, 12)]
    read = 0
    for path in cluster.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            read += len(content)
            assert not [secret for secret in secrets if secret in content], path
    assert read > 10_000


def test_by_rays_client_it_is_the_same(
    make_daemon: Callable[..., PlayedDaemon], cluster: RayCluster, tmp_path: Path
) -> None:
    """From a machine that is no part of the cluster; in pieces; and a daemon that starts anew is found again."""
    daemon = make_daemon(cluster.client_address)
    hired = daemon.hire().load()
    assert hired.transcribe(SAMPLES / "lecture.wav").text == locally(("lecture.wav",))["lecture.wav"]
    large = tmp_path / "large.wav"  # three pieces: silence that a header announces, behind speech
    sound = bytearray((SAMPLES / "lecture.wav").read_bytes())
    sound[4:8] = (len(sound) + (18 << 20) - 8).to_bytes(4, "little")
    large.write_bytes(sound + bytes(18 << 20))
    assert isinstance(hired.transcribe(large).end, protocol.Finished | protocol.Failed)

    daemon.hang_up()
    worker = [pid for node in cluster.nodes.values() for pid in cluster.workers(node) if is_recogniser(pid)]
    eventually(lambda: not any(map(is_recogniser, worker)), within_s=10, what="the recogniser's end")
    daemon.hello = None
    daemon.listen()
    eventually(lambda: daemon.hello, within_s=10, what="the bridge's return")
    again = daemon.hire().load()
    assert isinstance(again.first, protocol.Ready), again.first
    assert daemon.bridge is not None
    assert rss_mb(daemon.bridge.pid) < 400


def is_recogniser(pid: int) -> bool:
    """Whether a process is a recogniser child that lives."""
    try:
        return b"asr_daemon.recogniser" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_sigterm_ends_the_bridge_within_seconds_and_the_machine_with_it(
    make_daemon: Callable[..., PlayedDaemon], cluster: RayCluster
) -> None:
    """With exit status 0; the card is free again."""
    daemon = make_daemon()
    daemon.hire().load()
    recognisers = [pid for node in cluster.nodes.values() for pid in cluster.workers(node) if is_recogniser(pid)]
    assert recognisers
    assert daemon.bridge is not None
    os.kill(daemon.bridge.pid, signal.SIGTERM)
    assert daemon.bridge.wait(8) == 0
    eventually(lambda: not any(map(is_recogniser, recognisers)), within_s=15)
