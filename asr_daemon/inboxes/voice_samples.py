"""The samples of a folder of voices: whose voice each is, by its file's name.

``顾清源.wav`` and ``顾清源.2.m4a`` are two samples of one person. Who can write into the folder is not
trusted: no link is followed, and only so many files, of such a size, are taken. Enters: the folder. Leaves:
:class:`Sample` after sample. Fails with ``OSError`` where the folder cannot be listed.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.inboxes.candidate import is_told_by_name, mtime_of

if TYPE_CHECKING:
    from pathlib import Path

MOST_SAMPLES = 500
MOST_BYTES = 200_000_000
REFUSAL_SUFFIX = ".样本无法使用.txt"
_COUNTED = re.compile(r"(.+?)[._ -]\d{1,3}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A file with somebody's voice."""

    path: Path
    name: str  # the person's, as the file says
    key: str  # of the file as it is now

    @property
    def refusal_path(self) -> Path:
        """The file that says why it cannot be used."""
        return self.path.with_name(self.path.name + REFUSAL_SUFFIX)


def find_samples(folder: Path) -> list[Sample]:
    """Return the samples that lie in a folder, by name; the first :data:`MOST_SAMPLES` of them."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "~")) or not is_told_by_name(entry.name):
                continue
            try:
                seen = entry.stat(follow_symlinks=False)
                name = os.fsencode(entry.name).decode("utf-8")
            except (OSError, UnicodeDecodeError):  # taken away this moment; a name that nobody can read
                continue
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > MOST_BYTES:
                continue
            key = f"{name}\0{seen.st_size}\0{mtime_of(seen)}"
            found.append(Sample(folder / entry.name, person_of(name), key))
    return sorted(found, key=lambda sample: sample.path.name)[:MOST_SAMPLES]


def person_of(file_name: str) -> str:
    """Return whose sample a file of that name is."""
    stem = file_name.rpartition(".")[0]
    counted = _COUNTED.fullmatch(stem)
    return counted[1] if counted else stem
