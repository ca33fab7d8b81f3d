"""Correcting, forgetting and hotwords from corrections: what is asked, and what is answered.

Part of :mod:`asr_daemon.control.messages`. ``version`` is that of a recording's text (its ETag): a step on a
text that others changed meanwhile is answered by :class:`Outdated`, and nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from asr_daemon.control.answers import Passage  # noqa: TC001 (pydantic reads the annotations)

MOST_CHARS = 10_000
MOST_SPEAKER_CHARS = 100
MOST_LINES = 100

Version = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(max_length=MOST_CHARS)]
Speaker = Annotated[str, Field(max_length=MOST_SPEAKER_CHARS)]
Segment = Annotated[int, Field(ge=0, le=1 << 31)]


# ---------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Correct:
    """Give a segment another text, another speaker, or both; answered by :class:`Corrected`."""

    recording: int
    version: Version
    segment: Segment
    text: Text | None = None  # None: as it is
    speaker: Speaker | None = None  # None: as it is; "": as recognised
    command: Literal["correct"] = "correct"


@dataclass(frozen=True, slots=True)
class Split:
    """Begin another segment at a character of one's text; answered by :class:`Corrected`."""

    recording: int
    version: Version
    segment: Segment
    at: Annotated[int, Field(ge=1, le=MOST_CHARS)]
    command: Literal["split"] = "split"


@dataclass(frozen=True, slots=True)
class Join:
    """Make a segment one with that behind it; answered by :class:`Corrected`."""

    recording: int
    version: Version
    segment: Segment
    command: Literal["join"] = "join"


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the newest step, whoever did it; answered by :class:`Corrected`."""

    recording: int
    version: Version
    command: Literal["undo"] = "undo"


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget a correction that found its words no more; answered by :class:`Corrected`."""

    recording: int
    version: Version
    unplaced: int
    command: Literal["discard"] = "discard"


@dataclass(frozen=True, slots=True)
class GetCorrections:
    """What was corrected, and what is not placed; answered by :class:`CorrectionList`."""

    recording: int
    command: Literal["get_corrections"] = "get_corrections"


@dataclass(frozen=True, slots=True)
class GetSuggestions:
    """Words that were corrected again and again in an inbox; answered by :class:`SuggestionList`."""

    inbox: str
    command: Literal["get_suggestions"] = "get_suggestions"


@dataclass(frozen=True, slots=True)
class AddHotwords:
    """Add lines to an inbox's hotword file, known by its digest; answered by :class:`ListChanged`."""

    inbox: str
    digest: Annotated[str, Field(max_length=64)]  # "" where there is no file yet
    lines: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=450)], ...],
        Field(min_length=1, max_length=MOST_LINES),
    ]
    command: Literal["add_hotwords"] = "add_hotwords"


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Write a recording's files anew, but for those that a person edited. Answered by :class:`Done`."""

    recording: int
    command: Literal["write_files"] = "write_files"


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget a recording's text for good; its sound stays. Answered by :class:`Forgotten`."""

    recording: int
    command: Literal["forget"] = "forget"


@dataclass(frozen=True, slots=True)
class GetHolding:
    """Which backups would hold a recording's text if it were forgotten now; answered by :class:`Holding`."""

    recording: int
    command: Literal["get_holding"] = "get_holding"


CorrectingRequest = (
    Correct
    | Split
    | Join
    | Undo
    | Discard
    | GetCorrections
    | GetSuggestions
    | AddHotwords
    | WriteFiles
    | Forget
    | GetHolding
)

# ---------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did: the texts (or speakers) of the segments that it changed, before and after."""

    revision: int
    kind: str  # "text", "speaker", "split", "join", "undo", "discard"; "placed" after another recognition
    who: str
    made_at: str
    start_ms: int
    before: str
    after: str
    is_undone: bool


@dataclass(frozen=True, slots=True)
class Corrected:
    """It was saved. ``passages`` are the segments in force from ``first`` on, as many as may have changed.

    All behind them are as they were, their numbers moved by ``moved``.
    """

    version: str
    first: int
    passages: tuple[Passage, ...]
    moved: int


@dataclass(frozen=True, slots=True)
class Outdated:
    """Nothing was saved: others changed the text. ``passages`` is the whole text in force now."""

    version: str
    steps: tuple[Step, ...]  # since the version that was given, newest first
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A correction whose words were not recognised again: what it said, where, and over which words."""

    id: int
    start_ms: int
    end_ms: int
    text: str
    said: str


@dataclass(frozen=True, slots=True)
class CorrectionList:
    """What was done to a recording, newest first."""

    version: str
    may_undo: bool
    steps: tuple[Step, ...]
    unplaced: tuple[Unplaced, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that people wrote ``times`` times in place of another; ``line`` is the list's."""

    wrong: str
    right: str
    times: int
    kind: Literal["hotword", "replacement"]
    line: str


@dataclass(frozen=True, slots=True)
class SuggestionList:
    """What may be added to an inbox's list, and what the list's file holds now."""

    suggestions: tuple[Suggestion, ...]
    digest: str  # SHA-256 of the file; "" where there is none


@dataclass(frozen=True, slots=True)
class ListChanged:
    """The lines were added; ``backup`` is the name of the file that holds what was there, "" for none."""

    digest: str
    added: int
    backup: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of the files, and what holds the text still."""

    removed: tuple[str, ...]  # files, by their names
    kept: tuple[str, ...]  # files that a person edited
    problem: str  # why files are left for later, "" where none are
    problem_zh: str
    backups: int  # that hold it
    backups_until: (
        str | None
    )  # a stamp: the last of them is rotated out then; None: none holds it, or for ever


@dataclass(frozen=True, slots=True)
class Holding:
    """What would still hold a text that is forgotten now."""

    backups: int
    until: str | None  # a stamp: the last of them is rotated out then; None: none holds it, or for ever


CorrectingTold = Corrected | Outdated | CorrectionList | SuggestionList | ListChanged | Forgotten | Holding
