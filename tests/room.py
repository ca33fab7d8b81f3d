"""A consumer in its surroundings, with a recogniser that does as it is told."""

from __future__ import annotations

import collections
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from way import RECOGNISER, Way, segment

from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.claims import MOST_AT_ONCE
from asr_daemon.dispatch.hiring import LocalHiring
from asr_daemon.dispatch.loading import LoadGate
from asr_daemon.dispatch.losses import Losses
from asr_daemon.dispatch.opening import Opener
from asr_daemon.dispatch.precision_memory import PrecisionMemory
from asr_daemon.dispatch.session import Session
from asr_daemon.dispatch.surroundings import Surroundings
from asr_daemon.errors import ConfigurationError, EngineUnavailableError, RecogniserCrashedError
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

    from way import HandClock

Script = "Callable[[protocol.Recognise, bytes], list[object]]"


@dataclass
class Model:
    """A model that is there, or not."""

    identity: str = "model@1"
    name: str = "model"
    label: str = "model"
    family: str = "seaco_paraformer"
    folder: str = "/model"
    vad_folder: str = ""
    punctuation_folder: str = ""
    is_builtin: bool = False
    speaker_model: str = "campplus@1"
    speaker_folder: str = "/campplus"


@dataclass
class Profiles:
    """Profiles of one inbox."""

    model_or_error: Model | EngineUnavailableError = field(default_factory=Model)
    hotwords: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        """The model, or why there is none."""
        if isinstance(self.model_or_error, EngineUnavailableError):
            raise self.model_or_error
        return self.model_or_error

    @property
    def identity(self) -> str:
        """The model's name in a profile."""
        gone = isinstance(self.model_or_error, EngineUnavailableError)
        return "missing" if gone else self.model_or_error.identity

    def profile(self, inbox: str) -> Profile:
        """Return the inbox's profile of now; the command line's has no hotwords."""
        return Profile(self.identity, hotwords=self.hotwords if inbox else ())


class Scripted:
    """A recogniser that answers each order with the script's messages; an error among them is its end."""

    pid = 4711

    def __init__(self, time: HandClock, script: Script, first: object) -> None:
        self.time = time
        self.script = script
        self.said: collections.deque[object] = collections.deque([first])
        self.orders: list[protocol.Recognise] = []
        self.cancelled: list[int] = []
        self.listens: list[protocol.Listen] = []
        self.is_alive = True

    def send(self, message: protocol.Message, fd: int | None = None) -> None:
        """Take an order."""
        if not self.is_alive:
            raise RecogniserCrashedError
        if isinstance(message, protocol.Cancel):
            self.cancelled.append(message.order)
            return
        if isinstance(message, protocol.Listen):
            self.listens.append(message)
            return
        assert isinstance(message, protocol.Recognise)
        assert fd is not None
        self.orders.append(message)
        self.said += self.script(message, os.pread(fd, 1000, 0))

    def receive(self, timeout_s: float) -> protocol.Message | None:
        """Say the next thing; silence lets the time pass."""
        if not self.said:
            self.time.pass_s(timeout_s)
            return None
        message = self.said.popleft()
        if isinstance(message, Exception):
            self.is_alive = False
            raise message
        return message  # type: ignore[return-value]

    def kill(self) -> None:
        """End."""
        self.is_alive = False

    def abort(self) -> str:
        """End, and say where it hung."""
        self.is_alive = False
        return "hung in forward"

    def stop(self, timeout_s: float) -> bool:
        """End obediently."""
        self.is_alive = False
        return True


def well(order: protocol.Recognise, content: bytes) -> list[object]:
    """Recognise two segments."""
    done = {number for number, _, _ in order.done}
    texts = tuple(segment(number, f"{content.decode()}{number}") for number in range(2) if number not in done)
    places = tuple((number, number * 1000, number * 1000 + 1000) for number in range(2))
    return [
        protocol.Segmented(order.order, places),
        protocol.Recognised(order.order, texts),
        protocol.Finished(order.order, 2000, 2),
    ]


class Room:
    """A consumer in its surroundings; ``script`` may be changed at any time."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.way = Way(folder, **settings)  # type: ignore[arg-type]
        self.time = self.way.time
        self.profiles = Profiles()
        self.script: Script = well
        self.has_ffmpeg = True
        self.first: object = protocol.Ready("cpu", "model", 1)
        self.started: list[Scripted] = []
        self.setups: list[protocol.Setup] = []
        way = self.way
        self.deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, self.time.clock)
        self.opener = Opener(
            way.config,
            way.arrivals,
            self.profiles,  # type: ignore[arg-type]
            way.shares,
            self.time.clock,
        )
        self.around = Surroundings(
            jobs=way.jobs,
            segments=way.segments,
            settings=way.settings,
            profiles=self.profiles,  # type: ignore[arg-type]
            opener=self.opener,
            deliverer=self.deliverer,
            clock=self.time.clock,
            gate=LoadGate(self.time.clock, PrecisionMemory(folder)),
            start_recogniser=lambda setup: self.start(setup),  # noqa: PLW0108 (a test may set another)
            find_ffmpeg=self.find_ffmpeg,
        )
        self.session = self.begin_session(RECOGNISER)

    def begin_session(self, name: str, device: str = "auto", **sharing: Any) -> Session:
        """Return a session that is stepped by the test and never sleeps."""
        sharing.setdefault("fair_share", lambda: MOST_AT_ONCE)
        hiring = LocalHiring(self.around, device, sharing.pop("sharers", 1))
        session = Session(name, hiring, self.way.config.engine, self.around, Losses(), **sharing)
        session.wake.set = session.wake.clear = lambda: None  # type: ignore[method-assign]
        session.wake.wait = lambda _timeout=None: True  # type: ignore[assignment,method-assign]
        return session

    def find_ffmpeg(self, configured: str) -> str:
        """Find it, unless it is gone."""
        if not self.has_ffmpeg:
            raise ConfigurationError(["engine.ffmpeg: no ffmpeg on this machine"])
        return configured or "/usr/bin/ffmpeg"

    def start(self, setup: protocol.Setup) -> Scripted:
        """Start a recogniser."""
        self.setups.append(setup)
        self.started.append(Scripted(self.time, self.answer, self.first))
        return self.started[-1]

    def answer(self, order: protocol.Recognise, content: bytes) -> list[object]:
        """Answer by the script of now."""
        return self.script(order, content)  # type: ignore[operator]

    def run(self, *, steps: int = 400, pause_s: float = 0.0) -> None:
        """Let the consumer work until it has nothing to do, or for so many steps."""
        for _ in range(steps):
            self.session.step()
            self.time.pass_s(pause_s)
            if (
                not self.session.state.in_work
                and not self.way.history.all("interrupted_jobs", held="[]")
                and not pause_s
            ):
                return

    def states(self) -> dict[str, str]:
        """Return the state of each file's job."""
        rows = self.way.history.all("history", inboxes=None, state=None, since=None, limit=1000)
        return {row["name"]: row["job_state"] for row in rows}

    @property
    def orders(self) -> list[protocol.Recognise]:
        """Everything that any recogniser was told."""
        return [order for recogniser in self.started for order in recogniser.orders]
