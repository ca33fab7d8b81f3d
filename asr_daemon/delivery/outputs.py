"""The files of a recording in the share: what they are called, and whether they are still as we wrote them.

Enters: what is about to be written for a recording. Leaves: one stem for all of its formats, remembered
before anything is written: after a crash in between the same names are used again. A file that a person
edited is theirs from then on, and the names go round it. May fail with what reading the share, or the
history, raises.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from asr_daemon.delivery.known import failure_names, is_failure_of, is_same_but_for_time
from asr_daemon.errors import NotReadableError, RecordingGoneError
from asr_daemon.files.folders import remove
from asr_daemon.files.publish import publish, write_error
from asr_daemon.history.outputs import forget_output, outputs_of
from asr_daemon.inboxes.fingerprint import fingerprint, open_recording
from asr_daemon.printable import valid_text
from asr_daemon.transcripts.names import FAILURE_SUFFIX, output_paths, same_name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.history import History
    from asr_daemon.history.outputs import Output

log = structlog.get_logger()

FAILURE = "failure"  # beside "txt", "srt" ...: the file that says why there is none
JOINED = "joined-"  # before "txt", "srt" ...: of a recording and those that follow on it, see joining.py
MOST_BYTES = 64 << 20  # of a transcript whose size is not known: an older release wrote it
_NO_FILE_OF_OURS = "-"  # what lies there is a link, a folder, has another size, or may not be read


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that is about to be written."""

    target: Path
    is_ours: bool  # what lies there is ours and may be replaced


