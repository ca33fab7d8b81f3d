"""Numbers and names: speakers count in order of their first word; an enrolled voice gives its name.

Enters: what was said by whom, the voices of the recording, who is enrolled in its inbox. Leaves: a
:class:`Speaker` for each who says a word. A name is given only where the voice is sure enough; below that a
number, never a wrong name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.speakers.enrolment import best_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr_daemon.speakers.enrolment import Person
    from asr_daemon.speakers.grouped import Voice
    from asr_daemon.speakers.words import Said


@dataclass(frozen=True, slots=True)
class Ranked:
    """A speaker with a number, before anybody looked for a name."""

    speaker: int  # as in its turns
    number: int  # 1, 2, 3 ... in order of first word
    speech_ms: int  # of the words attributed to them
    voice: Voice | None


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of one recording."""

    speaker: int  # as in its turns
    number: int
    name: str  # "发言人1" or the enrolled one
    is_enrolled: bool
    speech_ms: int


def default_name(number: int) -> str:
    """Return what somebody is called whom nobody knows."""
    return f"发言人{number}"


def ranked(said: Iterable[Said], voices: Sequence[Voice]) -> tuple[Ranked, ...]:
    """Return the speakers in order of first word. Who says no word has no number."""
    spoken_ms: dict[int, int] = {}
    for each in said:
        if each.speaker is not None and each.segment.text.strip():
            length_ms = each.segment.end_ms - each.segment.start_ms
            spoken_ms[each.speaker] = spoken_ms.get(each.speaker, 0) + length_ms
    voice_of = {voice.speaker: voice for voice in voices}
    return tuple(
        Ranked(speaker, number, speech_ms, voice_of.get(speaker))
        for number, (speaker, speech_ms) in enumerate(spoken_ms.items(), 1)
    )


def named(said: Iterable[Said], voices: Sequence[Voice], people: Sequence[Person]) -> tuple[Speaker, ...]:
    """Return the speakers with their names."""
    speakers = []
    for one in ranked(said, voices):
        match = best_match(one.voice, people) if one.voice is not None else None
        name = match.name if match is not None else default_name(one.number)
        speakers.append(Speaker(one.speaker, one.number, name, match is not None, one.speech_ms))
    return tuple(speakers)
