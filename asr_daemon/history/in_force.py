"""The text in force: what was recognised, with what people corrected over it.

Everything that shows or writes a transcript reads it here. Enters: a recording with its work. Leaves: its
:class:`~asr_daemon.transcripts.transcript.Transcript`. Nothing is written. Fails as the history does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.history.said import speaking_in
from asr_daemon.history.segments import recognised_of, transcript_of
from asr_daemon.speakers.words import changes_near
from asr_daemon.transcripts.correcting import Block, Place, Stretch, in_force, place_at, spots

if TYPE_CHECKING:
    import sqlite3

    from asr_daemon.history.connection import History
    from asr_daemon.history.recordings import Filed
    from asr_daemon.history.said import Speaking
    from asr_daemon.transcripts.transcript import Segment, Transcript


@dataclass(frozen=True, slots=True)
class Stored:
    """A block in the history; ``first`` is -1 where its words are not there any more."""

    id: int
    block: Block

    @property
    def is_placed(self) -> bool:
        """Whether it lies over recognised segments."""
        return self.block.first >= 0


def transcript_in_force(history: History, filed: Filed) -> Transcript:
    """Return the finished text of a recording, by speakers, and as people corrected it.

    The index of a segment is its number among those that can be corrected; parts of one whose speaker changes
    share it.
    """
    assert filed.work is not None  # noqa: S101 (it is done)
    recognised = transcript_of(history, filed.work)
    speaking = speaking_in(history, filed.work.id, filed.recording.inbox)
    places = in_force(recognised.segments, blocks_of(history, filed.recording.id))
    segments = [segment for place in places for segment in _said(place, speaking)]
    speakers = () if speaking is None else speaking.speakers
    return replace(recognised, segments=tuple(segments), speakers=speakers)


def read_in_force(history: History, filed: Filed) -> tuple[Segment, ...]:
    """Return the segments of :func:`transcript_in_force` without the times of words: most of the cost."""
    assert filed.work is not None  # noqa: S101 (it is done)
    speaking = speaking_in(history, filed.work.id, filed.recording.inbox)
    changes = changes_near(speaking.turns if speaking else ())
    recognised = recognised_of(history, filed.work.id, changes)  # where a segment is cut, by its words' times
    found = spots(recognised.raw_texts, blocks_of(history, filed.recording.id))
    places = (place_at(recognised, spot, index) for index, spot in enumerate(found))
    return tuple(segment for place in places for segment in _said(place, speaking))


def _said(place: Place, speaking: Speaking | None) -> tuple[Segment, ...]:
    """Return a segment in parts by who speaks; what a person wrote is cut by the words it stands for."""
    if speaking is None or place.segment.speaker:
        return (place.segment,)
    return speaking.cut([place.segment])


def corrected_at(history: History, filed: Filed, start_ms: int, end_ms: int) -> tuple[Segment, ...]:
    """Return the corrected segment of these times, in parts by who speaks; nothing where there is none."""
    assert filed.work is not None  # noqa: S101 (it is done)
    recognised = recognised_of(history, filed.work.id)
    speaking = speaking_in(history, filed.work.id, filed.recording.inbox)
    for index, spot in enumerate(spots(recognised.raw_texts, blocks_of(history, filed.recording.id))):
        if spot.block is None:
            continue
        stretch = spot.block.stretches[spot.within]
        if (stretch.start_ms, stretch.end_ms) == (start_ms, end_ms):
            return _said(place_at(recognised, spot, index), speaking)
    return ()


def some_in_force(history: History, filed: Filed, first: int, count: int) -> tuple[Segment, ...]:
    """Return some of its segments: others, of which there may be thousands, are not looked at."""
    assert filed.work is not None  # noqa: S101 (it is done)
    recognised = recognised_of(history, filed.work.id)
    found = spots(recognised.raw_texts, blocks_of(history, filed.recording.id))
    wanted = list(enumerate(found))[first : first + count]
    speaking = speaking_in(history, filed.work.id, filed.recording.inbox)
    return tuple(
        segment for index, spot in wanted for segment in _said(place_at(recognised, spot, index), speaking)
    )


def blocks_of(history: History, recording: int) -> list[Block]:
    """Return what was corrected of a recording, in the order of time, but for what is not placed."""
    return [each.block for each in stored_of(history, recording) if each.is_placed]


def stored_of(history: History, recording: int) -> list[Stored]:
    """Return what was corrected of a recording, in the order of time; what is not placed comes last."""
    return [
        Stored(row["id"], _block(row, history.all("passages_of", corrected=row["id"])))
        for row in history.all("corrected_of", recording=recording)
    ]


def version_of(history: History, filed: Filed) -> str:
    """Return the version of a recording's text: another one with every recognition, correction and name."""
    row = history.one("revisions", recording=filed.recording.id)
    work = filed.work
    if work is None:
        return f"0--{row['revision'] if row else 0}"
    recognised = "".join(filter(str.isdigit, work.finished_at))
    speaking = speaking_in(history, work.id, filed.recording.inbox)
    called = repr(sorted(speaking.names.items())) if speaking else ""
    names = hashlib.sha256(called.encode()).hexdigest()[:8] if called else ""
    return f"{work.id}-{recognised}-{row['revision'] if row else 0}{names and '-'}{names}"


def _block(row: sqlite3.Row, passages: list[sqlite3.Row]) -> Block:
    stretches = tuple(
        Stretch(
            each["text"],
            each["start_ms"],
            each["end_ms"],
            each["raw_start"],
            each["raw_end"],
            each["speaker"],
            bool(each["is_by_hand"]),
        )
        for each in passages
    )
    is_placed = row["first"] is not None
    return Block(row["first"] if is_placed else -1, row["last"] if is_placed else -1, row["said"], stretches)
