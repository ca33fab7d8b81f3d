"""Who says it: the voices of a job, who speaks when, and what each inbox calls its speakers.

Enters: windows with their segments, and later what grouping found of them. Leaves: turns and speakers. The
embeddings are biometric: they leave this module for comparing alone. Fails as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.speakers.grouped import Turn, Voice
from asr_daemon.speakers.naming import default_name
from asr_daemon.speakers.window import WINDOW_BYTES
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from asr_daemon.history.connection import History
    from asr_daemon.speakers.naming import Ranked

DUE, DONE, FAILED = "due", "done", "failed"
PAGE = 200  # segments whose windows are in memory at a time


@dataclass(frozen=True, slots=True)
class Asked:
    """How telling a job's speakers apart stands, and what is asked for."""

    state: str | None
    speakers_expected: int
    max_speakers: int


@dataclass(frozen=True, slots=True)
class Known:
    """A speaker of a job, as an inbox knows it."""

    speaker: int  # as in its turns
    number: int
    name: str
    speech_ms: int
    is_named: bool  # by a person, or an enrolled voice
    is_by_hand: bool
    model: str
    voice: Voice | None = field(repr=False)  # None: forgotten


@dataclass(frozen=True, slots=True)
class HandName:
    """What a person called a speaker, and how that one sounded."""

    inbox: str
    name: str
    model: str
    voice: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """What a speaker is called; ``by_hand``: because a person said so."""

    speaker: int
    name: str
    by_hand: HandName | None = None


class Voices:
    """The tables of voices, turns, speakers and names."""

    def __init__(self, history: History) -> None:
        self._history = history

    # ------------------------------------------------------------------ what was heard

    def models(self, job: int) -> list[tuple[str, int]]:
        """Return whose embeddings a job has, and how many windows of each; most first."""
        rows = self._history.all("voice_models", job=job)
        return [(row["model"], row["bytes"] // WINDOW_BYTES) for row in rows]

    def rows(self, job: int, model: str) -> Iterator[bytes]:
        """Yield a job's windows as they lie here, a page in memory at a time."""
        after = -1
        while page := self._history.all("voices_after", job=job, model=model, after=after, limit=PAGE):
            yield b"".join(row["windows"] for row in page)
            after = page[-1]["number"]

    def forget(self, job: int) -> None:
        """Forget every embedding of a job; who spoke when, and the names, stay."""
        with self._history.transaction() as history:
            history.run("delete_voices", job=job)
            history.run("forget_job_voices", job=job)
            history.run("forget_named_voices", job=job)

    # ------------------------------------------------------------------ who speaks when

    def due(self) -> list[int]:
        """Return the jobs whose speakers are to be told apart."""
        return [row["id"] for row in self._history.all("due_speakers")]

    def asked(self, job: int) -> Asked:
        """Return what is asked for: by a person, else by the profile."""
        row = self._history.one("speakers_of_job", job=job)
        assert row is not None  # noqa: S101 (it is there)
        profile = Profile.from_json(row["profile"])
        if row["speakers_wanted"] is not None:
            return Asked(row["speakers"], row["speakers_wanted"], 0)
        return Asked(row["speakers"], profile.speakers_expected, profile.max_speakers)

    def want(self, job: int, speakers: int) -> None:
        """Remember how many speakers a person says there are; 0: to be found out."""
        with self._history.transaction() as history:
            history.run("want_speakers", job=job, wanted=speakers)

    def settle(self, job: int, state: str) -> None:
        """Say how telling them apart stands."""
        with self._history.transaction() as history:
            history.run("set_speakers_state", job=job, state=state)

    def save(self, job: int, turns: Sequence[Turn], ranked: Sequence[Ranked], model: str) -> None:
        """Put what was found in the place of what was found before; names are to be looked for again."""
        with self._history.transaction() as history:
            for query in ("delete_turns", "delete_speakers", "delete_names", "delete_named"):
                history.run(query, job=job)
            for turn in turns:
                history.run(
                    "insert_turn",
                    job=job,
                    start_ms=turn.start_ms,
                    end_ms=turn.end_ms,
                    speaker=turn.speaker,
                    is_overlapped=int(turn.is_overlapped),
                )
            for one in ranked:
                history.run(
                    "insert_speaker",
                    job=job,
                    speaker=one.speaker,
                    number=one.number,
                    speech_ms=one.speech_ms,
                    voice_ms=one.voice.speech_ms if one.voice else 0,
                    model=model,
                    voice=one.voice.embedding if one.voice else None,
                )
            history.run("set_speakers_state", job=job, state=DONE)

    # ------------------------------------------------------------------ names

    def inboxes(self, job: int) -> list[str]:
        """Return where a job's recordings lie."""
        return [row["inbox"] for row in self._history.all("job_inboxes", job=job)]

    def is_named(self, job: int, inbox: str) -> bool:
        """Whether an inbox's people were looked for among a job's speakers."""
        return self._history.one("is_named", job=job, inbox=inbox) is not None

    def names_by_hand(self, job: int) -> list[HandName]:
        """Return what people called a job's speakers, with their voices."""
        return [
            HandName(row["inbox"], row["name"], row["model"], row["voice"])
            for row in self._history.all("names_by_hand", job=job)
        ]

    def save_names(self, job: int, inbox: str, names: Iterable[Name]) -> None:
        """Remember what an inbox calls a job's speakers; what people called them stays."""
        with self._history.transaction() as history:
            history.run("delete_names_in", job=job, inbox=inbox)
            for name in names:
                self._set(job, inbox, name)
            history.run("mark_named", job=job, inbox=inbox)

    def rename(self, job: int, inbox: str, name: Name) -> None:
        """Call a speaker so; "" takes the name back."""
        with self._history.transaction() as history:
            if name.name:
                self._set(job, inbox, name)
            else:
                history.run("delete_name", job=job, inbox=inbox, speaker=name.speaker)

    def _set(self, job: int, inbox: str, name: Name) -> None:
        self._history.run(
            "set_name",
            job=job,
            inbox=inbox,
            speaker=name.speaker,
            name=name.name,
            is_by_hand=int(name.by_hand is not None),
            model=name.by_hand.model if name.by_hand else "",
            voice=name.by_hand.voice if name.by_hand else None,
        )


def turns_of(history: History, job: int) -> tuple[Turn, ...]:
    """Return who speaks when in a job; none where nobody asked."""
    return tuple(
        Turn(row["start_ms"], row["end_ms"], row["speaker"], bool(row["is_overlapped"]))
        for row in history.all("job_turns", job=job)
    )


def speakers_of(history: History, job: int, inbox: str) -> tuple[Known, ...]:
    """Return who says something in a job, in order of first word, as an inbox calls them."""
    return tuple(_known(row) for row in history.all("job_speakers", job=job, inbox=inbox))


def _known(row: sqlite3.Row) -> Known:
    voice = None if row["voice"] is None else Voice(row["speaker"], row["voice_ms"], row["voice"])
    return Known(
        speaker=row["speaker"],
        number=row["number"],
        name=row["name"] or default_name(row["number"]),
        speech_ms=row["speech_ms"],
        is_named=row["name"] is not None,
        is_by_hand=bool(row["is_by_hand"]),
        model=row["model"],
        voice=voice,
    )
