"""The address that logs a browser in once: what `demo --console` prints.

``$ASR_DAEMON_ENTER_ONCE`` holds the word in the address and the token that it stands for, "WORD TOKEN"; it is
taken out of the environment when the gateway starts, and is of no use after the first visit.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import threading

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.who import Daemon, set_cookie

router = APIRouter(include_in_schema=False)

VARIABLE = "ASR_DAEMON_ENTER_ONCE"
USED = m.Refusal("not_found", "this address was good for one visit, and is used up", "这个链接已失效。")


class Entrance:
    """The one visit that is left, if there is one; any thread."""

    def __init__(self) -> None:
        self._word, _, self._token = os.environ.pop(VARIABLE, "").partition(" ")
        self._lock = threading.Lock()

    def take(self, word: str) -> str:
        """Return the token of that word, once; "" where it is none."""
        with self._lock:
            if not self._word or not hmac.compare_digest(word.encode(), self._word.encode()):
                return ""
            token, self._word, self._token = self._token, "", ""
        return token


@router.get("/enter/{word}")
async def enter(request: Request, daemon: Daemon, word: str) -> Response:
    """Log the browser in and show it the first page."""
    entrance: Entrance = request.app.state.entrance
    token = entrance.take(word)
    if not token:
        raise AnsweredError(USED)
    begun = await asyncio.to_thread(daemon.ask, m.LoggedIn, m.LogIn(token))
    response = RedirectResponse("/", status_code=303)
    set_cookie(request, response, begun)
    return response
