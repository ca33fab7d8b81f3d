"""Bodies of requests, bounded before anything reads them: in bytes, in time, and all of them together.

The framework reads a body whole before it looks who sent it: without this, anybody who reaches the port fills
the memory. Enters: a request. Leaves: the same with its body at hand, or an answer that refuses it. What is
streamed to the disk (pieces of uploads, recordings to transcribe) has bounds of its own and passes.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from asr_daemon.control.messages import Refusal
from asr_daemon.gateway.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 << 20  # a hotword list as JSON, with every character escaped
SMALL_BYTES = 64 << 10
MOST_LARGE = 8  # larger ones than that at once
WITHIN_S = 30.0
STREAMED = (("PATCH", "/api/v1/uploads/"), ("POST", "/v1/audio/transcriptions"))
TOO_LARGE = Refusal("refused", f"a body has at most {MOST_BYTES >> 20} MB", "发送的内容太大。")
TOO_SLOW = Refusal("refused", f"the body did not come within {WITHIN_S:g} s", "发送超时，请重试。")
TOO_MANY = Refusal("unavailable", "too many large requests at once", "系统正忙，请稍后再试。")


class _BodyRefusedError(Exception):
    def __init__(self, refusal: Refusal, status: int) -> None:
        super().__init__(refusal.message)
        self.refusal, self.status = refusal, status


class Bodies:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body."""
        if scope["type"] != "http" or _is_streamed(scope) or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            try:
                is_whole = await asyncio.wait_for(self._read(scope, receive, body), WITHIN_S)
            except asyncio.TimeoutError:
                raise _BodyRefusedError(TOO_SLOW, HTTPStatus.REQUEST_TIMEOUT) from None
            if is_whole:  # else: the client has gone
                await self._app(scope, _with(bytes(body), receive), send)
        except _BodyRefusedError as error:
            response = problem_response(error.refusal)
            response.status_code = error.status
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
        finally:
            self._large -= len(body) > SMALL_BYTES

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> bool:
        """Gather the body; return whether it is whole."""
        if int(dict(scope["headers"]).get(b"content-length", b"0")) > MOST_BYTES:
            raise _BodyRefusedError(TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        while (message := await receive())["type"] == "http.request":
            block = message.get("body", b"")
            if len(body) + len(block) > MOST_BYTES:
                raise _BodyRefusedError(TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if len(body) <= SMALL_BYTES < len(body) + len(block):
                self._take()
            body += block
            if not message.get("more_body", False):
                return True
        return False

    def _take(self) -> None:
        if self._large >= MOST_LARGE:
            raise _BodyRefusedError(TOO_MANY, HTTPStatus.SERVICE_UNAVAILABLE)
        self._large += 1


def _is_streamed(scope: Scope) -> bool:
    return any(scope["method"] == method and scope["path"].startswith(path) for method, path in STREAMED)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _with(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receive_it() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_it
