"""A rename is not a new recording: a known content at a new place, whose old place is empty, keeps its row.

Enters: a file that was hashed. Leaves: its row and its files' rows at the new place, or None where it is not
a recording that was moved (its old place lives still: a copy). Nothing is recognised. Where its transcripts
were moved along, or were edited, nothing is written either: an edited one that was left behind is a person's
and stays, and so do the others beside it. Left behind as we wrote them, they follow: written anew under the
new name, since they say it, and taken away under the old one. May fail as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.delivery.outputs import FAILURE, JOINED, digest_of, same_name
from asr_daemon.errors import ShareUnavailableError
from asr_daemon.files.folders import remove
from asr_daemon.history.outputs import forget_output, outputs_of
from asr_daemon.history.recordings import COMMAND_LINE, Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import valid_text
from asr_daemon.queue.job import Enqueued

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.history import History
    from asr_daemon.history.outputs import Output
    from asr_daemon.history.recordings import Filed, Look, Recording
    from asr_daemon.inboxes.share import Shares
    from asr_daemon.queue.arrivals import Arrivals
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.transcripts.profile import Profile

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Files:
    """What became of a recording's files when it was moved."""

    moved: dict[Path, Path]  # those that were moved along, and where they lie now
    left: tuple[Path, ...]  # those that lie where they were, as we wrote them
    has_edited: bool  # whether one lies where it was that a person edited
    count: int


class Follower:
    """Recognises recordings that were moved; for the intake's thread."""

    def __init__(
        self,
        history: History,
        arrivals: Arrivals,
        deliverer: Deliverer,
        shares: Shares,
        profiles: InboxProfiles,
        clock: Clock,
    ) -> None:
        self._history = history
        self._arrivals = arrivals
        self._deliverer = deliverer
        self._shares = shares
        self._profiles = profiles
        self._recordings = Recordings(history, clock)

    def follow(self, inbox: str, look: Look, sha256: str, profile: Profile) -> Enqueued | None:
        """Return what the file belongs to where it was moved here, None where it is to be queued.

        One that comes from an inbox with another profile is moved, and then queued: it is this inbox's work.
        """
        if inbox == COMMAND_LINE or self._is_known_here(inbox, look, sha256):
            return None
        gone = [filed for filed in self._recordings.moved_from(sha256, look.path) if self._is_gone(filed)]
        if not gone:
            return None
        filed = max(
            gone, key=lambda each: (each.recording.inbox == inbox, each.recording.name == look.name)
        )  # the newest of several
        recording, work = filed.recording, filed.work
        assert work is not None  # noqa: S101 (its content is known)
        try:
            files = self._files_of(recording, look.path)
            is_other_work = recording.inbox != inbox and not self._is_same_work(filed, profile)
        except ShareUnavailableError:
            return None
        state = recording.state if is_other_work else _state_of(filed, files)
        if not self._arrivals.follow(recording, inbox, look, state, files.moved):
            return None
        log.info(
            "recording_moved",
            job=recording.job,
            inbox=inbox,
            file=self._deliverer.config.shown_path(inbox, look.path),
            before=valid_text(recording.path),
        )
        if is_other_work:
            return None
        if state is RecordingState.WAITING and work.state.is_over and self._deliverer.deliver(recording.id):
            self._take_back(recording, files.left)
        return Enqueued(recording.id, work.id, work.state, is_new_work=False)

    # ------------------------------------------------------------------ whether it was moved

    def _is_known_here(self, inbox: str, look: Look, sha256: str) -> bool:
        here = self._recordings.current(look.path, inbox)
        filed = None if here is None else self._recordings.get(here.id)
        return filed is not None and filed.work is not None and filed.work.sha256 == sha256

    def _is_gone(self, filed: Filed) -> bool:
        """Whether nothing lies at its old place, and its share is there to say so."""
        section = self._deliverer.config.find_inbox(filed.recording.inbox)
        if section is None:
            return False
        try:
            self._shares.require(section)
            return not self._shares.exists(filed.recording.path)
        except ShareUnavailableError:
            return False

    def _is_same_work(self, filed: Filed, profile: Profile) -> bool:
        """Whether the other inbox asks for the same: then, or now."""
        assert filed.work is not None  # noqa: S101 (as above)
        return profile.digest in (
            filed.work.profile.digest,
            self._profiles.profile(filed.recording.inbox).digest,
        )

    # ------------------------------------------------------------------ its files

    def _files_of(self, recording: Recording, path: Path) -> _Files:
        moved: dict[Path, Path] = {}
        left: list[Path] = []
        has_edited = False
        outputs = outputs_of(self._history, recording.id)
        for output in outputs:
            if not self._shares.exists(output.path):
                there = next(self._moved_along(recording.path, output.path, path), None)
                if there is not None:
                    moved[output.path] = there
            elif output.format.startswith(JOINED):
                continue  # it is looked after with the other parts
            elif output.format == FAILURE or output.is_as_written(self._digest(output) or ""):
                left.append(output.path)
            else:
                has_edited = True
        count = sum(not output.format.startswith(JOINED) for output in outputs)
        return _Files(moved, tuple(left), has_edited, count)

    def _moved_along(self, recording: Path, output: Path, path: Path) -> Iterator[Path]:
        """Yield where a file that lay beside the recording may lie beside it again, and does."""
        for name in dict.fromkeys((_renamed(output.name, recording, path), output.name)):
            there = path.parent / name
            owner = self._history.one("output_owner", same_name=same_name(there))
            if owner is None and self._shares.exists(there):
                yield there

    def _digest(self, output: Output) -> str | None:
        return digest_of(output.path, self._deliverer.config.root_of(output.path), output.sizes)

    def _take_back(self, recording: Recording, left: tuple[Path, ...]) -> None:
        """Remove what lies under the old name still and is as we wrote it."""
        for output in outputs_of(self._history, recording.id):
            if output.path not in left:
                continue
            if not self._deliverer.config.keeps(output.path):
                log.warning("foreign_output_left", file=output.path.name)
            elif output.format == FAILURE or output.is_as_written(self._digest(output) or ""):
                try:
                    remove(output.path, self._deliverer.config.root_of(output.path))
                except OSError as error:
                    log.warning("old_transcript_not_removed", file=output.path.name, problem=error.strerror)
            forget_output(self._history, output.path)


def _renamed(name: str, before: Path, now: Path) -> str:
    """Return what a file that is called after a recording is called after it was renamed."""
    for old, new in ((before.name, now.name), (before.stem, now.stem)):
        if name.startswith(f"{old}."):
            return new + name[len(old) :]
    return name


def _state_of(filed: Filed, files: _Files) -> RecordingState:
    """Return how a moved recording stands: it waits where its files are to be written for its new place."""
    recording, work = filed.recording, filed.work
    assert work is not None  # noqa: S101 (as above)
    if recording.state in (RecordingState.WAITING, RecordingState.CANCELLED):
        return recording.state
    has_failed = work.state is not JobState.DONE
    is_bare = not files.moved and (files.count > 0 or has_failed)
    if not files.has_edited and (files.left or is_bare):
        return RecordingState.WAITING
    return RecordingState.FAILED if has_failed else RecordingState.DONE
