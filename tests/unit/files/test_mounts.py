"""Which file system a path lies on, however tangled the mounts are."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.files.mounts import (
    events_are_reliable,
    filesystem_type,
    find_mount,
    is_network,
    is_network_type,
    parse_mountinfo,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOUNTINFO = r"""
900022 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
900030 22 0:40 / /srv/nas rw,relatime shared:12 master:3 - cifs //nas/finance rw,vers=3.1.1
900031 22 0:41 / /srv/with\040space rw - nfs4 nas:/export\040one rw
900032 22 8:2 /sub /srv/bind rw - ext4 /dev/sda2 rw
900033 30 8:3 / /srv/nas/local rw - xfs /dev/sdb1 rw
900034 22 0:50 / /srv/stacked rw - autofs systemd-1 rw,fd=50
900035 34 0:51 / /srv/stacked rw - nfs nas:/stacked rw
900036 22 0:52 / /srv/back\134slash rw - fuse.sshfs host:/ rw
broken line
"""


def test_every_field_is_read() -> None:
    """Optional fields in any number, octal escapes and lines that are none are dealt with."""
    mounts = {str(mount.mount_point): mount for mount in parse_mountinfo(MOUNTINFO)}
    assert mounts["/srv/nas"].fs_type == "cifs"
    assert mounts["/srv/nas"].source == "//nas/finance"
    assert mounts["/srv/with space"].source == "nas:/export one"
    assert mounts["/srv/back\\slash"].fs_type == "fuse.sshfs"
    assert len(parse_mountinfo(MOUNTINFO)) == 8


@pytest.mark.parametrize(
    ("path", "fs_type"),
    [
        ("/srv/nas/2026/a.wav", "cifs"),
        ("/srv/nasty/a.wav", "ext4"),
        ("/srv/nas/local/a.wav", "xfs"),
        ("/srv/with space/a", "nfs4"),
        ("/srv/stacked/a", "nfs"),
        ("/srv/bind", "ext4"),
    ],
)
def test_longest_prefix_of_whole_names(tmp_path: Path, path: str, fs_type: str) -> None:
    """Of a path that is not there, the deepest mount above it counts, the later of two at one point."""
    told = tmp_path / "mountinfo"
    told.write_text(MOUNTINFO)
    found = find_mount(Path(path), told)
    assert found is not None
    assert found.fs_type == fs_type


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    """Without mountinfo nothing is known, and what is unknown is polled."""
    assert find_mount(tmp_path, tmp_path / "absent") is None
    assert not events_are_reliable("unknown")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Return a function that mounts, and unmount in the end."""
    mounted: list[Path] = []

    def do(target: Path, *arguments: object) -> None:
        target.mkdir(exist_ok=True, parents=True)
        done = subprocess.run(["mount", *map(str, arguments), target], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("nothing can be mounted here")
        mounted.append(target)

    yield do
    for target in reversed(mounted):
        subprocess.run(["umount", "-l", target], check=False)


def test_the_kernel_is_asked(tmp_path: Path, mount: Callable[..., None]) -> None:
    """Stacked, bound and hidden mounts are told apart as the kernel sees them, also through a link."""
    assert filesystem_type(Path("/proc/self")) == "proc"
    here = filesystem_type(tmp_path)
    mount(tmp_path / "a b", "-t", "tmpfs", "tmpfs")
    assert filesystem_type(tmp_path / "a b") == "tmpfs"
    (tmp_path / "link").symlink_to("a b")
    assert filesystem_type(tmp_path / "link") == "tmpfs"
    (tmp_path / "plain").mkdir()
    mount(tmp_path / "a b" / "deep", "--bind", tmp_path / "plain")
    assert filesystem_type(tmp_path / "a b" / "deep") == here
    mount(tmp_path / "a b", "-t", "ramfs", "ramfs")  # hides both
    (tmp_path / "a b" / "deep").mkdir()
    assert filesystem_type(tmp_path / "a b" / "deep") == "ramfs"
    (tmp_path / "a b" / "file").write_bytes(b"")
    assert filesystem_type(tmp_path / "a b" / "file") == "ramfs"


BOUND = r"""
900022 1 8:1 / / rw - ext4 /dev/sda1 rw
900023 22 8:1 /srv/nas /srv/nas rw - ext4 /dev/sda1 rw
900024 22 8:1 /srv/other /srv/moved rw - ext4 /dev/sda1 rw
900025 22 8:5 / /home rw - xfs /dev/sdb1 rw
900026 25 0:60 / /home ro - tmpfs tmpfs rw
900027 26 8:5 /li/in /home/li/in rw - xfs /dev/sdb1 rw
900028 22 0:70 / /srv/share rw - cifs //nas/share rw
900029 28 0:70 /finance /srv/share/finance rw - cifs //nas/share rw
900030 22 0:70 / /srv/share rw - cifs //nas/share rw
"""


@pytest.mark.parametrize(
    ("path", "point", "source"),
    [
        ("/srv/nas/a.wav", "/", "/dev/sda1"),  # the empty place of a share, opened by systemd
        ("/srv/moved/a.wav", "/srv/moved", "/dev/sda1"),  # another folder shown there: a mount
        ("/home/li/in/a.wav", "/home", "/dev/sdb1"),  # BindPaths= into a hidden home
        ("/srv/share/finance/a.wav", "/srv/share", "//nas/share"),
        ("/srv/share/a.wav", "/srv/share", "//nas/share"),
    ],
)
def test_a_folder_bound_onto_itself_is_no_mount(tmp_path: Path, path: str, point: str, source: str) -> None:
    """What systemd makes of every writable path hides nothing: what lies below counts."""
    told = tmp_path / "mountinfo"
    told.write_text(BOUND)
    found = find_mount(Path(path), told)
    assert found is not None
    assert (str(found.mount_point), found.source) == (point, source)


@pytest.mark.parametrize("fs_type", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"])
def test_shares_of_other_machines_are_polled(fs_type: str) -> None:
    """No event tells of what another machine writes."""
    assert is_network_type(fs_type)
    assert not events_are_reliable(fs_type)


@pytest.mark.parametrize("fs_type", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "ntfs3", "fuseblk"])
def test_disks_of_this_machine_have_events(fs_type: str) -> None:
    """Local disks are watched by events."""
    assert events_are_reliable(fs_type)
    assert not is_network_type(fs_type)


def test_overlays_are_local_but_polled() -> None:
    """Changes of an overlay's lower layers cause no events, though nothing of it is on a network."""
    assert not events_are_reliable("overlay")
    assert not is_network_type("overlay")
    assert not is_network(Path("/proc"))
