"""What the gateway may have of the daemon, for whoever asks through it: one method a request.

Enters: a request and whose it is. Leaves: the answer, with a descriptor where one is asked for. Everything is
checked here, not in the gateway: who breaks into that has no more than the secrets that pass through it.
What may not be read is not there: no answer tells the one from the other.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from asr_daemon import __version__
from asr_daemon.access import Right
from asr_daemon.access.store import lasts_s
from asr_daemon.control import messages as m
from asr_daemon.control import playback_messages as p
from asr_daemon.control.console_desk import ConsoleDesk
from asr_daemon.control.correcting import CorrectingDesk
from asr_daemon.control.estimate import remaining_s
from asr_daemon.control.forgetting import ForgettingDesk
from asr_daemon.control.hotword_desk import HotwordDesk
from asr_daemon.control.learning import LearningDesk
from asr_daemon.control.live_desk import LiveDesk
from asr_daemon.control.live_messages import OpenLive
from asr_daemon.control.passages import passage_of
from asr_daemon.control.playing import PlayingDesk
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.sight import Sight
from asr_daemon.control.sounds import open_sound
from asr_daemon.control.speaker_desk import SpeakerDesk
from asr_daemon.control.status import live_status
from asr_daemon.control.uploads import fit_name, is_recordings_name, put_into
from asr_daemon.delivery.rendering import document_of, word_look
from asr_daemon.errors import AsrDaemonError, ModelMissingError, OperatorError, RecordingGoneError
from asr_daemon.history.console import Filter, browse
from asr_daemon.history.in_force import read_in_force, transcript_in_force, version_of
from asr_daemon.history.reading import places
from asr_daemon.history.search import MOST_TERMS, match_terms
from asr_daemon.history.states import JobState
from asr_daemon.printable import valid_text
from asr_daemon.transcripts.writers import TEXTS, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from asr_daemon.access import Access, Accesses
    from asr_daemon.control.playbacks import Playbacks
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()


def _log_in_first() -> RefusedError:
    return RefusedError("log_in", "log in first: this token or session is not known", "请先登录。")


class Desk:
    """Serves one request after the other, from any thread."""

    def __init__(
        self, parts: Parts, accesses: Accesses, readers: Readers, playbacks: Playbacks | None = None
    ) -> None:
        self._parts = parts
        self._accesses = accesses
        self._readers = readers
        self._sight = sight = Sight(parts)
        self._playing = PlayingDesk(parts, readers, self, playbacks)
        self._handed_out: dict[type, Callable[[Access, Any], tuple[m.Told, int | None]]] = {
            m.OpenRecording: lambda person, request: self._open(person, request.recording),
            m.GetTranscript: self._transcript,
            p.OpenPlayback: self._playing.open,
            OpenLive: LiveDesk(parts, self).open,
        }
        self._plain: dict[type, Callable[[Access, Any], m.Told]] = {
            m.WhoAmI: lambda person, _: self._told(person),
            m.GetOverview: lambda person, _: self._overview(person),
            m.ListRecordings: self._list,
            m.GetRecording: self._detail,
            m.Search: self._search,
            m.MayPut: self._may_put,
            m.Retry: self._retry,
            m.Cancel: self._cancel,
            m.SetPaused: self._set_paused,
            m.ListModels: lambda _, __: self._models(),
            **ConsoleDesk(parts, readers, sight, self.in_work).requests,
            **HotwordDesk(parts, sight).requests,
            p.GetPlayback: self._playing.playback,
            **CorrectingDesk(parts, readers, self).requests,
            **LearningDesk(parts, readers, self).requests,
            **ForgettingDesk(parts, readers, self).requests,
            **SpeakerDesk(parts, readers, self).requests,
        }

    def serve(self, ask: m.Ask, descriptor: int | None) -> tuple[m.Told, int | None]:
        """Carry a request out; descriptors, the one given and the one returned, are the caller's to close.

        Raises :class:`RefusedError`, or what the history raises.
        """
        request = ask.request
        if isinstance(request, m.LogIn):
            return self._log_in(request), None
        person = self.asker(ask)
        match request:
            case m.LogOut():
                self._accesses.log_out(ask.secret)
                return m.Done(), None
            case m.PutRecording():
                return self._put(person, request, descriptor), None
        if (hand_out := self._handed_out.get(type(request))) is not None:
            return hand_out(person, request)
        carry_out = self._plain.get(type(request))
        if carry_out is None:
            raise RefusedError("refused", f"not a request of its own: {request.command}", "无法识别的请求。")
        return carry_out(person, request), None

    # ------------------------------------------------------------------ who

    def asker(self, ask: m.Ask) -> Access:
        """Return who asks, by a secret or in a trusted proxy's words; raises :class:`RefusedError`."""
        section = self._parts.config.gateway
        if not ask.user or section is None or not section.trusted_user_header:
            return self.person(ask.secret)
        access = self._accesses.named(ask.user)
        if access is None:
            raise RefusedError("log_in", f"{ask.user!r} is in no `access list`", "您还没有使用权限。")
        return access

    def person(self, secret: str) -> Access:
        """Return who asks; raises :class:`RefusedError`."""
        access = self._accesses.of(secret) if secret else None
        if access is None:
            raise _log_in_first()
        return access

    def _log_in(self, request: m.LogIn) -> m.Told:
        begun = self._accesses.log_in(request.token)
        if begun is None:
            raise RefusedError("log_in", "this token is not known", "令牌不正确。")
        access, log_in = begun
        log.info("access_logged_in", access=access.name)
        return m.LoggedIn(log_in.secret, lasts_s(log_in, self._parts.clock), self._told(access))

    def _told(self, person: Access) -> m.Person:
        return m.Person(person.name, self._inboxes(person), tuple(sorted(map(str, person.rights))))

    def _inboxes(self, person: Access) -> tuple[str, ...]:
        return self._sight.inboxes(person)

    def require(self, person: Access, right: Right, inbox: str) -> None:
        """Raise :class:`RefusedError` where somebody may not do that in an inbox."""
        self._require(person, right, inbox)

    def _require(self, person: Access, right: Right, inbox: str) -> None:
        self._sight.require(person, right, inbox)

    # ------------------------------------------------------------------ looking

    def in_work(self, person: Access) -> tuple[m.InWork, ...]:
        """Return what is being recognised, of that which may be read."""
        seen, now_s = self._inboxes(person), self._parts.clock.monotonic_s()
        return tuple(
            m.InWork(
                next((each.id for each in work.job.waiting if each.inbox == work.inbox), None),
                work.inbox,
                work.name,
                work.duration_ms / 1000,
                work.recognised_ms / 1000,
                remaining_s(now_s - work.began_s, work.recognised_ms, work.duration_ms),
            )
            for work in self._parts.dispatcher.in_work
            if work.inbox in seen
        )

    def _overview(self, person: Access) -> m.Overview:
        live = live_status(self._parts)
        seen = self._inboxes(person)
        with self._readers.reader() as history:
            counts = {(row["inbox"], row["state"]): row["recordings"] for row in history.all("inbox_counts")}
        together = live["recogniser"]
        inboxes = tuple(
            m.Inbox(
                each["name"],
                each["problem"],
                *(counts.get((each["name"], state), 0) for state in ("waiting", "done", "failed")),
            )
            for each in live["inboxes"]
            if each["name"] in seen
        )
        return m.Overview(
            phase=together["state"],
            reason=together["problem"],
            model=together["model"],
            device=together["device"],
            queued=self._parts.jobs.count_queued(),
            inboxes=inboxes,
            in_work=self.in_work(person),
            versions={"asr-daemon": __version__},
        )

    def _list(self, person: Access, request: m.ListRecordings) -> m.RecordingList:
        inboxes = self._which(person, request.inbox)
        which = Filter(inboxes, request.state, request.since, request.until, request.text)
        with self._readers.reader() as history:
            page = browse(history, which, limit=request.limit + 1, before=request.before)
        more = len(page) > request.limit
        page = page[: request.limit]
        return m.RecordingList(tuple(map(self._sight.listed, page)), page[-1].id if more else None)

    def _models(self) -> m.ModelNames:
        try:
            return m.ModelNames((self._parts.profiles.model.name,))
        except ModelMissingError:
            return m.ModelNames(())

    def _which(self, person: Access, inbox: str | None) -> tuple[str, ...]:
        return self._sight.which(person, inbox)

    def _search(self, person: Access, request: m.Search) -> m.Found:
        inboxes = self._which(person, request.inbox)
        terms = match_terms(request.words)
        if not terms or len(terms) > MOST_TERMS:
            sentence = f"search for one to {MOST_TERMS} words"
            raise RefusedError("refused", sentence, f"请输入要查找的字词（最多 {MOST_TERMS} 个）。")
        with self._readers.reader() as history:
            found = places(history, terms, inboxes, limit=request.limit + 1)
        told = tuple(
            m.FoundPlace(
                place.recording,
                place.inbox,
                self._within(place.inbox, place.path),
                place.start_ms,
                place.end_ms,
                place.text,
                place.speaker,
            )
            for place in found[: request.limit]
        )
        return m.Found(told, len(found) > request.limit)

    def _detail(self, person: Access, request: m.GetRecording) -> m.RecordingDetail:
        with self._readers.reader() as history:
            filed = self._filed(history, person, request.recording)
            version = version_of(history, filed)
            passages: tuple[m.Passage, ...] = ()
            if filed.work is not None and filed.work.state is JobState.DONE:
                if request.words:
                    passages = tuple(map(passage_of, transcript_in_force(history, filed).segments))
                else:
                    passages = tuple(
                        replace(passage_of(each), words=()) for each in read_in_force(history, filed)
                    )
        work = filed.work
        return m.RecordingDetail(
            self._listed(filed),
            work.model if work else "",
            work.flags if work else (),
            passages,
            person.may(Right.EDIT, filed.recording.department),
            version,
        )

    def _transcript(self, person: Access, request: m.GetTranscript) -> tuple[m.Rendered, int | None]:
        with self._readers.reader() as history:
            filed = self._filed(history, person, request.recording)
            if filed.work is None or filed.work.state is not JobState.DONE:
                raise RefusedError("conflict", "there is no transcript of it yet", "这个录音还没有转写好。")
            document = document_of(history, filed, word_look(self._parts.config))
        stem = valid_text(filed.recording.path.stem)
        name = f"{stem}.{request.format}"
        if request.format in TEXTS:
            return m.Rendered(name, TEXTS[request.format](document)), None
        return m.Rendered(name), _in_memory(rendered(document, request.format))

    def _open(self, person: Access, number: int) -> tuple[m.Opened, int]:
        with self._readers.reader() as history:
            filed = self._filed(history, person, number)
        recording = filed.recording
        try:
            descriptor = open_sound(self._parts, recording)
        except AsrDaemonError as error:
            chinese = getattr(error, "chinese", "") or "录音暂时无法打开。"
            code: m.Code = "not_found" if isinstance(error, RecordingGoneError) else "unavailable"
            raise RefusedError(code, str(error), chinese) from None
        name = self._within(recording.department, recording.path)
        return m.Opened(name, os.fstat(descriptor).st_size), descriptor

    def filed(self, history: History, person: Access, recording: int, right: Right = Right.READ) -> Filed:
        """Return a recording that somebody may do that with; raises :class:`RefusedError`."""
        filed = self._filed(history, person, recording)
        self._require(person, right, filed.recording.department)
        return filed

    def _filed(self, history: History, person: Access, recording: int) -> Filed:
        return self._sight.filed(history, person, recording)

    def _listed(self, filed: Filed) -> m.Listed:
        return self._sight.listed_filed(filed)

    def _within(self, inbox: str, path: Path) -> str:
        return self._sight.within(inbox, path)

    # ------------------------------------------------------------------ changing

    def _may_put(self, person: Access, request: m.MayPut | m.PutRecording) -> m.Done:
        self._require(person, Right.UPLOAD, request.inbox)
        if not is_recordings_name(fit_name(request.name)):
            raise RefusedError(
                "refused", f"{request.name!r} is not the name of a recording", "这不是录音文件。"
            )
        return m.Done()

    def _put(self, person: Access, request: m.PutRecording, descriptor: int | None) -> m.Put:
        self._may_put(person, request)
        if descriptor is None:
            raise RefusedError("refused", "no file came along", "没有收到文件。")
        inbox = self._parts.config.require_inbox(request.inbox)
        try:
            path = put_into(inbox, request.name, descriptor, self._parts.shares)
        except AsrDaemonError as error:
            raise RefusedError(
                "unavailable", str(error), getattr(error, "chinese", "") or "现在无法放进这个文件夹。"
            ) from None
        log.info("recording_uploaded", inbox=inbox.name, file=path.name, access=person.name)
        self._parts.arrivals.hurry(path)
        self._parts.intake.wake(inbox.name, path)
        return m.Put(self._within(inbox.name, path))

    def _retry(self, person: Access, request: m.Retry) -> m.Done:
        return self._steer(person, self._parts.arrivals.retry, request.recordings, "retry")

    def _cancel(self, person: Access, request: m.Cancel) -> m.Done:
        return self._steer(person, self._parts.arrivals.cancel, request.recordings, "cancel")

    def _steer(
        self, person: Access, do: Callable[[int], object], recordings: Sequence[int], what: str
    ) -> m.Done:
        wanted = list(dict.fromkeys(recordings))
        with self._readers.reader() as history:
            for recording in wanted:
                filed = self._filed(history, person, recording)
                self._require(person, Right.EDIT, filed.recording.department)
        try:
            for recording in wanted:
                do(recording)
        except OperatorError as error:
            raise RefusedError("conflict", str(error), "这个录音现在不能这样操作。") from None
        finally:
            self._parts.dispatcher.wake()
        log.info("recordings_steered", what=what, recordings=wanted, access=person.name)
        return m.Done(len(wanted))

    def _set_paused(self, person: Access, request: m.SetPaused) -> m.Done:
        if Right.OPERATE not in person.rights:
            raise RefusedError("forbidden", "only operators may pause the queue", "您没有这个权限。")
        self._parts.settings.pause(request.paused)
        self._parts.dispatcher.wake()
        log.info("queue_paused" if request.paused else "queue_resumed", access=person.name)
        return m.Done()


def _in_memory(data: bytes) -> int:
    """Return a descriptor of a file that holds that, and lies nowhere."""
    descriptor = os.memfd_create("transcript", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor
