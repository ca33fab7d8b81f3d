"""The desk where speakers are named, told apart anew, remembered and forgotten, for who may edit there.

Enters: a request and whose it is. Leaves: its answer, by the ways of ``asr-daemon speakers`` (speakers.py).
No answer holds an embedding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import speaker_messages as s
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.speakers import NobodyError, SpeakerCommands, SpeakerError
from asr_daemon.errors import ToldError
from asr_daemon.history.states import JobState
from asr_daemon.history.voices import Voices, speakers_of
from asr_daemon.speakers.enrolment import LEAST_SAMPLE_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.control.correcting import Doorkeeper
    from asr_daemon.control.messages import Told
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed
    from asr_daemon.history.voices import Known

log = structlog.get_logger()

NOBODY = s.SpeakerList((), may_regroup=False, expected=0)


class SpeakerDesk:
    """Serves one request after the other, from any thread."""

    def __init__(self, parts: Parts, readers: Readers, keeper: Doorkeeper) -> None:
        self._parts, self._readers, self._keeper = parts, readers, keeper
        self._commands = SpeakerCommands(parts)
        self.requests: dict[type, Callable[[Access, Any], Told]] = {
            s.GetSpeakers: self._get,
            s.NameSpeaker: self._name,
            s.Regroup: self._regroup,
            s.GetVoices: self._voices,
            s.ForgetVoice: self._forget,
        }

    # ------------------------------------------------------------------ a recording

    def _get(self, person: Access, request: s.GetSpeakers) -> s.SpeakerList:
        with self._readers.reader() as history:
            return who_speaks(history, self._keeper.filed(history, person, request.recording))

    def _name(self, person: Access, request: s.NameSpeaker) -> s.SpeakersChanged:
        self._require(person, request.recording)
        return self._changed(
            person,
            request.recording,
            lambda: self._commands.rename(
                request.recording,
                str(request.number),
                request.name.strip(),
                remember=request.remember,
                by=person.name,
            ),
        )

    def _regroup(self, person: Access, request: s.Regroup) -> s.SpeakersChanged:
        self._require(person, request.recording)
        log.info("regrouping_asked", recording=request.recording, access=person.name)
        return self._changed(
            person, request.recording, lambda: self._commands.regroup(request.recording, request.speakers)
        )

    def _require(self, person: Access, recording: int) -> None:
        with self._readers.reader() as history:
            self._keeper.filed(history, person, recording, Right.EDIT)

    def _changed(
        self, person: Access, recording: int, carry_out: Callable[[], dict[str, Any]]
    ) -> s.SpeakersChanged:
        files = _or_refused(carry_out)
        with self._readers.reader() as history:
            now = who_speaks(history, self._keeper.filed(history, person, recording))
        return s.SpeakersChanged(now, tuple(files["written"]), tuple(files["edited"]), len(files["problems"]))

    # ------------------------------------------------------------------ voices

    def _voices(self, person: Access, request: s.GetVoices) -> s.VoiceList:
        self._keeper.require(person, Right.EDIT, request.inbox)
        found: dict[str, list[Any]] = {}
        for one in self._parts.speakers.enrolments.all(request.inbox):
            found.setdefault(one.name, []).append(one)
        voices = tuple(
            s.KnownVoice(
                name,
                len(every),
                tuple(dict.fromkeys(one.source for one in every)),
                tuple(dict.fromkeys(one.source for one in every if one.sample)),
                min(one.created_at for one in every),
            )
            for name, every in found.items()
        )
        return s.VoiceList(voices, self._parts.config.require_inbox(request.inbox).speakers is not False)

    def _forget(self, person: Access, request: s.ForgetVoice) -> s.VoiceForgotten:
        self._keeper.require(person, Right.EDIT, request.inbox)
        log.info("forgetting_voice_asked", inbox=request.inbox, access=person.name)
        told = _or_refused(lambda: self._commands.forget(request.inbox, request.name))
        return s.VoiceForgotten(told["count"], tuple(told["samples"]))


def _or_refused(carry_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return carry_out()
    except NobodyError as error:
        raise RefusedError("not_found", error.english, error.chinese) from None
    except SpeakerError as error:
        raise RefusedError("conflict", error.english, error.chinese) from None
    except ToldError as error:
        raise RefusedError("refused", error.english, error.chinese) from None


def who_speaks(history: History, filed: Filed) -> s.SpeakerList:
    """Return who speaks in a recording, as its inbox calls them."""
    work = filed.work
    if work is None or work.state is not JobState.DONE:
        return NOBODY
    known = speakers_of(history, work.id, filed.recording.inbox)
    if not known:
        return NOBODY
    voices = Voices(history)
    return s.SpeakerList(
        tuple(map(_read, known)), bool(voices.models(work.id)), voices.asked(work.id).speakers_expected
    )


def _read(one: Known) -> s.ReadSpeaker:
    is_kept = one.voice is not None and one.voice.speech_ms >= LEAST_SAMPLE_MS
    source = "hand" if one.is_by_hand else "voice" if one.is_named else "number"
    return s.ReadSpeaker(one.number, one.name, one.speech_ms, source, is_kept)  # type: ignore[arg-type]
