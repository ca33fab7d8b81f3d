"""Where a piece of text came from, through several rewritings.

A rewriting is a tuple of :class:`~asr_daemon.itn.Span`, in order and not overlapping, that says which parts
of a text became which parts of the next; what no span covers is unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.itn import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.transcripts.transcript import Correction


def spans_of(corrections: Sequence[Correction]) -> tuple[Span, ...]:
    """Return corrections (offsets in the raw text) as spans, with offsets in the corrected text."""
    spans, shift = [], 0
    for one in sorted(corrections, key=lambda correction: correction.raw_start):
        start = one.raw_start + shift
        end = start + len(one.after)
        spans.append(Span(one.raw_start, one.raw_end, start, end, one.kind, "hotword"))
        shift = end - one.raw_end
    return tuple(spans)


def compose(first: Sequence[Span], second: Sequence[Span]) -> tuple[Span, ...]:
    """Return the spans from the text before ``first`` to the text after ``second``.

    Spans of the two that overlap in the text between become one, which bears the later one's kind.
    """
    between = sorted(
        [(span.start, span.end, 0, span) for span in first]
        + [(span.raw_start, span.raw_end, 1, span) for span in second],
        key=lambda item: item[:3],
    )
    groups: list[list[tuple[int, int, int, Span]]] = []
    reach = -1
    for item in between:
        if groups and item[0] < reach:
            groups[-1].append(item)
        else:
            groups.append([item])
        reach = max(reach, item[1])
    composed, shift_first, shift_second = [], 0, 0  # from between back to raw, and on to the last text
    for group in groups:
        low, high = min(item[0] for item in group), max(item[1] for item in group)
        raw_start, start = low - shift_first, low + shift_second
        for _, _, step, span in group:
            grown = (span.end - span.start) - (span.raw_end - span.raw_start)
            if step:
                shift_second += grown
            else:
                shift_first += grown
        name = max(group, key=lambda item: item[2])[3]
        composed.append(Span(raw_start, high - shift_first, start, high + shift_second, name.kind, name.rule))
    return tuple(composed)


def insert(
    text: str, marks: Sequence[tuple[int, str]], spans: Sequence[Span]
) -> tuple[str, tuple[Span, ...]]:
    """Insert punctuation into the last text of ``spans``: ``marks`` are (offset in the *first* text, mark).

    A mark inside a span that was rewritten as a whole moves behind that span's last character if it stood
    there, and is left out otherwise: "三点，一四" is a number, not two.
    """
    pieces, placed, at = [], [], 0
    for raw_offset, mark in marks:
        offset = follow(raw_offset, spans)
        if offset is not None and offset >= at:
            pieces += [text[at:offset], mark]
            placed.append((offset, len(mark)))
            at = offset
    pieces.append(text[at:])
    moved = tuple(
        Span(
            span.raw_start, span.raw_end,
            span.start + sum(size for offset, size in placed if offset <= span.start),
            span.end + sum(size for offset, size in placed if offset < span.end),
            span.kind, span.rule,
        )
        for span in spans
    )  # fmt: skip
    marks_as_spans = _mark_spans(placed, spans)
    return "".join(pieces), tuple(sorted((*moved, *marks_as_spans), key=lambda span: (span.start, span.end)))


def follow(raw_offset: int, spans: Sequence[Span]) -> int | None:
    """Return where an offset of the first text lies in the last; None where it is inside a span."""
    shift = 0
    for span in spans:
        if raw_offset >= span.raw_end:
            shift = span.end - span.raw_end
        elif raw_offset > span.raw_start:
            return None
    return raw_offset + shift


def _mark_spans(placed: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[Span]:
    """Return the inserted marks as spans that come from nowhere."""
    found, added = [], 0
    for offset, size in placed:
        shift = 0
        for span in spans:
            if offset >= span.end:
                shift = span.end - span.raw_end
        raw = offset - shift
        found.append(Span(raw, raw, offset + added, offset + added + size, "punctuation", "ct-punc"))
        added += size
    return found
