"""What commands ask about speakers: whom an inbox knows, who speaks in a recording, and calling them by name.

One method a command, as in commands.py. What is refused is said in English, and in Chinese where a department
reads it. No answer holds an embedding.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.delivery.attribution import find_speaker
from asr_daemon.errors import ToldError, UsageError
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState
from asr_daemon.history.voices import speakers_of
from asr_daemon.speakers.enrolment import LEAST_SAMPLE_MS, check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts
    from asr_daemon.delivery.rewriting import Rewritten
    from asr_daemon.history.recordings import Filed, Work
    from asr_daemon.history.voices import Known

log = structlog.get_logger()


class SpeakerError(ToldError):
    """Speakers cannot be told apart, or named, there."""


class NobodyError(SpeakerError, UsageError):
    """No speaker, or nobody whom the inbox knows, is called that."""


class SpeakerCommands:
    """Everything that ``asr-daemon speakers`` does in the daemon."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    # ------------------------------------------------------------------ whom an inbox knows

    def enrolled(self, inbox: str | None = None) -> Answer:
        """Return who is known in an inbox, or in all, with where their voices came from."""
        if inbox is not None:
            self._parts.config.require_inbox(inbox)
        return {
            "voices": [
                {
                    "inbox": one.inbox,
                    "name": one.name,
                    "model": one.model,
                    "source": one.source,
                    "since": one.created_at,
                }
                for one in self._parts.speakers.enrolments.all(inbox)
            ]
        }

    def enrol(
        self, inbox: str, name: str, recording: int, speaker: str | None = None, sample: str = ""
    ) -> Answer:
        """Remember the voice of a recording's speaker (None: of the one who says most) as somebody's.

        A sample that was named on the command line is forgotten as a recording's voices.
        """
        section, name = self._parts.config.require_inbox(inbox), check_name(name)
        filed, work = self._work(recording)
        known = self._known(filed, work)
        if speaker is None:
            one = max(known, key=lambda each: each.speech_ms)
            speech_ms = sum(each.speech_ms for each in known)
            if 2 * one.speech_ms < speech_ms:
                raise SpeakerError(
                    f"{filed.recording.name}: several people speak there, none of them most of the time; "
                    "take a sample of one voice.",
                    "样本里有几个人说话，请换一段只有本人说话的录音。",
                )
        else:
            one = self._speaker(known, speaker)
        self.learn(section, name, one, filed, sample)
        if filed.recording.inbox == COMMAND_LINE:
            self._parts.speakers.voices.forget(work.id)
        return {"name": name, "inbox": inbox}

    def learn(self, section: InboxSection, name: str, one: Known, filed: Filed, sample: str = "") -> None:
        """Remember one speaker's voice; raises :class:`SpeakerError` where too little of it was heard."""
        if one.voice is None:
            raise SpeakerError(
                f"{filed.recording.name}: its voices are not kept any more; `asr-daemon retry "
                f"{filed.recording.id}` finds them anew",
                "这个录音的声音特征已经不再保留，重新转写以后才能使用。",
            )
        if one.voice.speech_ms < LEAST_SAMPLE_MS:
            raise too_short(filed.recording.name)
        source = filed.recording.name
        self._parts.speakers.enrolments.add(
            section.name, name, one.model, one.voice.embedding, source, sample
        )
        log.info("speaker_enrolled", inbox=section.name, recording=filed.recording.id)

    def forget(self, inbox: str, name: str) -> Answer:
        """Forget somebody's voice: every embedding that the inbox has of it."""
        self._parts.config.require_inbox(inbox)
        known = [one for one in self._parts.speakers.enrolments.all(inbox) if one.name == name]
        count = self._parts.speakers.enrolments.forget(inbox, name)
        if not count:
            raise NobodyError(
                f"nobody is called {name!r} in {inbox}; `asr-daemon speakers list` says who is known",
                "这里没有记住这个人的声音。",
            )
        log.info("speaker_forgotten", inbox=inbox, voices=count)
        return {"count": count, "samples": [one.source for one in known if one.sample]}

    # ------------------------------------------------------------------ one recording

    def of_recording(self, recording: int) -> Answer:
        """Return who says something in a recording."""
        filed, work = self._work(recording)
        return {"speakers": [_told(one) for one in self._known(filed, work)]}

    def rename(
        self,
        recording: int,
        speaker: str,
        name: str,
        *,
        remember: bool = False,
        by: str = "command line",
    ) -> Answer:
        """Call a recording's speaker so, in its transcripts, too; ``remember``: and know them from now on."""
        filed, work = self._work(recording)
        inbox = filed.recording.inbox
        one = self._speaker(self._known(filed, work), speaker)
        name = check_name(name) if name else ""
        if remember and name:
            self.learn(self._parts.config.require_inbox(inbox), name, one, filed)
        self._parts.speakers.attributor.rename(work.id, inbox, one, name)
        log.info("speaker_renamed", recording=recording, speaker=one.number, by=by)
        return {**_files(self._parts.deliverer.rewriter.rewrite(work.id, inbox)), "number": one.number}

    def regroup(self, recording: int, speakers: int = 0) -> Answer:
        """Tell a recording's speakers apart anew, without recognising; 0 speakers: to be found out."""
        filed, work = self._work(recording)
        if not self._parts.speakers.voices.models(work.id):
            raise SpeakerError(
                f"{filed.recording.name}: its voices are not kept; `asr-daemon retry {recording}` finds them "
                "anew, in an inbox with `speakers = true`",
                "这个录音没有保留声音特征，重新转写以后才能重新区分（这个文件夹须启用说话人区分）。",
            )
        before = self._parts.speakers.voices.asked(work.id)
        self._parts.speakers.voices.want(work.id, speakers)
        try:
            self._parts.speakers.attributor.attribute(work.id)
        except Exception:
            self._parts.speakers.voices.want(work.id, before.speakers_expected)
            raise
        files = _files(self._parts.deliverer.rewriter.rewrite(work.id))
        self._parts.deliverer.deliver_job(work.id)
        return {**files, "speakers": [_told(one) for one in self._known(filed, work)]}

    # ------------------------------------------------------------------ parts of the above

    def _work(self, recording: int) -> tuple[Filed, Work]:
        filed = Recordings(self._parts.history, self._parts.clock).get(recording)
        if filed is None:
            raise UsageError(f"there is no recording {recording}; `asr-daemon history` lists them")
        if filed.work is None or filed.work.state is not JobState.DONE:
            raise SpeakerError(
                f"recording {recording} is not transcribed: {filed.problem or filed.state}",
                "这个录音还没有转写好。",
            )
        return filed, filed.work

    def _known(self, filed: Filed, work: Work) -> Sequence[Known]:
        known = speakers_of(self._parts.history, work.id, filed.recording.inbox)
        if known:
            return known
        if not work.profile.speaker_model:
            raise SpeakerError(
                f"{filed.recording.name}: nobody asked who speaks; set `speakers = true` for its inbox and "
                f"`asr-daemon retry {filed.recording.id}`",
                "这个文件夹没有启用说话人区分；请管理员启用后重新转写。",
            )
        raise too_short(filed.recording.name)

    def _speaker(self, known: Sequence[Known], called: str) -> Known:
        if (one := find_speaker(known, called)) is None:
            names = ", ".join(each.name for each in known)
            raise NobodyError(
                f"no speaker is called {called!r} there; there are {names}", f"没有这个发言人；有：{names}。"
            )
        return one


def too_short(name: str) -> SpeakerError:
    """Return what is said of a sample without enough speech."""
    name, seconds = Path(name).name, LEAST_SAMPLE_MS // 1000
    return SpeakerError(
        f"{name}: hardly any speech was heard; take a sample of at least {seconds} s of one voice.",
        f"没有听到足够的说话声，请换一段至少 {seconds} 秒、只有本人说话的录音。",
    )


def _told(one: Known) -> dict[str, Any]:
    return {
        "number": one.number,
        "name": one.name,
        "speech_ms": one.speech_ms,
        "is_enrolled": one.is_named and not one.is_by_hand,
        "is_named_by_hand": one.is_by_hand,
    }


def _files(rewritten: Rewritten) -> dict[str, Any]:
    return {
        "written": list(rewritten.written),
        "edited": list(rewritten.edited),
        "problems": list(rewritten.problems),
    }
