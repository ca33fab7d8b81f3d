"""What is sent in place of sound: text, or a file with a head, told by its first bytes."""

from __future__ import annotations

import codecs

LOOK_AT_BYTES = 2048  # 64 ms: never of sound are all of them letters
_HEADS = (
    (b"RIFF", "a WAV file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
    (b"\x1aE\xdf\xa3", "a WebM file"),
)
_LEAST_TEXT_BYTES = 64  # 2 ms of sound: for less nobody is told off
_LEAST_LETTERS = 12  # different bytes: a square wave has four, which may be letters


def what_it_is(first: bytes) -> str:
    """Return what that is rather than raw sound; "" where it may be sound."""
    for head, name in _HEADS:
        if first.startswith(head):
            return name
    if first[4:8] == b"ftyp":
        return "an MP4 file"
    if len(first) >= _LEAST_TEXT_BYTES and _is_text(first):
        return "text"
    return ""


def _is_text(first: bytes) -> bool:
    if len(set(first)) < _LEAST_LETTERS:
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(first)  # its last letter may be cut
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n" for letter in text)
