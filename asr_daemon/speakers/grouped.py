"""What is asked of grouping and what it answers, and how both cross between two processes.

A question is one line of JSON (how many windows, how many speakers) and then the windows, each 12 bytes of
places and its embedding; an answer is one line of JSON. ``ValueError`` where bytes are not that.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asr_daemon.speakers.window import WINDOW_BYTES, windows_from_bytes, windows_to_bytes

if TYPE_CHECKING:
    from asr_daemon.speakers.window import Window


@dataclass(frozen=True, slots=True)
class Question:
    """Whose windows are whose; 0 speakers: to be found out."""

    windows: tuple[Window, ...]
    speakers_expected: int = 0  # exactly that many, where there is that much speech
    max_speakers: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says of a segment; ``is_overlapped``: another speaks as well, less loud."""

    start_ms: int
    end_ms: int
    speaker: int  # 0, 1, 2 ... in no order that means anything
    is_overlapped: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker of a recording: an embedding as a window's, and how long they speak."""

    speaker: int
    speech_ms: int
    embedding: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grouped:
    """Who speaks when, in order of time, without gaps inside a segment; none where there is no speech."""

    turns: tuple[Turn, ...] = ()
    voices: tuple[Voice, ...] = ()


def question_head(windows: int, speakers_expected: int, max_speakers: int) -> bytes:
    """Return the line that goes before so many windows, each as ``windows_to_bytes`` has it."""
    head = {"windows": windows, "speakers_expected": speakers_expected, "max_speakers": max_speakers}
    return json.dumps(head).encode() + b"\n"


def question_to_bytes(question: Question) -> bytes:
    """Return what :func:`question_from_bytes` reads."""
    head = question_head(len(question.windows), question.speakers_expected, question.max_speakers)
    return head + windows_to_bytes(question.windows)


def question_from_bytes(data: bytes) -> Question:
    """Return the question."""
    line, _, rows = data.partition(b"\n")
    head = json.loads(line)
    if len(rows) != head["windows"] * WINDOW_BYTES:
        raise ValueError("a question about voices was cut short")
    return Question(windows_from_bytes(rows), int(head["speakers_expected"]), int(head["max_speakers"]))


def grouped_to_bytes(grouped: Grouped) -> bytes:
    """Return what :func:`grouped_from_bytes` reads."""
    answer = {
        "turns": [[one.start_ms, one.end_ms, one.speaker, one.is_overlapped] for one in grouped.turns],
        "voices": [
            [one.speaker, one.speech_ms, base64.b64encode(one.embedding).decode()] for one in grouped.voices
        ],
    }
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


def grouped_from_bytes(data: bytes) -> Grouped:
    """Return the answer."""
    answer: dict[str, Any] = json.loads(data)
    return Grouped(
        tuple(Turn(*turn) for turn in answer["turns"]),
        tuple(
            Voice(speaker, speech_ms, base64.b64decode(embedding))
            for speaker, speech_ms, embedding in answer["voices"]
        ),
    )
