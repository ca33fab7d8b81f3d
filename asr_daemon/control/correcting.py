"""The desk where transcripts are corrected: what the gateway asks for whoever may edit in an inbox.

Enters: a request and whose it is. Leaves: its answer; a step on a text that others changed meanwhile is
answered with what they wrote. Files are written anew soon after: :mod:`asr_daemon.delivery.rewriting`.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Protocol

import structlog

from asr_daemon.access import Right
from asr_daemon.control import corrections_messages as c
from asr_daemon.control.answers import Done
from asr_daemon.control.passages import passage_of
from asr_daemon.control.refused import RefusedError
from asr_daemon.history.corrections import (
    UNDOABLE,
    Corrections,
    NotTranscribedError,
    OutdatedError,
    steps_of,
)
from asr_daemon.history.in_force import some_in_force, stored_of, transcript_in_force, version_of
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState
from asr_daemon.sentence import chinese_of
from asr_daemon.transcripts.correcting import CorrectionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.control.messages import Told
    from asr_daemon.daemon import Parts
    from asr_daemon.history import History
    from asr_daemon.history.corrections import Changed
    from asr_daemon.history.readers import Readers
    from asr_daemon.history.recordings import Filed

log = structlog.get_logger()


class Doorkeeper(Protocol):
    """Who may what: the desk."""

    def filed(self, history: History, person: Access, recording: int, right: Right = ...) -> Filed:
        """Return a recording that somebody may do that with; raises :class:`RefusedError`."""

    def require(self, person: Access, right: Right, inbox: str) -> None:
        """Raise :class:`RefusedError` where somebody may not do that in an inbox."""


class CorrectingDesk:
    """Serves one request after the other, from any thread."""

    def __init__(self, parts: Parts, readers: Readers, keeper: Doorkeeper) -> None:
        self._parts = parts
        self._readers = readers
        self._keeper = keeper
        self._corrections = Corrections(parts.history, parts.clock)
        self.requests: dict[type, Callable[[Access, Any], Told]] = {
            c.Correct: self._correct,
            c.Split: self._split,
            c.Join: self._join,
            c.Undo: self._undo,
            c.Discard: self._discard,
            c.GetCorrections: self._list,
            c.WriteFiles: self._write_files,
        }

    # ------------------------------------------------------------------ steps

    def _correct(self, person: Access, request: c.Correct) -> Told:
        if request.text is None and request.speaker is None:
            raise RefusedError("refused", "give a text, a speaker, or both", "请填写文字或说话人。")

        return self._step(
            person,
            request,
            lambda: self._corrections.correct(
                request.recording,
                request.version,
                request.segment,
                text=request.text,
                speaker=request.speaker,
                who=person.name,
            ),
        )

    def _split(self, person: Access, request: c.Split) -> Told:
        return self._step(
            person,
            request,
            lambda: self._corrections.split(
                request.recording, request.version, request.segment, request.at, person.name
            ),
        )

    def _join(self, person: Access, request: c.Join) -> Told:
        return self._step(
            person,
            request,
            lambda: self._corrections.join(request.recording, request.version, request.segment, person.name),
        )

    def _undo(self, person: Access, request: c.Undo) -> Told:
        return self._step(
            person,
            request,
            lambda: self._corrections.undo(request.recording, request.version, person.name),
        )

    def _discard(self, person: Access, request: c.Discard) -> Told:
        return self._step(
            person,
            request,
            lambda: self._corrections.discard(
                request.recording, request.version, request.unplaced, person.name
            ),
        )

    def _step(
        self,
        person: Access,
        request: c.Correct | c.Split | c.Join | c.Undo | c.Discard,
        carry_out: Callable[[], Changed],
    ) -> c.Corrected | c.Outdated:
        with self._readers.reader() as history:
            filed = self._keeper.filed(history, person, request.recording, Right.EDIT)
        try:
            with self._parts.history.transaction() as history:  # what is told is of the moment of the step
                changed = carry_out()
                filed = self._corrections.filed(request.recording)
                version = version_of(history, filed)
                now = some_in_force(history, filed, changed.first, changed.count)
        except OutdatedError as error:
            return self._outdated(request.recording, error.since)
        except NotTranscribedError:
            raise RefusedError(
                "conflict", "there is no transcript of it yet", "这个录音还没有转写好。"
            ) from None
        except CorrectionError as error:
            raise RefusedError("refused", str(error), error.chinese) from None
        log.info(
            "transcript_corrected",
            job=filed.recording.job,
            inbox=filed.recording.inbox,
            recording=filed.recording.id,
            what=request.command,
            access=person.name,
        )
        return c.Corrected(version, changed.first, tuple(map(passage_of, now)), changed.moved)

    def _outdated(self, recording: int, since: int) -> c.Outdated:
        with self._readers.reader() as history:
            filed = Recordings(history, self._parts.clock).get(recording)
            if filed is None or filed.work is None:
                raise RefusedError("not_found", "there is no such recording", "没有这个录音。")
            version = version_of(history, filed)  # first: what is changed after it is asked for again
            passages = tuple(map(passage_of, transcript_in_force(history, filed).segments))
            steps = tuple(c.Step(*astuple(each)) for each in steps_of(history, recording, since))
        return c.Outdated(version, steps, passages)

    def _write_files(self, person: Access, request: c.WriteFiles) -> Told:
        with self._readers.reader() as history:
            self._keeper.filed(history, person, request.recording, Right.EDIT)
        done = self._parts.deliverer.anew.write(request.recording)
        if done.problem:
            raise RefusedError("conflict", done.problem, chinese_of(done.problem))
        if done.kept and not done.written:
            told = f"a person edited {', '.join(done.kept)}: move it away, and it is written anew"
            raise RefusedError("conflict", told, "文件被人修改过，没有改动；把它移走后可以重新写出。")
        log.info("files_asked_anew", recording=request.recording, access=person.name)
        return Done(len(done.written))

    # ------------------------------------------------------------------ looking

    def _list(self, person: Access, request: c.GetCorrections) -> c.CorrectionList:
        with self._readers.reader() as history:
            filed = self._keeper.filed(history, person, request.recording)
            steps = steps_of(history, request.recording)
            unplaced = tuple(
                c.Unplaced(
                    each.id,
                    each.block.stretches[0].start_ms,
                    each.block.stretches[-1].end_ms,
                    " / ".join(stretch.text for stretch in each.block.stretches),
                    each.block.said,
                )
                for each in stored_of(history, request.recording)
                if not each.is_placed
            )
            version = version_of(history, filed)
        is_done = filed.work is not None and filed.work.state is JobState.DONE
        standing = next((step for step in steps if not step.is_undone and step.kind != "undo"), None)
        may_undo = is_done and standing is not None and standing.kind in UNDOABLE
        return c.CorrectionList(version, may_undo, tuple(c.Step(*astuple(each)) for each in steps), unplaced)
