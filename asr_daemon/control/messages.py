"""What the gateway asks of the daemon, and what it is answered: typed on both sides, one JSON object a line.

Enters: :class:`Ask`, one of the requests with the secret of whoever asks through the gateway. Leaves:
:class:`Answer` with the request's own kind of answer, or :class:`Refusal`. Times are milliseconds from a
recording's start, or stamps (``2026-03-15T07:30:00.000Z``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter

from asr_daemon.control.answers import (
    Changed,
    Code,
    Done,
    Found,
    FoundPlace,
    Heard,
    Inbox,
    InWork,
    Listed,
    LoggedIn,
    ModelNames,
    Opened,
    Overview,
    Passage,
    Person,
    Put,
    RecordingDetail,
    RecordingList,
    Refusal,
    Rendered,
    Transcribed,
    Word,
)
from asr_daemon.control.console_answers import ConsoleTold
from asr_daemon.control.console_messages import ConsoleRequest
from asr_daemon.control.corrections_messages import CorrectingRequest, CorrectingTold
from asr_daemon.control.live_messages import LiveOpened, LiveRequest
from asr_daemon.control.notice_messages import NoticeRequest, Notices
from asr_daemon.control.playback_messages import Playback, PlaybackRequest
from asr_daemon.control.speaker_messages import SpeakerRequest, SpeakerTold
from asr_daemon.control.trial_messages import TrialRequest, TrialTold

__all__ = [
    "MOST_IN_PAGE",
    "VERSION",
    "Ask",
    "Attend",
    "Cancel",
    "Changed",
    "Code",
    "Done",
    "Found",
    "FoundPlace",
    "GetOverview",
    "GetRecording",
    "GetTranscript",
    "Heard",
    "InWork",
    "Inbox",
    "ListModels",
    "ListRecordings",
    "Listed",
    "LogIn",
    "LogOut",
    "LoggedIn",
    "MayPut",
    "ModelNames",
    "OpenRecording",
    "Opened",
    "Overview",
    "Passage",
    "Person",
    "Put",
    "PutRecording",
    "RecordingDetail",
    "RecordingList",
    "Refusal",
    "Rendered",
    "Request",
    "Retry",
    "Search",
    "SetPaused",
    "Told",
    "Transcribe",
    "Transcribed",
    "Watch",
    "WhoAmI",
    "Word",
    "decode_ask",
    "decode_told",
    "encode_ask",
    "encode_told",
    "json_of",
]

VERSION = 1
MOST_IN_PAGE = 200


# ---------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class LogIn:
    """Begin a browser's session with a token; answered by :class:`LoggedIn`."""

    token: str
    command: Literal["log_in"] = "log_in"


@dataclass(frozen=True, slots=True)
class LogOut:
    """End the session of the secret; answered by :class:`Done`."""

    command: Literal["log_out"] = "log_out"


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Whose secret that is; answered by :class:`Person`."""

    command: Literal["who_am_i"] = "who_am_i"


@dataclass(frozen=True, slots=True)
class GetOverview:
    """How everything stands that one may see; answered by :class:`Overview`."""

    command: Literal["get_overview"] = "get_overview"


@dataclass(frozen=True, slots=True)
class ListRecordings:
    """Recordings, newest first; answered by :class:`RecordingList`."""

    inbox: str | None = None
    state: str | None = None
    since: str | None = None
    before: int | None = None  # only recordings of smaller numbers: the next page
    limit: Annotated[int, Field(ge=1, le=MOST_IN_PAGE)] = 50
    until: str | None = None
    text: str | None = None  # part of the name
    command: Literal["list_recordings"] = "list_recordings"


@dataclass(frozen=True, slots=True)
class GetRecording:
    """One recording with its transcript, and the times of its words; answered by :class:`RecordingDetail`."""

    recording: int
    words: bool = True
    command: Literal["get_recording"] = "get_recording"


@dataclass(frozen=True, slots=True)
class GetTranscript:
    """A transcript as a file; answered by :class:`Rendered`, "docx" with a descriptor."""

    recording: int
    format: Literal["txt", "srt", "vtt", "json", "md", "docx"]
    command: Literal["get_transcript"] = "get_transcript"


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """The sound of a recording; answered by :class:`Opened`, with a descriptor."""

    recording: int
    command: Literal["open_recording"] = "open_recording"


@dataclass(frozen=True, slots=True)
class Search:
    """Passages that hold all the words; answered by :class:`Found`."""

    words: Annotated[str, Field(max_length=1000)]
    inbox: str | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_IN_PAGE)] = 50
    command: Literal["search"] = "search"


@dataclass(frozen=True, slots=True)
class PutRecording:
    """Put a file, whose descriptor comes along, into an inbox; answered by :class:`Put`."""

    inbox: str
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    command: Literal["put_recording"] = "put_recording"


@dataclass(frozen=True, slots=True)
class MayPut:
    """Whether a file of that name may be put into an inbox; answered by :class:`Done`."""

    inbox: str
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    command: Literal["may_put"] = "may_put"


@dataclass(frozen=True, slots=True)
class Retry:
    """Transcribe recordings again; answered by :class:`Done`."""

    recordings: Annotated[tuple[int, ...], Field(min_length=1, max_length=MOST_IN_PAGE)]
    command: Literal["retry"] = "retry"


@dataclass(frozen=True, slots=True)
class Cancel:
    """Wait for recordings no more; answered by :class:`Done`."""

    recordings: Annotated[tuple[int, ...], Field(min_length=1, max_length=MOST_IN_PAGE)]
    command: Literal["cancel"] = "cancel"


@dataclass(frozen=True, slots=True)
class SetPaused:
    """Begin no further recording, or go on; answered by :class:`Done`."""

    paused: bool
    command: Literal["set_paused"] = "set_paused"


@dataclass(frozen=True, slots=True)
class Watch:
    """Be told, until the connection is closed, whenever something changed that one may see.

    Answered by one :class:`Changed` after the other; ``seen`` is the version of the last one.
    """

    seen: int = 0
    command: Literal["watch"] = "watch"


@dataclass(frozen=True, slots=True)
class Attend:
    """A gateway serves as long as this connection is open; answered by :class:`Done` now and then.

    What it says of itself is shown to the administrator and decides nothing.
    """

    listen: str
    tls: bool
    pid: int
    user: str
    release: str
    command: Literal["attend"] = "attend"


@dataclass(frozen=True, slots=True)
class ListModels:
    """What recordings are recognised with; answered by :class:`ModelNames`."""

    command: Literal["list_models"] = "list_models"


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognise a file, whose descriptor comes along, before what waits in the queue.

    Answered by one :class:`Heard` after the other and a last :class:`Transcribed`, or by a refusal. The work
    goes on where nobody listens any more: who sends the same again joins it.
    """

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    inbox: str = ""  # whose profile; "": the one that may be uploaded to, where there is one alone
    language: str = ""  # "": the profile's
    hotwords: Annotated[tuple[Annotated[str, Field(max_length=600)], ...], Field(max_length=10_000)] = ()
    format: Literal["", "srt", "vtt"] = ""  # also as such a file
    command: Literal["transcribe"] = "transcribe"


