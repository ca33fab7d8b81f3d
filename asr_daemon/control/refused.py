"""A request of the gateway that is not carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.answers import Refusal
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from asr_daemon.control.answers import Code


class RefusedError(OperatorError):
    """A request that is not carried out; ``refusal`` says why, to programs and to people."""

    def __init__(self, code: Code, message: str, chinese: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message, chinese)
