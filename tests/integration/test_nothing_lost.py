"""From the drop to the transcript: the order of writing, masses of files, races, what comes back."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, check_transcript, drop, recording, several

from support import eventually

if TYPE_CHECKING:
    from pathlib import Path


def test_file_is_durable_under_its_name_before_the_history_says_so(tmp_path: Path) -> None:
    """strace: write, fsync of the file, rename, fsync of the folder, and only then the commit."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    daemon = AttackedDaemon(tmp_path)
    trace = tmp_path / "strace.txt"
    calls = "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,pwrite64"
    daemon.prefix = ("strace", "-f", "-y", "-qq", "-o", str(trace), "-e", calls)
    with daemon:
        (daemon.inbox / "a.wav").write_bytes(recording(1))
        daemon.launch()
        daemon.wait_until_done(1)
        daemon.kill_all()
    inbox = re.escape(str(daemon.inbox))
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()

    def first(pattern: str, after: int = -1) -> int:
        found = [place for place, line in enumerate(lines) if place > after and re.search(pattern, line)]
        assert found, f"{pattern} was not called" + (f" after {lines[after]}" if after >= 0 else "")
        return found[0]

    created = first(rf'openat\(.*<{inbox}>, "\.asr-daemon-[0-9a-f]+\.tmp", .*O_EXCL')
    written = first(rf"write\(\d+<{inbox}/\.asr-daemon-", created)
    synced = first(rf"fsync\(\d+<{inbox}/\.asr-daemon-", written)
    renamed = first(r'rename(at2?)?\(.*\.asr-daemon-.*"a\.txt"', synced)
    folder = first(rf"fsync\(\d+<{inbox}>\)", renamed)
    committed = first(r"fdatasync\(\d+<.*history\.db-wal>\)", folder)
    between = [line for line in lines[written:folder] if "history.db-wal" in line and "fdatasync" in line]
    assert not between, "the history was told before the file lay there"
    assert committed > folder


MASSES = pytest.mark.parametrize(("stopped", "recognisers"), [(False, 1), (True, 1), (False, 2)])


def masses(folder: Path, count: int, *, stopped: bool, recognisers: int) -> None:
    daemon = AttackedDaemon(folder, extra=several(recognisers))
    wanted = {f"{number:05}.wav": recording(number) for number in range(count)}
    with daemon:
        daemon.start()
        if stopped:
            daemon.signal(signal.SIGSTOP)
        for name, content in wanted.items():
            (daemon.inbox / name).write_bytes(content)
        if stopped:
            daemon.signal(signal.SIGCONT)
        daemon.wait_until_done(count, within_s=60 + count / 5)
        daemon.check_exactly_once(wanted)
        assert max(daemon.recognised().values()) == 1
        assert daemon.stop() == 0


@MASSES
def test_hundreds_of_files_at_once(tmp_path: Path, stopped: bool, recognisers: int) -> None:
    """Three hundred files at once, and while the daemon is stopped: each gets its transcript."""
    masses(tmp_path, 300, stopped=stopped, recognisers=recognisers)


@pytest.mark.long
@pytest.mark.timeout(7200)
@MASSES
def test_ten_thousand_files_at_once(tmp_path: Path, stopped: bool, recognisers: int) -> None:
    """Ten thousand; stopped, more events come than the kernel's queue holds."""
    masses(tmp_path, 10_000, stopped=stopped, recognisers=recognisers)


def test_recording_that_is_taken_away_and_put_back_is_transcribed_again(tmp_path: Path) -> None:
    """With size and time as before, and its transcript gone: it is a new recording, of known content."""
    daemon = AttackedDaemon(tmp_path)
    content = recording(1)
    with daemon:
        path = drop(daemon.inbox / "a.wav", content)
        before = path.stat()
        daemon.start()
        daemon.wait_until_done(1)
        path.rename(tmp_path / "kept.wav")
        (daemon.inbox / "a.txt").unlink()
        (tmp_path / "kept.wav").rename(path)
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        check_transcript(daemon.wait_for("inbox/a.txt"), content)
        assert set(daemon.recognised().values()) == {1}
        assert daemon.stop() == 0


def test_older_version_put_back_is_transcribed_again(tmp_path: Path) -> None:
    """A, then B over it, then A again with its old time: the transcript is A's in the end."""
    daemon = AttackedDaemon(tmp_path)
    with daemon:
        path = drop(daemon.inbox / "a.wav", recording("first"))
        os.utime(path, (1_700_000_000, 1_700_000_000))
        daemon.start()
        for number in ("first", "second", "first"):
            content = recording(number)
            if number == "second" or path.read_bytes() != content:
                drop(path, content)
                if number == "first":
                    os.utime(path, (1_700_000_000, 1_700_000_000))

            def is_of_that() -> bool:
                try:
                    check_transcript(daemon.inbox / "a.txt", content)  # noqa: B023 (called in this round)
                except (AssertionError, FileNotFoundError):
                    return False
                return True

            eventually(is_of_that, what=f"the transcript of the {number} version")
        assert {path.name for path in daemon.inbox.iterdir()} == {"a.wav", "a.txt"}
        assert daemon.stop() == 0


