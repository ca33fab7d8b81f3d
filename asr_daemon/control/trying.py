"""A hotword list tried on a part of a recording, before it is saved: what it would change in the text.

Enters: a recording, the list's text as it stands in somebody's editor. Leaves: the part's text with that list
beside that with the list in force, or with none. The part is cut into the state folder and recognised twice,
before what waits in the queue; when it is done, or nobody waits any more, file and rows are gone: nothing is
written beside the recording, and the history has no transcript of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import trial_messages as t
from asr_daemon.control.excerpts import cut
from asr_daemon.control.playing import open_as_hashed
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.sight import not_there
from asr_daemon.control.transcribing import (
    HEARTBEAT_S,
    LEFT,
    QUIET_S,
    SOMEBODY_WAITS,
    of_work,
    require_recogniser,
)
from asr_daemon.errors import AsrDaemonError, OperatorError, WorkError, work_error
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.segments import segments_of
from asr_daemon.history.states import JobState
from asr_daemon.history.trials import Trials
from asr_daemon.hotwords import read_hotwords
from asr_daemon.hotwords.difference import side_by_side
from asr_daemon.hotwords.report import problem_remark
from asr_daemon.queue.inbox_profiles import hotword_places, with_hotwords

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from asr_daemon.config_sections import EngineSection
    from asr_daemon.control.desk import Desk
    from asr_daemon.control.messages import Ask, Told
    from asr_daemon.daemon import Parts
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed
    from asr_daemon.hotwords import HotwordList
    from asr_daemon.hotwords.difference import Pair
    from asr_daemon.transcripts.profile import Profile
    from asr_daemon.transcripts.transcript import Segment

    Cut = Callable[[int, Path, EngineSection, int, int], Iterator[None]]

log = structlog.get_logger()

FOLDER = "trials"  # in the state folder
MOST_AT_ONCE = 4
LEAVE_WITHIN_S = 10.0  # a recogniser lets go of what nobody waits for any more


class Trying:
    """Serves one such request after the other, from any thread."""

    def __init__(self, parts: Parts, desk: Desk, readers: Readers, cut: Cut = cut) -> None:
        self._parts = parts
        self._desk = desk
        self._readers = readers
        self._cut = cut
        self._folder = parts.config.state_dir / FOLDER
        self._trials = Trials(parts.history, self._folder)
        self._in_hand: set[Path] = set()
        self._lock = threading.Lock()
        self._sweep()  # what a daemon that was killed left

    def serve(self, ask: Ask, _descriptor: int | None) -> Generator[Told, None, None]:
        """Yield how far it is, then both texts.

        Raises :class:`~asr_daemon.control.refused.RefusedError`, or what the history raises.
        """
        request = ask.request
        assert isinstance(request, t.TryHotwords)  # noqa: S101 (it is called for that)
        person = self._desk.asker(ask)
        self._desk.require(person, Right.EDIT, request.inbox)
        with self._readers.reader() as history:
            filed = self._desk.filed(history, person, request.recording)
        if filed.recording.inbox != request.inbox:
            raise not_there()
        require_recogniser(self._parts)
        words = self._words(request)
        before, after = self._profiles(request, words)
        log.info("hotwords_tried", inbox=request.inbox, recording=request.recording, access=person.name)
        with self._place() as folder:
            yield t.Trying("cutting", 0.0)
            try:
                for _ in self._cut_into(folder, filed, request):
                    self._desk.asker(ask)
                    yield t.Trying("cutting", 0.0)
                recordings = self._submit(folder, (before, after))
            except WorkError as error:
                raise of_work(error) from None
            yield from self._follow(ask, recordings)
            yield self._compared(recordings, (before, after), words, request.from_ms)

    # ------------------------------------------------------------------ in

    def _words(self, request: t.TryHotwords) -> HotwordList:
        section = self._parts.config.require_inbox(request.inbox)
        if section.hotwords is None:
            raise RefusedError(
                "conflict", "this inbox has no hotword file configured", "这个文件夹没有配置热词文件。"
            )
        places, data = hotword_places(self._parts.config), request.text.encode("utf-8", "replace")
        try:
            return read_hotwords(section.hotwords, places, self._parts.shares.ask, data)
        except AsrDaemonError as error:
            chinese = getattr(error, "chinese", "") or "热词文件暂时无法使用"
            raise RefusedError("unavailable", str(error), f"{chinese.rstrip('。')}。") from None

    def _profiles(self, request: t.TryHotwords, words: HotwordList) -> tuple[Profile, Profile]:
        try:
            now = self._parts.profiles.profile(request.inbox)
        except WorkError as error:
            raise of_work(error) from None
        now = replace(now, speaker_model="", max_speakers=0, speakers_expected=0)
        return with_hotwords(now, None) if request.against == "nothing" else now, with_hotwords(now, words)

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """Lend a folder; at the end nothing of what was tried is left."""
        folder = self._folder / uuid.uuid4().hex
        with self._lock:
            if len(self._in_hand) >= MOST_AT_ONCE:
                raise RefusedError(
                    "unavailable",
                    "others try their lists at this moment: try it again soon",
                    "现在有别人正在试用词表，请稍后再试。",
                )
            self._in_hand.add(folder)
        try:
            folder.mkdir(parents=True, mode=0o700)
            yield folder
        finally:
            with self._lock:
                self._in_hand.discard(folder)
            self._leave(folder)

    def _cut_into(self, folder: Path, filed: Filed, request: t.TryHotwords) -> Iterator[None]:
        sound = open_as_hashed(self._parts, filed)
        try:
            until_ms = request.from_ms + request.for_ms
            yield from self._cut(
                sound, folder / "after.wav", self._parts.config.engine, request.from_ms, until_ms
            )
        finally:
            os.close(sound)

    def _submit(self, folder: Path, profiles: tuple[Profile, Profile]) -> tuple[int, int]:
        os.link(folder / "after.wav", folder / "before.wav")
        first, second = (
            self._parts.intake.submit(folder / name, profile, priority=SOMEBODY_WAITS).recording
            for name, profile in zip(("before.wav", "after.wav"), profiles, strict=True)
        )
        self._parts.dispatcher.wake()
        return first, second

    # ------------------------------------------------------------------ out

    def _follow(self, ask: Ask, recordings: tuple[int, int]) -> Generator[Told, None, None]:
        version: int | None = self._parts.changes.after(-1, within_s=0.0)
        while version is not None:
            works = [self._work(recording) for recording in recordings]
            if all(state is JobState.DONE for state, _ in works):
                return
            require_recogniser(self._parts)
            self._desk.asker(ask)
            has_begun = any(progress for _, progress in works)
            yield t.Trying("recognising" if has_begun else "waiting", sum(each for _, each in works) / 2)
            version = self._parts.changes.after(version, within_s=HEARTBEAT_S, quiet_s=QUIET_S)
        raise RefusedError("unavailable", "the daemon ends", "转写服务正在停止。")

    def _work(self, recording: int) -> tuple[JobState, float]:
        """Return how a text stands, and how much of it is there, 0..1."""
        with self._readers.reader() as history:
            filed = Recordings(history, self._parts.clock).get(recording)
        if filed is None or filed.recording.state in LEFT or filed.work is None:
            raise RefusedError("conflict", "it was cancelled", "这个任务已被取消。")
        if filed.work.state is JobState.DONE:
            return filed.work.state, 1.0
        if filed.work.state.is_over:
            raise of_work(work_error(filed.work.error_code, filed.work.error_message))
        works = (each for each in self._parts.dispatcher.in_work if each.job.id == filed.work.id)
        work = next(works, None)
        share = work.recognised_ms / work.duration_ms if work and work.duration_ms else 0.0
        return filed.work.state, min(1.0, share)

    def _compared(
        self,
        recordings: tuple[int, int],
        profiles: tuple[Profile, Profile],
        words: HotwordList,
        from_ms: int,
    ) -> t.Tried:
        with self._readers.reader() as history:
            table = Recordings(history, self._parts.clock)
            filed = [table.get(recording) for recording in recordings]
            texts = [segments_of(history, each.work.id) for each in filed if each and each.work]
        before, after = (each.hotwords for each in profiles)
        remarks = [problem_remark(problem) for problem in words.problems]
        return t.Tried(
            tuple(_passage(pair, from_ms) for pair in side_by_side(texts[0], texts[1], before, after)),
            len(before),
            len(after),
            _found(texts[0]),
            _found(texts[1]),
            tuple(remark.english for remark in remarks),
            tuple(remark.chinese for remark in remarks),
        )

    # ------------------------------------------------------------------ afterwards

    def _leave(self, folder: Path) -> None:
        """Wait for it no more: what is in work of it is let go, then nothing of it is left."""
        arrivals, recordings = self._parts.arrivals, Recordings(self._parts.history, self._parts.clock)
        for name in ("before.wav", "after.wav"):
            current = recordings.current(folder / name, "")
            if current is not None:
                with contextlib.suppress(OperatorError):  # it is over
                    arrivals.cancel(current.id)
        self._parts.dispatcher.wake()
        until_s = time.monotonic() + LEAVE_WITHIN_S
        version: int | None = self._parts.changes.after(-1, within_s=0.0)
        while self._sweep() and version is not None and time.monotonic() < until_s:
            version = self._parts.changes.after(version, within_s=1.0, quiet_s=QUIET_S)

    def _sweep(self) -> int:
        """Remove what nobody waits for; return how much of it is still in work."""
        with self._lock:
            in_hand = set(self._in_hand)
            with contextlib.suppress(OSError):
                for left in [path for path in self._folder.iterdir() if path not in in_hand]:
                    shutil.rmtree(left, ignore_errors=True)
            return self._trials.forget(in_hand)


def _passage(pair: Pair, from_ms: int) -> t.TriedPassage:
    sides = (
        tuple(t.TriedStretch(each.text, each.is_changed, each.is_hotword) for each in side)
        for side in (pair.before, pair.after)
    )
    return t.TriedPassage(pair.start_ms + from_ms, pair.end_ms + from_ms, *sides)


def _found(text: Iterable[Segment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for segment in text for word in segment.hotwords_hit))
