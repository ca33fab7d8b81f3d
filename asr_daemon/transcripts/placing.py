"""Corrections after another recognition: where their words are the same, they lie over them again.

Enters: a :class:`~asr_daemon.transcripts.correcting.Block`, and what is recognised now. Leaves: the block
over these segments, or None where its words are not there. Nothing raises.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.correcting import Block, said_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.transcripts.transcript import Segment

NEAR_MS = 1500  # how far another recognition may have moved words that are the same


def placed_anew(block: Block, recognised: Sequence[Segment]) -> Block | None:
    """Return the block over the same words of another recognition; None where they are not there.

    Of several places the one that is nearest in time is taken, none that is far off.
    """
    wanted = _bare(block.said)
    start_ms, end_ms = block.stretches[0].start_ms, block.stretches[-1].end_ms
    best: tuple[int, int, int] | None = None
    for first, segment in enumerate(recognised):
        if segment.start_ms > end_ms + NEAR_MS or not wanted:
            break
        if segment.end_ms < start_ms - NEAR_MS:
            continue
        words, last = "", first - 1
        while len(words) < len(wanted) and last + 1 < len(recognised):
            last += 1
            words += _bare(recognised[last].raw_text)
        if words == wanted:
            off_ms = abs(segment.start_ms - start_ms)
            best = min(best or (off_ms, first, last), (off_ms, first, last))
    if best is None:
        return None
    _, first, last = best
    return _moved(block, first, last, recognised)


def _bare(words: str) -> str:
    return "".join(words.split())


def _moved(block: Block, first: int, last: int, recognised: Sequence[Segment]) -> Block:
    """Return the block over other segments with the same words; blanks between these may be others."""
    said = said_in(recognised[first : last + 1])
    at = [place for place, character in enumerate(said) if not character.isspace()]

    def moved(offset: int) -> int:
        if said == block.said:
            return offset
        count = len(_bare(block.said[:offset]))
        return at[count] if count < len(at) else len(said)

    stretches = [
        replace(each, raw_start=moved(each.raw_start), raw_end=moved(each.raw_end))
        for each in block.stretches
    ]
    stretches[0] = replace(stretches[0], raw_start=0, start_ms=recognised[first].start_ms)
    stretches[-1] = replace(stretches[-1], raw_end=len(said), end_ms=recognised[last].end_ms)
    floor_ms, fixed = recognised[first].start_ms, []
    for each in stretches:
        start_ms = max(floor_ms, each.start_ms)
        floor_ms = max(start_ms, min(each.end_ms, recognised[last].end_ms))
        fixed.append(replace(each, start_ms=start_ms, end_ms=floor_ms))
    return Block(first, last, said, tuple(fixed))
