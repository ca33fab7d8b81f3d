"""What people make of a transcript: texts, speakers, borders of segments, as rows over what was recognised.

A :class:`Block` lies over one or several segments that follow one another, and parts what was said in them
into :class:`Stretch`, each with the text in force. Segments that nobody touched have none. Enters: segments
as they were recognised, blocks, what is to be changed. Leaves: other blocks, and the segments in force.
Fails with :class:`CorrectionError` for what cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError
from asr_daemon.printable import HARMFUL
from asr_daemon.transcripts.rewording import links, raw_border, spans_of, times_of_words
from asr_daemon.transcripts.writers.paragraphs import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.itn import Span
    from asr_daemon.transcripts.transcript import Segment, Token

CORRECTED = "corrected"  # a flag: a person wrote the text
DOUBTS = ("hallucination_suspected", "empty", "failed")  # that a person settled who wrote the text
MOST_CHARS = 10_000  # of a segment's text
MOST_SPEAKER_CHARS = 100


class CorrectionError(OperatorError):
    """A correction that cannot be made."""

    def __init__(self, message: str, chinese: str) -> None:
        super().__init__(message)
        self.chinese = chinese


@dataclass(frozen=True, slots=True)
class Stretch:
    """One segment in force; ``raw_start`` and ``raw_end`` are offsets in its block's words."""

    text: str
    start_ms: int
    end_ms: int
    raw_start: int
    raw_end: int
    speaker: str | None = None  # None: as recognised
    is_by_hand: bool = False  # a person wrote the text


@dataclass(frozen=True, slots=True)
class Block:
    """Corrected segments ``first`` to ``last``, counted in the order of time; ``said``: their words."""

    first: int
    last: int
    said: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A segment in force: of a block, or as it was recognised; ``at``: the first recognised one under it."""

    segment: Segment
    at: int
    block: Block | None = None
    within: int = 0  # its number in the block


def said_in(segments: Sequence[Segment]) -> str:
    """Return the words of segments that follow one another."""
    return " ".join(segment.raw_text for segment in segments)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a segment in force comes from: of a block, or the recognised one at that place."""

    at: int
    block: Block | None = None
    within: int = 0


def spots(raw_texts: Sequence[str], blocks: Sequence[Block]) -> list[Spot]:
    """Return where the segments in force come from, in order; blocks that do not fit are passed over.

    ``raw_texts`` are the words of the recognised segments.
    """
    by_first = {
        block.first: block
        for block in blocks
        if 0 <= block.first <= block.last < len(raw_texts)
        and " ".join(raw_texts[block.first : block.last + 1]) == block.said
    }
    found: list[Spot] = []
    at = 0
    while at < len(raw_texts):
        block = by_first.get(at)
        if block is None:
            found.append(Spot(at))
            at += 1
        else:
            found += [Spot(at, block, number) for number in range(len(block.stretches))]
            at = block.last + 1
    return found


def place_at(recognised: Sequence[Segment], spot: Spot, index: int) -> Place:
    """Return a segment in force; ``index`` is its number."""
    block = spot.block
    if block is None:
        return Place(replace(recognised[spot.at], index=index), spot.at)
    under = recognised[spot.at : block.last + 1]
    stretch = block.stretches[spot.within]
    segment = _segment(_together(under), _words_under(under, stretch), stretch, index)
    return Place(segment, spot.at, block, spot.within)


def in_force(recognised: Sequence[Segment], blocks: Sequence[Block]) -> list[Place]:
    """Return the segments in force, in order; blocks that do not fit are passed over."""
    found = spots([segment.raw_text for segment in recognised], blocks)
    return [place_at(recognised, spot, index) for index, spot in enumerate(found)]


# ---------------------------------------------------------------------- changing


def with_text(recognised: Sequence[Segment], place: Place, text: str) -> Block:
    """Return the block in which that segment has this text."""
    text = _clean(text, MOST_CHARS)
    block = _block_of(recognised, place)
    return _with(block, place.within, (replace(block.stretches[place.within], text=text, is_by_hand=True),))


