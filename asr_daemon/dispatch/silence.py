"""For how long a recogniser with work in hand has said nothing that shows progress: so a hang is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.dispatch.protocol import Note, Waiting

if TYPE_CHECKING:
    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.protocol import Message


class Silence:
    """One recogniser's; what passes while we ourselves are stopped, or blocked, is not held against it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard_s = self._listened_s = 0.0

    def begin(self) -> None:
        """It was given something: count from now."""
        self._heard_s = self._listened_s = self._clock.monotonic_s()

    def listen(self, stall_s: float) -> None:
        """Somebody is about to listen, who should have done so within that time."""
        now_s = self._clock.monotonic_s()
        if now_s - self._listened_s > stall_s / 2:
            self._heard_s = now_s

    def heard(self, message: Message | None) -> float:
        """Take what was said, None is nothing; return for how long there has been silence."""
        self._listened_s = self._clock.monotonic_s()
        if message is not None and not isinstance(message, (Note, Waiting)):
            self._heard_s = self._listened_s
        return self._listened_s - self._heard_s
