"""``~`` in a path that a person wrote; in a container a user may have no home at all."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str) -> Path:
    """Return the path with ``~`` as the user's own folder; as it was written where nobody knows that one.

    (:meth:`pathlib.Path.expanduser` raises ``RuntimeError`` there.)
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
