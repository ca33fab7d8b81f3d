"""What the child has said and the daemon has not yet committed.

A batch is begun only when nothing else of its recordings is on its way into the history: then a kill,
whenever it comes, costs a recording the one batch in hand. Other recordings' batches do not wait for it.
"""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Receipts:
    """Counts segments' messages out and the daemon's receipts in; any thread may."""

    def __init__(self) -> None:
        self._due: collections.Counter[int] = collections.Counter()
        self._changed = threading.Condition()

    def expect(self, order: int) -> None:
        """Segments of that order are being said."""
        with self._changed:
            self._due[order] += 1

    def arrived(self, order: int) -> None:
        """The daemon has committed one message of that order."""
        with self._changed:
            self._due[order] -= 1
            self._due = +self._due
            self._changed.notify_all()

    def wait(self, orders: Collection[int], is_over: Callable[[], bool]) -> bool:
        """Wait until nothing of these orders is due, or (after :meth:`wake`) until it is over.

        Returns whether nothing is due.
        """
        with self._changed:
            self._changed.wait_for(lambda: is_over() or not any(self._due[order] for order in orders))
            return not any(self._due[order] for order in orders)

    def wake(self) -> None:
        """Let whoever waits ask whether it is over."""
        with self._changed:
            self._changed.notify_all()