def with_speaker(recognised: Sequence[Segment], place: Place, speaker: str) -> Block:
    """Return the block in which that segment has this speaker; "": the one that was recognised."""
    label = _clean(speaker, MOST_SPEAKER_CHARS) or None
    block = _block_of(recognised, place)
    return _with(block, place.within, (replace(block.stretches[place.within], speaker=label),))


def with_split(recognised: Sequence[Segment], place: Place, at: int) -> Block:
    """Return the block in which that segment ends before character ``at`` of its text, and another begins."""
    text = place.segment.text
    before, after = text[:at].strip(), text[at:].strip()
    if not 0 < at < len(text) or not before or not after:
        raise CorrectionError(
            "a segment is split between two of its characters", "请在这一段的文字中间拆分，前后都要有文字。"
        )
    block = _block_of(recognised, place)
    whole = _together(recognised[block.first : block.last + 1])
    stretch = block.stretches[place.within]
    said = block.said[stretch.raw_start : stretch.raw_end]
    found = links(said, whole.text, _spans_within(whole, stretch), text)
    border = stretch.raw_start + raw_border(found, at)
    end_ms, start_ms = _times_at(whole, stretch, border)
    first = replace(stretch, text=before, end_ms=end_ms, raw_end=border)
    second = replace(stretch, text=after, start_ms=start_ms, raw_start=border)
    return _with(block, place.within, (first, second))


def with_join(recognised: Sequence[Segment], one: Place, other: Place) -> Block:
    """Return the block in which two segments that follow one another are one, with the first's speaker."""
    left = _block_of(recognised, one)
    merged, at = left, one.within
    if one.block is None or one.block != other.block:
        right = _block_of(recognised, other)
        moved = len(left.said) + 1
        shifted = tuple(
            replace(each, raw_start=each.raw_start + moved, raw_end=each.raw_end + moved)
            for each in right.stretches
        )
        merged = Block(left.first, right.last, f"{left.said} {right.said}", (*left.stretches, *shifted))
    first, second = merged.stretches[at], merged.stretches[at + 1]
    text = _joined(merged.said, first, second)
    if len(text) > MOST_CHARS:
        raise CorrectionError("that segment would be too long", "合并后这一段太长了。")
    joined = replace(
        first,
        text=text,
        end_ms=second.end_ms,
        raw_end=second.raw_end,
        is_by_hand=first.is_by_hand or second.is_by_hand,
    )
    return replace(merged, stretches=(*merged.stretches[:at], joined, *merged.stretches[at + 2 :]))


def _joined(said: str, first: Stretch, second: Stretch) -> str:
    """Return two texts as one; what was split where nothing parts it has nothing between it then."""
    one, other = first.text, second.text
    if not one or not other:
        return one or other
    around = said[max(0, first.raw_end - 1) : first.raw_end + 1]
    was_one = first.raw_end == second.raw_start and not any(map(str.isspace, around))
    are_words = _is_latin(one[-1]) and _is_latin(other[0])  # parted, but where a word was split
    if was_one and (not are_words or all(map(_is_latin, around))):
        return one + other
    return join(one, other)


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _clean(text: str, most: int) -> str:
    text = " ".join(HARMFUL.sub(" ", text).split())
    if len(text) > most:
        raise CorrectionError(f"at most {most} characters", f"文字太长，最多 {most} 个字。")
    return text


def _with(block: Block, number: int, stretches: tuple[Stretch, ...]) -> Block:
    return replace(block, stretches=(*block.stretches[:number], *stretches, *block.stretches[number + 1 :]))


def _block_of(recognised: Sequence[Segment], place: Place) -> Block:
    if place.block is not None:
        return place.block
    segment = recognised[place.at]
    said = said_in((segment,))
    stretch = Stretch(segment.text, segment.start_ms, segment.end_ms, 0, len(said))
    return Block(place.at, place.at, said, (stretch,))


# ---------------------------------------------------------------------- the segments in force


