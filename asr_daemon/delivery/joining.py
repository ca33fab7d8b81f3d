"""Parts of one recording as one transcript: written beside the first, for inboxes that ask for it.

Enters: recordings whose text is there. Leaves: beside each part its own files, as ever, and beside the first
the whole, ``会议_001（合并）.txt``: parts are played, corrected and searched one by one, and their subtitles
belong to their own pictures; who wants to read or to send a meeting takes the one that says so. It is written
once every part that is there has its text, anew when one comes later, is corrected or forgotten, and taken
away when there are no longer two; what a person edited, or took away, stays so. What cannot be written now is
due again: the row that says what the files hold comes last. Nothing raises but what the history raises.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.clock import from_stamp
from asr_daemon.delivery.joined_document import document_of_run
from asr_daemon.delivery.outputs import JOINED, digest_of
from asr_daemon.delivery.rendering import word_look
from asr_daemon.errors import HistoryUnavailableError, InboxGoneError, WorkError
from asr_daemon.history.outputs import forget_output, outputs_of
from asr_daemon.history.parts import PartRows
from asr_daemon.history.recordings import Recordings
from asr_daemon.printable import valid_text
from asr_daemon.transcripts.part_order import runs_of
from asr_daemon.transcripts.writers import FORMATS, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.delivery.writing import Writing
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.parts import Kin
    from asr_daemon.history.recordings import Recording
    from asr_daemon.transcripts.part_order import Run

log = structlog.get_logger()

MARK = "（合并）"  # in the names of joined files
KINDS = tuple(JOINED + kind for kind in FORMATS)
AT_ONCE_S = 1.0  # of work; then others have their turn
WHOLE_S = 60.0  # where somebody asks
REST_FACTOR = 20.0  # a share of ten thousand recordings is not compared again with every word
AGAIN_S = 15.0  # before what could not be written is tried again
BROKEN_AGAIN_S = 3600.0  # where nobody knows why
TOGETHER_S = 600.0  # a part rests so long in the inbox before it is archived: the next may be on its way
MOST_RESTING_S = 24 * 3600.0  # where another part waits still


class Joiner:
    """Joins; one family of recordings at a time, never beside a delivery. Any thread."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._recordings = Recordings(writing.history, writing.clock)
        self._parts = PartRows(writing.history)
        self._one_at_a_time = threading.RLock()
        self._not_before_s = 0.0
        self._waits_until_s: dict[str, float] = {}  # families whose files could not be written
        self._problems: dict[str, str] = {}  # of inboxes, as said last

    # ------------------------------------------------------------------ when

    def join_all(self) -> int:
        """Look after what has changed; return how many families were looked after."""
        now_s = self._writing.clock.monotonic_s()
        if now_s < self._not_before_s:
            return 0
        began_s = time.monotonic()
        done = 0
        with self._one_at_a_time:
            self._waits_until_s = {key: at_s for key, at_s in self._waits_until_s.items() if at_s > now_s}
            if not self._look(AT_ONCE_S):
                return 0
            for family in self._parts.due():
                if time.monotonic() > began_s + AT_ONCE_S:
                    break
                if family not in self._waits_until_s:
                    done += self._try_to_join(family)
        self._not_before_s = now_s + REST_FACTOR * (time.monotonic() - began_s)
        return done

    def _try_to_join(self, family: str) -> bool:
        """Look after a family; what nobody thought of holds up no other."""
        try:
            return self._join(family)
        except HistoryUnavailableError:
            raise
        except Exception:
            self._waits_until_s[family] = self._writing.clock.monotonic_s() + BROKEN_AGAIN_S
            log.exception("joining_failed", family=family)
            return False

    def join_of(self, recording: int) -> tuple[str, ...]:
        """Look after the family of a recording now, whose text was forgotten.

        Returns the names of joined files that a person edited: they stay as they are.
        """
        with self._one_at_a_time:
            if not (family := self._parts.family(recording)):
                return ()
            files = [each for owner in self._parts.with_joined_files(family) for each in self._files(owner)]
            self._try_to_join(family)
            try:
                edited = [
                    each for each in files if self._is_theirs(each) and self._writing.shares.exists(each.path)
                ]
            except InboxGoneError:
                return ()  # the family is due again when the share is back
            return tuple(valid_text(each.path.name) for each in edited)

    def write_anew(self, recording: int) -> tuple[str, ...]:
        """Write the files of a recording's run anew, those taken away as well; return their names."""
        with self._one_at_a_time:
            if not self._look(WHOLE_S) or not (family := self._parts.family(recording)):
                return ()
            for owner in self._parts.with_joined_files(family):
                for output in self._files(owner):
                    if self._writing.config().keeps(output.path) and not self._writing.shares.exists(
                        output.path
                    ):
                        forget_output(self._writing.history, output.path)
                self._parts.set_holds(owner, "")
            self._try_to_join(family)
            first = self._parts.first(recording)
            ours = () if first is None else self._files(first)
            return tuple(valid_text(each.path.name) for each in ours if not self._is_theirs(each))

    def _look(self, within_s: float) -> bool:
        """Take note of what has changed in inboxes that join; return whether all parts are known by now."""
        inboxes = [inbox.name for inbox in self._writing.config().inbox if inbox.join]
        return not inboxes or self._parts.look(inboxes, within_s)

    def rests(self, recording: Recording) -> bool:
        """Whether a recording is not to be archived yet: its run is still under way, or was a moment ago."""
        since, long_since = (self._writing.clock.stamp(-span_s) for span_s in (TOGETHER_S, MOST_RESTING_S))
        return self._parts.rests(recording.id, since, long_since)

    def archived_with(self, recording: Recording) -> datetime:
        """Return by which time its place in the archive is chosen: parts lie together."""
        return from_stamp(self._parts.written_first(recording.id) or recording.written_at).astimezone()

    # ------------------------------------------------------------------ one family

    def _join(self, family: str) -> bool:
        """Write and take away what is due of a family; False where that has to wait."""
        kin = {each.id: each for each in self._parts.members(family)} if family else {}
        firsts: dict[int, int | None] = dict.fromkeys(kin)
        kept: set[int] = set()
        try:
            for run in runs_of(each.member for each in kin.values()):
                whole = [kin[member.id] for member in run.members]
                firsts.update(dict.fromkeys((each.id for each in whole), whole[0].id))
                if len(whole) == 1 or all(each.problem for each in whole):
                    continue
                problems = {each.problem for each in whole}
                if "waiting" in problems and "forgotten" not in problems:
                    kept.update(each.id for each in whole)  # what is there is true until then
                    continue
                self._write(run, whole)
                kept.add(whole[0].id)
            for owner in self._parts.with_joined_files(family):
                if owner not in kept:
                    self._withdraw(owner)
        except HistoryUnavailableError:
            raise
        except WorkError as error:
            self._waits_until_s[family] = self._writing.clock.monotonic_s() + AGAIN_S
            self._complain(kin, error)
            return False
        changed = {number: first for number, first in firsts.items() if kin[number].first != first}
        self._parts.done(family, changed)
        return True

    def _write(self, run: Run, whole: Sequence[Kin]) -> None:
        first = self._recording(whole[0])
        inbox = self._writing.home(first)
        if inbox is None:
            return  # it was taken out of the configuration, and may come back
        root = self._writing.root(inbox, first)
        ours = self._files(first.id)
        if not (inbox.join or ours):
            return  # it joins no more; what was written before is kept true
        holds = self._fingerprint(run, whole, inbox)
        if holds == whole[0].holds and all(_is_beside(each, first) for each in ours):
            return
        theirs = {each.format for each in ours if self._is_theirs(each)}
        document = document_of_run(
            self._writing.history, self._recordings, run, whole, word_look(self._writing.config())
        )
        if document is None:
            return
        data = {
            JOINED + kind: rendered(document, kind) for kind in inbox.formats if JOINED + kind not in theirs
        }
        written = [] if self._are_written(first, ours, data) else self._publish(first, root, data)
        self._parts.set_holds(first.id, holds)
        if written:
            log.info(
                "recordings_joined",
                inbox=first.inbox,
                file=self._writing.config().shown_path(first.inbox, first.path),
                parts=len(whole),
                missing=sum(run.missing),
                outputs=[valid_text(path.name) for path in written],
            )

    def _publish(self, first: Recording, root: Path, data: dict[str, bytes]) -> list[Path]:
        beside = first.path.with_name(f"{first.path.stem}{MARK}{first.path.suffix}")
        with self._writing.lock:
            written = self._writing.outputs.publish(first.id, beside, root, data) if data else []
            self._writing.outputs.withdraw(first.id, data, root, keep=written, anywhere=True)
            with self._writing.history.transaction() as history:
                self._writing.outputs.confirm(history, written)
        return written

    def _withdraw(self, owner: int) -> None:
        """Take the joined files away that lie beside a recording, but for those that a person edited."""
        filed = self._recordings.get(owner)
        assert filed is not None  # noqa: S101 (it has files)
        recording = filed.recording
        inbox = self._writing.home(recording)
        if inbox is None:
            return
        with self._writing.lock:
            self._writing.outputs.withdraw(owner, KINDS, self._writing.root(inbox, recording))
        self._parts.set_holds(owner, "")
        log.info(
            "joined_files_withdrawn",
            inbox=recording.inbox,
            file=self._writing.config().shown_path(recording.inbox, recording.path),
        )

    def _recording(self, kin: Kin) -> Recording:
        filed = self._recordings.get(kin.id)
        assert filed is not None  # noqa: S101 (rows are never deleted)
        return filed.recording

    # ------------------------------------------------------------------ its files

    def _files(self, owner: int) -> list[Output]:
        return [each for each in outputs_of(self._writing.history, owner) if each.format.startswith(JOINED)]

    def _is_theirs(self, output: Output) -> bool:
        """Whether a person edited it, or took it away."""
        root = self._writing.config().root_of_ours(output.path)
        if root is None:
            return False
        found = self._writing.shares.ask(root, lambda: digest_of(output.path, root, output.sizes))
        if found is None:
            return bool(output.written_sha256)
        return not output.is_as_written(found)

    def _are_written(self, first: Recording, ours: Sequence[Output], data: dict[str, bytes]) -> bool:
        """Whether these very files lie there."""
        there = {each.format: each.written_sha256 for each in ours if _is_beside(each, first)}
        return len(there) == len(ours) and all(
            there.get(kind) == hashlib.sha256(content).hexdigest() for kind, content in data.items()
        )

    def _fingerprint(self, run: Run, whole: Sequence[Kin], inbox: InboxSection) -> str:
        """Return a digest of everything that can change the joined files."""
        parts = [(each.id, each.name, each.seen, each.problem) for each in whole]
        told = repr((parts, run.missing, inbox.formats, word_look(self._writing.config())))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()

    def _complain(self, kin: dict[int, Kin], error: WorkError) -> None:
        inbox = next((self._recording(each).inbox for each in kin.values()), "")
        if self._problems.get(inbox) != str(error):
            self._problems[inbox] = str(error)
            level = log.info if isinstance(error, InboxGoneError) else log.warning
            level("joining_waits", inbox=inbox, error=error.code, problem=str(error))


def _is_beside(output: Output, first: Recording) -> bool:
    """Whether a joined file lies where that of a recording is to lie."""
    return output.path.parent == first.path.parent and output.path.name.startswith(first.path.stem + MARK)
