"""The names of half-written files: beside their target, hidden, and known as ours after a kill."""

from __future__ import annotations

import contextlib
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OURS = re.compile(r"\.asr-daemon-[0-9a-f]{16}\.tmp")


def new_temporary_name() -> str:
    """Return a fresh name; its length does not depend on the target's, which may have all of 255 bytes."""
    return f".asr-daemon-{secrets.token_hex(8)}.tmp"


def is_stale_temporary(name: str) -> bool:
    """Return whether a file of that name is one that this program began and did not finish."""
    return _OURS.fullmatch(name) is not None


def remove_stale_temporary(path: Path, *, now_s: float, older_than_s: float = 3600.0) -> bool:
    """Remove such a file if it is older than that (``now_s``: wall clock, seconds since 1970).

    A younger one may be at work: another machine's, in the same share. Returns whether it was removed.
    """
    with contextlib.suppress(OSError):
        if is_stale_temporary(path.name) and now_s - path.lstat().st_mtime > older_than_s:
            path.unlink()
            return True
    return False
