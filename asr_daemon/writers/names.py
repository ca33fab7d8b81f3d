"""What the files beside a recording are called, so that nobody's file is in the way of another's."""

from __future__ import annotations

import hashlib
import itertools
import os
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME_BYTES = 255  # the longest name of nearly every file system
FAILURE_SUFFIX = ".转写失败.txt"


def output_path(recording: Path, suffix: str, is_taken: Callable[[Path], bool]) -> Path:
    """Return where the output with that suffix (``.txt``) goes, beside the recording.

    ``NAME.txt``; where that is taken (by another recording, or by a file that is not ours) ``NAME.mp3.txt``,
    then ``NAME.mp3.2.txt`` and so on.
    """
    return next(path for path in _paths(recording, suffix) if not is_taken(path))


def failure_path(recording: Path, is_taken: Callable[[Path], bool]) -> Path:
    """Return where the failure file goes: ``NAME.转写失败.txt``, or the next that is free as above."""
    return output_path(recording, FAILURE_SUFFIX, is_taken)


def same_name_key(path: Path) -> str:
    """Return one key for all names that Windows or macOS take for the same file.

    A share's disk tells ``A.txt`` from ``a.txt`` and a composed letter from a decomposed one; the people who
    see the share through SMB may not.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def _paths(recording: Path, suffix: str) -> Iterator[Path]:
    stem, dot, own_suffix = recording.name.rpartition(".")
    if not stem:
        stem, dot, own_suffix = recording.name, "", ""
    yield recording.parent / fitting(stem, suffix)
    yield recording.parent / fitting(stem, f"{dot}{own_suffix}{suffix}")
    for number in itertools.count(2):
        yield recording.parent / fitting(stem, f"{dot}{own_suffix}.{number}{suffix}")


def fitting(stem: str, ending: str) -> str:
    """Return ``stem + ending`` in at most 255 bytes; a stem cut short gets ``~`` and a hash of the whole."""
    if len(os.fsencode(stem + ending)) <= NAME_BYTES:
        return stem + ending
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    room = NAME_BYTES - len(os.fsencode(mark + ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]  # a character, never a part of one
    return stem + mark + ending
