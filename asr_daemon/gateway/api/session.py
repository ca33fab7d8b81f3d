"""Logging in and out, and who one is. Wrong tokens are told in the journal, and cost their address time."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Annotated

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, StringConstraints

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.who import COOKIE, Daemon, Secret, require_own_page, set_cookie

log = structlog.get_logger()
router = APIRouter(tags=["session"])

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
FORGIVEN_AFTER_S = 900.0
MOST_ADDRESSES = 10_000


class Token(BaseModel):
    """What `asr-daemon access add` printed."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Patience:
    """How long an address waits that sent wrong tokens: twice as long with each."""

    def __init__(self) -> None:
        self._failed: collections.OrderedDict[str, tuple[int, float]] = collections.OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how long its next log-in has to wait, in seconds."""
        count, last_s = self._failed.get(address, (0, 0.0))
        if not count or time.monotonic() - last_s > FORGIVEN_AFTER_S:
            return 0.0
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(count - 1, 16))

    def failed(self, address: str) -> int:
        """Count a wrong token; return how many there were."""
        count = self._failed.pop(address, (0, 0.0))[0] + 1
        self._failed[address] = (count, time.monotonic())
        while len(self._failed) > MOST_ADDRESSES:
            self._failed.popitem(last=False)
        return count

    def succeeded(self, address: str) -> None:
        """Forget its wrong ones."""
        self._failed.pop(address, None)


@router.post("/session")
async def log_in(request: Request, response: Response, daemon: Daemon, given: Token) -> m.Person:
    """Begin a browser's session: the answer sets its cookie."""
    require_own_page(request)
    address = request.client.host if request.client else "socket"
    patience: Patience = request.app.state.patience
    await asyncio.sleep(patience.wait_s(address))
    try:
        begun = await asyncio.to_thread(daemon.ask, m.LoggedIn, m.LogIn(given.token))
    except AnsweredError as error:
        if error.refusal.code == "log_in":
            log.warning("log_in_failed", address=address, times=patience.failed(address))
        raise
    patience.succeeded(address)
    set_cookie(request, response, begun)
    return begun.person


@router.delete("/session")
def log_out(response: Response, daemon: Daemon, secret: Secret) -> m.Done:
    """End the session; its cookie is of no use any more."""
    done = daemon.ask(m.Done, m.LogOut(), secret)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return done


@router.get("/me")
def who_am_i(daemon: Daemon, secret: Secret) -> m.Person:
    """Return whose token or session that is, and what it may do."""
    return daemon.ask(m.Person, m.WhoAmI(), secret)
