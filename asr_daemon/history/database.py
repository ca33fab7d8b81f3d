"""sqlite-utils without what it would bring along.

It imports pandas and numpy wherever they happen to be installed, to take their numbers as values: 40 MB of a
daemon that is to stay under 100 MB, and that has neither.
"""

from __future__ import annotations

import sys
from typing import Any

_NOT_NEEDED = ("numpy", "pandas")
_modules: dict[str, Any] = sys.modules  # None says "there is no such module" (importlib's documentation)
_hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
for _name in _hidden:
    _modules[_name] = None
try:
    from sqlite_utils import Database, Migrations
finally:
    for _name in _hidden:
        del _modules[_name]

__all__ = ["Database", "Migrations"]
