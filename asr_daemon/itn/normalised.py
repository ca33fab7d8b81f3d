"""What the normaliser hands back: the raw text, the written text, and where the one became the other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """One converted number; half-open character offsets."""

    raw_start: int  # in the raw text
    raw_end: int
    start: int  # in the normalised text
    end: int
    kind: str  # "date", "clock", "money", ... the type
    rule: str  # name of the rule that fired


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text and its written form; ``spans`` holds only what was converted, in order, without overlap."""

    raw: str
    text: str
    spans: tuple[Span, ...]
