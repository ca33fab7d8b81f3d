"""Model tokens to text: Chinese and Japanese are written without spaces, words of other scripts with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

_CJK = 0x2E80  # from here on no spaces between words: radicals, kana, ideographs, full-width forms


def join(words: Sequence[str]) -> str:
    """Return the words as one text."""
    text = ""
    for word in words:
        if text and word and _needs_space(text[-1], word[0]):
            text += " "
        text += word
    return text


def is_spaced(char: str) -> bool:
    """Return whether words of the script of that character have spaces between them."""
    return ord(char) < _CJK or "\uac00" <= char <= "\ud7a3"  # Hangul


def _needs_space(before: str, after: str) -> bool:
    return is_spaced(before) and is_spaced(after) and before not in " -'" and after not in " -',.?!:;%"


def timed(words: Sequence[str], times_ms: Sequence[Sequence[int]], length_ms: int) -> tuple[Token, ...]:
    """Pair words with their times, kept within the segment and in order.

    Where the model gives another number of times than of words, the words are spread evenly.
    """
    if not words:
        return ()
    if len(times_ms) != len(words):
        step = length_ms / len(words)
        times_ms = [(int(i * step), int((i + 1) * step)) for i in range(len(words))]
    tokens, floor = [], 0
    for word, (start, end) in zip(words, times_ms, strict=True):
        begin = min(max(int(start), floor), length_ms)
        floor = min(max(int(end), begin), length_ms)
        tokens.append(Token(word, begin, floor))
    return tuple(tokens)
