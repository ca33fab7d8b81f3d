"""Who asks: a program with ``Authorization: Bearer``, a trusted proxy's client, or a browser with its cookie.

A browser sends its cookie along with whatever another site's page makes it send: where the cookie is what
counts, a request that changes something has to come from a page of ours (``Origin``, ``Sec-Fetch-Site``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection  # noqa: TC002 (FastAPI reads the annotations)

from asr_daemon.control.messages import Refusal
from asr_daemon.gateway.daemon_client import AnsweredError, DaemonClient, TrustedName
from asr_daemon.gateway.proxies import TRUSTED_USER

if TYPE_CHECKING:
    from starlette.responses import Response

    from asr_daemon.control.messages import LoggedIn

COOKIE = "asr_session"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
NOBODY = Refusal("log_in", "log in first, or send Authorization: Bearer TOKEN", "请先登录。")
STRANGE_SITE = Refusal("forbidden", "this request came from a page of another site", "请求来自其他网站。")


def secret_of(request: HTTPConnection) -> str:
    """Return the secret of a request, or of who opens a socket.

    Raises :class:`AnsweredError` where there is none, or it is misused.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    user = getattr(request.state, TRUSTED_USER, "")
    secret = TrustedName(user) if user else request.cookies.get(COOKIE, "")
    if not secret:
        raise AnsweredError(NOBODY)
    if request.scope.get("method") not in READING:  # a socket has none: it may change something
        require_own_page(request)
    return secret


def set_cookie(request: Request, response: Response, begun: LoggedIn) -> None:
    """Give a browser the session that was begun for it."""
    response.set_cookie(
        COOKIE,
        begun.secret,
        max_age=begun.lasts_s,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )


def require_own_page(request: HTTPConnection) -> None:
    """Raise :class:`AnsweredError` where a page of another site sent that."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise AnsweredError(STRANGE_SITE)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise AnsweredError(STRANGE_SITE)


def daemon_of(request: Request) -> DaemonClient:
    """Return the way to the daemon."""
    client: DaemonClient = request.app.state.daemon
    return client


Secret = Annotated[str, Depends(secret_of)]
Daemon = Annotated[DaemonClient, Depends(daemon_of)]
