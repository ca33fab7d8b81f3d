"""Transcripts of the parts of one recording as one, with running times.

Enters: the parts, each with its transcript where it has one. Leaves: one transcript, and the parts with their
places in it. A speaker without a name is another person in each part as far as anybody knows, and is called
so; who has a name is the same everywhere. Nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.transcript import Speaker, Transcript
from asr_daemon.transcripts.writers.sections import shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.transcripts.writers.document import Part

_NAMELESS = re.compile(r"发言人\d+")


def joined(parts: Sequence[Part]) -> tuple[Transcript, tuple[Part, ...]]:
    """Return the whole, and the parts with the times at which they begin."""
    has_several = sum(part.transcript is not None and bool(part.transcript.speakers) for part in parts) > 1
    placed: list[Part] = []
    at_ms = 0
    for part in parts:
        said = part.transcript
        if said is not None and has_several:
            said = _with_own_speakers(said, part.number)
        placed.append(replace(part, start_ms=at_ms, transcript=said))
        at_ms += said.duration_ms if said is not None else 0
    told = [part.transcript for part in placed if part.transcript is not None]
    whole = Transcript(
        duration_ms=at_ms,
        segments=tuple(
            shifted(segment, part.start_ms)
            for part in placed
            if part.transcript is not None
            for segment in part.transcript.segments
        ),
        model="、".join(dict.fromkeys(each.model for each in told)),
        model_is_builtin=any(each.model_is_builtin for each in told),
        flags=_flags(told),
        speakers=_speakers(told),
    )
    return whole, tuple(placed)


def _with_own_speakers(said: Transcript, number: int) -> Transcript:
    """Return a part's transcript whose nameless speakers are of that part alone."""

    def called(name: str) -> str:
        return f"{name}（第{number}部分）" if _NAMELESS.fullmatch(name) else name

    segments = tuple(replace(each, speaker=called(each.speaker)) for each in said.segments)
    speakers = tuple(replace(each, name=called(each.name)) for each in said.speakers)
    return replace(said, segments=segments, speakers=speakers)


def _speakers(told: Sequence[Transcript]) -> tuple[Speaker, ...]:
    """Return who speaks, in order of first word; two of one name are one person."""
    together: dict[str, Speaker] = {}
    for one in (each for said in told for each in said.speakers):
        before = together.get(one.name)
        speech_ms = one.speech_ms + (before.speech_ms if before else 0)
        is_enrolled = one.is_enrolled or (before is not None and before.is_enrolled)
        together[one.name] = Speaker(0, one.name, speech_ms, is_enrolled)
    return tuple(replace(each, number=number) for number, each in enumerate(together.values(), 1))


def _flags(told: Sequence[Transcript]) -> tuple[str, ...]:
    """Return what holds for any of them; figures ("channels:2") are each one's own, and stay out."""
    every = dict.fromkeys(flag for each in told for flag in each.flags if ":" not in flag)
    if not all("no_speech" in each.flags for each in told):
        every.pop("no_speech", None)
    return tuple(every)
