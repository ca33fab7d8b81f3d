"""A file appears whole or not at all, durably, readable for the people of the folder."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.errors import (
    DiskFullError,
    InboxGoneError,
    InboxReadOnlyError,
    JobError,
    Retry,
    WriteFailedError,
)
from asr_daemon.files import syscalls
from asr_daemon.files.publish import publish, write_error
from asr_daemon.files.temporary import is_stale_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")


def test_the_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    """New or anew, the content is what was given, and no temporary file stays."""
    target = tmp_path / "会议.txt"
    for data in (b"first", b"", b"second"):
        publish(target, data)
        assert target.read_bytes() == data
    assert names_in(tmp_path) == ["会议.txt"]


def test_names_of_every_kind_are_written(tmp_path: Path) -> None:
    """The longest name and the strangest are published as they are."""
    for raw in (b"x" * 251 + b".txt", b"a\nb.txt", b"-rf.txt", b"\xff\xfe.txt", "é".encode() + b".txt"):
        publish(tmp_path / os.fsdecode(raw), raw)
        assert (tmp_path / os.fsdecode(raw)).read_bytes() == raw


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """While a file is published again and again, each look finds one whole version of it."""
    target = tmp_path / "a.txt"
    versions = [bytes([letter]) * 300_000 for letter in b"ab"]
    publish(target, versions[0])
    ended = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not ended.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(60):
            publish(target, versions[number % 2])
    finally:
        ended.set()
        reader.join()
    assert seen <= set(versions)


def test_order_of_system_calls(tmp_path: Path) -> None:
    """Write, fsync of the file, rename, fsync of the folder: in that order, as strace sees it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    program = "import sys; from pathlib import Path; from asr_daemon.files.publish import publish\n"
    program += "publish(Path(sys.argv[1]), b'content')"
    log = tmp_path / "strace.log"
    folder = tmp_path / "inbox"
    folder.mkdir()
    traced = subprocess.run(
        [
            *("strace", "-f", "-y", "-o", log, "-e", "trace=write,fsync,fdatasync,rename,renameat,renameat2"),
            *(sys.executable, "-c", program, folder / "a.txt"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if traced.returncode != 0 and "ptrace" in traced.stderr.lower():
        pytest.skip("strace cannot trace here")
    assert traced.returncode == 0, traced.stderr
    assert (folder / "a.txt").read_bytes() == b"content"
    ours = [line for line in log.read_text().splitlines() if str(folder) in line or '"a.txt"' in line]
    kinds = [re.sub(r"^\d+\s+", "", line) for line in ours]
    assert [re.match(r"[a-z0-9]+", line)[0].rstrip("at2") for line in kinds] == [
        "write",
        "fsync",
        "rename",
        "fsync",
    ]
    assert ".asr-daemon-" in kinds[0]
    assert ".asr-daemon-" in kinds[1]
    assert re.match(rf"fsync\(\d+<{re.escape(str(folder))}>", kinds[3])


def test_taken_names_are_left_alone_when_asked(tmp_path: Path) -> None:
    """Without ``replace`` a file that someone made meanwhile stays, and nothing is left behind."""
    target = tmp_path / "a.txt"
    target.write_text("theirs")
    with pytest.raises(FileExistsError):
        publish(target, b"ours", replace=False)
    assert target.read_text() == "theirs"
    assert names_in(tmp_path) == ["a.txt"]
    publish(tmp_path / "b.txt", b"ours", replace=False)
    assert (tmp_path / "b.txt").read_bytes() == b"ours"


@pytest.mark.parametrize("has_links", [True, False])
def test_taken_names_are_left_alone_on_lesser_file_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    """Where the kernel's atomic rename is missing (NFS), or hard links, too (SMB), nothing is overwritten."""

    class Libc:
        """A C library of long ago."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(syscalls, "_libc", Libc())
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.txt").write_text("theirs")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in ("one", "two"):
            (tmp_path / name).write_text(name)
        with pytest.raises(FileExistsError):
            syscalls.rename_without_replacing("one", "a.txt", source_fd=fd, target_fd=fd)
        syscalls.rename_without_replacing("two", "b.txt", source_fd=fd, target_fd=fd)
    finally:
        os.close(fd)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.txt": "theirs",
        "one": "one",
        "b.txt": "two",
    }


def test_a_link_in_place_of_the_output_is_replaced_not_followed(tmp_path: Path) -> None:
    """A link under the output's name does not lead the text elsewhere; a linked folder is refused."""
    outside, inbox = tmp_path / "out", tmp_path / "in"
    outside.mkdir()
    inbox.mkdir()
    (outside / "victim").write_text("untouched")
    (inbox / "a.txt").symlink_to(outside / "victim")
    (inbox / "sub").symlink_to(outside)
    publish(inbox / "a.txt", b"text", root=inbox)
    assert (outside / "victim").read_text() == "untouched"
    assert (inbox / "a.txt").read_bytes() == b"text"
    assert not (inbox / "a.txt").is_symlink()
    with pytest.raises(WriteFailedError, match="link"):
        publish(inbox / "sub" / "b.txt", b"text", root=inbox)
    assert names_in(outside) == ["victim"]


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"),
    [(0o755, 0o644), (0o775, 0o664), (0o2770, 0o660), (0o700, 0o600), (0o777, 0o666)],
)
def test_who_may_list_the_folder_may_read_the_file(tmp_path: Path, folder_mode: int, file_mode: int) -> None:
    """The file's mode follows the folder's, however closed the service's umask is."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    folder.chmod(folder_mode)
    before = os.umask(0o077)
    try:
        publish(folder / "a.txt", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a.txt").stat().st_mode) == file_mode


@as_root
def test_the_group_is_the_folders(tmp_path: Path) -> None:
    """People of the department's group can read what the service wrote."""
    os.chown(tmp_path, -1, 4242)
    publish(tmp_path / "a.txt", b"x")
    assert (tmp_path / "a.txt").stat().st_gid == 4242


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_the_old_version(tmp_path: Path, tiny_disk: Path) -> None:
    """Where there is no room the old file stays, the temporary one goes, and the error waits for space."""
    publish(tiny_disk / "a.txt", b"old")
    with pytest.raises(DiskFullError) as caught:
        publish(tiny_disk / "a.txt", b"x" * 200_000)
    assert caught.value.retry is Retry.WHEN_CLEARED
    assert names_in(tiny_disk) == ["a.txt"]
    assert (tiny_disk / "a.txt").read_bytes() == b"old"


def test_a_read_only_disk_is_said_so(tiny_disk: Path) -> None:
    """A share that was mounted read-only leads to the fall-back folder."""
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(InboxReadOnlyError):
        publish(tiny_disk / "a.txt", b"x")


@as_root
def test_a_folder_without_write_permission_is_said_so() -> None:
    """A folder that the service may not write to is told apart from one that is gone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(InboxReadOnlyError):
            publish(folder / "a.txt", b"x")
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_a_missing_folder_is_said_so(tmp_path: Path) -> None:
    """An inbox that is gone is waited for."""
    with pytest.raises(InboxGoneError):
        publish(tmp_path / "absent" / "a.txt", b"x")


def test_a_folder_under_the_name_is_an_error(tmp_path: Path) -> None:
    """A folder called like the output is not harmed."""
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(WriteFailedError):
        publish(tmp_path / "a.txt", b"x")
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EROFS, InboxReadOnlyError),
        (errno.ESTALE, InboxGoneError),
        (errno.EIO, WriteFailedError),
    ],
)
def test_what_an_error_means(number: int, kind: type[JobError]) -> None:
    """Each failure of the system has the class that says whether waiting helps; names are shown safely."""
    error = write_error(Path("/in/\udcff.txt"), OSError(number, os.strerror(number)))
    assert type(error) is kind
    str(error).encode()


@pytest.mark.parametrize("moment", ["write", "fsync", "rename"])
def test_a_kill_leaves_at_most_a_temporary_file(tmp_path: Path, moment: str) -> None:
    """Killed at any step, the old version stands whole, and what is left over is known as ours."""
    target = tmp_path / "a.txt"
    publish(target, b"old")
    pid = os.fork()
    if pid == 0:
        setattr(os, moment, lambda *_, **__: os._exit(9))
        publish(target, b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert target.read_bytes() == b"old"
    (left,) = set(names_in(tmp_path)) - {"a.txt"}
    assert is_stale_temporary(left)


@pytest.mark.parametrize(
    ("injection", "outcome", "content"),
    [
        ("fsync:error=EIO:when=1", "WriteFailedError", b"old"),
        ("fsync:error=ENOSPC:when=1", "DiskFullError", b"old"),
        ("fsync:error=EIO:when=2", "WriteFailedError", b"new"),
        ("fsync:error=EINVAL:when=2", "done", b"new"),
        ("renameat:error=ENOSPC:when=1", "DiskFullError", b"old"),
        ("renameat:error=EACCES:when=1", "InboxReadOnlyError", b"old"),
        ("fchmod:error=EPERM:when=1", "done", b"new"),
    ],
)
def test_errors_of_the_disk(tmp_path: Path, injection: str, outcome: str, content: bytes) -> None:
    """A failing disk (injected by strace) yields the right class and a whole file, old or new."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    program = (
        "import sys; from pathlib import Path; from asr_daemon.files.publish import publish\n"
        "try:\n    publish(Path(sys.argv[1]), b'new')\n    print('done')\n"
        "except Exception as error:\n    print(type(error).__name__)"
    )
    tracing = ["strace", "-f", "-o", "/dev/null", "-e", f"inject={injection}"]
    traced = subprocess.run(
        [*tracing, sys.executable, "-c", program, target], capture_output=True, text=True, check=False
    )
    if traced.returncode != 0:
        pytest.skip(f"strace cannot inject here: {traced.stderr.strip()[-200:]}")
    assert traced.stdout.strip() == outcome
    assert target.read_bytes() == content
    assert names_in(tmp_path) == ["a.txt"]
