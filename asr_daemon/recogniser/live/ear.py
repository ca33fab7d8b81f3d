"""The thread that listens: it reads sound, finds sentences, and sends what waits for a reader.

Enters: sessions. Leaves: their sound in their hands, and sessions that ended, closed. It waits for sockets
alone, never for a reader or for the device: one that is behind is not read, so that its sender waits.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

import torch

from asr_daemon.errors import InternalError, LiveNotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.recogniser.live.session import LiveSession

AT_ONCE_BYTES = 1 << 15  # a second of sound: one session does not keep the others waiting
PARTING_S = 5.0  # that the last words wait for a reader
TOLD_AFTER_S = 10.0  # that a sentence waits for the device


class Ear:
    """Listens to every session.

    ``on_news``: the device may have something to do; ``on_wait``: a sentence has waited for it for long;
    ``on_end``: a session ended. ``reads_at_s`` says when the device reads growing sentences again, of the
    monotonic clock.
    """

    def __init__(
        self,
        on_news: Callable[[], None],
        on_wait: Callable[[], None],
        on_end: Callable[[LiveSession], None],
        reads_at_s: Callable[[], float],
    ) -> None:
        self._on_news = on_news
        self._on_wait = on_wait
        self._told_s = 0.0  # when that was said last
        self._reads_at_s = reads_at_s
        self._on_end = on_end
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._arrived: list[LiveSession] = []
        self._sessions: dict[LiveSession, float] = {}  # and when its parting ends
        self._thread: threading.Thread | None = None

    def add(self, session: LiveSession) -> None:
        """Listen to one more."""
        with self._lock:
            self._arrived.append(session)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
                self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Look at the sessions again: something was said, or there is room."""
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"\0")

    def _run(self) -> None:
        torch.set_num_threads(1)  # small windows: threads would wait for one another
        while True:
            with self._lock:
                arrived, self._arrived = self._arrived, []
            self._sessions.update(dict.fromkeys(arrived, 0.0))
            now_s = time.monotonic()
            for session in list(self._sessions):
                self._arrange(session, now_s)
            ready = self._selector.select(self._rest_s(now_s))
            for key, events in ready:
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._wakes.recv(4096)
                else:
                    self._serve(key.data, events)
            self._on_news()
            self._tell_who_waits(time.monotonic())

    def _tell_who_waits(self, now_s: float) -> None:
        since_s = self._waiting_since_s()
        if since_s is not None and now_s - max(since_s, self._told_s) >= TOLD_AFTER_S:
            self._told_s = now_s
            self._on_wait()

    def _waiting_since_s(self) -> float | None:
        """Return since when the oldest sentence waits, if any does."""
        since_s = []
        for session in self._sessions:
            with session.lock:
                since_s += [one.since_s for one in session.unsaid]
        return min(since_s, default=None)

    def _rest_s(self, now_s: float) -> float | None:
        """Return how long there is nothing to do unless something comes; None where there is no end to it."""
        moments = [until_s for until_s in self._sessions.values() if until_s]
        if any(session.wants_reading for session in self._sessions):
            moments += [at_s for at_s in (self._reads_at_s(),) if at_s > now_s]
        if (since_s := self._waiting_since_s()) is not None:
            moments.append(max(since_s, self._told_s) + TOLD_AFTER_S)
        return max(0.0, min(moments) - now_s) if moments else None

    def _arrange(self, session: LiveSession, now_s: float) -> None:
        """Wait for what the session waits for, or end it."""
        with session.lock:
            events = selectors.EVENT_READ if session.takes_sound else 0
            events |= 0 if session.outbox.is_empty else selectors.EVENT_WRITE
            is_gone = session.outbox.is_broken or (session.is_over and session.outbox.is_empty)
            if session.is_over and not is_gone:
                self._sessions[session] = self._sessions[session] or now_s + PARTING_S
                is_gone = now_s >= self._sessions[session]
        registered = self._selector.get_map().get(session.socket)
        if is_gone or not events:
            if registered is not None:
                self._selector.unregister(session.socket)
        elif registered is None:
            self._selector.register(session.socket, events, session)
        elif registered.events != events:
            self._selector.modify(session.socket, events, session)
        if is_gone:
            del self._sessions[session]
            self._close(session)

    def _serve(self, session: LiveSession, events: int) -> None:
        with session.lock:
            if events & selectors.EVENT_WRITE:
                session.outbox.flush()
            if not events & selectors.EVENT_READ:
                return
            try:
                data = session.socket.recv(AT_ONCE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                session.outbox.is_broken = True
                return
            try:
                if data:
                    session.hear(data, time.monotonic())
                else:
                    session.finish(time.monotonic())
            except Exception as error:  # noqa: BLE001 (the border of a session)
                session.fail(InternalError(f"{type(error).__name__}: {error}"))

    def _close(self, session: LiveSession) -> None:
        with session.lock:
            if not session.is_over:  # the reader went before the end
                session.is_over, session.why = True, LiveNotReadError("The reader has gone.")
                session.unsaid.clear()
            with contextlib.suppress(OSError):
                session.socket.shutdown(socket.SHUT_RDWR)
            session.socket.close()
        self._on_end(session)
