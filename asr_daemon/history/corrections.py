"""What people corrected, kept: each step with who and when, one transaction each, and the way back.

Enters: a recording whose text is recognised, the version that somebody saw of it, and what is to be changed.
Leaves: other rows in force, the index to search by, a new revision. A step on a text that others changed
meanwhile is not carried out: :class:`OutdatedError`. Fails as the history does, and with
:class:`~asr_daemon.transcripts.correcting.CorrectionError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from asr_daemon.errors import OperatorError
from asr_daemon.history.in_force import Stored, blocks_of, stored_of, version_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.search import index_body
from asr_daemon.history.segments import recognised_of, transcript_of
from asr_daemon.history.states import JobState
from asr_daemon.transcripts.correcting import (
    Block,
    CorrectionError,
    Place,
    place_at,
    spots,
    with_join,
    with_speaker,
    with_split,
    with_text,
)
from asr_daemon.transcripts.placing import placed_anew

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from asr_daemon.clock import Clock
    from asr_daemon.history.connection import History
    from asr_daemon.history.recordings import Filed, Work
    from asr_daemon.history.segments import Recognised
    from asr_daemon.transcripts.transcript import Segment

TEXT, SPEAKER, SPLIT, JOIN, UNDO, DISCARD, PLACED = (
    "text",
    "speaker",
    "split",
    "join",
    "undo",
    "discard",
    "placed",
)
UNDOABLE = frozenset({TEXT, SPEAKER, SPLIT, JOIN})
MOST_STEPS = 1000  # of a recording's story that are listed
_BLOCKS = TypeAdapter(tuple[Block, ...])


class OutdatedError(OperatorError):
    """Somebody else changed this text meanwhile."""

    def __init__(self, revision: int) -> None:
        super().__init__("somebody else changed this text meanwhile")
        self.since = revision


class NotTranscribedError(OperatorError):
    """There is no text of this recording."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody did; the texts are those of the segments that it changed."""

    revision: int
    kind: str
    who: str  # "" for what the daemon did after another recognition
    made_at: str  # stamp
    start_ms: int
    before: str
    after: str
    is_undone: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """Segments in force that may be others now; those behind them have numbers that are ``moved`` larger."""

    first: int
    count: int
    moved: int


