"""The desk where recordings are forgotten, for operators and for those who may edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.clock import to_stamp
from asr_daemon.control import corrections_messages as c
from asr_daemon.sentence import chinese_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.control.correcting import Doorkeeper
    from asr_daemon.control.messages import Told
    from asr_daemon.daemon import Parts
    from asr_daemon.history.readers import Readers

log = structlog.get_logger()


class ForgettingDesk:
    """Serves one request after the other, from any thread."""

    def __init__(self, parts: Parts, readers: Readers, keeper: Doorkeeper) -> None:
        self._parts = parts
        self._readers = readers
        self._keeper = keeper
        self.requests: dict[type, Callable[[Access, Any], Told]] = {
            c.Forget: self._forget,
            c.GetHolding: self._holding,
        }

    def _require(self, person: Access, recording: int) -> None:
        right = Right.OPERATE if Right.OPERATE in person.rights else Right.EDIT
        with self._readers.reader() as history:
            self._keeper.filed(history, person, recording, right)

    def _holding(self, person: Access, request: c.GetHolding) -> c.Holding:
        self._require(person, request.recording)
        held = self._parts.deliverer.forgetter.held(request.recording)
        return c.Holding(held.backups, None if held.until is None else to_stamp(held.until))

    def _forget(self, person: Access, request: c.Forget) -> c.Forgotten:
        self._require(person, request.recording)
        log.info("forgetting_asked", recording=request.recording, access=person.name)
        done = self._parts.deliverer.forgetter.forget(request.recording, person.name)
        self._parts.dispatcher.wake()
        until = done.held.until
        return c.Forgotten(
            done.removed,
            done.kept,
            done.problem,
            chinese_of(done.problem),
            done.held.backups,
            None if until is None else to_stamp(until),
        )
