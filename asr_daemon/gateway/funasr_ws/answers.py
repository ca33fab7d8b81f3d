"""What FunASR's clients are told, in its shapes. Times are milliseconds, as in its own answers.

Clients append the text of ``2pass-online`` and ``online``; ``2pass-offline`` replaces what is pending.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.gateway.live.captions import Timed

MARKS = "，。？！；：、,.?!;:"


def increment(mode: str, name: str, text: str, *, is_last: bool = False) -> str:
    """Return text that is to be appended."""
    kind = "online" if mode == "online" else "2pass-online"
    return _written({"mode": kind, "wav_name": name, "text": text, "is_final": is_last})


def whole(mode: str, name: str, text: str, tokens: Sequence[Timed], *, is_last: bool) -> str:
    """Return text that stands."""
    kind = "offline" if mode == "offline" else "2pass-offline"
    told: dict[str, Any] = {"mode": kind, "wav_name": name, "text": text, "is_final": is_last}
    if tokens:
        told["timestamp"] = json.dumps([[begin, end] for begin, end, _ in tokens], separators=(",", ":"))
        told["stamp_sents"] = sentences(text, tokens)
    return _written(told)


def acknowledged(mode: str, name: str, error: str = "") -> str:
    """Return the word on ``is_end``: all was said, or what went wrong."""
    told = {"mode": mode, "wav_name": name, "is_final": not error, "is_end": True}
    return _written({**told, "error": error} if error else told)


def failed(mode: str, name: str, error: str) -> str:
    """Return why it does not go on."""
    return _written({"mode": mode, "wav_name": name, "text": "", "is_final": False, "error": error})


def sentences(text: str, tokens: Sequence[Timed]) -> list[dict[str, Any]]:
    """Return the parts between the marks of a text, with the tokens that each was spoken by.

    Text and tokens differ where numbers and hotwords were written: what stands between two places that are
    the same belongs to the mark behind it.
    """
    spoken = "".join(token for _, _, token in tokens)
    ends: list[int] = []  # in `spoken`, of the token at each place
    for _, _, token in tokens:
        ends.append((ends[-1] if ends else 0) + len(token))
    matcher = difflib.SequenceMatcher(None, spoken, text, autojunk=False)
    places = [(block.a, block.b, block.size) for block in matcher.get_matching_blocks()]
    found, first = [], 0
    for at, mark in enumerate(text):
        if mark not in MARKS or (mark == "." and text[at + 1 : at + 2].isdigit()):
            continue
        until = _spoken_until(at, places)
        is_last = not any(each not in MARKS for each in text[at + 1 :])
        behind = (
            len(tokens) if is_last else next((n + 1 for n, end in enumerate(ends) if end >= until), first)
        )
        if behind > first:
            found.append(_sentence(tokens[first:behind], mark))
            first = behind
    if first < len(tokens):
        found.append(_sentence(tokens[first:], ""))
    return found


def _spoken_until(at: int, places: Sequence[tuple[int, int, int]]) -> int:
    """Return where in what was spoken the mark at that place of the text stands.

    ``places``: (in what was spoken, in the text, length) of what is the same. Behind what is the same up to
    the mark; where it is not, before what is the same again.
    """
    before = next((a + size for a, b, size in places if b + size == at and size), None)
    return before if before is not None else next(a for a, b, _ in places if b >= at)


def _sentence(tokens: Sequence[Timed], mark: str) -> dict[str, Any]:
    return {
        "text_seg": " ".join(token for _, _, token in tokens),
        "punc": mark,
        "start": tokens[0][0],
        "end": tokens[-1][1],
        "ts_list": [[begin, end] for begin, end, _ in tokens],
    }


def _written(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False)
