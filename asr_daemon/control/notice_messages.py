"""Messages that the gateway sends: what it asks, and what it is answered; part of ``messages``.

Asked by the gateway itself, for nobody: the socket is open to its user alone. No address crosses it, in
either direction: the gateway reads those itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

MOST_SAID_CHARS = 500


@dataclass(frozen=True, slots=True)
class TakeNotices:
    """What is to be sent to a receiver, as soon as there is something.

    Answered by :class:`~asr_daemon.control.answers.Done` now and then, and a last :class:`Notices`. What was
    taken and not settled is given out again.
    """

    target: str
    alone: bool  # nothing is put together
    command: Literal["take_notices"] = "take_notices"


@dataclass(frozen=True, slots=True)
class SettleNotices:
    """What became of a batch; answered by :class:`~asr_daemon.control.answers.Done`."""

    batch: str
    is_sent: bool
    said: Annotated[str, Field(max_length=MOST_SAID_CHARS)]  # by the receiver, without secrets
    after_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0  # it asked for that much time
    was_away: bool = False  # the receiver took nothing for a while before this one
    command: Literal["settle_notices"] = "settle_notices"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. Names, problems and text are as the share has them: trusted in nothing."""

    id: str
    event: str  # as in `on`, or "test"
    at: str  # stamp
    inbox: str  # "": it is about none
    recording: int | None
    file: str  # its path within the inbox
    duration_ms: int  # 0: not known
    code: str  # the failure's class
    problem: str
    problem_zh: str
    text: str | None  # the transcript, where that is wanted
    text_is_cut: bool


@dataclass(frozen=True, slots=True)
class Notices:
    """What is to be sent as one."""

    batch: str  # the same every time
    language: Literal["zh", "en"]
    notices: tuple[Notice, ...]


NoticeRequest = TakeNotices | SettleNotices
