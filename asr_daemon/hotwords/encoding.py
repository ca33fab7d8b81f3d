"""The bytes of a file that somebody saved in Windows Notepad, as numbered lines.

Enters: bytes in UTF-8, UTF-16 (with a byte order mark, or without one where it can be told) or GB18030,
lines ended in any way. Leaves: :class:`RawLine`, counted from 1 as an editor counts them; ``text`` is None
where that line's bytes are not of the file's encoding. Nothing raises.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")  # not str.splitlines(): editors do not count U+2028, form feeds ...
_LINE_END_BYTES = re.compile(rb"\r\n|\n|\r")  # neither byte is part of a UTF-8 or GB18030 character
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UNDECODABLE = "\ufffd"


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line without its end."""

    number: int  # from 1
    text: str | None


def split_lines(data: bytes) -> tuple[str, tuple[RawLine, ...]]:
    """Return the name of the encoding and the lines."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    encoding = _MARKS[mark] if mark else _guess(data)
    data = data[len(mark) :]
    if encoding.startswith("utf-16"):
        texts = _LINE_END.split(data.decode(encoding, errors="replace"))
        lines = [None if _UNDECODABLE in text else text for text in texts]
    else:
        lines = [_decode(line, encoding) for line in _LINE_END_BYTES.split(data)]
    return encoding, tuple(RawLine(number, text) for number, text in enumerate(lines, start=1))


def _decode(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _guess(data: bytes) -> str:
    """Return the encoding of bytes that carry no mark; most lines win, so that one broken line is one."""
    if b"\0" in data and (wide := _guess_utf16(data)):
        return wide
    votes = {"utf-8": 0, "gb18030": 0}
    for line in _LINE_END_BYTES.split(data):
        if not line.isascii() and (vote := _vote(line)):
            votes[vote] += 1
    return "gb18030" if votes["gb18030"] > votes["utf-8"] else "utf-8"


def _guess_utf16(data: bytes) -> str | None:
    """Return the byte order in which most zero bytes are halves of ASCII characters (line ends, mostly)."""
    if _vote(data) == "utf-8" and not data.isascii():
        return None  # a stray zero byte in another file
    even, odd = data[0::2], data[1::2]
    encoding, halves, others = (
        ("utf-16-be", even, odd) if even.count(0) > odd.count(0) else ("utf-16-le", odd, even)
    )
    text = _decode(data, encoding)
    partners = (other for half, other in zip(halves, others, strict=False) if half == 0)
    is_ascii = all(partner < 0x80 for partner in partners)  # noqa: PLR2004
    return encoding if text is not None and "\0" not in text and is_ascii else None


def _vote(line: bytes) -> str | None:
    """Return the encoding that this line speaks for.

    Pairs of GB18030 bytes can be valid UTF-8 by accident (学习 reads ``ѧϰ``): two-byte sequences count as
    UTF-8 only beside ASCII letters (``Zoë``).
    """
    as_utf8, as_gb = _decode(line, "utf-8"), _decode(line, "gb18030")
    if as_utf8 is None:
        return "gb18030" if as_gb is not None else None
    if as_gb is None or any(char >= "\u0800" for char in as_utf8):
        return "utf-8"
    return "utf-8" if any(char.isascii() and char.isalpha() for char in as_utf8) else "gb18030"
