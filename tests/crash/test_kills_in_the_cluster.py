"""Machines, bridge and daemon are killed and frozen: each recording gets one transcript, the local one's."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon import demo
from asr_daemon.ffmpeg import find_ffmpeg
from support import DaemonUnderTest, eventually

pytest.importorskip("ray", reason="Ray is not installed: pip install 'asr-daemon[cluster]'")

from clustered import RayCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from typing_extensions import Self

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SPOKEN = ("finance.m4a", "support.mp3", "lecture.wav")
RATE_HZ = 16_000
INBOXES = {"inbox": 'formats = ["txt"]'}
ENGINE = '\n[engine]\nmodel = "builtin"\nprecision = "float32"\nthreads = 1\n'
ALL_WITHIN_S = 900.0


def recordings(count: int) -> dict[str, bytes]:
    """Return so many recordings of three to six seconds, all different."""
    folder = Path(demo.__file__).parent / "audio"
    arguments = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    sound = b"".join(
        subprocess.run(
            [find_ffmpeg(), "-v", "error", "-i", folder / name, *arguments],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        for name in SPOKEN
    )
    wanted = {}
    for number in range(count):
        begin = number * RATE_HZ * 7 // 10 % (len(sound) // 2 - 6 * RATE_HZ)
        wanted[f"{number:02}.wav"] = sound[2 * begin :][: 2 * RATE_HZ * (3 + number % 4)]
    return wanted


def drop(folder: Path, name: str, sound: bytes) -> None:
    """Put a recording there, whole."""
    hidden = folder / f".{name}.part"
    with wave.open(os.fspath(hidden), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound)
    hidden.rename(folder / name)


def texts(daemon: DaemonUnderTest) -> dict[str, bytes]:
    """Return every transcript that is there, but for the line that says when it was made."""
    found = {path.stem: path.read_bytes() for path in (daemon.folder / "inbox").glob("*.txt")}
    return {stem: re.sub("转写时间：.*\n".encode(), b"", content) for stem, content in found.items()}


def wait_for_all(daemon: DaemonUnderTest, count: int) -> None:
    """Wait for every transcript."""
    eventually(lambda: len(texts(daemon)) >= count, within_s=ALL_WITHIN_S, what=f"{count} transcripts")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, bytes]]:
    """Return what a recogniser of this machine makes of so many recordings."""
    known: dict[int, dict[str, bytes]] = {}

    def make(count: int) -> dict[str, bytes]:
        if count not in known:
            daemon = DaemonUnderTest(tmp_path_factory.mktemp("local"), inboxes=INBOXES, extra=ENGINE)
            for name, sound in recordings(count).items():
                drop(daemon.folder / "inbox", name, sound)
            daemon.start()
            wait_for_all(daemon, count)
            assert daemon.stop() == 0
            known[count] = texts(daemon)
        return known[count]

    return make


class Office:
    """A daemon, a bridge and a cluster of two machines, each of which can be struck."""

    def __init__(self, folder: Path) -> None:
        self.cluster = RayCluster(nodes=2)
        self._machines = list(self.cluster.nodes)
        self._made = len(self._machines)
        self.daemon = DaemonUnderTest(
            folder,
            inboxes=INBOXES,
            extra=f'{ENGINE}[cluster]\naddress = "{self.cluster.address}"\nlocal = false\ninsecure = true\n',
        )
        self._bridge: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start_bridge()
        self.daemon.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.kill()
        self.kill_bridge()
        self.cluster.close()

    def start_bridge(self) -> None:
        """Start it, as systemd does where it ended."""
        with (self.daemon.folder / "bridge.log").open("ab") as log:
            self._bridge = subprocess.Popen(
                [sys.executable, "-m", "asr_daemon", "bridge", "-c", os.fspath(self.daemon.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill_bridge(self) -> None:
        """End it, as the kernel does."""
        if self._bridge is not None:
            self._bridge.kill()
            self._bridge.wait()

    # ------------------------------------------------------------------ what befalls them

    def strike_bridge(self, _dice: random.Random) -> None:
        """The bridge dies, and systemd starts it again."""
        self.kill_bridge()
        self.start_bridge()

    def strike_daemon(self, _dice: random.Random) -> None:
        """The daemon dies, and systemd starts it again."""
        self.daemon.kill()
        self.daemon.start()

    def strike_actor(self, dice: random.Random) -> None:
        """A process of Ray's that recognises dies, and leaves its machine alive."""
        actors = [pid for name in self._machines for pid in self.cluster.workers(name) if is_actor(pid)]
        if actors:
            os.kill(dice.choice(actors), signal.SIGKILL)

    def strike_machine(self, dice: random.Random) -> None:
        """A machine loses its power; another takes its place."""
        name = self._machines.pop(dice.randrange(len(self._machines)))
        for pid in (self.cluster.raylet(name), *self.cluster.workers(name)):
            kill_quietly(pid, signal.SIGKILL)
        self._made += 1
        self._machines.append(f"gpu{self._made}")
        self.cluster.add_node(self._machines[-1])

    @contextlib.contextmanager
    def frozen(self, dice: random.Random) -> Iterator[None]:
        """A machine stands still for a while, and goes on as if nothing had been."""
        name = dice.choice(self._machines)
        held = [self.cluster.raylet(name), *self.cluster.workers(name)]
        for pid in held:
            kill_quietly(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in held:
                kill_quietly(pid, signal.SIGCONT)

    def strike_time(self, dice: random.Random) -> None:
        """A machine is frozen until others have gone on without it."""
        before = len(self.daemon.events("machine_lost"))
        with self.frozen(dice):
            eventually(
                lambda: len(self.daemon.events("machine_lost")) > before or not self.in_work(),
                within_s=120,
                what="the frozen machine to be given up",
            )

    def in_work(self) -> list[dict[str, Any]]:
        """Return what is being recognised."""
        return list(self.daemon.live()["in_work"])


def is_actor(pid: int) -> bool:
    """Whether a process is one of Ray's that recognises."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::Actor")
    return False


def kill_quietly(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def attack(folder: Path, rounds: int, count: int, local: dict[str, bytes], seed: int) -> Office:
    """Strike while recordings pass, each kind of blow in turn; every text is the local one, and once."""
    dice = random.Random(seed)
    wanted = recordings(count)
    names = list(wanted)
    with Office(folder) as office:
        kinds = [
            office.strike_actor,
            office.strike_bridge,
            office.strike_machine,
            office.strike_daemon,
            office.strike_time,
        ]
        for number in range(rounds):
            for name in names[count * number // rounds : count * (number + 1) // rounds]:
                drop(office.daemon.folder / "inbox", name, wanted[name])
            eventually(office.in_work, within_s=120, what="some work")
            before = len(texts(office.daemon))
            kinds[number % len(kinds)](dice)
            eventually(
                lambda before=before: len(texts(office.daemon)) > before or not office.in_work(),
                within_s=120,
                what="work that goes on after it",
            )
        wait_for_all(office.daemon, count)
        eventually(lambda: not office.in_work(), what="the end of all work")
        rows = office.daemon.history()
        assert {row["name"]: row["state"] for row in rows} == dict.fromkeys(wanted, "done")
        assert texts(office.daemon) == local
        leftovers = [
            path.name for path in (office.daemon.folder / "inbox").iterdir() if path.name not in wanted
        ]
        assert sorted(leftovers) == sorted(f"{stem}.txt" for stem in local)
        assert office.daemon.stop() == 0
    return office


def test_blows_of_every_kind_lose_nothing(tmp_path: Path, local: Callable[[int], dict[str, bytes]]) -> None:
    """An actor, the bridge, a machine and the daemon are killed while twenty recordings pass."""
    attack(tmp_path, 4, 20, local(20), seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_ten_blows_lose_nothing(tmp_path: Path, local: Callable[[int], dict[str, bytes]], seed: int) -> None:
    """Ten of them, a machine that freezes among them, while sixty pass."""
    attack(tmp_path, 10, 60, local(60), seed)


@pytest.mark.long
def test_both_machines_finish_sixty(tmp_path: Path, local: Callable[[int], dict[str, bytes]]) -> None:
    """Nobody is struck: both take part, and every text is the local one."""
    wanted = recordings(60)
    with Office(tmp_path) as office:
        for name, sound in wanted.items():
            drop(office.daemon.folder / "inbox", name, sound)
        wait_for_all(office.daemon, 60)
        assert texts(office.daemon) == local(60)
        finished = office.daemon.events("recognition_finished")
        assert {one["recogniser"] for one in finished} == {"cluster#1", "cluster#2"}
        assert len(finished) == 60
