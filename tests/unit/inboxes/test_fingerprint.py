"""Opening a recording without being led astray, and the identity of its content."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.errors import NotReadableError, ReadFailedError, RecordingGoneError
from asr_daemon.files import syscalls
from asr_daemon.inboxes.fingerprint import READ_BYTES, fingerprint, is_open_for_writing, open_recording

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["openat2", "stepwise"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of opening: the kernel's, and the one for kernels and sandboxes without it."""
    if request.param == "stepwise":

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSYS, "not offered")

        monkeypatch.setattr(syscalls, "_openat2", refuse)
    return str(request.param)


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    """Descriptors to close in the end."""
    opened: list[int] = []
    yield opened
    for fd in opened:
        os.close(fd)


def test_the_content_is_hashed_whole(tmp_path: Path, way: str, descriptors: list[int]) -> None:
    """The fingerprint is the SHA-256 of every byte with the file's numbers; the offset stays at the start."""
    recording = tmp_path / "sub" / "a.wav"
    recording.parent.mkdir()
    content = os.urandom(2 * READ_BYTES + 17)
    recording.write_bytes(content)
    descriptors.append(fd := open_recording(recording, tmp_path))
    found = fingerprint(fd)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.size_bytes, found.inode) == (len(content), recording.stat().st_ino)
    assert os.read(fd, 4) == content[:4]


def test_names_from_hell_are_opened(tmp_path: Path, way: str, descriptors: list[int]) -> None:
    """Newlines, dashes and invalid UTF-8 are only bytes."""
    for name in (b"a\nb.wav", b"-rf.wav", b"\xff\xfe.wav", b"..a.wav", "录音".encode() + b".wav"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(name)
        descriptors.append(open_recording(path, tmp_path))
        assert os.read(descriptors[-1], 100) == name


def test_no_link_is_followed(tmp_path: Path, way: str) -> None:
    """Neither a link in place of the recording nor one in place of a folder above it is followed."""
    outside, inbox = tmp_path / "out", tmp_path / "in"
    outside.mkdir()
    (inbox / "sub").mkdir(parents=True)
    (outside / "secret.wav").write_bytes(b"secret")
    (inbox / "link.wav").symlink_to(outside / "secret.wav")
    (inbox / "folder").symlink_to(outside)
    (inbox / "alias").symlink_to("sub")
    (inbox / "sub" / "own.wav").write_bytes(b"own")
    (inbox / "sub" / "up.wav").symlink_to("../../out/secret.wav")
    for name in ("link.wav", "folder/secret.wav", "sub/up.wav", "../out/secret.wav", "alias/own.wav"):
        with pytest.raises(RecordingGoneError):
            open_recording(inbox / name, inbox)


def test_the_inbox_itself_may_be_a_link(tmp_path: Path, way: str, descriptors: list[int]) -> None:
    """An administrator's link to where the share lies is followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").write_bytes(b"x")
    (tmp_path / "inbox").symlink_to("real")
    descriptors.append(open_recording(tmp_path / "inbox" / "a.wav", tmp_path / "inbox"))


def test_fifo_and_folder_are_refused_without_waiting(tmp_path: Path, way: str) -> None:
    """A FIFO that was swapped in does not hang the daemon, nor does a folder pass for a recording."""
    os.mkfifo(tmp_path / "f.wav")
    (tmp_path / "d.wav").mkdir()
    for name in ("f.wav", "d.wav"):
        with pytest.raises(RecordingGoneError, match="no regular file"):
            open_recording(tmp_path / name, tmp_path)
    with pytest.raises(RecordingGoneError, match="not there"):
        open_recording(tmp_path / "absent.wav", tmp_path)


def test_swap_races_never_read_outside(tmp_path: Path, way: str) -> None:
    """Of 200 openings while recording, link and FIFO change places, none yields a byte from outside."""
    outside, inbox = tmp_path / "out", tmp_path / "in"
    outside.mkdir()
    inbox.mkdir()
    (outside / "secret.wav").write_bytes(b"secret")
    recording = inbox / "a.wav"
    ended = threading.Event()

    def swap() -> None:
        spare = inbox / "spare"
        while not ended.is_set():
            for make in (
                lambda: spare.write_bytes(b"own"),
                lambda: spare.symlink_to(outside / "secret.wav"),
                lambda: os.mkfifo(spare),
            ):
                make()
                spare.rename(recording)

    swapper = threading.Thread(target=swap)
    swapper.start()
    read = []
    try:
        for _ in range(200):
            try:
                fd = open_recording(recording, inbox)
            except RecordingGoneError:
                continue
            read.append(os.read(fd, 10))
            os.close(fd)
    finally:
        ended.set()
        swapper.join()
    assert set(read) <= {b"own", b""}


def test_change_while_hashing_is_noticed(tmp_path: Path, descriptors: list[int]) -> None:
    """A recording that grows while it is hashed goes back to settling."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"x" * (READ_BYTES + 1))
    descriptors.append(fd := open_recording(recording, tmp_path))

    def grow() -> bool:
        with recording.open("ab") as file:
            file.write(b"y")
        return False

    with pytest.raises(RecordingGoneError, match="changed"):
        fingerprint(fd, grow)


def test_hashing_can_be_cancelled(tmp_path: Path, descriptors: list[int]) -> None:
    """A daemon that ends does not wait for a long file."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"x" * (3 * READ_BYTES))
    descriptors.append(fd := open_recording(recording, tmp_path))
    with pytest.raises(RecordingGoneError, match="cancelled"):
        fingerprint(fd, lambda: True)


def test_failing_disk_is_a_passing_error(tmp_path: Path) -> None:
    """An input/output error is told as one that may pass, not as a fault of the recording."""
    fd = os.open(tmp_path, os.O_RDONLY)  # reading a folder fails as a broken disk does: with an OSError
    try:
        with pytest.raises(ReadFailedError):
            fingerprint(fd)
    finally:
        os.close(fd)


def test_writer_is_noticed_where_the_kernel_tells(tmp_path: Path, descriptors: list[int]) -> None:
    """A copy that pauses is known by its open file."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"x")
    descriptors.append(fd := open_recording(recording, tmp_path))
    assert not is_open_for_writing(fd)
    with recording.open("ab"):
        assert is_open_for_writing(fd)
    assert not is_open_for_writing(fd)


def test_asking_for_writers_harms_nobody(tmp_path: Path) -> None:
    """A writer that opens the file in the very moment of the question goes on, and so do we."""
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"x")
    writer = os.fork()
    if writer == 0:
        while True:
            os.close(os.open(recording, os.O_WRONLY | os.O_APPEND))
    program = (
        "import os, sys; from asr_daemon.inboxes.fingerprint import is_open_for_writing\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
        "print(sorted({is_open_for_writing(fd) for _ in range(20000)}))"
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-c", program, recording],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        ended, _ = os.waitpid(writer, os.WNOHANG)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert (asked.returncode, asked.stdout.strip()) == (0, "[False, True]"), asked.stderr
    assert ended == 0


@pytest.fixture
def nobody_folder() -> Iterator[Path]:
    """Return a folder that another user can reach (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")
def test_missing_rights_are_said_so(way: str, nobody_folder: Path) -> None:
    """A file without read permission is the administrator's matter, not the recording's."""
    recording = nobody_folder / "a.wav"
    recording.write_bytes(b"x")
    recording.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(NotReadableError, match="may not read"):
            open_recording(recording, nobody_folder)
    finally:
        os.seteuid(0)
