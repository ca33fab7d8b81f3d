"""Live sessions as the device's thread sees them: what is next of them, recognised and said.

Enters: :class:`~asr_daemon.dispatch.protocol.Listen` with a socket. Leaves: events on it, and
:class:`~asr_daemon.dispatch.protocol.Listened` for the daemon at its end. Sentences that are over go first,
the oldest first; then growing ones are read, as far as there is time; a session's failure is its own.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

from asr_daemon.dispatch.protocol import Listened, Listening, Waiting
from asr_daemon.errors import InternalError, OutOfMemoryError
from asr_daemon.recogniser.live.ear import Ear
from asr_daemon.recogniser.live.pace import Pace
from asr_daemon.recogniser.live.session import LiveSession
from asr_daemon.recogniser.live.voices import Namer
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.dispatch.protocol import Listen, Message
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.engine import Engine
    from asr_daemon.recogniser.families.family import Request, Spoken
    from asr_daemon.recogniser.gate import Gate
    from asr_daemon.recogniser.live.session import Growing, Sentence
    from asr_daemon.recogniser.speakers.stage import VoiceStage

BEHIND_S = 3.0  # sound that came faster than anybody speaks, or more of it than the device can read
MOST_S = 30.0  # padded seconds of a batch of sentences: those of others wait for it


class Captions:
    """The live sessions of a recogniser; :meth:`serve` is the device's thread's, the rest anybody's."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        voices: VoiceStage,
        send: Callable[[Message], None],
        note: Note,
        on_news: Callable[[], None],
    ) -> None:
        self.pace = Pace()
        self.is_behind = False  # the sentences said last had waited so long that the queue has a turn between
        self._engine = engine
        self._gate = gate
        self._voices = voices
        self._send = send
        self._note = note
        self._ear = Ear(on_news, lambda: send(Waiting()), self._ended, lambda: self.pace.read_again_s)
        self._has_complained = False  # that a growing sentence could not be read
        self._lock = threading.Lock()
        self._sessions: dict[LiveSession, Namer] = {}

    # ------------------------------------------------------------------ sessions

    @property
    def are_open(self) -> bool:
        """Whether anybody listens."""
        return bool(self._sessions)

    def open(self, order: Listen, fd: int) -> None:
        """Begin a session; word lists are read beside everything else."""
        end = socket.socket(fileno=fd)
        threading.Thread(target=self._open, args=(order, end), name="live, begins", daemon=True).start()

    def _open(self, order: Listen, end: socket.socket) -> None:
        try:
            session = LiveSession(
                order,
                end,
                self._engine.request(order.profile),
                self._engine.begin_detector(order.profile),
                self._engine.own_postprocessor(order.profile),
            )
        except Exception as error:  # noqa: BLE001 (the border of a session)
            end.close()
            self._send(Listened(order.session, 0, 0, InternalError.code, f"{type(error).__name__}: {error}"))
            return
        with self._lock:
            self._sessions[session] = Namer(order, self._voices, self._note)
        self._ear.add(session)

    def _ended(self, session: LiveSession) -> None:
        with self._lock:
            del self._sessions[session]
        code, why = (session.why.code, str(session.why)) if session.why else ("", "")
        self._send(Listened(session.order.session, session.heard_ms, session.segments, code, why))

    def _all(self) -> list[LiveSession]:
        with self._lock:
            return list(self._sessions)

    # ------------------------------------------------------------------ the device

    @property
    def have_work(self) -> bool:
        """Whether :meth:`serve` would do anything."""
        sessions = self._all()
        if any(session.unsaid for session in sessions):
            return True
        return bool(sessions) and self._readers(sessions) != []

    def serve(self, *, queue_waits: bool) -> bool:
        """Recognise what is next; return whether anything was."""
        sessions = self._all()
        if batch := self._oldest(sessions):
            self._finish(batch)
            return True
        growing = self._growing(sessions)
        if growing:
            began_s = time.monotonic()
            self._read(growing)
            self.pace.was_read(began_s, time.monotonic(), queue_waits=queue_waits)
        return bool(growing)

    def _growing(self, sessions: list[LiveSession]) -> list[Growing]:
        """Return sentences of one request that are to be read now, one for each thread of the device."""
        growing: list[Growing] = []
        for session in sorted(self._readers(sessions), key=lambda one: one.read_at_s):
            with session.lock:
                if session.wants_reading and all(session.request == one.session.request for one in growing):
                    growing.append(session.growing(time.monotonic()))
            if len(growing) == self._engine.threads:
                break
        return growing

    def _readers(self, sessions: list[LiveSession]) -> list[LiveSession]:
        """Return the sessions whose growing sentence may be read now."""
        if time.monotonic() < self.pace.read_again_s:
            return []
        return [session for session in sessions if session.wants_reading]

    def _oldest(self, sessions: list[LiveSession]) -> list[Sentence]:
        """Return the sentences of one request that are longest over, as many as make a batch."""
        waiting: list[Sentence] = []
        for session in sessions:
            with session.lock:
                waiting += session.unsaid
        waiting.sort(key=lambda one: one.since_s)
        most_samples = min(MOST_S, self._engine.limit.bound_s) * SAMPLE_RATE_HZ
        batch: list[Sentence] = []
        longest = 0
        for one in waiting:
            longest_with = max(longest, len(one.stretch.samples))
            is_over = longest_with * (len(batch) + 1) > most_samples
            if batch and (is_over or len(batch) == self._engine.most_in_batch):
                break
            if not batch or one.session.request == batch[0].session.request:
                batch.append(one)
                longest = longest_with
        return batch

    def _finish(self, batch: list[Sentence]) -> None:
        """Recognise sentences that are over, and say them."""
        began_s = time.monotonic()
        request = batch[0].session.request
        decoder = self._engine.decoder
        try:
            ready = [decoder.prepare(one.stretch.samples, one.stretch.bank) for one in batch]
            spoken = decoder.transcribe(ready, request)
        except Exception as error:  # noqa: BLE001 (the border of the sessions in this batch)
            for session in {one.session for one in batch}:
                self._fail(session, InternalError(f"{type(error).__name__}: {error}"))
            return
        for one, said in zip(batch, spoken, strict=True):
            try:
                self._say(one, said, request)
            except Exception as error:  # noqa: BLE001 (the border of a session)
                self._fail(one.session, InternalError(f"{type(error).__name__}: {error}"))
        self._ear.wake()
        oldest_s = time.monotonic() - min(one.since_s for one in batch)
        self.is_behind = oldest_s > BEHIND_S
        self._send(Listening(round((time.monotonic() - began_s) * 1000), round(oldest_s * 1000)))

    def _say(self, one: Sentence, said: Spoken, request: Request) -> None:
        session, stretch = one.session, one.stretch
        if "out_of_memory" in said.flags:
            told = f"Not even a second of it fits into the memory of {self._engine.device}."
            self._fail(session, OutOfMemoryError(told))
            return
        kept = self._gate.check(stretch.samples, said, request)
        segment = session.postprocessor.segment(session.segments, stretch.start_ms, stretch.end_ms, kept)
        namer = self._sessions.get(session)
        speaker = namer.name(stretch) if namer is not None and segment.text else ""
        with session.lock:
            session.say_final(one, segment, speaker)

    def _read(self, growing: list[Growing]) -> None:
        """Read growing sentences; where they cannot be read, their final words come all the same."""
        decoder = self._engine.decoder
        try:
            ready = [decoder.prepare(each.samples) for each in growing]
            spoken = decoder.transcribe(ready, growing[0].session.request)
        except Exception as error:  # noqa: BLE001 (a reading is no more than that)
            if not self._has_complained:
                self._has_complained = True
                self._note("warning", "live_reading_failed", {"error": f"{type(error).__name__}: {error}"})
            return
        for each, said in zip(growing, spoken, strict=True):
            with each.session.lock:
                each.session.say_interim(each, said)
        self._ear.wake()

    def _fail(self, session: LiveSession, error: InternalError | OutOfMemoryError) -> None:
        with session.lock:
            session.fail(error)
        self._ear.wake()
