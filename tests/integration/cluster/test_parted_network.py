"""A cable is pulled: the machine behind it gives up by itself, and its recordings are finished elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.demo import __file__ as demo
from support import DaemonUnderTest, eventually

pytest.importorskip("ray", reason="Ray is not installed: pip install 'asr-daemon[cluster]'")

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"),
]

ROOM, CABLE, PLUG = (
    "asr-daemon-t",
    "asr-daemon-c",
    "asr-daemon-p",
)  # a name space, and the ends of a line to it
HEAD, AWAY, PORT = "10.213.0.1", "10.213.0.2", 6479
RAY = os.fspath(Path(sys.executable).with_name("ray"))
OPTIONS = (
    "--num-cpus=1",
    "--num-gpus=1",
    "--object-store-memory=100000000",
    "--block",
    "--disable-usage-stats",
)
CONFIG = f"""
[engine]
model = "builtin"
threads = 1
[cluster]
address = "{HEAD}:{PORT}"
local = false
insecure = true
"""


def ip(*arguments: str, check: bool = True) -> str:
    """Run iproute2."""
    done = subprocess.run(["ip", *arguments], check=check, text=True, capture_output=True)
    return done.stdout


@pytest.fixture
def room() -> Iterator[None]:
    """Make a machine of its own, as far as the network is concerned, and a line to it."""
    try:
        ip("netns", "add", ROOM)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network name space can be made here: {error.stderr}")
    ip("link", "add", CABLE, "type", "veth", "peer", "name", PLUG, "netns", ROOM)
    ip("addr", "add", f"{HEAD}/24", "dev", CABLE)
    ip("link", "set", CABLE, "up")
    for line in (f"addr add {AWAY}/24 dev {PLUG}", f"link set {PLUG} up", "link set lo up"):
        ip("-n", ROOM, *line.split())
    yield
    for pid in inside():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    ip("netns", "del", ROOM)
    ip("link", "del", CABLE, check=False)


def inside() -> list[int]:
    """Return the processes of the machine behind the line."""
    return [int(pid) for pid in ip("netns", "pids", ROOM).split()]


def recognise_there() -> list[int]:
    """Return those that recognise: Ray's process with our child."""
    found = []
    for pid in inside():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"ray::Actor" in command or b"asr_daemon.recogniser" in command:
                found.append(pid)
    return found


def repeat(recording: Path, times: int, target: Path) -> None:
    """Write a recording that says the same again and again."""
    with wave.open(os.fspath(recording)) as source, wave.open(os.fspath(target), "wb") as file:
        file.setparams(source.getparams())
        file.writeframes(source.readframes(source.getnframes()) * times)


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Collect processes, which are ended afterwards."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in reversed(processes):
        process.terminate()
    for process in reversed(processes):
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def test_recordings_of_a_machine_that_is_cut_off_are_finished_elsewhere(
    room: None, running: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """No attempt is spent; and over there nobody goes on with what others do by then."""
    daemon = DaemonUnderTest(tmp_path, inboxes={"inbox": 'formats = ["txt"]'}, extra=CONFIG)

    def start(*command: str) -> None:
        with (tmp_path / "others.log").open("ab") as log:
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as short:
        places = (f"--node-ip-address={HEAD}", f"--port={PORT}", f"--temp-dir={short}/ray")
        start(RAY, "start", "--head", *places, "--include-dashboard=false", *OPTIONS)
        start(
            *("ip", "netns", "exec", ROOM, RAY, "start", f"--address={HEAD}:{PORT}"),
            *(f"--node-ip-address={AWAY}", *OPTIONS),
        )
        daemon.start()
        start(sys.executable, "-m", "asr_daemon", "bridge", "-c", os.fspath(daemon.config_path))
        eventually(
            lambda: any(each["cards"] == 2 for each in daemon.events("cluster_offered")),
            within_s=120,
            what="two machines",
        )
        for number in range(4):
            repeat(
                Path(demo).parent / "audio" / "lecture.wav", 8 + number, tmp_path / "inbox" / f"{number}.wav"
            )
        eventually(
            lambda: len({each["recogniser"] for each in daemon.live()["in_work"]}) == 2,
            within_s=120,
            what="both at work",
        )
        assert recognise_there()
        ip("link", "set", CABLE, "down")
        eventually(lambda: daemon.events("machine_lost"), within_s=60, what="the machine to be given up")
        eventually(lambda: not recognise_there(), within_s=60, what="its end over there")
        eventually(lambda: len(list(tmp_path.glob("inbox/*.txt"))) == 4, within_s=240, what="all transcripts")
        assert [(row["state"], row["attempts"]) for row in daemon.history()] == [("done", 1)] * 4
        assert daemon.stop() == 0
