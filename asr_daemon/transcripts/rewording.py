"""What a person wrote in place of what was recognised, laid beside it: the times of the words stay right.

Enters: the words as they were said (with the spans that the normaliser wrote otherwise) and a text. Leaves:
:class:`Link`, each a stretch of the text with the stretch of the words that it stands for; of them, the spans
of a :class:`~asr_daemon.transcripts.transcript.Segment`. Nothing raises.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from asr_daemon.itn import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KIND, RULE = "correction", "person"  # of a span that a person wrote
_UNIT = re.compile(r"[A-Za-z0-9À-ɏͰ-ӿ'’._%+-]+|\s+|.", re.DOTALL)  # what is not to be torn


@dataclass(frozen=True, slots=True)
class Link:
    """``text[start:end]`` stands for ``raw[raw_start:raw_end]``; ``span``: the normaliser's, if it is one."""

    start: int
    end: int
    raw_start: int
    raw_end: int
    span: Span | None = None
    is_same: bool = False  # character for character


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is expected to be written: a character as it was said, or the whole of a normalised span."""

    text: str
    raw_start: int
    raw_end: int
    span: Span | None


def links(raw: str, written: str, spans: Sequence[Span], text: str) -> list[Link]:
    """Return the links in order: together they cover both the words and the text.

    ``written`` is what the normaliser made of the words, ``spans`` lead from there to ``raw``.
    """
    atoms = list(_atoms(raw, written, spans))
    expected = "".join(atom.text for atom in atoms)
    owner = [number for number, atom in enumerate(atoms) for _ in atom.text]  # of each character
    steps = Levenshtein.opcodes(_folded(expected), _folded(text))
    kept: dict[int, list[int]] = {}  # of an atom, where its characters stand in the text
    for step in steps:
        if step.tag == "equal":
            for at in range(step.src_end - step.src_start):
                kept.setdefault(owner[step.src_start + at], []).append(step.dest_start + at)
    found: list[Link] = []
    start = raw_start = 0
    for number, atom in enumerate(atoms):
        places = kept.get(number, [])
        is_whole = len(places) == len(atom.text) and places[-1] - places[0] == len(places) - 1
        if not is_whole:
            continue
        first, behind = places[0], places[-1] + 1
        if first > start or atom.raw_start > raw_start:
            found.append(Link(start, first, raw_start, atom.raw_start))
        found.append(Link(first, behind, atom.raw_start, atom.raw_end, atom.span, is_same=atom.span is None))
        start, raw_start = behind, atom.raw_end
    if len(text) > start or len(raw) > raw_start:
        found.append(Link(start, len(text), raw_start, len(raw)))
    return found


def _folded(text: str) -> str:
    small = text.casefold()
    return small if len(small) == len(text) else text


def _atoms(raw: str, written: str, spans: Sequence[Span]) -> Iterator[_Atom]:
    at = 0
    for span in spans:
        if span.raw_start < at or span.raw_end > len(raw) or span.end <= span.start:
            continue
        yield from (_Atom(raw[place], place, place + 1, None) for place in range(at, span.raw_start))
        yield _Atom(written[span.start : span.end], span.raw_start, span.raw_end, span)
        at = span.raw_end
    yield from (_Atom(raw[place], place, place + 1, None) for place in range(at, len(raw)))


def spans_of(raw: str, text: str, found: Sequence[Link]) -> tuple[Span, ...]:
    """Return the spans of a segment with these words and that text."""
    spans: list[Span] = []
    for link in _with_something_said(found, raw, text):
        if link.span is not None:
            span = link.span
            spans.append(Span(link.raw_start, link.raw_end, link.start, link.end, span.kind, span.rule))
        elif not link.is_same:
            spans += _parted(link, text)
    return tuple(spans)


def _with_something_said(found: Sequence[Link], raw: str, text: str) -> Iterator[Link]:
    """Yield the links; what was put in between, and was not said, joins the one before or behind."""
    merged: list[Link] = []
    ahead: Link | None = None
    for link in found:
        is_added = not raw[link.raw_start : link.raw_end].strip() and any(
            map(str.isalnum, text[link.start : link.end])
        )
        if is_added and merged and merged[-1].span is None:
            merged[-1] = _joined(merged[-1], link)
        elif is_added:
            ahead = link if ahead is None else _joined(ahead, link)
        elif ahead is not None:
            merged.append(_joined(ahead, link))
            ahead = None
        else:
            merged.append(link)
    if ahead is not None:
        merged.append(ahead)
    for link in merged:
        says = (
            any(map(str.isalnum, text[link.start : link.end])) or raw[link.raw_start : link.raw_end].strip()
        )
        if link.is_same or link.span is not None or says:
            yield link


def _joined(one: Link, other: Link) -> Link:
    return Link(one.start, other.end, one.raw_start, other.raw_end)


def _parted(link: Link, text: str) -> Iterator[Span]:
    """Share what was said out over what is written for it, unit by unit, in order."""
    units = [match.span() for match in _UNIT.finditer(text, link.start, link.end)] or [(link.start, link.end)]
    length = link.raw_end - link.raw_start
    parts = min(len(units), max(1, length))
    for number in range(parts):
        first, behind = number * len(units) // parts, (number + 1) * len(units) // parts
        yield Span(
            link.raw_start + number * length // parts,
            link.raw_start + (number + 1) * length // parts,
            units[first][0],
            units[behind - 1][1],
            KIND,
            RULE,
        )


def raw_border(found: Sequence[Link], at: int) -> int:
    """Return where in the words a border at that place of the text lies."""
    for link in found:
        if at <= link.start:
            return link.raw_start
        if at < link.end:
            inside, length = at - link.start, link.end - link.start
            if link.span is not None:  # a number is not torn
                return link.raw_end if 2 * inside >= length else link.raw_start
            return link.raw_start + inside * (link.raw_end - link.raw_start) // length
    return found[-1].raw_end if found else 0


def times_of_words(
    raw: str, tokens: Sequence[tuple[str, int, int]]
) -> list[tuple[int, int, int, int]] | None:
    """Return (first, behind, start_ms, end_ms) of each token in the words; None where they do not fit."""
    places: list[tuple[int, int, int, int]] = []
    at = 0
    for text, start_ms, end_ms in tokens:
        at += sum(1 for _ in itertools.takewhile(str.isspace, raw[at:]))
        if not text or not raw.startswith(text, at):
            return None
        places.append((at, at + len(text), start_ms, end_ms))
        at += len(text)
    return places