def _together(segments: Sequence[Segment]) -> Segment:
    """Return segments that follow one another as one: words, times, and what the normaliser wrote of them."""
    if len(segments) == 1:
        return segments[0]
    spans: list[Span] = []
    text, moved = "", 0
    for segment in segments:
        text += " " if text else ""
        spans += [
            replace(
                span,
                raw_start=span.raw_start + moved,
                raw_end=span.raw_end + moved,
                start=span.start + len(text),
                end=span.end + len(text),
            )
            for span in segment.spans
        ]
        text += segment.text
        moved += len(segment.raw_text) + 1
    return replace(
        segments[0],
        end_ms=segments[-1].end_ms,
        raw_text=said_in(segments),
        text=text,
        tokens=tuple(token for segment in segments for token in segment.tokens),
        spans=tuple(spans),
        corrections=(),
        hotwords_hit=tuple(dict.fromkeys(word for segment in segments for word in segment.hotwords_hit)),
        flags=tuple(dict.fromkeys(flag for segment in segments for flag in segment.flags)),
    )


def _spans_within(whole: Segment, stretch: Stretch) -> tuple[Span, ...]:
    """Return the normaliser's spans of a stretch's words, by their offsets in these."""
    return tuple(
        replace(span, raw_start=span.raw_start - stretch.raw_start, raw_end=span.raw_end - stretch.raw_start)
        for span in whole.spans
        if stretch.raw_start <= span.raw_start and span.raw_end <= stretch.raw_end
    )


def _words_under(segments: Sequence[Segment], stretch: Stretch) -> list[Segment]:
    """Return the recognised segments that a stretch has words of."""
    found, at = [], 0
    for segment in segments:
        behind = at + len(segment.raw_text)
        if at < stretch.raw_end and behind > stretch.raw_start:
            found.append(segment)
        at = behind + 1
    return found or list(segments[:1])


def _segment(whole: Segment, under: Sequence[Segment], stretch: Stretch, index: int) -> Segment:
    raw = whole.raw_text[stretch.raw_start : stretch.raw_end]
    flags = tuple(dict.fromkeys(flag for segment in under for flag in segment.flags))
    flags = tuple(flag for flag in flags if not (stretch.is_by_hand and flag in DOUBTS))
    flags = (*flags, CORRECTED) if stretch.is_by_hand else flags
    is_as_recognised = raw == whole.raw_text and stretch.text == whole.text
    if is_as_recognised:
        spans, corrections = whole.spans, whole.corrections
    else:
        found = links(raw, whole.text, _spans_within(whole, stretch), stretch.text)
        spans, corrections = spans_of(raw, stretch.text, found), ()
    hits = tuple(word for word in whole.hotwords_hit if is_as_recognised or word in stretch.text)
    return replace(
        whole,
        index=index,
        start_ms=stretch.start_ms,
        end_ms=stretch.end_ms,
        raw_text=raw,
        text=stretch.text,
        tokens=_tokens_within(whole, stretch),
        spans=spans,
        corrections=corrections,
        hotwords_hit=hits,
        flags=flags,
        speaker=under[0].speaker if stretch.speaker is None else stretch.speaker,
    )


def _places(whole: Segment) -> list[tuple[int, int, int, int]] | None:
    tokens = [(token.text, token.start_ms, token.end_ms) for token in whole.tokens]
    return times_of_words(whole.raw_text, tokens) if tokens else None


def _tokens_within(whole: Segment, stretch: Stretch) -> tuple[Token, ...]:
    places = _places(whole)
    if places is None:
        return ()
    return tuple(
        token
        for token, (first, behind, _, _) in zip(whole.tokens, places, strict=True)
        if stretch.raw_start <= first and behind <= stretch.raw_end
    )


def _times_at(whole: Segment, stretch: Stretch, border: int) -> tuple[int, int]:
    """Return when the words before a border end, and when those behind it begin."""
    places = _places(whole) or []
    inside = [each for each in places if stretch.raw_start <= each[0] and each[1] <= stretch.raw_end]
    before = [end_ms for _, behind, _, end_ms in inside if behind <= border]
    after = [start_ms for first, _, start_ms, _ in inside if first >= border]
    if before and after:
        end_ms = min(max(before[-1], stretch.start_ms), stretch.end_ms)
        return end_ms, min(max(after[0], end_ms), stretch.end_ms)
    length = max(1, stretch.raw_end - stretch.raw_start)
    spoken_ms = stretch.end_ms - stretch.start_ms
    at_ms = stretch.start_ms + spoken_ms * (border - stretch.raw_start) // length
    return at_ms, at_ms
