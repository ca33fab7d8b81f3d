"""Which file system a folder lies on, and whether file events can be relied on there.

Read from ``/proc/self/mountinfo`` (proc(5)). The kernel itself is asked which line is a path's: every open
descriptor has its mount's number in ``/proc/self/fdinfo``. Bind mounts, stacked mounts and mounts hidden
below others need no guessing then; the longest prefix is only for paths that are not there.

A folder that is bound onto itself is no mount of its own: that is how systemd opens a path to a service
(``ReadWritePaths=``, ``BindPaths=``), also the empty folder of a share that is not mounted.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "smb2", "9p", "virtiofs", "ceph", "afs", "coda", "ncpfs"),
        *("glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "orangefs", "pvfs2", "davfs"),
        *("vboxsf", "vmhgfs", "prl_fs", "fuse", "autofs"),
    }
)
# Changes come through this very kernel, so its events tell of all of them. What is in neither list is polled.
LOCAL = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "reiserfs", "nilfs2"),
        *("tmpfs", "ramfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus", "udf"),
    }
)
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo."""

    number: int
    device: str  # "8:1": of one file system's mounts the same
    root: Path  # the folder of the file system that is seen at the mount point
    mount_point: Path
    fs_type: str  # "ext4", "cifs", "fuse.sshfs"
    source: str  # "/dev/sda1", "//nas/finance"
    is_read_only: bool = False  # the file system as a whole, not only as it is seen here


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the mounts in the kernel's order: of two at one point, the later one is seen."""
    return [mount for line in text.split("\n") if (mount := _mount(line)) is not None]


def _mount(line: str) -> Mount | None:
    before, _, after = line.partition(" - ")  # the optional fields before it vary in number
    fields, kinds = before.split(" "), after.split(" ")
    if len(fields) < 6 or len(kinds) < 2:  # noqa: PLR2004
        return None
    root, point = Path(_unescape(fields[3])), Path(_unescape(fields[4]))
    is_read_only = "ro" in kinds[2].split(",") if len(kinds) > 2 else False  # noqa: PLR2004
    return Mount(int(fields[0]), fields[2], root, point, kinds[0], _unescape(kinds[1]), is_read_only)


def find_mount(path: Path, mountinfo: Path = MOUNTINFO) -> Mount | None:
    """Return the mount that a path lies on; of a path that is not there, its nearest folder's.

    Where that is a folder bound onto itself, the mount that it would lie on without. None where the system
    does not say (no ``/proc``).
    """
    try:
        told = os.fsdecode(mountinfo.read_bytes())
    except OSError:
        return None
    number = _mount_number(path)
    for line in told.split("\n"):  # most of the time the others need not be understood
        if line.startswith(f"{number} ") and (mount := _mount(line)) is not None:
            is_whole = mount.root == Path("/")  # no bind mount of a folder
            return mount if is_whole else _without_self_bind(mount, parse_mountinfo(told))
    mounts = parse_mountinfo(told)
    real = Path(os.path.realpath(path))
    found = None
    for mount in mounts:
        is_below = mount.mount_point == real or mount.mount_point in real.parents
        if is_below and (found is None or len(mount.mount_point.parts) >= len(found.mount_point.parts)):
            found = mount
    return found and _without_self_bind(found, mounts)


def _without_self_bind(mount: Mount, mounts: list[Mount]) -> Mount:
    """Return the outermost mount of the same file system that shows the same folder at the same path.

    It may be hidden below another one, as /home is by ``ProtectHome=tmpfs``.
    """
    found = mount
    for other in mounts:
        if other.device != mount.device or not mount.root.is_relative_to(other.root):
            continue
        shown_at = other.mount_point / mount.root.relative_to(other.root)
        if shown_at == mount.mount_point and len(other.mount_point.parts) < len(found.mount_point.parts):
            found = other
    return found


def filesystem_type(path: Path) -> str:
    """Return the path's file system type, as in ``mount -t``; "unknown" where the system does not say."""
    mount = find_mount(path)
    return mount.fs_type if mount else "unknown"


def is_network(path: Path) -> bool:
    """Return whether the path lies on a network file system, or on one of unknown make in user space."""
    return is_network_type(filesystem_type(path))


def is_network_type(fs_type: str) -> bool:
    """Return whether files of that type of file system lie on another machine, or may."""
    return fs_type in NETWORK or fs_type.startswith("fuse.")


def events_are_reliable(fs_type: str) -> bool:
    """Return whether every change on that type of file system causes an event here.

    Not where other machines write (no event), nor on overlays, whose lower layers change unseen.
    """
    return fs_type in LOCAL


def _mount_number(path: Path) -> int | None:
    """Return the kernel's number of the mount that an existing path lies on."""
    for flags in (os.O_RDONLY | os.O_DIRECTORY, os.O_PATH):  # O_PATH alone would not wake an automount
        with contextlib.suppress(OSError):
            fd = os.open(path, flags | os.O_CLOEXEC)
            try:
                told = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii")
            finally:
                os.close(fd)
            if match := re.search(r"^mnt_id:\s*(\d+)$", told, re.MULTILINE):
                return int(match[1])
    return None


def _unescape(field: str) -> str:
    """Return a field of mountinfo with its octal escapes (space, tab, newline, backslash) undone."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), os.fsencode(field)))
