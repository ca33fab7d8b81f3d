"""How a session comes by its recogniser, and what that one may be given: a child of our own, or a machine's.

A session is handed one of these and asks it; where recognisers are is known here and nowhere else in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from asr_daemon.dispatch.loading import NO_GATE
from asr_daemon.dispatch.protocol import Source
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.queue.turns import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.dispatch.cluster import Cluster
    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.dispatch.keeper import Recogniser, Wanted
    from asr_daemon.dispatch.loading import Gate
    from asr_daemon.dispatch.opening import Opened, Opener
    from asr_daemon.dispatch.protocol import Ready, Setup
    from asr_daemon.dispatch.surroundings import Surroundings
    from asr_daemon.queue.job import Job


class Hiring(Protocol):
    """How one session comes by its recogniser."""

    @property
    def device(self) -> str:
        """Return it as in engine.device."""

    @property
    def sharers(self) -> int:
        """Return how many recognisers share the machine's processor and memory, this one among them."""

    @property
    def loads_first(self) -> bool:
        """Return whether others could serve the queue: what is claimed before it is loaded waits for that."""

    @property
    def serves_queue(self) -> bool:
        """Return whether it is there for recordings."""

    @property
    def gate(self) -> Gate:
        """Return what it shares with others while it loads."""

    def may_load(self, state: SessionState) -> bool:
        """Whether to load for what is due; raises an EngineUnavailableError where that cannot be."""

    def start(self, wanted: Wanted, setup: Setup) -> Recogniser:
        """Return one that was told the setup; raises an EngineUnavailableError or RecogniserCrashedError."""

    def find_ffmpeg(self, configured: str) -> str:
        """Return ffmpeg's path there; raises ConfigurationError."""

    def taken_by(self) -> str:
        """Return who else has the card; "" nobody."""

    def sizes(self, ready: Ready | None) -> Sizes | None:
        """Return how large a recording may be for it (None: it is not loaded); None where it takes none."""

    def source(self, opened: Opened, job: Job) -> Source | None:
        """Return what is to be said of a recording's file."""


@dataclass(frozen=True, slots=True)
class LocalHiring:
    """A child of our own; ``cluster`` is given where it serves the queue as well."""

    around: Surroundings
    device: str
    sharers: int = 1
    cluster: Cluster | None = None
    serves_queue: bool = True

    @property
    def loads_first(self) -> bool:
        """Whether another child, or another machine, could take the recording."""
        return self.sharers > 1 or self.cluster is not None

    @property
    def gate(self) -> Gate:
        """The one of this machine's recognisers."""
        return self.around.gate

    def may_load(self, _state: SessionState) -> bool:
        """Whenever something is due."""
        return True

    def start(self, _wanted: Wanted, setup: Setup) -> Recogniser:
        """Start the child."""
        return self.around.start_recogniser(setup)

    def find_ffmpeg(self, configured: str) -> str:
        """Find it on this machine."""
        return self.around.find_ffmpeg(configured)

    def taken_by(self) -> str:
        """Whoever computes on the card."""
        return self.around.cards.taken_by(self.device)

    def sizes(self, _ready: Ready | None) -> Sizes | None:
        """Any; where it is there for live captions, only what no machine that is known can take."""
        if self.serves_queue or self.cluster is None:
            return Sizes()
        most_bytes = self.cluster.most_bytes
        return None if most_bytes is None else Sizes(above_bytes=most_bytes)

    def source(self, _opened: Opened, _job: Job) -> None:
        """Nothing: the descriptor is enough."""
        return


@dataclass(frozen=True, slots=True)
class RemoteHiring:
    """A machine of the cluster; ``is_needed`` says whether to load, beside those that do already."""

    name: str
    cluster: Cluster
    opener: Opener
    is_needed: Callable[[SessionState], bool] = lambda _state: True
    shares_paths: bool = False

    device = "auto"
    sharers = 1
    loads_first = True
    serves_queue = True
    gate = NO_GATE

    def may_load(self, state: SessionState) -> bool:
        """Where the cluster is there, and others that load already are not enough."""
        self.cluster.require()
        return self.is_needed(state)

    def start(self, wanted: Wanted, setup: Setup) -> Recogniser:
        """Hire one."""
        return self.cluster.hire(self.name, wanted.model, setup)

    def find_ffmpeg(self, _configured: str) -> str:
        """The machine finds its own."""
        return ""

    def taken_by(self) -> str:
        """Nobody: Ray gives each card to one."""
        return ""

    def sizes(self, ready: Ready | None) -> Sizes:
        """As its machine said, or, before one is hired, as the one that takes the largest."""
        return Sizes(most_bytes=self.cluster.may_take_bytes if ready is None else ready.most_bytes or None)

    def source(self, opened: Opened, job: Job) -> Source:
        """What the file must be there, too; and where it lies, if the machines see it."""
        recording, path, root = opened.recording, "", ""
        if self.shares_paths and recording.inbox != COMMAND_LINE:
            path, root = str(recording.path), str(self.opener.root(recording))
            if not _is_text(path):
                path = root = ""
        return Source(recording.size_bytes, recording.mtime_ns, job.sha256, path, root)


def _is_text(path: str) -> bool:
    """Whether a name can be said in a message: those of old systems hold bytes that are no text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
