"""What was said in a session, by number, and what is being said; whoever reads takes it at their own pace.

Readers hold no queue: they ask for what came after the last number that they have, and wait until something
changed. A slow one misses provisional text, and never a caption.
"""

from __future__ import annotations

import asyncio
import collections
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.control.messages import Refusal
    from asr_daemon.transcripts.transcript import Token

Mood = Literal["live", "waiting", "paused", "ending", "over"]
Timed = tuple[int, int, str]  # start_ms, end_ms, token
KEPT_TIMED = 64  # captions whose tokens are kept: for who takes them at once


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence that was said; ``number`` counts 1, 2, 3 ... Times are of the session's sound."""

    number: int
    start_ms: int
    end_ms: int
    text: str
    raw_text: str = ""
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Provisional:
    """The sentence that is being said: ``text`` may change yet, its beginning ``stable`` hardly."""

    start_ms: int
    stable: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands; ``reason`` where it waits, or why it is over. ``path``: where it was put."""

    mood: Mood = "live"
    reason: str = ""
    chinese: str = ""
    path: str = ""


class Signal:
    """Something that changes, and whoever waits for that; the event loop's alone."""

    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()

    def happened(self) -> None:
        """Let everybody who waits look again."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, seen: int) -> int:
        """Wait until the version is another one than that; return it."""
        while self.version == seen:
            await self._changed.wait()
        return self.version


class Captions(Signal):
    """Those of one session."""

    def __init__(self, said: Iterable[Caption] = ()) -> None:
        super().__init__()
        self._said = list(said)
        self._tokens: collections.OrderedDict[int, tuple[Timed, ...]] = collections.OrderedDict()
        self.is_complete = False  # no more captions will come
        self.failure: Refusal | None = None  # why, where the session could not go on
        self.saying: Provisional | None = None
        self.standing = Standing()

    @property
    def count(self) -> int:
        """How many there are: the last one's number."""
        return len(self._said)

    @property
    def end_ms(self) -> int:
        """Where the last one ends."""
        return self._said[-1].end_ms if self._said else 0

    def after(self, number: int) -> list[Caption]:
        """Return those that came after that one."""
        return self._said[max(0, number) :]

    def tokens(self, number: int) -> tuple[Timed, ...]:
        """Return the tokens of one of the last captions."""
        return self._tokens.get(number, ())

    def add(self, caption: Caption, tokens: tuple[Token, ...], base_ms: int) -> None:
        """Publish a caption, whose number is the next one; the tokens' times count from ``base_ms``."""
        self._said.append(caption)
        self._tokens[caption.number] = tuple(
            (base_ms + t.start_ms, base_ms + t.end_ms, t.text) for t in tokens
        )
        while len(self._tokens) > KEPT_TIMED:
            self._tokens.popitem(last=False)
        self.saying = None
        self.happened()

    def say(self, saying: Provisional | None) -> None:
        """Publish what is being said."""
        if saying != self.saying:
            self.saying = saying
            self.happened()

    def complete(self) -> None:
        """Say that no more will come."""
        self.is_complete = True
        self.happened()

    def stand(self, standing: Standing) -> None:
        """Publish how the session stands."""
        if standing != self.standing:
            self.standing = standing
            self.happened()
