"""The package's lists of words: files beside the modules, blanks between words, ``#`` begins a comment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a list, in its order."""
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines for word in line.partition("#")[0].split())
