"""Somebody who speaks into a live session: sends sound, hears events, and knows when each came."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.transcripts import live

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    E = TypeVar("E", bound=live.Event)

PATIENCE_S = 90.0


@dataclass
class Talker:
    """One end of a session's socket."""

    end: socket.socket
    session: int = 0
    events: list[live.Event] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)  # when each came, of the monotonic clock
    garbage: bytes = b""  # what came behind the last whole line

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def listen(self) -> Talker:
        """Read what is said from now on."""
        self._thread.start()
        return self

    def say(self, sound: bytes) -> None:
        """Send sound, as fast as it is taken."""
        self.end.sendall(sound)

    def end_speech(self) -> None:
        """No more sound comes."""
        self.end.shutdown(socket.SHUT_WR)

    def wait(self, until: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Wait until something is so; fail where it is not in time, or cannot be any more."""
        with self._changed:
            self._changed.wait_for(lambda: until() or self._is_over, within_s)
        assert until(), f"{len(self.events)} events, the last: {self.events[-3:]}"

    def wait_for_end(self, within_s: float = PATIENCE_S) -> None:
        """Wait until nothing more can be said."""
        self.wait(lambda: self._is_over, within_s)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of that kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        """What was said as final."""
        return "".join(final.text for final in self.of(live.Final))

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                data = self.end.recv(1 << 16)
            except OSError:
                data = b""
            now_s = time.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            with self._changed:
                self.events += map(live.decode, lines)
                self.times_s += [now_s] * len(lines)
                self.garbage, self._is_over = rest, not data
                self._changed.notify_all()
            if not data:
                return


class LoudnessNetwork:
    """Stands for the network of silero-vad: a frame is speech when it is not quiet."""

    def begin(self) -> None:
        """Nothing is carried over."""

    def probabilities(self, samples: np.ndarray, _state: None) -> np.ndarray:
        """Return one probability a frame."""
        return (np.abs(samples).reshape(-1, 512).max(axis=1) > QUIET) * 1.0


QUIET = 0.05


def loud(seconds: float, tenth: int) -> bytes:
    """Return a tone of that loudness, in tenths of full scale."""
    return (np.resize([tenth / 10, -tenth / 10], int(seconds * 16_000)) * 32767).astype("<i2").tobytes()


def quiet(seconds: float) -> bytes:
    """Return silence."""
    return bytes(2 * int(seconds * 16_000))
