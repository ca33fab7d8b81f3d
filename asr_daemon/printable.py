"""Text from outside, as a terminal, a log or a list may show it: it steers nothing and forges no line.

Names of files, what ffmpeg says of them, words of a hotword file: whoever can write into a share chooses
them. Enters: any text. Leaves: the same with every character escaped that moves the cursor, breaks the line,
turns the reading direction, is not seen, or is no character at all. JSON keeps its meaning.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePath

# C0, DEL, C1; soft hyphen; marks, overrides and isolates of direction; zero width but for the joiners that
# scripts and emoji need; line and paragraph separators; tags; lone surrogates (bytes that are no UTF-8).
HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CALCULATED = frozenset("=+-@＝＋－＠")  # by spreadsheets, in the first place
_SPACES = frozenset("\t\r\n")
_BYTES = range(0xDC80, 0xDD00)  # how Python carries a byte of a file's name that is no UTF-8


def valid_text(path: str | PurePath) -> str:
    """Return a path, or a name, as valid text; bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return the text with what is harmful as ``\x1b``, ``\u202e``; with ``lines`` it may have several."""

    def escaped(found: re.Match[str]) -> str:
        if lines and found[0] in "\n\t":
            return found[0]
        return _SHORT.get(found[0]) or _escape(ord(found[0]))

    return HARMFUL.sub(escaped, text)


def harmless_cell(value: Any) -> Any:
    """Return a cell of a table that no spreadsheet calculates; figures stay figures."""
    if not isinstance(value, str) or not value:
        return value
    value = printable(value, lines=True)
    return f"'{value}" if value[0] in _SPACES or value.lstrip()[:1] in _CALCULATED else value


def printable_tree(value: Any) -> Any:
    """Return JSON's kind of value with every text in it printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: printable_tree(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable_tree(each) for each in value]
    return value


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """Return the value as JSON that a terminal may show: Chinese as it is, what is harmful escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=default)
    return HARMFUL.sub(lambda found: found[0] if found[0] == "\n" else _json_escape(ord(found[0])), text)


def _escape(code: int) -> str:
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004


def _json_escape(code: int) -> str:
    if code < 0x10000:  # noqa: PLR2004 (beyond it JSON takes two)
        return f"\\u{code:04x}"
    return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