class Outputs:
    """The history's word on which files this program wrote, for which recording, and with what in them."""

    def __init__(
        self, history: History, clock: Clock, root_of_ours: Callable[[Path], Path | None] = lambda _path: None
    ) -> None:
        """``root_of_ours``: below which folder files of ours lie there, besides in the recording's inbox."""
        self._history = history
        self._clock = clock
        self._elsewhere = root_of_ours

    def plan(self, recording: int, path: Path, root: Path, data: dict[str, bytes]) -> dict[str, Planned]:
        """Choose, and remember, the name of each kind of file beside ``path``, which lies below ``root``.

        All have one stem: the first whose names are free, or hold what this program wrote for this recording.
        """
        own = {(output.format, output.path): output for output in outputs_of(self._history, recording)}
        digests = {kind: hashlib.sha256(content).hexdigest() for kind, content in data.items()}
        sizes = {kind: len(content) for kind, content in data.items()}
        there: dict[Path, str | None] = {}

        def is_free(kind: str, target: Path) -> bool:
            ours = own.get((kind, target))
            if ours is None and self._history.one("output_owner", same_name=same_name(target)) is not None:
                return False
            own_sizes = () if ours is None else ours.sizes
            there[target] = found = digest_of(target, root, (sizes[kind], *own_sizes))
            if found is None or found == digests[kind]:
                return True
            if ours is not None and ours.is_as_written(found):
                return True
            if kind == FAILURE:
                return is_failure_of(target, root, path.name)
            return ours is None and is_same_but_for_time(target, root, data[kind])

        suffixes = {kind: _suffix(kind) for kind in data}
        targets = output_paths(path, suffixes, is_free)
        with self._history.transaction() as history:
            for kind, target in targets.items():
                history.run(
                    "plan_output",
                    path=os.fsencode(target),
                    same_name=same_name(target),
                    recording=recording,
                    format=kind,
                    sha256=digests[kind],
                    size_bytes=sizes[kind],
                )
        return {kind: Planned(target, there[target] is not None) for kind, target in targets.items()}

    def publish(self, recording: int, path: Path, root: Path, data: dict[str, bytes]) -> list[Path]:
        """Write these kinds of files beside ``path``, which lies below ``root``; return what was written.

        Then take away what an earlier round wrote under another stem.
        """
        while True:
            plans = self.plan(recording, path, root, data)
            try:
                for kind, plan in plans.items():
                    publish(plan.target, data[kind], root=root, replace=plan.is_ours)
            except FileExistsError:  # somebody took that name this very moment: another stem
                forget_output(self._history, plan.target)
                continue
            written = [plan.target for plan in plans.values()]
            self.withdraw(recording, data, root, keep=written)
            return written

    def plan_again(self, recording: int, output: Output, data: bytes, found: str) -> None:
        """Remember that a file of ours is about to hold something else; ``found``: what it holds now."""
        with self._history.transaction() as history:
            if found == output.planned_sha256:  # a kill came between the file and its row
                self.confirm(history, [output.path])
            history.run(
                "plan_output",
                path=os.fsencode(output.path),
                same_name=same_name(output.path),
                recording=recording,
                format=output.format,
                sha256=hashlib.sha256(data).hexdigest(),
                size_bytes=len(data),
            )

    def confirm(self, history: History, written: Iterable[Path]) -> None:
        """Remember, within a transaction, that these planned files lie there."""
        for path in written:
            history.run("confirm_output", path=os.fsencode(path), now=self._clock.stamp())

    def _root_of_ours(self, path: Path, root: Path) -> Path | None:
        """Return the folder below which that file of ours is looked for, None where none of ours can lie."""
        if root in path.parents and ".." not in path.parts:
            return root
        return self._elsewhere(path)

    def withdraw(
        self,
        recording: int,
        kinds: Iterable[str],
        root: Path,
        keep: Iterable[Path] = (),
        *,
        anywhere: bool = False,
    ) -> None:
        """Remove the recording's files of these kinds but for ``keep``; those that a person edited stay.

        Where some are kept, files in other folders than theirs stay as well, unless it is ``anywhere``.
        """
        kept = set(keep)
        folders = set() if anywhere else {path.parent for path in kept}
        for output in outputs_of(self._history, recording):
            path = output.path
            if output.format not in kinds or path in kept or (folders and path.parent not in folders):
                continue
            below = self._root_of_ours(path, root)
            if below is None:
                log.warning("foreign_output_left", file=path.name)
                forget_output(self._history, path)
                continue
            found = None if output.format == FAILURE else digest_of(path, below, output.sizes)
            if output.format == FAILURE or (found is not None and output.is_as_written(found)):
                try:
                    remove(path, below)
                except OSError as error:
                    raise write_error(path, error) from None
            elif found is not None and output.written_sha256:
                log.info(
                    "edited_transcript_kept",
                    file=valid_text(path.relative_to(below)),
                )
            forget_output(self._history, path)

    def withdraw_unknown_failure(self, path: Path, root: Path) -> None:
        """Remove a failure file of a recording that has its transcript; the history knows no such file."""
        for target in failure_names(path):
            known = self._history.one("output_owner", same_name=same_name(target)) is not None
            if not known and is_failure_of(target, root, path.name):
                try:
                    remove(target, root)
                except OSError as error:
                    log.warning("old_failure_file_not_removed", file=target.name, problem=error.strerror)

    def take_back(self, recording: int, fallback_dir: Path) -> None:
        """Remove the files from the fall-back folder: they lie beside the recording now; edited ones stay."""
        for output in outputs_of(self._history, recording):
            path = output.path
            if fallback_dir not in path.parents:
                continue
            found = digest_of(path, fallback_dir, output.sizes)
            if found is not None and output.is_as_written(found):
                try:
                    remove(path, fallback_dir)
                except OSError as error:
                    log.warning("old_transcript_not_removed", file=path.name, problem=error.strerror)
                _remove_empty(path.parent, fallback_dir)
            forget_output(self._history, path)


def _suffix(kind: str) -> str:
    """Return what the names of that kind of file end with."""
    return FAILURE_SUFFIX if kind == FAILURE else f".{kind.removeprefix(JOINED)}"


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove the folder, and those above it below ``root``, where nothing is left in them."""
    with contextlib.suppress(OSError):
        while root in folder.parents:
            folder.rmdir()
            folder = folder.parent


def digest_of(path: Path, root: Path, sizes: Collection[int | None]) -> str | None:
    """Return the SHA-256 of what lies there, in hexadecimal; None where nothing does.

    ``sizes``, in bytes, are those of the contents that it is compared with (None: one that is not known). A
    file of another size is none of them, and is not read: in a share it may have 8 TB.
    """
    try:
        descriptor = open_recording(path, root)
    except NotReadableError:
        return _NO_FILE_OF_OURS
    except RecordingGoneError:
        return _NO_FILE_OF_OURS if os.path.lexists(path) else None
    try:
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes not in sizes and (None not in sizes or size_bytes > MOST_BYTES):
            return _NO_FILE_OF_OURS
        return fingerprint(descriptor).sha256
    except RecordingGoneError:  # somebody writes to it this very moment
        return _NO_FILE_OF_OURS
    finally:
        os.close(descriptor)


def same_name(path: Path) -> bytes:
    """Return the key of names that are one, as the history has it."""
    return same_name_key(path).encode("utf-8", "surrogateescape")
