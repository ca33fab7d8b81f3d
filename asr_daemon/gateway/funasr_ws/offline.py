"""``offline``: a whole recording, of any format, transcribed before what waits in the queue."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.funasr_ws import answers
from asr_daemon.gateway.funasr_ws.wanted import NotWantedError, is_end
from asr_daemon.gateway.live.spool import HEADER_BYTES, wav_header
from asr_daemon.gateway.spool import ROOM_LEFT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.gateway.funasr_ws.client import Client
    from asr_daemon.gateway.funasr_ws.wanted import Wanted

GB = 10**9
ENDS = m.Refusal("unavailable", "the daemon ended; send it again", "转写服务已停止，请稍后重试。")
NO_ROOM = m.Refusal("unavailable", "the disk of the gateway is full", "服务器没有空间，请稍后再试。")


async def transcribe(client: Client, wanted: Wanted, folder: Path, most_bytes: int) -> dict[str, Any]:
    """Serve one recording; return the message that ended it.

    Raises :class:`AnsweredError`, ``NotWantedError`` or ``WebSocketDisconnect``.
    """
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        ended = await _take(client, wanted, descriptor, most_bytes)
        whole = await _transcribed(client, wanted, descriptor)
    finally:
        os.close(descriptor)
    segments = [each for each in json.loads(whole.json)["segments"] if each["text"].strip()]
    tokens = [
        (token["start_ms"], token["end_ms"], token["text"])
        for segment in segments
        for token in segment["tokens"]
    ]
    await client.send(answers.whole("offline", wanted.name, whole.text, tokens, is_last=True))
    return ended


async def _take(client: Client, wanted: Wanted, descriptor: int, most_bytes: int) -> dict[str, Any]:
    taken = HEADER_BYTES if wanted.is_raw else 0
    first = taken
    while True:
        received = await client.receive()
        if isinstance(received, bytes):
            taken += len(received)
            if taken > most_bytes:
                raise NotWantedError(f"the recording is larger than {most_bytes / GB:g} GB")
            await asyncio.to_thread(_write, descriptor, received, taken - len(received))
        elif is_end(received):
            break
    if taken == first:
        raise NotWantedError("there is no sound in it")
    if wanted.is_raw:
        os.pwrite(descriptor, wav_header(taken - HEADER_BYTES, wanted.rate_hz), 0)
    return received


def _write(descriptor: int, block: bytes, at: int) -> None:
    room = os.fstatvfs(descriptor)
    if room.f_bavail * room.f_frsize < ROOM_LEFT_BYTES:
        raise AnsweredError(NO_ROOM)
    left = memoryview(block)
    try:
        while left:
            count = os.pwrite(descriptor, left, at)
            left, at = left[count:], at + count
    except OSError:
        raise AnsweredError(NO_ROOM) from None


async def _transcribed(client: Client, wanted: Wanted, descriptor: int) -> m.Transcribed:
    """Wait for the transcript, as long as the client does; the work goes on without it."""
    name = wanted.name if not wanted.is_raw or wanted.name.endswith(".wav") else f"{wanted.name}.wav"
    request = m.Transcribe(name or "demo.wav", client.inbox, hotwords=wanted.hotwords)
    gone = asyncio.ensure_future(_absence(client))
    waiting = asyncio.ensure_future(_whole(client, request, descriptor))
    try:
        await asyncio.wait((gone, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            gone.result()
        return await waiting
    finally:
        for task in (gone, waiting):
            task.cancel()
        await asyncio.gather(gone, waiting, return_exceptions=True)


async def _absence(client: Client) -> None:
    """End once the client has gone; what it says meanwhile is not meant."""
    while True:
        with contextlib.suppress(NotWantedError):
            await client.receive()


async def _whole(client: Client, request: m.Transcribe, descriptor: int) -> m.Transcribed:
    async with contextlib.aclosing(client.daemon.follow(request, client.secret, descriptor)) as told:
        async for each in told:
            if isinstance(each, m.Transcribed):
                return each
    raise AnsweredError(ENDS)
