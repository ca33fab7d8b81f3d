"""Watching, scanning, settling and hashing together, with the kernel's own events and real time.

``python test_watching.py FOLDER SETTLE_S`` runs the same loop as a process of its own, for the tests that
stop it: it prints one line for every recording that it takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.clock import Clock
from asr_daemon.errors import RecordingGoneError
from asr_daemon.inboxes.fingerprint import fingerprint, is_open_for_writing, open_recording
from asr_daemon.inboxes.scan import look_at, scan
from asr_daemon.inboxes.seen import SeenFiles
from asr_daemon.inboxes.settle import Settler
from asr_daemon.inboxes.watch import InboxWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

SETTLE_S = 0.3
PATIENCE_S = 60.0


def tell(**fields: str) -> None:
    """Print one line of JSON for the test that started this process."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Finder:
    """The front of the way: what it takes is settled and hashed."""

    def __init__(self, folder: Path, settle_s: float, on_taken: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.settle_s = settle_s
        self.wakes: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self.settler = Settler(time.monotonic, look=look_at)
        self.seen = SeenFiles()
        self.scans = 0
        self.ended = False
        self._on_taken = on_taken
        self.watch = InboxWatch(
            "inbox",
            folder,
            recursive=True,
            mode="auto",
            clock=Clock(),
            on_wake=lambda _, path: self.wakes.put(path),
            on_problem=lambda _, problem: tell(problem=problem),
        )

    def run(self) -> None:
        """Take in recordings until :meth:`end`."""
        self.watch.start()
        self.wakes.put(None)
        while not self.ended:
            due_s = self.settler.next_due_s()
            wakes = set()
            try:
                wakes.add(self.wakes.get(timeout=1.0 if due_s is None else min(1.0, due_s)))
                while True:
                    wakes.add(self.wakes.get_nowait())
            except queue.Empty:
                pass
            self.watch.check()
            if None in wakes:
                self.scans += 1
                for found in scan(self.folder, recursive=True, is_known=self.seen.is_known):
                    self.settler.observe(found, self.settle_s)
            for path in wakes - {None}:
                self._look(path)
            for candidate in self.settler.take_settled():
                self._take(candidate.path)
        self.watch.stop()

    def end(self) -> None:
        """End the loop soon."""
        self.ended = True
        self.wakes.put(None)

    def _look(self, path: Path) -> None:
        self.settler.touch(path)
        found = look_at(path)
        if found is None:
            self.settler.forget(path)
        elif not self.seen.is_known(str(path), path.lstat()):
            self.settler.observe(found, self.settle_s)

    def _take(self, path: Path) -> None:
        try:
            fd = open_recording(path, self.folder)
        except RecordingGoneError:
            return
        try:
            found = look_at(path)
            if found and not (is_open_for_writing(fd) and self.settler.defer(found, self.settle_s)):
                self._on_taken(str(path.relative_to(self.folder)), fingerprint(fd).sha256)
                self.seen.add(found)
        except RecordingGoneError:
            self.wakes.put(path)
        finally:
            os.close(fd)


class Running:
    """A finder in a thread, and what it took."""

    def __init__(self, folder: Path, settle_s: float = SETTLE_S) -> None:
        self.folder = folder
        self.taken: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        self.finder = Finder(folder, settle_s, self._note)
        self.thread = threading.Thread(target=self.finder.run)
        self.thread.start()

    def _note(self, name: str, sha256: str) -> None:
        with self._changed:
            self.taken.append((name, sha256))
            self._changed.notify_all()

    def wait_for(self, is_enough: Callable[[], bool]) -> None:
        """Wait until what was taken is enough."""
        with self._changed:
            assert self._changed.wait_for(is_enough, timeout=PATIENCE_S), self.taken[-10:]

    def expect(self, contents: dict[str, bytes]) -> None:
        """Wait until these recordings were taken, each once and as it is, and no others."""
        wanted = Counter({(name, sha256(data)): 1 for name, data in contents.items()})
        self.wait_for(lambda: len(self.taken) >= len(wanted))
        assert Counter(self.taken) == wanted


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a maker of running finders on the folder ``in``."""
    made: list[Running] = []

    def make(**named: float) -> Running:
        (tmp_path / "in").mkdir(exist_ok=True)
        made.append(Running(tmp_path / "in", **named))
        return made[-1]

    yield make
    for each in made:
        each.finder.end()
        each.thread.join()


def sha256(data: bytes) -> str:
    """Return the hash of a content."""
    return hashlib.sha256(data).hexdigest()


def test_each_way_in_is_taken_once(running: Callable[..., Running], tmp_path: Path) -> None:
    """Present at the start, copied, renamed in, moved in with a folder: each is taken once, whole."""
    inbox = tmp_path / "in"
    contents = {name: os.urandom(1000) for name in ("start.wav", "copy.wav", "renamed.wav", "day/one.wav")}
    inbox.mkdir()
    (inbox / "start.wav").write_bytes(contents["start.wav"])
    run = running()
    (inbox / "copy.wav").write_bytes(contents["copy.wav"])
    (inbox / "renamed.wav.part").write_bytes(contents["renamed.wav"])
    (inbox / "renamed.wav.part").rename(inbox / "renamed.wav")
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "one.wav").write_bytes(contents["day/one.wav"])
    (tmp_path / "day").rename(inbox / "day")
    run.expect(contents)
    (inbox / "day" / "two.wav").write_bytes(b"later")
    run.expect(contents | {"day/two.wav": b"later"})


def test_a_copy_that_pauses_with_its_file_open_is_taken_at_its_end(running: Callable[..., Running]) -> None:
    """Pauses of three settle windows do not make half a recording, where the kernel knows the writer."""
    run = running()
    pause = threading.Event()
    with (run.folder / "slow.wav").open("wb") as file:
        for _ in range(3):
            file.write(b"x" * 5000)
            file.flush()
            pause.wait(3 * SETTLE_S)
    run.expect({"slow.wav": b"x" * 15_000})


def test_a_copy_that_pauses_unknown_to_the_kernel_is_taken_whole_in_the_end(
    running: Callable[..., Running],
) -> None:
    """Where nobody knows the writer one part may be taken, then patience sets in; the last is whole."""
    run = running(settle_s=0.5)  # then 2 s of patience, against pauses of 1 s
    pause = threading.Event()
    for _ in range(4):
        with (run.folder / "slow.wav").open("ab") as file:
            file.write(b"x" * 5000)
        pause.wait(1.0)
    whole = ("slow.wav", sha256(b"x" * 20_000))
    run.wait_for(lambda: whole in run.taken)
    assert run.taken[-1] == whole
    assert len(run.taken) <= 2


def test_what_is_deleted_while_it_settles_is_not_taken(running: Callable[..., Running]) -> None:
    """A recording that is taken away in time was never there, and does not hold up the next."""
    run = running(settle_s=1.0)
    (run.folder / "mistake.wav").write_bytes(b"x")
    (run.folder / "day").mkdir()
    (run.folder / "day" / "mistake.wav").write_bytes(b"x")
    (run.folder / "mistake.wav").unlink()
    shutil.rmtree(run.folder / "day")
    (run.folder / "meant.wav").write_bytes(b"y")
    run.expect({"meant.wav": b"y"})
    assert len(run.finder.settler) == 0


def test_a_longer_version_is_taken_again(running: Callable[..., Running]) -> None:
    """A recording that changed after it was taken is a new one."""
    run = running()
    (run.folder / "a.wav").write_bytes(b"short")
    run.expect({"a.wav": b"short"})
    (run.folder / "a.wav").write_bytes(b"longer than before")
    run.wait_for(lambda: len(run.taken) == 2)
    assert run.taken[1] == ("a.wav", sha256(b"longer than before"))


def test_names_from_hell_are_taken_one_by_one(running: Callable[..., Running]) -> None:
    """N recordings in, N taken, whatever their names."""
    run = running()
    raw = [
        *(b"a\nb.wav", b"-rf.wav", b"x" * 251 + b".wav", b"\xff\xfe.wav", b"A.wav", b"a.wav", b"a.mp3"),
        *("é.wav".encode(), "e\u0301.wav".encode(), b" .wav", "录音 1.wav".encode(), b"%s.wav"),
    ]
    for name in raw:
        (run.folder / os.fsdecode(name)).write_bytes(name)
    run.expect({os.fsdecode(name): name for name in raw})


def test_ten_thousand_at_once(running: Callable[..., Running]) -> None:
    """A NAS that moves a day's recordings in at once loses none."""
    run = running()
    for number in range(10_000):
        (run.folder / f"{number}.wav").write_bytes(b"%d" % number)
    run.expect({f"{number}.wav": b"%d" % number for number in range(10_000)})


def test_ten_thousand_while_the_daemon_is_stopped(tmp_path: Path) -> None:
    """The kernel's queue of events overflows while the process is stopped; then it finds every recording."""
    child = subprocess.Popen(
        [sys.executable, __file__, tmp_path, str(SETTLE_S)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        (tmp_path / "first.wav").write_bytes(b"first")
        assert json.loads(child.stdout.readline())["name"] == "first.wav"
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        for number in range(10_000):
            (tmp_path / f"{number}.wav").write_bytes(b"%d" % number)
        child.send_signal(signal.SIGCONT)
        taken = [json.loads(child.stdout.readline()) for _ in range(10_000)]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert {told["name"] for told in taken} == {f"{number}.wav" for number in range(10_000)}


def test_the_kernels_watches_used_up(tmp_path: Path) -> None:
    """With more sub-folders than watches left the inbox is polled, and that is said once."""
    for number in range(20):
        (tmp_path / f"{number}").mkdir()
    limit = "echo 10 > /proc/sys/user/max_inotify_watches"
    shell = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*shell, limit], check=False, capture_output=True).returncode != 0:
        pytest.skip("the limit cannot be lowered in a user namespace here")
    (tmp_path / "19" / "a.wav").write_bytes(b"x")
    command = [*shell, f'{limit} && exec "$@"', "sh", sys.executable, __file__, tmp_path, str(SETTLE_S)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert "max_user_watches" in json.loads(child.stdout.readline())["problem"]
        assert json.loads(child.stdout.readline())["name"] == "19/a.wav"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


if __name__ == "__main__":
    Finder(
        Path(sys.argv[1]),
        float(sys.argv[2]),
        lambda name, sha256: tell(name=name, sha256=sha256),
    ).run()