def test_inbox_taken_out_and_put_back_loses_nothing(tmp_path: Path) -> None:
    """Its waiting recordings are given up with it, and found again with it."""
    daemon = AttackedDaemon(tmp_path)
    both = {"inbox": 'formats = ["txt"]', "other": ""}
    with daemon:
        daemon.start()
        daemon.command("pause")
        drop(daemon.inbox / "a.wav", recording(1))
        eventually(lambda: daemon.events("recording_queued"), what="the queue")
        daemon.configure(inboxes={"other": ""})
        daemon.signal(signal.SIGHUP)
        eventually(lambda: daemon.events("recording_given_up"), what="that it is said")
        daemon.command("resume")
        daemon.configure(inboxes=both)
        daemon.signal(signal.SIGHUP)
        check_transcript(daemon.wait_for("inbox/a.txt"), recording(1))
        assert daemon.stop() == 0


BEYOND = "what lies outside"


def swap(inbox: Path, secret: Path, count: int, over: threading.Event) -> None:
    """Put now a recording, now a link, a FIFO or a link to a device under each name, until it is over."""
    dice = random.Random(count)
    number = 0
    while not over.wait(dice.choice((0.0, 0.0, 0.4 / count, 8 / count))):  # about the time that one settles
        path = inbox / f"{number % count}.wav"
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            match dice.randrange(4):
                case 0:
                    path.symlink_to(secret)
                case 1:
                    os.mkfifo(path)
                case 2:
                    path.write_bytes(recording(number % count))
                case 3:
                    path.symlink_to("/dev/zero")
        number += 1


def races(folder: Path, count: int) -> None:
    """Swap recordings for links, FIFOs and folders while the daemon looks."""
    secret = folder / "secret.wav"
    secret.write_bytes(recording(BEYOND))
    daemon = AttackedDaemon(folder)
    trace = folder / "strace.txt"
    if shutil.which("strace"):
        daemon.prefix = ("strace", "-f", "-qq", "-y", "-o", str(trace), "-e", "trace=read,pread64")
    over = threading.Event()
    inbox = daemon.inbox
    wanted = {f"{number}.wav": recording(number) for number in range(count)}
    with daemon:
        daemon.start()
        swapper = threading.Thread(target=swap, args=(inbox, secret, count, over))
        swapper.start()
        try:
            eventually(
                lambda: len(daemon.events("recording_queued")) >= count, what="some that were met whole"
            )
        finally:
            over.set()
            swapper.join()
        for name, content in wanted.items():
            path = inbox / name
            path.unlink(missing_ok=True)
            drop(path, content)
        daemon.wait_until_done(count, within_s=60 + count)
        for name, content in wanted.items():
            check_transcript(inbox / name.replace(".wav", ".txt"), content)
            assert stat.S_ISREG((inbox / name).lstat().st_mode)
        daemon.kill_all() if daemon.prefix else daemon.stop()
    if trace.exists():
        text = trace.read_text(encoding="utf-8", errors="replace")
        assert "secret.wav>" not in text, "the file behind the link was read"
        assert "/dev/zero>" not in text
    sha256 = subprocess.run(["sha256sum", secret], capture_output=True, text=True, check=True).stdout.split()[
        0
    ]
    assert daemon.query(f"SELECT 1 FROM jobs WHERE sha256 = '{sha256}'") == []  # noqa: S608 (a hash)


def test_swapped_files_are_never_read_from_outside(tmp_path: Path) -> None:
    """Links, FIFOs and devices come and go under recordings' names; nothing behind them is read."""
    races(tmp_path, 20)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_swapped_files(tmp_path: Path) -> None:
    """Two hundred of them."""
    races(tmp_path, 200)


def test_hard_links_get_a_transcript_each_and_no_links_go_into_them(tmp_path: Path) -> None:
    """Two names of one inode: recognised once, written twice; device nodes and sockets are passed over."""
    daemon = AttackedDaemon(tmp_path)
    with daemon:
        path = drop(daemon.inbox / "a.wav", recording(1))
        os.link(path, daemon.inbox / "b.wav")
        if os.geteuid() == 0:
            os.mknod(daemon.inbox / "zero.wav", stat.S_IFCHR | 0o600, os.makedev(1, 5))
        os.mkfifo(daemon.inbox / "fifo.wav")
        daemon.start()
        daemon.wait_until_done(2)
        assert set(daemon.recognised().values()) == {1}
        assert {p.name for p in daemon.inbox.glob("*.txt")} == {"a.txt", "b.txt"}
        assert daemon.stop() == 0
