"""Where jieba's dictionary lies, for those who read it as a file.

jieba itself is never imported: it keeps a cache where anybody may write, and takes a second.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def dictionary_path() -> Path | None:
    """Return the dictionary's path; each line is ``word count tag``. None where jieba is not installed."""
    spec = find_spec("jieba")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "dict.txt"
