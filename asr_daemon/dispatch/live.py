"""Live sessions on the daemon's side: who has one, on which recogniser, and how many there may be.

Enters: a wish for one, with the socket that the recogniser is to speak on. Leaves: the socket in its hands,
or the reason why not. Sound and captions never pass here. A recogniser that is lost takes its sessions along:
their sockets end, and whoever spoke there begins another.
"""

from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.in_work import LiveWork, Phase
from asr_daemon.dispatch.protocol import Listen, Listened, Listening, Waiting
from asr_daemon.errors import (
    InternalError,
    LiveError,
    LiveFullError,
    RecogniserNotStartedError,
    WorkError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.dispatch.keeper import Recogniser
    from asr_daemon.dispatch.protocol import Known
    from asr_daemon.dispatch.session import Session
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()

OPENS_WITHIN_S = 660.0  # a model may take ten minutes to load


class Wish:
    """A session that somebody waits for."""

    def __init__(self, order: Listen, inbox: str, descriptor: int) -> None:
        self.order = order
        self.inbox = inbox
        self.descriptor = os.dup(descriptor)
        self.is_answered = threading.Event()
        self.error: WorkError | None = None
        self._lock = threading.Lock()
        self._is_left = False

    def carry_out(self, give: Callable[[Wish], None]) -> None:
        """Give it to a recogniser, unless nobody waits any more; what prevents that is the answer."""
        with self._lock:
            if self._is_left:
                return
            try:
                give(self)
            except WorkError as error:
                self.error = error
            except BaseException:
                self.error = InternalError("The session could not be begun.")
                raise
            finally:
                self._answer()

    def refuse(self, error: WorkError) -> None:
        """Answer that it cannot be."""
        with self._lock:
            if not self._is_left:
                self.error = error
                self._answer()

    def leave(self) -> None:
        """Wait no more."""
        with self._lock:
            if not self.is_answered.is_set():
                self._is_left = True
                os.close(self.descriptor)

    def _answer(self) -> None:
        os.close(self.descriptor)
        self._is_left = True
        self.is_answered.set()


class RecognisersLive:
    """The live sessions of one recogniser; but for :meth:`add`, its session's thread's own."""

    def __init__(self, state: SessionState, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._wishes: list[Wish] = []
        self._lock = threading.Lock()
        self._recogniser: Recogniser | None = None
        self._waits_since_s: float | None = None  # a sentence for the device, as the recogniser says
        self._is_closed = False

    def add(self, wish: Wish) -> None:
        """Take a wish; from any thread."""
        with self._lock:
            if not self._is_closed:
                self._wishes.append(wish)
                return
        wish.refuse(RecogniserNotStartedError("The daemon is stopping."))

    @property
    def is_wished_for(self) -> bool:
        """Whether somebody waits for a session."""
        return bool(self._wishes)

    @property
    def count(self) -> int:
        """How many there are, those that are waited for among them."""
        return len(self._state.live) + len(self._wishes)

    def give(self, ready: Callable[[], Recogniser]) -> None:
        """Hand out what is wished for; ``ready`` returns the recogniser, loaded."""
        while self._wishes:
            try:
                self._wishes[0].carry_out(lambda wish: self._give(wish, ready()))
            finally:
                with self._lock:
                    del self._wishes[0]  # it counts until now

    def _give(self, wish: Wish, recogniser: Recogniser) -> None:
        recogniser.send(wish.order, wish.descriptor)
        self._recogniser = recogniser
        number = wish.order.session
        self._state.live[number] = LiveWork(number, wish.inbox, self._clock.monotonic_s())
        self._state.live_begun += 1
        log.info("live_session_opened", session=number, inbox=wish.inbox, recogniser=self._state.name)

    def take(self, message: Listened | Listening | Waiting) -> None:
        """Hear how it goes, or that a session has ended."""
        if isinstance(message, Waiting):
            self._waits_since_s = self._waits_since_s or self._clock.monotonic_s()
            return
        self._waits_since_s = None
        if isinstance(message, Listened):
            self._end(message)

    def waits_s(self) -> float:
        """Return for how long sentences have waited for a device that says none."""
        return 0.0 if self._waits_since_s is None else self._clock.monotonic_s() - self._waits_since_s

    def _end(self, message: Listened) -> None:
        work = self._state.live.pop(message.session, None)
        if work is None:
            return
        self._state.live_ms += message.heard_ms
        say = log.warning if message.code else log.info
        say(
            "live_session_ended",
            session=message.session,
            inbox=work.inbox,
            recogniser=self._state.name,
            heard_ms=message.heard_ms,
            segments=message.segments,
            **({"error": message.code, "problem": message.message} if message.code else {}),
        )

    def look(self, recogniser: Recogniser | None) -> None:
        """See whether the recogniser that the sessions are with is still the one that is there."""
        if recogniser is self._recogniser:
            return
        self._recogniser = self._waits_since_s = None
        for number, work in list(self._state.live.items()):
            del self._state.live[number]
            log.warning("live_session_lost", session=number, inbox=work.inbox, recogniser=self._state.name)

    def close(self) -> None:
        """Refuse what is waited for: the daemon ends."""
        with self._lock:
            self._is_closed = True
        for wish in self._wishes:
            wish.refuse(RecogniserNotStartedError("The daemon is stopping."))
        self._wishes.clear()
        self.look(None)


class LiveTable:
    """All live sessions of a daemon."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self.most = 0
        self._sessions = sessions
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def open(
        self, inbox: str, profile: Profile, people: tuple[Known, ...], descriptor: int, *, interim: bool
    ) -> int:
        """Let a recogniser caption what comes by that socket; return the session's number.

        Waits for the model where none is loaded. The descriptor stays the caller's to close. Raises
        :class:`~asr_daemon.errors.LiveFullError`, or why no recogniser could take it.
        """
        with self._lock:
            sessions = list(self._sessions.values())
            if sum(session.live.count for session in sessions) >= self.most:
                raise LiveFullError(f"{self.most} live sessions are open, as many as may be (engine.live).")
            number = next(self._numbers)
            session = min(sessions, key=_busyness)
            wish = Wish(Listen(number, profile, interim, people), inbox, descriptor)
            session.live.add(wish)
        session.wake.set()
        if not wish.is_answered.wait(OPENS_WITHIN_S):
            wish.leave()
            raise LiveError("No recogniser was free to listen.")
        if wish.error is not None:
            raise wish.error
        return number


def _busyness(session: Session) -> tuple[bool, int, int]:
    state = session.state
    return state.phase is Phase.BLOCKED, session.live.count, len(state.in_work)
