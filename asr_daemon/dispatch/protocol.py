"""What crosses the border between the daemon and the recogniser.

One JSON object a line over a Unix stream socket pair, in both directions; a recording crosses as an open
file descriptor (SCM_RIGHTS) sent together with its :class:`Recognise` line, so that what is recognised is
what was hashed, whatever happens to the path. The child never opens a recording by name.

Daemon to child: :class:`Setup` once, then :class:`Recognise` (several may be under way; all of one profile's
model), :class:`Saved` for each :class:`Recognised`, :class:`Cancel`, :class:`Listen`, :class:`Stop`. Child to
daemon: :class:`Ready` or :class:`Broken` once, then for each order :class:`Segmented`, :class:`Recognised`,
:class:`Progress` and at last one :class:`Finished` or :class:`Failed`; for each session at last one
:class:`Listened`; :class:`Listening`, :class:`Waiting`, :class:`Computed` and :class:`Note` at any time.
Where the recogniser is on another machine, the bridge hands these on, and says :class:`Lost` at last.

Every :class:`Recognise` has a number of its own, and all that is said of it carries that number: a job that
is cancelled and given out again is another order, and late words about the first are not taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from asr_daemon.lines import Lines
from asr_daemon.models.abilities import Family, PrecisionWanted  # noqa: TC001 (pydantic reads them)
from asr_daemon.transcripts.profile import Profile  # noqa: TC001 (pydantic reads the annotations)
from asr_daemon.transcripts.transcript import Segment  # noqa: TC001

DAEMON_PID = "ASR_DAEMON_PID"  # in the child's environment: whom it must not outlive


@dataclass(frozen=True, slots=True)
class Setup:
    """The model and the machine's share that the child is to use."""

    model_name: str
    model_family: Family
    model_folder: str  # absolute
    vad_folder: str  # absolute; "" is silero-vad from its package
    punctuation_folder: str  # absolute; "" is none
    device: str  # "auto", "cpu", "cuda", "cuda:1", "mps"
    batch_s: float  # bound of a batch in padded seconds; 0 chooses
    threads: int  # torch threads; 0 chooses from the cores allowed to the process
    ffmpeg: str  # absolute path of the program
    max_duration_s: float
    begins_small: bool = False  # memory did not suffice before: one segment a batch at first
    half_precision: bool = True  # on a card, where the family allows it
    sharers: int = 1  # recognisers that share this machine's processor and memory, this one among them
    is_verified: bool = False  # the model's files were compared with their manifests a moment ago
    precision: PrecisionWanted = "float32"  # on a processor; "auto": what is remembered, else a self-check
    remembered: str = ""  # what a self-check took for this model, processor and torch; "" is nothing
    speaker_model: str = ""  # identity of what tells voices apart, for profiles that ask for it
    speaker_folder: str = ""  # absolute


@dataclass(frozen=True, slots=True)
class Source:
    """The file behind a descriptor, for a recogniser on another machine: what it must be there, too."""

    size_bytes: int
    mtime_ns: int
    sha256: str  # hexadecimal
    path: str = ""  # absolute; "" where the machines do not share their paths
    root: str = ""  # the folder below which no link is followed to it


@dataclass(frozen=True, slots=True)
class Recognise:
    """Recognise the recording whose descriptor comes with this line.

    ``order`` is never used twice in the life of a child; ``job`` is for its log. ``done`` are the (index,
    start_ms, end_ms) of segments committed by an earlier try; they are not recognised again. ``inbox`` is the
    one for whose part it is, ``weight`` that one's; ``is_urged``: somebody waits for it at a screen.
    """

    order: int
    job: int
    name: str
    profile: Profile
    done: tuple[tuple[int, int, int], ...] = ()
    inbox: str = ""
    weight: float = 1.0
    is_urged: bool = False
    source: Source | None = None  # None: the recogniser is on this machine


@dataclass(frozen=True, slots=True)
class Saved:
    """One :class:`Recognised` of that order is committed."""

    order: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget that order; nothing more is said of it."""

    order: int


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whose voice an inbox knows."""

    name: str
    voices: tuple[str, ...] = field(repr=False)  # embeddings of the profile's speaker model, base64


@dataclass(frozen=True, slots=True)
class Listen:
    """Caption what is spoken on the socket whose descriptor comes with this line (transcripts/live.py).

    ``session`` is never used twice in the life of a child.
    """

    session: int
    profile: Profile
    interim: bool = True  # whether a sentence is said while it is being spoken
    people: tuple[Known, ...] = ()  # whose names are said


@dataclass(frozen=True, slots=True)
class Stop:
    """End after the batch in hand."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""

    device: str  # the one really used
    model_name: str
    load_ms: int
    versions: dict[str, str] = field(default_factory=dict)
    bound_s: float = 0.0  # of a batch, in padded seconds
    precision: str = "float32"  # "float32", "bfloat16", "float16" or "int8": what its text comes from
    was_checked: bool = False  # by a self-check just now: to be remembered
    machine: str = ""  # its name; "" is this one
    most_bytes: int = 0  # that a recording may have there; 0: any size


@dataclass(frozen=True, slots=True)
class Broken:
    """The child cannot work at all; it ends after saying so."""

    code: str  # as in errors.py
    message: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The recogniser on another machine is gone, as the bridge found; nothing more comes after it."""

    code: str  # as in errors.py
    message: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Segmented:
    """Stretches of speech found so far: (index, start_ms, end_ms)."""

    order: int
    segments: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Finished segments of one order, to be committed together, with their voices where asked for."""

    order: int
    segments: tuple[Segment, ...]
    voices: tuple[tuple[int, str], ...] = ()  # (segment, its windows: `speakers/window.py`, base64)
    voice_model: str = ""  # whose embeddings these are


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is; said only when something moved (its absence is how a hang is known)."""

    order: int
    duration_ms: int  # 0 while unknown
    decoded_ms: int
    recognised_ms: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Every segment was said."""

    order: int
    duration_ms: int
    segment_count: int
    flags: tuple[str, ...] = ()
    timings_ms: dict[str, int] = field(default_factory=dict)  # "decode", "vad", "asr", ...


@dataclass(frozen=True, slots=True)
class Failed:
    """The recording cannot be finished."""

    order: int
    code: str  # as in errors.py
    message: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Listening:
    """Sentences of live sessions were said: what they took, and how long the oldest had waited."""

    spent_ms: int
    waited_ms: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sentence of a live session still waits for the device; said again and again while that is so."""


@dataclass(frozen=True, slots=True)
class Listened:
    """A live session has ended; with a code, before its end."""

    session: int
    heard_ms: int
    segments: int
    code: str = ""  # as in errors.py
    message: str = ""


@dataclass(frozen=True, slots=True)
class Computed:
    """The device has computed for so long since this was said last: a batch, of whatever orders."""

    spent_ms: int


@dataclass(frozen=True, slots=True)
class Note:
    """A log line of the child."""

    level: str
    event: str
    fields: dict[str, Any] = field(default_factory=dict)


Message = (
    Setup
    | Recognise
    | Saved
    | Cancel
    | Listen
    | Stop
    | Ready
    | Broken
    | Lost
    | Segmented
    | Recognised
    | Progress
    | Finished
    | Failed
    | Listening
    | Waiting
    | Listened
    | Computed
    | Note
)
_LINES: Lines[Message] = Lines(get_args(Message), "message")
encode, decode = _LINES.encode, _LINES.decode
