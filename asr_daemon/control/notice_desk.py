"""What the gateway is to send, given out batch by batch, and what became of it.

Enters: the gateway's own requests. Leaves: batches with all that a message may say. Nothing is remembered
of what was given out: a gateway, or a daemon, that is killed in between sends again what nobody settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.control import messages as m
from asr_daemon.control import notice_messages as n
from asr_daemon.errors import work_error
from asr_daemon.history.in_force import read_in_force
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Generator

    from asr_daemon.config_notify import NotifySection
    from asr_daemon.daemon import Parts
    from asr_daemon.history.outbox import Batch, Row
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()

HEARTBEAT_S = 5.0  # how soon a gateway that went is noticed
QUIET_S = 0.25  # several commits are looked at together
MOST_TEXT_CHARS = 20_000
MOST_PROBLEM_CHARS = 1000


class NoticeDesk:
    """Serves the gateway's two requests, each over a connection of its own."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._outbox = parts.upkeep.outbox

    def take(self, ask: m.Ask, _descriptor: int | None) -> Generator[m.Told, None, None]:
        """Wait until something is to be sent; give it out."""
        request = ask.request
        assert isinstance(request, n.TakeNotices)  # noqa: S101 (it is called for that)
        version: int | None = 0
        beat_s = self._parts.clock.monotonic_s()
        while version is not None:
            section, wait_s = self._section(request.target), HEARTBEAT_S
            if section is not None:
                due = self._outbox.due(section, alone=request.alone)
                if due.batch is not None:
                    yield self._told(section, due.batch)
                    return
                wait_s = min(wait_s, due.ask_again_s)
            if (now_s := self._parts.clock.monotonic_s()) >= beat_s:
                beat_s = now_s + HEARTBEAT_S
                yield m.Done()  # fails where the gateway has gone
            version = self._parts.changes.after(version, within_s=wait_s, quiet_s=QUIET_S)

    def settle(self, ask: m.Ask, _descriptor: int | None) -> Generator[m.Told, None, None]:
        """Take note of what became of a batch, and tell the journal."""
        request = ask.request
        assert isinstance(request, n.SettleNotices)  # noqa: S101 (it is called for that)
        said = printable(request.said)
        state = self._outbox.settle(
            request.batch,
            is_sent=request.is_sent,
            said=said,
            after_s=request.after_s,
            was_away=request.was_away,
        )
        if state == "sent":
            log.info("message_sent", message=request.batch)
        elif state == "waiting":
            log.warning("message_not_sent", message=request.batch, problem=said)
        elif state:
            log.error("message_given_up", message=request.batch, problem=said)
        yield m.Done()

    def _section(self, name: str) -> NotifySection | None:
        return next((each for each in self._parts.config.notify if each.name == name), None)

    def _told(self, section: NotifySection, batch: Batch) -> n.Notices:
        includes_text = section.include_text and len(batch.rows) == 1  # a digest is names
        return n.Notices(
            batch.id, section.language, tuple(self._notice(row, includes_text) for row in batch.rows)
        )

    def _notice(self, row: Row, includes_text: bool) -> n.Notice:
        parts = self._parts
        filed = None
        if row.recording is not None:
            filed = Recordings(parts.history, parts.clock).get(row.recording)
        chinese = row.problem_zh
        if not chinese and row.code:
            chinese = work_error(row.code).sentence.chinese
        text = self._text(filed) if filed is not None and includes_text and row.event == "done" else None
        return n.Notice(
            id=row.uid,
            event=row.event,
            at=row.created_at,
            inbox=row.inbox,
            recording=row.recording,
            file=parts.config.shown_path(row.inbox, filed.recording.path) if filed else "",
            duration_ms=filed.work.duration_ms if filed and filed.work else 0,
            code=row.code,
            problem=row.problem[:MOST_PROBLEM_CHARS],
            problem_zh=chinese[:MOST_PROBLEM_CHARS],
            text=None if text is None else text[:MOST_TEXT_CHARS],
            text_is_cut=text is not None and len(text) > MOST_TEXT_CHARS,
        )

    def _text(self, filed: Filed) -> str | None:
        """Return the text in force; None where it was forgotten, or is being recognised again."""
        if filed.work is None or filed.work.state is not JobState.DONE:
            return None
        return "\n".join(segment.text for segment in read_in_force(self._parts.history, filed))
