"""Folders of voice samples, kept in step with whom their inboxes know.

Enters: what lies in each inbox's folder of voices, again and again. Leaves: a new sample is recognised like
any recording, its voice remembered, and the recording's own voices forgotten; a sample that is taken away
takes its embedding with it. One that cannot be used gets a file beside it that says why, in Chinese. Never
raises for one sample or folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.control.speakers import SpeakerCommands
from asr_daemon.errors import HistoryUnavailableError, OperatorError, WorkError
from asr_daemon.files.folders import remove
from asr_daemon.files.publish import publish
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState
from asr_daemon.history.voices import speakers_of
from asr_daemon.inboxes.voice_samples import REFUSAL_SUFFIX, find_samples
from asr_daemon.speakers.enrolment import check_name

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.daemon import Parts
    from asr_daemon.inboxes.voice_samples import Sample

log = structlog.get_logger()

MOST_AT_ONCE = 4  # samples that wait to be recognised, before those behind them are queued
PRIORITY = -1  # a sample is short, and recordings are to have its name


class VoiceSamples:
    """Looks at the folders; used by the schedule's thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._commands = SpeakerCommands(parts)
        self._refused: set[tuple[str, str]] = set()  # (inbox, key)
        self._surplus: set[tuple[str, str]] = set()  # learnt, and given up for others of the same person
        self._complained: dict[str, str] = {}

    def look(self) -> None:
        """Look at every inbox's folder."""
        for section in self._parts.config.inbox:
            if section.voices_dir is None:
                continue
            try:
                self._look_at(section, section.voices_dir)
            except HistoryUnavailableError:
                return
            except (WorkError, OSError) as error:
                self._complain(section.name, str(error))
            else:
                self._complained.pop(section.name, None)

    def _look_at(self, section: InboxSection, folder: Path) -> None:
        samples = self._parts.shares.ask(folder, lambda: find_samples(folder))
        keys = {sample.key for sample in samples}
        known = [one for one in self._parts.speakers.enrolments.all(section.name) if one.sample]
        gone = [one for one in known if one.sample not in keys]
        if gone:
            self._parts.speakers.enrolments.remove(gone)
            log.info("voice_samples_gone", inbox=section.name, count=len(gone))
        learnt = {one.sample for one in known}
        done = self._refused | self._surplus
        waiting = 0
        for sample in samples:
            if sample.key in learnt or (section.name, sample.key) in done:
                continue
            try:
                waiting += not self._learn(section, sample)
            except HistoryUnavailableError:
                raise
            except (OperatorError, WorkError) as error:
                self._refuse(section, sample, error)
            if waiting >= MOST_AT_ONCE:
                break
        self._take_back_refusals(section, folder, samples)

    def _learn(self, section: InboxSection, sample: Sample) -> bool:
        """Remember a sample's voice; False while it waits to be recognised."""
        parts = self._parts
        name = check_name(sample.name)
        profile = parts.profiles.with_speakers(parts.profiles.profile(COMMAND_LINE))
        with parts.shares.handed.holding(sample.path, None):
            queued = parts.intake.submit(sample.path, profile, priority=PRIORITY)
        filed = Recordings(parts.history, parts.clock).get(queued.recording)
        if filed is None or filed.work is None or not filed.work.is_complete:
            parts.dispatcher.wake()
            return False
        if filed.work.state is not JobState.DONE:
            raise OperatorError(
                f"{filed.recording.name}: {filed.problem}（样本无法解码，请换一个录音文件。）"
            )
        known = speakers_of(parts.history, filed.work.id, COMMAND_LINE)
        if known and all(one.voice is None for one in known):  # it was learnt and forgotten before
            parts.arrivals.retry(queued.recording)
            return False
        before = self._parts.speakers.enrolments.all(section.name)
        self._commands.enrol(section.name, name, queued.recording, sample=sample.key)
        now = {one.sample for one in self._parts.speakers.enrolments.all(section.name)}
        self._surplus |= {(section.name, one.sample) for one in before if one.sample not in now}
        return True

    def _refuse(self, section: InboxSection, sample: Sample, error: Exception) -> None:
        self._refused.add((section.name, sample.key))
        log.warning("voice_sample_refused", inbox=section.name, file=sample.path.name, problem=str(error))
        text = f"这个声音样本无法使用：{sample.path.name}\n{error}\n换好文件以后，本文件会自动消失。\n"
        try:
            publish(sample.refusal_path, text.encode("utf-8", "replace"), root=sample.path.parent)
        except (WorkError, OSError) as problem:
            self._complain(section.name, str(problem))

    def _take_back_refusals(self, section: InboxSection, folder: Path, samples: list[Sample]) -> None:
        """Remove what says that a sample cannot be used, where that is not so any more."""
        refused = {s.refusal_path.name for s in samples if (section.name, s.key) in self._refused}
        there = self._parts.shares.ask(folder, lambda: list(folder.glob(f"*{REFUSAL_SUFFIX}")))
        for path in there:
            if path.name not in refused:
                remove(path, folder)

    def _complain(self, inbox: str, problem: str) -> None:
        if self._complained.get(inbox) != problem:
            self._complained[inbox] = problem
            log.warning("voice_samples_not_read", inbox=inbox, problem=problem)
