"""The root path's WebSocket: one recording after the other, as long as the client stays.

Who it is says ``?token=`` in the address, or ``Authorization: Bearer``; ``?inbox=`` names the inbox whose
settings count, where there are several, and ``?keep=1`` has recordings that were spoken put there.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from asr_daemon.control import messages as m
from asr_daemon.gateway import sockets
from asr_daemon.gateway.daemon_client import AnsweredError, DaemonClient
from asr_daemon.gateway.funasr_ws import answers, offline, streaming
from asr_daemon.gateway.funasr_ws.client import Client
from asr_daemon.gateway.funasr_ws.wanted import NotWantedError, is_end, read_wanted
from asr_daemon.gateway.who import secret_of

if TYPE_CHECKING:
    from asr_daemon.gateway.funasr_ws.wanted import Wanted

log = structlog.get_logger()
router = APIRouter()

PROTOCOL = "binary"
MAY_NOT = m.Refusal("forbidden", "this token may not upload there", "您没有这个权限。")
WHICH = m.Refusal(
    "refused", "name the inbox in the address: ?inbox=NAME", "请在地址里写明文件夹：?inbox=名称。"
)


@router.websocket("/")
async def recognise(socket: WebSocket) -> None:
    """Serve a client until it goes."""
    with socket.app.state.sockets.one() as has_room:
        if not has_room:
            await sockets.deny(socket, "too many connections; try again later")
            return
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        story = _Story(socket)
        try:
            await story.run()
        except (AnsweredError, NotWantedError) as error:
            log.info("funasr_client_refused", problem=str(error))
            with contextlib.suppress(WebSocketDisconnect):
                await story.tell_failure(str(error))
            await sockets.close(socket, sockets.POLICY_VIOLATION, str(error))
        except WebSocketDisconnect:
            pass


class _Story:
    """One client's."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._mode, self._name = "2pass", ""
        self._waits_for_end = False

    async def run(self) -> None:
        """Serve one recording after the other."""
        client = await _client(self._socket)
        while True:
            told = await client.first_message()
            if is_end(told):  # of a recording that is at its end already
                if told.get("is_end"):
                    await client.send(answers.acknowledged(self._mode, self._name))
                continue
            wanted = read_wanted(told)
            self._mode, self._name = wanted.mode, wanted.name
            ended = await self._serve(client, wanted)
            if ended.get("is_end"):
                await client.send(answers.acknowledged(wanted.mode, wanted.name))

    async def _serve(self, client: Client, wanted: Wanted) -> dict[str, object]:
        state = self._socket.app.state
        if wanted.mode == "offline":
            return await offline.transcribe(client, wanted, state.spool.folder, state.most_upload_bytes)
        return await streaming.stream(client, wanted, state.live, state.ffmpeg)

    async def tell_failure(self, problem: str) -> None:
        """Say why it does not go on, in both forms that clients wait for."""
        await sockets.send(self._socket, answers.failed(self._mode, self._name, problem))
        await sockets.send(self._socket, answers.acknowledged(self._mode, self._name, problem))


async def _client(socket: WebSocket) -> Client:
    """Return who that is; raises :class:`AnsweredError`."""
    secret = socket.query_params.get("token", "").strip() or secret_of(socket)
    daemon: DaemonClient = socket.app.state.daemon
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    if "upload" not in person.rights:
        raise AnsweredError(MAY_NOT)
    inbox = socket.query_params.get("inbox", "") or (person.inboxes[0] if len(person.inboxes) == 1 else "")
    if not inbox:
        raise AnsweredError(WHICH)
    await asyncio.to_thread(daemon.ask, m.Done, m.MayPut(inbox, "live.wav"), secret)
    keeps = socket.query_params.get("keep", "") in ("1", "true")
    return Client(socket, daemon, secret, person.name, inbox, keeps)
