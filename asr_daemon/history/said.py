"""Who said what: a job's text by its speakers, cut where they change, by the names that an inbox gives.

Enters: a job of the history. Leaves: its transcript; where nobody asked who speaks, as it was recognised.
Fails as the history does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.history.segments import segment_of, transcript_of
from asr_daemon.history.voices import speakers_of, turns_of
from asr_daemon.speakers.words import attributed
from asr_daemon.transcripts.transcript import Speaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asr_daemon.history.connection import History
    from asr_daemon.history.recordings import Work
    from asr_daemon.speakers.grouped import Turn
    from asr_daemon.transcripts.transcript import Segment, Transcript

OVERLAPPED = "overlapped"  # another speaks as well; the text is the louder one's


def said_transcript_of(history: History, work: Work, inbox: str) -> Transcript:
    """Return the finished text of a job, by speakers."""
    whole = transcript_of(history, work)
    turns = turns_of(history, work.id)
    if not turns:
        return whole
    known = speakers_of(history, work.id, inbox)
    names = {one.speaker: one.name for one in known}
    together: dict[str, Speaker] = {}
    for one in known:  # two of one name are one person
        before = together.get(one.name)
        speech_ms = one.speech_ms + (before.speech_ms if before else 0)
        number = before.number if before else one.number
        together[one.name] = Speaker(number, one.name, speech_ms, one.is_named and not one.is_by_hand)
    return replace(
        whole,
        segments=by_speakers(whole.segments, turns, names),
        speakers=tuple(together.values()),
    )


def by_speakers(
    segments: Sequence[Segment], turns: Sequence[Turn], names: Mapping[int, str]
) -> tuple[Segment, ...]:
    """Return segments with their speakers' names, cut where the speaker changes."""
    return tuple(
        replace(
            each.segment,
            speaker="" if each.speaker is None else names.get(each.speaker, ""),
            flags=(*each.segment.flags, OVERLAPPED) if each.is_overlapped else each.segment.flags,
        )
        for each in attributed(segments, turns)
    )


def segments_near(history: History, job: int, start_ms: int, end_ms: int, inbox: str) -> tuple[Segment, ...]:
    """Return what is said in a segment of a job, by its speakers; as it is where nobody asked."""
    rows = history.all("segments_at", job=job, start_ms=start_ms, end_ms=end_ms)
    segments = [segment_of(row) for row in rows]
    turns = turns_of(history, job)
    if not turns:
        return tuple(segments)
    names = {one.speaker: one.name for one in speakers_of(history, job, inbox)}
    return by_speakers(segments, turns, names)
