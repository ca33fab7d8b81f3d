"""Settled files, read: each inbox's in a lane of its own; how it ended is told in the intake's thread.

Enters: orders. Leaves: how each ended. An inbox's share is asked first whether it answers.
"""

from __future__ import annotations

import queue as thread_queue
from typing import TYPE_CHECKING

from asr_daemon.inboxes.admission import is_recording, read_settled
from asr_daemon.inboxes.lane import Lane, NoRecording, begin_here, begin_in_a_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.inboxes.lane import Ended, Order, Progress, Read
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.inbox_profiles import InboxProfiles

ANSWERED_FOR_S = 1.0  # a share may hold a hundred thousand photographs: it is not asked before each


class Reader:
    """The lanes of all inboxes; :meth:`put` and :meth:`ended` from the intake's thread, the rest from any."""

    def __init__(
        self,
        config: Callable[[], Config],
        shares: Shares,
        profiles: InboxProfiles,
        clock: Clock,
        is_stopping: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        self._config = config
        self._shares = shares
        self._profiles = profiles
        self._clock = clock
        self._is_stopping = is_stopping
        self._on_end = on_end
        self._lanes: dict[str, Lane] = {}
        self._begin = begin_here  # until it runs
        self._ended: thread_queue.SimpleQueue[tuple[str, Order, Ended]] = thread_queue.SimpleQueue()
        self._answered_s: dict[str, float] = {}

    def run_beside(self) -> None:
        """Read in threads from now on."""
        self._begin = begin_in_a_thread

    def put(self, inbox: str, order: Order) -> None:
        """Have a file read."""
        self._lane(inbox).put(order)

    def ended(self) -> Iterator[tuple[str, Order, Ended]]:
        """Yield what was read: the inbox, the order, and the result or why there is none."""
        while not self._ended.empty():
            inbox, order, result = self._ended.get()
            self._lane(inbox).release(order)
            yield inbox, order, result

    def has(self, inbox: str, path: str) -> bool:
        """Return whether a file waits to be read, or is."""
        lane = self._lanes.get(inbox)
        return lane is not None and path in lane

    def progress(self, inbox: str) -> Progress | None:
        """Return how far the recording is that is being read in an inbox; None while there is none."""
        lane = self._lanes.get(inbox)
        return None if lane is None else lane.progress

    def _lane(self, inbox: str) -> Lane:
        def on_end(order: Order, result: Ended) -> None:
            self._ended.put((inbox, order, result))
            self._on_end()

        if inbox not in self._lanes:
            self._lanes[inbox] = Lane(lambda order, lane: self._read(inbox, order, lane), on_end, self._begin)
        return self._lanes[inbox]

    def _read(self, inbox: str, order: Order, lane: Lane) -> Read | NoRecording:
        section = self._config().require_inbox(inbox)
        self._require(section, order)
        if order.candidate.needs_look and not is_recording(order, section):
            return NoRecording(order.candidate)
        profile = self._profiles.profile(inbox)
        return read_settled(order, section, profile, lane, lambda: self._is_given_up(inbox))

    def _require(self, section: InboxSection, order: Order) -> None:
        now_s = self._clock.monotonic_s()
        if order.candidate.needs_look and now_s - self._answered_s.get(section.name, -1e9) < ANSWERED_FOR_S:
            return
        self._shares.require(section)
        self._answered_s[section.name] = now_s

    def _is_given_up(self, inbox: str) -> bool:
        return self._is_stopping() or self._config().find_inbox(inbox) is None
