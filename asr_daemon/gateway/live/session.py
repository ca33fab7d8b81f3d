"""A live session: takes its speaker's sound, has it recognised, ends as its speaker says, or by itself.

It outlives connections, recognisers, the daemon, and, by its spool, the gateway. ``run`` is its life. Sound
is taken as long as there is room for it, whatever becomes of the rest: captions that are late come later.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.control import messages as m
from asr_daemon.errors import LiveNotSoundError
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.live.captions import Captions, Signal, Standing
from asr_daemon.gateway.live.listener import Listener, LostError, NotSoundError
from asr_daemon.gateway.live.spool import Line
from asr_daemon.gateway.live.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from asr_daemon.gateway.daemon_client import DaemonClient
    from asr_daemon.gateway.live.spool import About, Kept

log = structlog.get_logger()

SYNC_EVERY_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
EMPTY_LEFT_AFTER_S = 60.0  # where nothing was said yet
MOST_TRIES_AT_END = 4  # in a row that yield nothing; the recording gets its transcript all the same
SUFFIX = ".wav"
NOT_THERE = Standing("waiting", "the speaker is not connected", "演讲者的连接中断，正在等待恢复。")


class LiveSession:
    """One session; the event loop's alone."""

    def __init__(
        self, number: str, kept: Kept, daemon: DaemonClient, secret: str, left_after_s: float
    ) -> None:
        journal = kept.journal()
        self.number = number
        self.captions = Captions(journal.said)
        self.saved = Signal()  # more sound is safe
        self.saved_bytes = kept.sound_bytes
        self.keeps = journal.keeps  # None: it goes on
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())  # seen
        self.is_paused = False
        self._kept = kept
        self._daemon = daemon
        self._secret = secret
        self._left_after_s = left_after_s
        self._listener = Listener(kept, self.captions, daemon)
        self._listener.is_last = self.keeps is not None
        self._lock = asyncio.Lock()  # of the sound's end
        self._is_dirty = asyncio.Event()
        self._again = asyncio.Event()
        self._speaker: asyncio.Task[Any] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._trouble: Standing | None = None
        self._ending: asyncio.Task[None] | None = None
        self._wait_for_speaker(kept.idle_s())

    @property
    def about(self) -> About:
        """What it is."""
        return self._kept.about

    @property
    def sound_bytes(self) -> int:
        """How much sound was taken."""
        return self._kept.sound_bytes

    @property
    def is_over(self) -> bool:
        """Whether it is at its end, and its recording where it belongs."""
        return self.captions.standing.mood == "over"

    @property
    def is_spoken(self) -> bool:
        """Whether somebody is connected who speaks."""
        return self._speaker is not None

    # ------------------------------------------------------------------ the speaker's

    async def let_go(self) -> None:
        """Close the connection that speaks, if there is one: it may be dead and not know it.

        What it sent is written then, or will not be: ``sound_bytes`` is what the next one goes on from.
        """
        if self._speaker is not None:
            self._speaker.cancel()
            await asyncio.wait((self._speaker,))

    def attach(self, speaker: asyncio.Task[Any], secret: str) -> None:
        """Let a connection speak from now on."""
        self._speaker, self._secret = speaker, secret
        self._listener.is_alone = False
        if self._leaving is not None:
            self._leaving.cancel()
        self._again.set()
        self._stand()

    def detach(self, speaker: asyncio.Task[Any]) -> None:
        """The connection is gone; another one may come."""
        if self._speaker is speaker:
            self._speaker = None
            self._listener.is_alone = True
            self._wait_for_speaker(0.0)
            self._stand()

    async def take(self, sound: bytes) -> None:
        """Take sound, in whole samples; raises ``OSError`` where there is no room for it."""
        async with self._lock:
            if self.keeps is not None:
                return  # what is sent after the end is not meant
            await _to_its_end(asyncio.to_thread(self._kept.append, sound))
        self._listener.look()
        self._is_dirty.set()

    def pause(self, is_paused: bool) -> None:
        """Say that no sound is to be expected, or that it goes on."""
        self.is_paused = is_paused
        self._stand()

    async def end(self, *, keeps: bool, secret: str = "") -> None:
        """End it: put its recording into its inbox, or throw it away. Later words about it do not count."""
        if secret:
            self._secret = secret
            self._again.set()
        async with self._lock:
            await _to_its_end(self._note_end(keeps))

    async def _note_end(self, keeps: bool) -> None:
        if self.keeps is None:
            await asyncio.to_thread(self._kept.note, Line(keeps=keeps))
            self.keeps = keeps
            size = self.sound_bytes
            log.info("live_session_ending", session=self.number[:8], keeps=keeps, sound_bytes=size)
        self._listener.is_last = True
        self._listener.look()
        self._again.set()
        self._stand()

    def abandon(self) -> None:
        """Forget a session that never began."""
        self.keeps = False
        self._kept.remove()
        self.captions.stand(Standing("over"))

    # ------------------------------------------------------------------ its life

    async def run(self) -> None:
        """Live; ends with the recording where it belongs. Raises :class:`AnsweredError` if it never began."""
        syncing = asyncio.ensure_future(self._sync())
        try:
            await self._have_recognised()
            self.captions.complete()
            await self._bring()
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)

    async def _sync(self) -> None:
        while True:
            await self._is_dirty.wait()
            self._is_dirty.clear()
            try:
                self.saved_bytes = await asyncio.to_thread(self._kept.sync)
            except OSError as error:  # the speaker keeps what is not safe
                log.error("live_sound_not_synced", session=self.number[:8], problem=str(error))
            self.saved.happened()
            await asyncio.sleep(SYNC_EVERY_S)

    async def _have_recognised(self) -> None:
        failures, seen = 0, 0
        while True:
            if self._trouble is None and self.opened.done():
                await self._listener.arrived()
            if self._listener.is_last and (self._listener.is_done or failures > MOST_TRIES_AT_END):
                if not self.opened.done():
                    self.opened.set_result(None)
                return
            try:
                await self._listen_once()
            except NotSoundError as error:
                self.captions.failure = m.Refusal("refused", str(error), LiveNotSoundError.chinese)
                await self.end(keeps=False)
                return
            except (AnsweredError, LostError) as error:
                if not self.opened.done() and isinstance(error, AnsweredError) and not self.captions.count:
                    self.opened.set_exception(error)
                    raise
                failures = failures + 1 if seen == self._listener.progress else 1
                seen = self._listener.progress
                self._tell_trouble(error)
                await self._pause_before_trying(failures)
            else:
                failures = 0

    async def _listen_once(self) -> None:
        end = await self._listener.open(self._secret)
        if not self.opened.done():
            self.opened.set_result(None)
        self._trouble = None
        self._stand()
        await self._listener.listen(end)

    async def _pause_before_trying(self, failures: int) -> None:
        self._again.clear()
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 10))
        await happens(self._again, wait_s)

    def _tell_trouble(self, error: AnsweredError | LostError) -> None:
        chinese = error.refusal.chinese if isinstance(error, AnsweredError) else "识别中断，正在恢复。"
        trouble = Standing("waiting", str(error), chinese)
        if trouble != self._trouble:
            log.warning("live_recogniser_lost", session=self.number[:8], problem=str(error))
        self._trouble = trouble
        self._stand()

    async def _bring(self) -> None:
        """Put the recording where it belongs, however long that takes."""
        failures, path = 0, ""
        while self.keeps and self.sound_bytes:
            try:
                path = await asyncio.to_thread(self._put)
                break
            except (AnsweredError, OSError) as error:
                failures += 1
                chinese = error.refusal.chinese if isinstance(error, AnsweredError) else "录音暂时无法保存。"
                self.captions.stand(Standing("ending", str(error), chinese))
                if failures == 1:
                    log.warning("live_recording_not_put", session=self.number[:8], problem=str(error))
                await self._pause_before_trying(failures)
        await asyncio.to_thread(self._kept.remove)
        log.info("live_session_ended", session=self.number[:8], captions=self.captions.count, path=path)
        failure = self.captions.failure
        reason, chinese = (failure.message, failure.chinese) if failure else ("", "")
        self.captions.stand(Standing("over", reason, chinese, path))

    def _put(self) -> str:
        descriptor = self._kept.whole()
        try:
            request = m.PutRecording(self.about.inbox, self.about.name + SUFFIX)
            return self._daemon.ask(m.Put, request, self._secret, descriptor).path
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------ how it stands

    def _stand(self) -> None:
        if self.is_over:
            return
        if self.keeps is not None:
            standing = Standing("ending")
        elif self._trouble is not None:
            standing = self._trouble
        elif self._speaker is None:
            standing = NOT_THERE
        else:
            standing = Standing("paused" if self.is_paused else "live")
        self.captions.stand(standing)

    def _wait_for_speaker(self, waited_s: float) -> None:
        if self.keeps is None:
            longest_s = (
                self._left_after_s if self.sound_bytes else min(self._left_after_s, EMPTY_LEFT_AFTER_S)
            )
            left_s = max(0.0, longest_s - waited_s)
            self._leaving = asyncio.get_running_loop().call_later(left_s, self._end_abandoned)

    def _end_abandoned(self) -> None:
        log.warning("live_session_abandoned", session=self.number[:8])
        self._ending = asyncio.ensure_future(self.end(keeps=self.about.keeps))


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something that is not left in the middle: who is cancelled meanwhile waits for it."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait((doing,))
        raise
