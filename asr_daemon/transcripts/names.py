"""What the files beside a recording are called, so that nobody's file is in the way of another's."""

from __future__ import annotations

import hashlib
import itertools
import os
import unicodedata
from typing import TYPE_CHECKING

from asr_daemon.errors import WriteFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MOST_STEMS = 100  # that are tried: each is a look into the share
NAME_BYTES = 255  # the longest name of nearly every file system
FAILURE_SUFFIX = ".转写失败.txt"


def output_paths(
    recording: Path, suffixes: Mapping[str, str], is_free: Callable[[str, Path], bool]
) -> dict[str, Path]:
    """Return where the outputs of each kind (``{"txt": ".txt"}``) go, beside the recording, under one stem.

    ``NAME.txt`` and ``NAME.srt``; where one of them is taken (by another recording, or by a file that is not
    ours) ``NAME.mp3.txt`` and ``NAME.mp3.srt``, then ``NAME.mp3.2.txt`` and so on. Raises
    :class:`~asr_daemon.errors.WriteFailedError` where ``MOST_STEMS`` are taken: somebody laid them there.
    """
    stem, middles = _stem(recording)
    for middle in itertools.islice(middles, MOST_STEMS):
        paths = {kind: recording.parent / fitting(stem, middle + suffix) for kind, suffix in suffixes.items()}
        if all(is_free(kind, path) for kind, path in paths.items()):
            return paths
    raise WriteFailedError(
        f"{MOST_STEMS} files are in the way of the transcript of {recording.name!r}: take some of them away"
    )


def same_name_key(path: Path) -> str:
    """Return one key for all names that Windows or macOS take for the same file.

    A share's disk tells ``A.txt`` from ``a.txt`` and a composed letter from a decomposed one; the people who
    see the share through SMB may not.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def _stem(recording: Path) -> tuple[str, Iterator[str]]:
    """Return the recording's stem, and what may come behind it, first choice first."""
    stem, dot, suffix = recording.name.rpartition(".")
    if not stem:
        stem, dot, suffix = recording.name, "", ""
    own = dot + suffix
    return stem, itertools.chain(("", own), (f"{own}.{number}" for number in itertools.count(2)))


def fitting(stem: str, ending: str) -> str:
    """Return ``stem + ending`` in at most 255 bytes; a stem cut short gets ``~`` and a hash of the whole."""
    if len(os.fsencode(stem + ending)) <= NAME_BYTES:
        return stem + ending
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    room = NAME_BYTES - len(os.fsencode(mark + ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]  # a character, never a part of one
    return stem + mark + ending
