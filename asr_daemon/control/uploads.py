"""A file that somebody sends through the gateway, put into an inbox under the inbox's own rules.

Enters: a descriptor and the name that its sender gives it. Leaves: a recording under a name that is free,
whole and durable, or an error and nothing. What is there already is never replaced.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import unicodedata
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from asr_daemon.errors import JobError, NotDecodableError, WriteFailedError
from asr_daemon.files.formats import SUFFIXES
from asr_daemon.files.publish import publish_copy
from asr_daemon.inboxes.candidate import is_candidate
from asr_daemon.inboxes.fingerprint import open_recording
from asr_daemon.printable import HARMFUL
from asr_daemon.transcripts.names import fitting

if TYPE_CHECKING:
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.inboxes.share import Shares

MOST_NAMES = 1000
MOST_COMPARED = 3  # files of that name that are read, where they are as long
BLOCK_BYTES = 1 << 20
# What Windows, macOS or a terminal would choke on; a name that begins with a dot or ~ is no recording.
_UNFIT = re.compile(f'{HARMFUL.pattern}|[<>:"/\\\\|?*]')
# Devices, to Windows, whatever the suffix: such a file could be neither opened nor deleted there.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def put_into(inbox: InboxSection, name: str, descriptor: int, shares: Shares) -> Path:
    """Copy what a descriptor holds into an inbox; return its path.

    Raises a :class:`~asr_daemon.errors.WorkError`: the share's, or that the name is no recording's.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise NotDecodableError("What was sent is no file.")
    name = fit_name(name)
    if not is_recordings_name(name):
        raise NotDecodableError(f"{name!r} is not the name of a recording.")
    shares.require(inbox)
    for number, path in enumerate(names_for(inbox.path, name)):
        if shares.exists(path):
            if number < MOST_COMPARED and _holds_the_same(path, inbox.path, descriptor):
                return path  # it was put before, and who sent it was not told
            continue
        try:
            publish_copy(path, descriptor, root=inbox.path)
        except FileExistsError:
            continue
        return path
    raise WriteFailedError(f"{MOST_NAMES} files are called like {name!r}: give it another name")


def _holds_the_same(path: Path, root: Path, descriptor: int) -> bool:
    """Whether a regular file of that very content lies there."""
    try:
        there = open_recording(path, root)
    except JobError:
        return False
    try:
        size_bytes = os.fstat(descriptor).st_size
        if os.fstat(there).st_size != size_bytes:
            return False
        return all(
            os.pread(there, BLOCK_BYTES, at) == os.pread(descriptor, BLOCK_BYTES, at)
            for at in range(0, size_bytes, BLOCK_BYTES)
        )
    except OSError:
        return False
    finally:
        os.close(there)


def is_recordings_name(name: str) -> bool:
    """Whether its suffix is one of sound or video: who uploads says what it is."""
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and suffix.lower() in SUFFIXES and is_candidate(name)


def fit_name(name: str) -> str:
    """Return a bare name that every system can show, of what a sender calls a file."""
    bare = PureWindowsPath(unicodedata.normalize("NFC", name)).name
    fit = _UNFIT.sub("_", bare).strip(" .~") or "_"
    return f"_{fit}" if _DEVICE.match(fit) else fit


def names_for(folder: Path, name: str) -> itertools.chain[Path]:
    """Yield ``NAME.m4a``, ``NAME (2).m4a``, ``NAME (3).m4a`` ..., each of at most 255 bytes."""
    stem, dot, suffix = name.rpartition(".")
    numbered = (f" ({number})" for number in range(2, MOST_NAMES + 1))
    return itertools.chain.from_iterable(
        [folder / fitting(stem, f"{middle}{dot}{suffix}")] for middle in itertools.chain([""], numbered)
    )
