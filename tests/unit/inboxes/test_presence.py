"""An unmounted share is not an empty inbox."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from asr_daemon.errors import InboxGoneError, Retry
from asr_daemon.inboxes.presence import MARKER, InboxPresence, check_presence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT_ONLY = "900001 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.fixture
def mounts(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a mountinfo of the root and more lines."""

    def make(more: str = "") -> Path:
        told = tmp_path / "mountinfo"
        told.write_text(ROOT_ONLY + more)
        return told

    return make


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return an inbox's folder."""
    folder = tmp_path / "nas" / "finance"
    folder.mkdir(parents=True)
    return folder


def remembered(inbox: Path, *, source: str = "//nas/finance", inode: int = 1) -> InboxPresence:
    """Return how the inbox was when its share was mounted."""
    known = InboxPresence(str(inbox.parent), "cifs", source, has_marker=False, device=99, inode=inode)
    return InboxPresence.from_json(known.to_json())


def test_an_unmounted_share_is_gone(inbox: Path, mounts: Callable[[str], Path]) -> None:
    """Where the share was, there is only its mount point: that is said, with what to do."""
    with pytest.raises(InboxGoneError, match=r"not mounted.*//nas/finance.*mount it") as caught:
        check_presence(inbox, remembered(inbox), mountinfo=mounts(""))
    assert caught.value.retry is Retry.WHEN_CLEARED


def test_the_share_comes_back_under_another_number(inbox: Path, mounts: Callable[[str], Path]) -> None:
    """After a remount device and inode numbers differ, and the inbox is there."""
    told = mounts(f"900002 900001 0:77 / {inbox.parent} rw - cifs //nas/finance rw\n")
    found = check_presence(inbox, remembered(inbox), mountinfo=told)
    assert (found.mount_point, found.source) == (str(inbox.parent), "//nas/finance")
    assert (found.device, found.inode) != (remembered(inbox).device, remembered(inbox).inode)


def test_an_inbox_that_gets_its_share_is_there(inbox: Path) -> None:
    """At the first start the share may not be mounted yet; later it is, deeper: that is the inbox now."""
    real = check_presence(inbox)
    first = replace(real, mount_point="/", source="/dev/other", inode=5)
    assert check_presence(inbox, first) == real


def test_systemds_own_mounts_do_not_count(inbox: Path) -> None:
    """A path that systemd bound into the service's view is the same folder when seen without."""
    real = check_presence(inbox)
    bound = replace(real, mount_point=str(inbox))
    assert check_presence(inbox, bound) == real
    with pytest.raises(InboxGoneError):
        check_presence(inbox, replace(bound, inode=real.inode + 1))


def test_a_marker_says_that_it_is_meant(inbox: Path, mounts: Callable[[str], Path]) -> None:
    """With the marker the folder is the inbox wherever it lies; without it, once seen, it is not."""
    (inbox / MARKER).touch()
    here = check_presence(inbox, remembered(inbox), mountinfo=mounts(""))
    assert here.has_marker
    (inbox / MARKER).unlink()
    with pytest.raises(InboxGoneError, match="lost its marker"):
        check_presence(inbox, here)


def test_a_missing_folder_is_gone(tmp_path: Path) -> None:
    """A folder that is not there, or is none, is said so in a sentence."""
    with pytest.raises(InboxGoneError, match="is not there; create it, or mount its share"):
        check_presence(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(InboxGoneError, match="is not a folder"):
        check_presence(tmp_path / "file")


def test_a_replaced_folder_is_known(tmp_path: Path) -> None:
    """An observer of the old folder sees nothing of the new one: the two are told apart."""
    folder = tmp_path / "in"
    folder.mkdir()
    before = check_presence(folder)
    folder.rename(tmp_path / "old")
    folder.mkdir()
    assert check_presence(folder) != before
    assert check_presence(folder) == check_presence(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_real_mount_comes_and_goes(tmp_path: Path) -> None:
    """A file system that is unmounted and mounted again: there, gone, there."""
    point = tmp_path / "share"
    point.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "nas", point], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (point / "finance").mkdir()
        there = check_presence(point / "finance")
        at_its_root = check_presence(point)
        assert (there.mount_point, there.fs_type, there.source) == (str(point), "tmpfs", "nas")
    finally:
        subprocess.run(["umount", point], check=True)
    with pytest.raises(InboxGoneError, match="is not there"):
        check_presence(point / "finance", there)
    with pytest.raises(InboxGoneError, match="is not mounted"):
        check_presence(point, at_its_root)
    subprocess.run(["mount", "-t", "tmpfs", "nas", point], check=True)
    try:
        assert check_presence(point, at_its_root).fs_type == "tmpfs"
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_an_empty_place_bound_onto_itself_is_not_the_share(tmp_path: Path) -> None:
    """The service starts while the share is away: systemd binds the empty folder, which is not the inbox."""
    point = tmp_path / "share"
    point.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "nas", point], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        there = check_presence(point)
        subprocess.run(["mount", "--bind", point, point], check=True)  # as systemd does while it is mounted
        assert check_presence(point, there).mount_point == str(point)
        subprocess.run(["umount", point], check=True)
    finally:
        subprocess.run(["umount", point], check=True)
    subprocess.run(["mount", "--bind", point, point], check=True)
    try:
        with pytest.raises(InboxGoneError, match="is not mounted"):
            check_presence(point, there)
    finally:
        subprocess.run(["umount", point], check=True)
