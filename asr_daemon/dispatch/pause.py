"""How long a session leaves everything alone after what it cannot mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.clock import Clock

AGAIN_S = 2.0
LONGEST_S = 300.0


class Pause:
    """Until when, and after how many troubles in a row."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s = 0.0
        self._troubles = 0
        self._said = ""

    @property
    def is_on(self) -> bool:
        """Whether everything is left alone still."""
        return self._clock.monotonic_s() < self._until_s

    def begin(self, said: str, *, longer: bool) -> bool:
        """Pause, twice as long as before where ``longer``; return whether the trouble is news."""
        is_news, self._said = said != self._said, said
        wait_s = min(LONGEST_S, AGAIN_S * 2.0 ** min(self._troubles, 16)) if longer else AGAIN_S
        self._troubles += 1
        self._until_s = self._clock.monotonic_s() + wait_s
        return is_news

    def forget(self) -> None:
        """A round went well: the next trouble is the first."""
        self._troubles, self._said = 0, ""
