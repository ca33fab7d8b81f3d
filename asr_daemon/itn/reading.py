"""What a rule says of a number: where it stands, what it is, and what is written in place of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

_BEFORE = 12  # characters a rule may look back


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as rules see it: folded, and folded with the numerals masked that stay; all of one length."""

    text: str
    masked: str
    spoken: str = ""  # the folded text as it was, where one of the others hides what only looks like a count

    def follows(self, pattern: re.Pattern[str], place: int) -> re.Match[str] | None:
        """Match a pattern on what was spoken from ``place`` on."""
        return pattern.match(self.spoken or self.text, place)

    def before(self, place: int) -> str:
        """Return the characters before ``place``, numerals that stay included."""
        return self.text[max(0, place - _BEFORE) : place]

    def ends(self, pattern: re.Pattern[str], place: int) -> bool:
        """Return whether a pattern, anchored at its end, matches what stands before ``place``."""
        return bool(pattern.search(self.before(place)))


@dataclass(frozen=True, slots=True)
class Edit:
    """``text`` in place of the characters ``[start, end)``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A number's reading; without edits it stays as it was spoken, and the tagger goes on behind it."""

    start: int
    end: int
    kind: str
    rule: str
    edits: tuple[Edit, ...] = ()


Rule = Callable[[Seen, int, int], Reading | None]


def stays(start: int, end: int, rule: str) -> Reading:
    """Return the reading of a number that is open, or is none."""
    return Reading(start, end, "stays", rule)


def written(span: tuple[int, int], kind: str, rule: str, *edits: Edit | None) -> Reading | None:
    """Return a reading, or None where one of its parts cannot be written; parts are in order."""
    sure = tuple(edit for edit in edits if edit is not None)
    return Reading(*span, kind, rule, sure) if len(sure) == len(edits) else None


def group(match: re.Match[str], name: str, renderer: Callable[[str], str | None]) -> Edit | None:
    """Return the edit that puts a group's rendering in its place; None where it is no such number."""
    text = renderer(match.group(name))
    return None if text is None else Edit(match.start(name), match.end(name), text)