class Corrections:
    """The tables of corrections; any thread."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._recordings = Recordings(history, clock)

    # ------------------------------------------------------------------ steps

    def correct(
        self, recording: int, seen: str, number: int, *, text: str | None, speaker: str | None, who: str
    ) -> Changed:
        """Give a segment another text, another speaker (None: as it is), or both at once.

        ``seen``: the version that the writer saw. An empty speaker is the one that was recognised.
        """
        with self._history.transaction() as history:
            if text is not None:
                self._step(recording, seen, number, TEXT, who, lambda t, p: with_text(t.recognised, p, text))
                seen = version_of(history, self.filed(recording))
            if speaker is not None:
                self._step(
                    recording, seen, number, SPEAKER, who, lambda t, p: with_speaker(t.recognised, p, speaker)
                )
        return Changed(number, 1, 0)

    def split(self, recording: int, seen: str, number: int, at: int, who: str) -> Changed:
        """Begin another segment at a character of one."""
        self._step(recording, seen, number, SPLIT, who, lambda t, p: with_split(t.recognised, p, at))
        return Changed(number, 2, 1)

    def join(self, recording: int, seen: str, number: int, who: str) -> Changed:
        """Make a segment one with that behind it."""

        def change(text: _Text, place: Place) -> Block:
            if number + 1 >= len(text.spots):
                raise CorrectionError("there is no segment behind it", "后面没有可以合并的段落。")
            return with_join(text.recognised, place, text.place(number + 1))

        self._step(recording, seen, number, JOIN, who, change)
        return Changed(number, 1, -1)

    def undo(self, recording: int, seen: str, who: str) -> Changed:
        """Take back the newest step that stands; raises :class:`CorrectionError` where there is none."""
        with self._history.transaction() as history:
            filed = self._require(recording, seen)
            row = history.one("last_to_undo", recording=recording)
            if row is None or row["kind"] not in UNDOABLE:
                raise CorrectionError("there is nothing to undo", "没有可以撤销的修改。")
            before, after = _BLOCKS.validate_json(row["before"]), _BLOCKS.validate_json(row["after"])
            there = self._text(filed).over(after)
            self._replace(recording, after, before)
            told = (row["after_text"], row["before_text"])
            done = self._note(recording, UNDO, who, after, before, row["start_ms"], told)
            history.run("mark_undone", correction=row["id"], by=done)
            back = self._text(filed).over(after)
        return Changed(back.start, len(back), len(back) - len(there))

    def discard(self, recording: int, seen: str, corrected: int, who: str) -> Changed:
        """Forget a correction that is not placed."""
        with self._history.transaction() as history:
            self._require(recording, seen)
            found = [
                each for each in stored_of(history, recording) if each.id == corrected and not each.is_placed
            ]
            if not found:
                raise CorrectionError("there is no such correction", "没有这条未能对应的修改。")
            history.run("delete_corrected", corrected=corrected)
            block = found[0].block
            told = (" ".join(each.text for each in block.stretches), "")
            self._note(recording, DISCARD, who, (block,), (), block.stretches[0].start_ms, told)
        return Changed(0, 0, 0)

    def _step(
        self,
        recording: int,
        seen: str,
        number: int,
        kind: str,
        who: str,
        change: Callable[[_Text, Place], Block],
    ) -> None:
        with self._history.transaction():
            text = self._text(self._require(recording, seen))
            place = text.place(number)
            made = change(text, place)
            before = tuple(
                each for each in text.blocks if each.first <= made.last and each.last >= made.first
            )
            if before == (made,):
                return
            self._replace(recording, before, (made,))
            now = _Text(text.recognised, [*(each for each in text.blocks if each not in before), made])
            told = (text.told(number, 1 + (kind == JOIN), kind), now.told(number, 1 + (kind == SPLIT), kind))
            self._note(recording, kind, who, before, (made,), place.segment.start_ms, told)

    def _text(self, filed: Filed) -> _Text:
        recognised = recognised_of(self._history, _work(filed).id)
        return _Text(recognised, blocks_of(self._history, filed.recording.id))

    def filed(self, recording: int) -> Filed:
        """Return a recording whose text is there; raises :class:`NotTranscribedError`."""
        filed = self._recordings.get(recording)
        if filed is None or filed.work is None or filed.work.state is not JobState.DONE:
            raise NotTranscribedError
        return filed

    # ------------------------------------------------------------------ after another recognition

    def place(self, recording: int) -> None:
        """Lay what people corrected over what is recognised now, where the words are the same.

        What finds its words no more is kept, not placed. Called before a transcript is written.
        """
        if not stored_of(self._history, recording):
            return
        with self._history.transaction() as history:
            filed = self._recordings.get(recording)
            if filed is None or filed.work is None or filed.work.state is not JobState.DONE:
                return
            recognised = transcript_of(history, filed.work).segments
            stored = stored_of(history, recording)
            wanted = [placed_anew(each.block, recognised) for each in stored]
            if all(
                block == each.block if each.is_placed else block is None
                for each, block in zip(stored, wanted, strict=True)
            ):
                return
            self._place_all(history, recording, recognised, stored)

    def _place_all(
        self, history: History, recording: int, recognised: Sequence[Segment], stored: list[Stored]
    ) -> None:
        taken: set[int] = set()
        before = tuple(each.block for each in stored)
        after: list[Block] = []
        for each in stored:
            found = placed_anew(each.block, recognised)
            if found is None or taken & set(range(found.first, found.last + 1)):
                found = Block(-1, -1, each.block.said, each.block.stretches)
            else:
                taken |= set(range(found.first, found.last + 1))
            self._remove(history, each.id)
            self._insert(history, recording, found)
            after.append(found)
        start_ms = min(each.stretches[0].start_ms for each in before)
        self._note(recording, PLACED, "", before, tuple(after), start_ms, ("", ""))

    # ------------------------------------------------------------------ rows

    def _require(self, recording: int, seen: str) -> Filed:
        filed = self.filed(recording)
        if version_of(self._history, filed) != seen:
            mine = seen.rpartition("-")[2]
            raise OutdatedError(int(mine) if mine.isascii() and mine.isdigit() and len(mine) < 10 else 0)  # noqa: PLR2004
        return filed

    def _replace(self, recording: int, before: Sequence[Block], after: Sequence[Block]) -> None:
        with self._history.transaction() as history:
            for each in stored_of(history, recording):
                if each.is_placed and each.block in before:
                    self._remove(history, each.id)
            for block in after:
                self._insert(history, recording, block)

    def _remove(self, history: History, corrected: int) -> None:
        history.run("unindex_passages", corrected=corrected)
        history.run("delete_corrected", corrected=corrected)

    def _insert(self, history: History, recording: int, block: Block) -> None:
        is_placed = block.first >= 0
        row = history.one(
            "insert_corrected",
            recording=recording,
            first=block.first if is_placed else None,
            last=block.last if is_placed else None,
            said=block.said,
        )
        assert row is not None  # noqa: S101 (RETURNING)
        for stretch in block.stretches:
            passage = history.one(
                "insert_passage",
                corrected=row["id"],
                start_ms=stretch.start_ms,
                end_ms=stretch.end_ms,
                raw_start=stretch.raw_start,
                raw_end=stretch.raw_end,
                text=stretch.text,
                speaker=stretch.speaker,
                is_by_hand=int(stretch.is_by_hand),
            )
            assert passage is not None  # noqa: S101 (as above)
            if is_placed:
                history.run("index_passage", passage=passage["id"], body=index_body(stretch.text))

    def _note(
        self,
        recording: int,
        kind: str,
        who: str,
        before: Sequence[Block],
        after: Sequence[Block],
        start_ms: int,
        told: tuple[str, str],
    ) -> int:
        history = self._history
        row = history.one("revisions", recording=recording)
        assert row is not None  # noqa: S101 (it was read in this transaction)
        revision = row["revision"] + 1
        done = history.one(
            "insert_correction",
            recording=recording,
            revision=revision,
            kind=kind,
            who=who,
            now=self._clock.stamp(),
            before=_BLOCKS.dump_json(tuple(before)).decode(),
            after=_BLOCKS.dump_json(tuple(after)).decode(),
            start_ms=start_ms,
            before_text=told[0],
            after_text=told[1],
        )
        assert done is not None  # noqa: S101 (RETURNING)
        history.run("set_revision", recording=recording, revision=revision)
        return int(done["id"])


def steps_of(history: History, recording: int, since: int = 0) -> list[Step]:
    """Return what was done to a recording after a revision, newest first."""
    rows = history.all("corrections_of", recording=recording, since=since, limit=MOST_STEPS)
    return [_step_of(row) for row in rows]


def _step_of(row: sqlite3.Row) -> Step:
    return Step(
        row["revision"],
        row["kind"],
        row["who"],
        row["made_at"],
        row["start_ms"],
        row["before_text"],
        row["after_text"],
        row["undone_by"] is not None,
    )


def _work(filed: Filed) -> Work:
    assert filed.work is not None  # noqa: S101 (it was required)
    return filed.work


class _Text:
    """A recording's text in force; of its segments, those that are looked at."""

    def __init__(self, recognised: Recognised, blocks: list[Block]) -> None:
        self.recognised = recognised
        self.blocks = blocks
        self.spots = spots(recognised.raw_texts, blocks)

    def place(self, number: int) -> Place:
        """Return a segment in force; raises :class:`CorrectionError` where there is none of that number."""
        if not 0 <= number < len(self.spots):
            raise CorrectionError(f"there is no segment {number}", "没有这一段。")
        return place_at(self.recognised, self.spots[number], number)

    def over(self, blocks: Sequence[Block]) -> range:
        """Return the numbers of the segments in force that have words of these blocks."""
        first, last = min(each.first for each in blocks), max(each.last for each in blocks)
        found = [number for number, spot in enumerate(self.spots) if first <= spot.at <= last]
        return range(found[0], found[-1] + 1) if found else range(0)

    def told(self, number: int, count: int, kind: str) -> str:
        """Return what a step's story says of segments: their texts, or who speaks there."""
        found = [self.place(each).segment for each in range(number, min(number + count, len(self.spots)))]
        return " / ".join(each.speaker if kind == SPEAKER else each.text for each in found)
