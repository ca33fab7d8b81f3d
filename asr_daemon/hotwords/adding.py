"""Lines added to a hotword file that people edit in Windows Notepad: its encoding and line ends stay.

Enters: the file's bytes (none: there is no file yet) and lines. Leaves: the bytes with the lines behind what
was there. Raises :class:`LineRefusedError` for what would be no line of its own.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from asr_daemon.errors import OperatorError
from asr_daemon.hotwords.encoding import split_lines
from asr_daemon.hotwords.entry import Problem, Replacement, Word, parse_line

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WINDOWS, UNIX = "\r\n", "\n"


class LineRefusedError(OperatorError):
    """A line that cannot be added."""

    def __init__(self, message: str, chinese: str) -> None:
        super().__init__(message)
        self.chinese = chinese


def with_lines(data: bytes, lines: tuple[str, ...]) -> tuple[bytes, int]:
    """Return the file with these lines, and how many of them it did not have yet."""
    encoding, there = split_lines(data)
    known = {raw.text.strip() for raw in there if raw.text}
    wanted = [line for line in dict.fromkeys(map(_checked, lines)) if line not in known]
    if not data:
        return codecs.BOM_UTF8 + "".join(line + WINDOWS for line in wanted).encode(), len(wanted)
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    newline, other = (each.encode(encoding) for each in (WINDOWS, UNIX))
    end = newline if data.count(newline) * 2 > data.count(other) else other
    has_end = data.endswith((other, "\r".encode(encoding))) or data == mark
    if not wanted:
        return data, 0
    try:
        added = b"".join(line.encode(encoding) + end for line in wanted)
    except UnicodeEncodeError:
        raise LineRefusedError(
            f"the list's encoding ({encoding}) has no place for these characters",
            "这些字无法用词表文件的编码保存。",
        ) from None
    return data + (b"" if has_end else end) + added, len(wanted)


def _checked(line: str) -> str:
    text = line.strip()
    entry = parse_line(text, 1, Path("-")) if text.isprintable() else None
    if isinstance(entry, (Word, Replacement)):
        return text
    if isinstance(entry, Problem):
        raise LineRefusedError(f"{text!r}: {entry.text}", f"“{text}”：{entry.chinese}")
    raise LineRefusedError(f"{text!r} is no word and no replacement", f"“{text}”不是热词，也不是替换。")
