"""Enrolled voices: up to five embeddings a person, compared by cosine; the best one counts.

The threshold was measured on real meetings with a far microphone (`bench_speakers.py --only enrolment`).
At 0.6 none of 4,795 probes was taken for somebody of another recording (most: 0.45), none of 150 for
another of the same (most: 0.55). Of the one person who is in two recordings 7 of 34 probes of 3.75 s stayed
below it and none of 26 of 6.75 s. These are 11 people: 1 false accept in 1,000 cannot be excluded.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.errors import ToldError, UsageError
from asr_daemon.printable import HARMFUL, printable
from asr_daemon.speakers.window import cosine, decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.speakers.grouped import Voice

MOST_EMBEDDINGS = 5
SAME_PERSON = 0.6
LEAST_SPEECH_MS = 2500  # of a speaker who is to be named
LEAST_SAMPLE_MS = 3000  # of a voice that is to be known
MOST_NAME_CHARACTERS = 40
_NUMBERED = re.compile(r"发言人\s*\d+|\d+")
_UNFIT = re.compile(r"[<>&{}]|-->|[\r\n]|[：:]")  # they have a meaning in subtitles


class UnfitNameError(ToldError, UsageError):
    """Nobody is called that."""


def check_name(name: str) -> str:
    """Return a name as it is written; raises :class:`UnfitNameError` where it is none."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    is_fit = 0 < len(name) <= MOST_NAME_CHARACTERS and not _UNFIT.search(name) and not HARMFUL.search(name)
    if not is_fit or _NUMBERED.fullmatch(name):
        raise UnfitNameError(
            f"{printable(name)!r} is no name: 1 to {MOST_NAME_CHARACTERS} characters, none of < > & : {{ }}, "
            "and not a number.",
            f"姓名须为 1 到 {MOST_NAME_CHARACTERS} 个字，不能含 < > & ： 等符号，"
            "也不能是“发言人1”这样的编号。",
        )
    return name


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom an inbox knows."""

    name: str
    model: str  # whose embeddings these are; another model's are not compared
    embeddings: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """Who a voice is, and how alike: a cosine of at least :data:`SAME_PERSON`."""

    name: str
    likeness: float


def best_match(voice: Voice, people: Sequence[Person]) -> Match | None:
    """Return who it is; None where nobody is alike enough, or too little was said to tell."""
    if voice.speech_ms < LEAST_SPEECH_MS:
        return None
    numbers = decoded(voice.embedding)
    found = [
        Match(person.name, max(cosine(numbers, decoded(each)) for each in person.embeddings))
        for person in people
        if person.embeddings
    ]
    best = max(found, key=lambda match: match.likeness, default=None)
    return best if best is not None and best.likeness >= SAME_PERSON else None


def of_model(people: Sequence[Person], model: str) -> tuple[Person, ...]:
    """Return those who can be compared with embeddings of that model."""
    return tuple(person for person in people if person.model == model)


def with_one_more(person: Person, embedding: bytes) -> Person:
    """Return a person with another embedding; of six, one of the two that are most alike goes, the older."""
    every = [*person.embeddings, embedding]
    if len(every) > MOST_EMBEDDINGS:
        numbers = [decoded(each) for each in every]
        pairs = [(cosine(numbers[a], numbers[b]), -a) for b in range(len(every)) for a in range(b)]
        del every[-max(pairs)[1]]
    return Person(person.name, person.model, tuple(every))
