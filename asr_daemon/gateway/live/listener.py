"""A session's way to a recogniser: sound from the last settled point out, captions back, as often as need be.

Enters: the sound of the spool. Leaves: captions, in the journal before they are published. A socket that
breaks (recogniser or daemon killed) raises :class:`LostError`; the next one begins where everything before is
final or silence, so that nothing is lost and nothing said twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from asr_daemon.control import live_messages as lm
from asr_daemon.errors import LiveNotSoundError
from asr_daemon.gateway.live.captions import Caption, Provisional
from asr_daemon.gateway.live.spool import Line
from asr_daemon.gateway.live.waiting import happens

if TYPE_CHECKING:
    from asr_daemon.gateway.daemon_client import DaemonClient
    from asr_daemon.gateway.live.captions import Captions
    from asr_daemon.gateway.live.spool import Kept

BYTES_PER_MS = lm.BYTES_PER_S // 1000
BLOCK_BYTES = 1 << 16
MOST_LINE_BYTES = 16 << 20
NOTED_EVERY_MS = 1000  # how far the settled point moves before the journal hears of it
QUIET_S = 20.0  # a recogniser that was told of the end, and says nothing for so long, is given up
REST_AFTER_S = 60.0  # without speaker and sound: the recogniser is let go, until there is some


class LostError(Exception):
    """The recogniser has gone, or said that it cannot go on."""


class NotSoundError(Exception):
    """What was sent is no sound: to send it again would not help."""


class Listener:
    """Has one session recognised; the event loop's alone."""

    def __init__(self, kept: Kept, captions: Captions, daemon: DaemonClient) -> None:
        journal = kept.journal()
        self._kept = kept
        self._captions = captions
        self._daemon = daemon
        self._settled_ms = journal.settled_ms
        self._noted_ms = journal.settled_ms
        self._arrived = asyncio.Event()
        self._sent_bytes = 0
        self.is_last = False  # no more sound will come
        self.is_alone = True  # nobody speaks at present
        self.progress = 0  # counts what the recogniser said

    @property
    def settled_ms(self) -> int:
        """Everything before is final, or silence."""
        return max(self._settled_ms, self._captions.end_ms)

    @property
    def is_done(self) -> bool:
        """Whether all sound that there is is settled."""
        return self.settled_ms * BYTES_PER_MS >= self._kept.sound_bytes - BYTES_PER_MS

    def look(self) -> None:
        """Look again: sound came, or its end."""
        self._arrived.set()

    async def arrived(self) -> None:
        """Wait until there is something to do."""
        while self.is_done and not self.is_last:
            self._arrived.clear()
            await self._arrived.wait()

    async def open(self, secret: str) -> socket.socket:
        """Return a session's socket; raises :class:`~asr_daemon.gateway.daemon_client.AnsweredError`."""
        about = self._kept.about
        request = lm.OpenLive(about.inbox, about.hotwords, about.itn)
        _, descriptor = await asyncio.to_thread(
            self._daemon.ask_for_descriptor, lm.LiveOpened, request, secret
        )
        if descriptor is None:
            raise LostError("the daemon sent no socket")
        return socket.socket(fileno=descriptor)

    async def listen(self, end: socket.socket) -> None:
        """Send and hear until all is said, or nobody speaks any more.

        Raises :class:`LostError`, :class:`NotSoundError`.
        """
        end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=MOST_LINE_BYTES)
        base_ms = self.settled_ms
        sending = asyncio.ensure_future(self._send(writer, base_ms * BYTES_PER_MS))
        try:
            await self._hear(reader, base_ms)
        except (OSError, ValueError) as error:
            raise LostError(str(error)) from None
        finally:
            self._captions.say(None)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    # ------------------------------------------------------------------ out

    async def _send(self, writer: asyncio.StreamWriter, at_bytes: int) -> None:
        self._sent_bytes = at_bytes
        while True:
            self._arrived.clear()
            block = await asyncio.to_thread(self._kept.read, self._sent_bytes, BLOCK_BYTES)
            if block:
                writer.write(block)
                await writer.drain()
                self._sent_bytes += len(block)
            elif self.is_last or not await self._more():
                break
        writer.write_eof()
        seen = -1
        while seen != self.progress:
            seen = self.progress
            await asyncio.sleep(QUIET_S)
        writer.transport.abort()

    async def _more(self) -> bool:
        """Wait for sound; whether to go on."""
        while not await happens(self._arrived, REST_AFTER_S):
            if self.is_alone:
                return False
        return True

    # ------------------------------------------------------------------ in

    async def _hear(self, reader: asyncio.StreamReader, base_ms: int) -> None:
        while line := await reader.readline():
            self.progress += 1
            match lm.decode(line):
                case lm.Interim() as said:
                    saying = Provisional(base_ms + said.start_ms, said.stable, said.text)
                    self._captions.say(saying)
                case lm.Final() as said:
                    await self._publish(said, base_ms)
                case lm.Heard() as heard:
                    await self._settle(base_ms + heard.settled_ms)
                case lm.Ended():
                    await self._settle(self._sent_bytes // BYTES_PER_MS, is_last=True)
                    return
                case lm.Failed(LiveNotSoundError.code, message):
                    raise NotSoundError(message)
                case lm.Failed() as failed:
                    raise LostError(failed.message)
        raise LostError("the recogniser has gone")

    async def _publish(self, said: lm.Final, base_ms: int) -> None:
        caption = Caption(
            self._captions.count + 1,
            base_ms + said.start_ms,
            base_ms + said.end_ms,
            said.text,
            said.raw_text,
            said.speaker,
        )
        await asyncio.to_thread(self._kept.note, Line(caption))
        self._captions.add(caption, said.tokens, base_ms)

    async def _settle(self, settled_ms: int, *, is_last: bool = False) -> None:
        self._settled_ms = max(self._settled_ms, settled_ms)
        if is_last or self._settled_ms - self._noted_ms >= NOTED_EVERY_MS:
            self._noted_ms = self._settled_ms
            await asyncio.to_thread(self._kept.note, Line(settled_ms=self._settled_ms))