Request = (
    LogIn
    | LogOut
    | WhoAmI
    | GetOverview
    | ListRecordings
    | GetRecording
    | GetTranscript
    | OpenRecording
    | Search
    | PutRecording
    | MayPut
    | Retry
    | Cancel
    | SetPaused
    | Attend
    | ListModels
    | Transcribe
    | Watch
    | ConsoleRequest
    | CorrectingRequest
    | LiveRequest
    | NoticeRequest
    | PlaybackRequest
    | SpeakerRequest
    | TrialRequest
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request and the secret (token, or cookie) of whoever asks.

    ``user``: who asks in the words of a proxy that is trusted, where the configuration allows it.
    """

    request: Annotated[Request, Field(discriminator="command")]
    secret: str = ""
    user: str = ""
    version: int = VERSION


# ---------------------------------------------------------------------- answers

Told = (
    Done
    | Person
    | LoggedIn
    | Overview
    | RecordingList
    | RecordingDetail
    | Rendered
    | Opened
    | Found
    | Put
    | ModelNames
    | Heard
    | Transcribed
    | Changed
    | ConsoleTold
    | CorrectingTold
    | LiveOpened
    | Notices
    | Playback
    | SpeakerTold
    | TrialTold
)

_ASK = TypeAdapter(Ask)
_KINDS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (*get_args(Told), Refusal)
}


def encode_ask(ask: Ask) -> bytes:
    """Return a request as one line."""
    return _ASK.dump_json(ask) + b"\n"


def decode_ask(line: bytes) -> Ask:
    """Return the request of a line; raises ``ValueError`` where it is none."""
    return _ASK.validate_json(line)


def encode_told(told: Told | Refusal) -> bytes:
    """Return an answer as one line."""
    name = type(told).__name__
    return _head(name) + _KINDS[name].dump_json(told) + b"}\n"


def decode_told(line: bytes) -> Told | Refusal:
    """Return the answer of a line; raises ``ValueError`` where it is none."""
    envelope = _ENVELOPE.validate_json(line)
    kind = _KINDS.get(str(envelope.get("kind")))
    if kind is None:
        raise ValueError(f"no such answer: {envelope.get('kind')!r}")
    told: Told | Refusal = kind.validate_python(envelope["told"])
    return told


def json_of(kind: type, line: bytes) -> bytes | None:
    """Return the JSON of an answer of that kind, None where the line holds another."""
    head, tail = _head(kind.__name__), b"}"
    line = line.rstrip(b"\n")
    return line[len(head) : -len(tail)] if line.startswith(head) and line.endswith(tail) else None


def _head(name: str) -> bytes:
    return b'{"kind":"' + name.encode() + b'","told":'


_ENVELOPE = TypeAdapter(dict[str, Any])
