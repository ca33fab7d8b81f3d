"""Whether an inbox is really there: an unmounted share looks like an empty folder.

What is remembered of an inbox is its mount, not its device number: network file systems, and disks after a
restart, get other numbers for the same share. An inbox that was seen on a share mounted at ``/mnt/nas`` and
now lies on what holds ``/mnt`` is gone, not empty; nothing about its recordings is concluded until it is
back. (A bind of the folder onto itself, which is what systemd's sandbox makes of every writable path, the
empty place of a share too, does not count as a mount: :mod:`asr_daemon.files.mounts`. Same source and same
inode without it: the same folder.)

An administrator who moves an inbox from a share to the local disk on purpose says so with a file named
``.asr-daemon-inbox`` in it. Where such a marker was seen once, the inbox counts as there only with it: that
covers what mounts do not show (a folder on a share whose disk is missing on the server).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from asr_daemon.errors import InboxGoneError
from asr_daemon.files.mounts import MOUNTINFO, find_mount

MARKER = ".asr-daemon-inbox"


@dataclass(frozen=True, slots=True)
class InboxPresence:
    """How an inbox was last seen; kept across restarts as JSON."""

    mount_point: str  # surrogates for bytes that are no UTF-8; "" where the system does not say
    fs_type: str
    source: str  # "/dev/sda1", "//nas/finance"
    has_marker: bool
    device: int  # tells within one run that the folder is another one now
    inode: int

    def to_json(self) -> str:
        """Return what :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InboxPresence:
        """Return the presence of that text; raises ``ValueError`` or ``TypeError`` where it is none."""
        return cls(**json.loads(text))


def check_presence(
    folder: Path, known: InboxPresence | None = None, *, mountinfo: Path = MOUNTINFO
) -> InboxPresence:
    """Return how the inbox is there now, to be remembered; ``known`` is how it was there before.

    Raises :class:`InboxGoneError`, with a sentence for the administrator, where it is not there, cannot be
    read, or is only the empty place where its share belongs.
    """
    try:
        with os.scandir(folder) as entries:  # a share that is gone often still has a name and a mode
            next(entries, None)
        found = folder.stat()
        has_marker = os.path.lexists(folder / MARKER)
    except OSError as error:
        raise gone(folder, error) from None
    mount = find_mount(folder, mountinfo)
    now = InboxPresence(
        mount_point=str(mount.mount_point) if mount else "",
        fs_type=mount.fs_type if mount else "",
        source=mount.source if mount else "",
        has_marker=has_marker,
        device=found.st_dev,
        inode=found.st_ino,
    )
    if known is not None and not has_marker:
        if known.has_marker:
            raise InboxGoneError(
                f"the inbox folder {folder} has lost its marker {MARKER}: what lies there is not the inbox; "
                "mount its share, or create the marker again"
            )
        if _lost_its_mount(now, known):
            raise InboxGoneError(
                f"the share of the inbox folder {folder} is not mounted: it lay on {known.mount_point} "
                f"({known.fs_type}, {known.source}); mount it, or create a file {MARKER} in it if the "
                "inbox was moved on purpose"
            )
    return now


def gone(folder: Path, error: OSError) -> InboxGoneError:
    """Return the error that says, in a sentence, why an inbox's folder cannot be used."""
    if isinstance(error, PermissionError):
        fix = "give the service's user the right to read it"
        return InboxGoneError(f"the inbox folder {folder} cannot be read: permission denied; {fix}")
    if isinstance(error, FileNotFoundError):
        return InboxGoneError(f"the inbox folder {folder} is not there; create it, or mount its share")
    if isinstance(error, NotADirectoryError):
        return InboxGoneError(f"the inbox folder {folder} is not a folder")
    return InboxGoneError(f"the inbox folder {folder} cannot be read: {error.strerror}")


def _lost_its_mount(now: InboxPresence, known: InboxPresence) -> bool:
    """Return whether the folder now lies on a mount above the one that it lay on, and is another folder."""
    if not now.mount_point or Path(now.mount_point) not in Path(known.mount_point).parents:
        return False
    return (now.fs_type, now.source, now.inode) != (known.fs_type, known.source, known.inode)
