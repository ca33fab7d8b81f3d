"""Sound of any rate brought to 16 kHz, as it comes: by ffmpeg's resampler, which is here anyway.

The gateway has no numpy, which soxr's package needs, and ``audioop`` interpolates without a filter. A child
that reads bare samples from a pipe parses nothing, and opens nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from asr_daemon.control.live_messages import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_daemon.ffmpeg import FFMPEG_ENVIRONMENT, find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BLOCK_BYTES = 1 << 16
ENDED_WITHIN_S = 5.0


class Rate:
    """Passes whole samples on, at 16 kHz; an odd byte waits for its other half."""

    def __init__(self, rate_hz: int, ffmpeg: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        """``take`` gets the sound; ``ffmpeg`` is what the configuration names."""
        self._rate_hz = rate_hz
        self._ffmpeg = ffmpeg
        self._take = take
        self._left = b""
        self._process: asyncio.subprocess.Process | None = None
        self._passing: asyncio.Task[None] | None = None

    async def put(self, sound: bytes) -> None:
        """Take sound of the client's rate; raises ``OSError`` where it cannot be kept."""
        sound = self._left + sound
        whole = len(sound) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        sound, self._left = sound[:whole], sound[whole:]
        if self._rate_hz == SAMPLE_RATE_HZ:
            await self._take(sound)
            return
        process = self._process or await self._start()
        if self._passing is not None and self._passing.done():
            self._passing.result()
            raise OSError("ffmpeg has ended")
        assert process.stdin is not None  # noqa: S101 (a pipe was asked for)
        process.stdin.write(sound)
        await process.stdin.drain()

    async def end(self) -> None:
        """Pass on what is left."""
        if self._process is None or self._passing is None:
            return
        assert self._process.stdin is not None  # noqa: S101
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._passing, ENDED_WITHIN_S)

    async def close(self) -> None:
        """End the child."""
        if self._passing is not None:
            self._passing.cancel()
            await asyncio.gather(self._passing, return_exceptions=True)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        program = await asyncio.to_thread(find_ffmpeg, self._ffmpeg)
        self._process = await asyncio.create_subprocess_exec(
            *(program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-threads", "1"),
            *(
                "-protocol_whitelist",
                "pipe",
                "-probesize",
                "32",
                "-analyzeduration",
                "0",
                "-fflags",
                "nobuffer",
            ),
            *("-f", "s16le", "-ar", str(self._rate_hz), "-ac", "1", "-i", "pipe:0"),
            *("-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-flush_packets", "1", "pipe:1"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=FFMPEG_ENVIRONMENT,
        )
        self._passing = asyncio.ensure_future(self._pass_on(self._process))
        return self._process

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        left = b""
        while block := await process.stdout.read(BLOCK_BYTES):
            sound = left + block
            whole = len(sound) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
            left = sound[whole:]
            await self._take(sound[:whole])
