"""What was heard where: the segments of a job, from the moment that they are found.

Enters: places of speech, then recognised segments, each committed once. Leaves: the text of a job. Fails as
the history does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from pydantic import TypeAdapter

from asr_daemon.history.search import index_body
from asr_daemon.hotwords.hits import Hit, find_hits
from asr_daemon.itn import Span
from asr_daemon.transcripts.transcript import Correction, Segment, Token, Transcript

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from asr_daemon.history.connection import History
    from asr_daemon.history.recordings import Work

Place = tuple[int, int, int]  # number, start_ms, end_ms

_STRINGS = TypeAdapter(tuple[str, ...])
_TOKENS = TypeAdapter(tuple[Token, ...])
_SPANS = TypeAdapter(tuple[Span, ...])
_CORRECTIONS = TypeAdapter(tuple[Correction, ...])


class Segments:
    """The table of segments."""

    def __init__(self, history: History) -> None:
        self._history = history

    def save_places(self, job: int, places: tuple[Place, ...]) -> None:
        """Commit where speech was found; what lay elsewhere in an earlier try is recognised anew."""
        with self._history.transaction() as history:
            for number, start_ms, end_ms in places:
                history.run("insert_segment", job=job, number=number, start_ms=start_ms, end_ms=end_ms)

    def save(
        self,
        job: int,
        segments: tuple[Segment, ...],
        voices: Iterable[tuple[int, bytes]] = (),
        voice_model: str = "",
    ) -> None:
        """Commit recognised segments of the attempt that goes on: these are never recognised again.

        ``voices`` are the windows of those that have any (speakers/window.py).
        """
        with self._history.transaction() as history:
            for segment in segments:
                row = history.one(
                    "save_segment",
                    job=job,
                    number=segment.index,
                    start_ms=segment.start_ms,
                    end_ms=segment.end_ms,
                    raw_text=segment.raw_text,
                    text=segment.text,
                    tokens=_TOKENS.dump_json(segment.tokens).decode(),
                    spans=_SPANS.dump_json(segment.spans).decode(),
                    corrections=_CORRECTIONS.dump_json(segment.corrections).decode(),
                    hotwords_hit=_STRINGS.dump_json(segment.hotwords_hit).decode(),
                    flags=_STRINGS.dump_json(segment.flags).decode(),
                )
                assert row is not None  # noqa: S101 (RETURNING)
                history.run("index_segment", segment=row["id"], body=index_body(segment.text))
            for number, windows in voices:
                history.run("save_voice", job=job, number=number, model=voice_model, windows=windows)

    def recognised(self, job: int) -> tuple[Place, ...]:
        """Return what need not be done again."""
        rows = self._history.all("recognised_segments", job=job)
        return tuple((row["number"], row["start_ms"], row["end_ms"]) for row in rows)

    def trim(self, job: int, count: int) -> int:
        """Forget segments beyond ``count``, which only an earlier try found; return how many have a text."""
        with self._history.transaction() as history:
            history.run("unindex_surplus", job=job, count=count)
            history.run("delete_surplus", job=job, count=count)
            history.run("delete_surplus_voices", job=job, count=count)
            row = history.one("count_recognised", job=job)
            return 0 if row is None else int(row["recognised"])

    def forget(self, job: int) -> None:
        """Forget the text of a job that begins anew."""
        with self._history.transaction() as history:
            history.run("unindex_segments", job=job)
            for query in ("delete_segments", "delete_voices", "delete_turns", "delete_speakers"):
                history.run(query, job=job)
            for query in ("delete_names", "delete_named"):
                history.run(query, job=job)


class Recognised(Sequence[Segment]):
    """The segments of a job in the order of time; each is read when it is looked at.

    ``needs_words`` says of which, by its begin and end, the times of words are read: most of what it costs.
    """

    def __init__(
        self, rows: list[sqlite3.Row], needs_words: Callable[[int, int], bool] = lambda _start, _end: True
    ) -> None:
        self._rows = rows
        self._needs_words = needs_words
        self.raw_texts: list[str] = [row["raw_text"] for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Segment: ...

    @overload
    def __getitem__(self, at: slice) -> list[Segment]: ...

    def __getitem__(self, at: int | slice) -> Segment | list[Segment]:
        if isinstance(at, slice):
            return [self._read(row) for row in self._rows[at]]
        return self._read(self._rows[at])

    def _read(self, row: sqlite3.Row) -> Segment:
        return segment_of(row, with_words=self._needs_words(row["start_ms"], row["end_ms"]))


def recognised_of(
    history: History, job: int, needs_words: Callable[[int, int], bool] = lambda _start, _end: True
) -> Recognised:
    """Return what was recognised of a job."""
    return Recognised(history.all("job_segments", job=job), needs_words)


def transcript_of(history: History, work: Work) -> Transcript:
    """Return the finished text of a job, as it was recognised; see also history/in_force.py."""
    return Transcript(
        duration_ms=work.duration_ms,
        segments=tuple(recognised_of(history, work.id)),
        model=work.model,
        model_is_builtin=work.model_is_builtin,
        flags=work.flags,
    )


def segments_of(history: History, job: int) -> tuple[Segment, ...]:
    """Return a job's recognised segments, in order of time."""
    return tuple(segment_of(row) for row in history.all("job_segments", job=job))


def hotwords_of(history: History, job: int | None) -> Counter[Hit]:
    """Return which hotwords a job's text holds, by whom they were put there, and how often."""
    return Counter(
        hit
        for row in history.all("segments_with_hotwords", job=job)
        for hit in find_hits(
            row["raw_text"],
            _CORRECTIONS.validate_json(row["corrections"]),
            _STRINGS.validate_json(row["hotwords_hit"]),
        )
    )


def segment_of(row: sqlite3.Row, *, with_words: bool = True) -> Segment:
    """Return the segment of a row of the table, without its tokens where their times are of no use."""
    return Segment(
        index=row["number"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        raw_text=row["raw_text"],
        text=row["text"],
        tokens=_TOKENS.validate_json(row["tokens"]) if with_words else (),
        spans=_SPANS.validate_json(row["spans"]),
        corrections=_CORRECTIONS.validate_json(row["corrections"]),
        hotwords_hit=_STRINGS.validate_json(row["hotwords_hit"]),
        flags=_STRINGS.validate_json(row["flags"]),
    )
