"""Who says what in a job: its segments cut where the speaker changes, by the names that an inbox gives.

Enters: a job of the history. Leaves: who speaks when, to be asked about segments. Fails as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.history.segments import segment_of
from asr_daemon.history.voices import speakers_of, turns_of
from asr_daemon.speakers.words import attributed
from asr_daemon.transcripts.transcript import Speaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asr_daemon.history.connection import History
    from asr_daemon.speakers.grouped import Turn
    from asr_daemon.transcripts.transcript import Segment

OVERLAPPED = "overlapped"  # another speaks as well; the text is the louder one's


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who speaks when in a job, as an inbox calls them."""

    turns: Sequence[Turn]
    names: Mapping[int, str]
    speakers: tuple[Speaker, ...]

    def cut(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """Return segments with their speakers' names, cut where the speaker changes."""
        return tuple(
            replace(
                each.segment,
                speaker="" if each.speaker is None else self.names.get(each.speaker, ""),
                flags=(*each.segment.flags, OVERLAPPED) if each.is_overlapped else each.segment.flags,
            )
            for each in attributed(segments, self.turns)
        )


def speaking_in(history: History, job: int, inbox: str) -> Speaking | None:
    """Return who speaks in a job; None where nobody asked."""
    turns = turns_of(history, job)
    if not turns:
        return None
    known = speakers_of(history, job, inbox)
    together: dict[str, Speaker] = {}
    for one in known:  # two of one name are one person
        before = together.get(one.name)
        speech_ms = one.speech_ms + (before.speech_ms if before else 0)
        number = before.number if before else one.number
        together[one.name] = Speaker(number, one.name, speech_ms, one.is_named and not one.is_by_hand)
    return Speaking(turns, {one.speaker: one.name for one in known}, tuple(together.values()))


def segments_near(history: History, job: int, start_ms: int, end_ms: int) -> list[Segment]:
    """Return what was recognised of a job between two times."""
    return [segment_of(row) for row in history.all("segments_at", job=job, start_ms=start_ms, end_ms=end_ms)]
