"""Recognising files named on the command line: by the running daemon, or by one of the command's own."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from asr_daemon.clock import Clock
from asr_daemon.control.socket import MOST_DESCRIPTORS, NotRunningError, ask
from asr_daemon.errors import OperatorError
from asr_daemon.files.owner import become_for_good, for_caller
from asr_daemon.history import open_history_read_only
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import printable
from asr_daemon.telemetry import log
from asr_daemon.views.console import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.progress import TaskID

    from asr_daemon.cli.context import Context
    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Filed

LEFT = (RecordingState.GONE, RecordingState.CANCELLED, RecordingState.SUPERSEDED)  # no longer waited for
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: what the history has of it when it was recognised, else one sentence."""

    filed: Filed | None
    problem: str = ""


class OneOff:
    """A way to have files recognised, and the history that they land in."""

    def __init__(
        self,
        config: Config,
        steer: Callable[..., Answer],
        *,
        hands_over: bool,
        held: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self.steer = steer
        self._held = held  # open already: by now this process may not open them itself
        self._hands_over = hands_over  # open files: the service may not reach what this user reaches

    @property
    def history(self) -> History:
        """Open the history for reading; the caller closes it."""
        return open_history_read_only(self._config.history_path)

    def recognise(
        self,
        files: Sequence[Path],
        *,
        inbox: str = "",
        hotwords: str | None = None,
        speakers: bool | None = None,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each file, in order, with a progress bar where a person watches.

        They are recognised under an inbox's profile, with another hotword file where one is given ("": none),
        and with or without speakers (None: as the inbox).
        """
        results: list[dict[str, Any]] = []
        for begin in range(0, len(files), MOST_DESCRIPTORS):
            some = files[begin : begin + MOST_DESCRIPTORS]
            results += self._submit(some, inbox=inbox, hotwords=hotwords, speakers=speakers)
        with _progress() as progress:
            for result in results:
                if "error" in result:
                    yield Outcome(None, result["error"])
                    continue
                task = progress.add_task(printable(Path(result["path"]).name), total=100)
                filed = self._await(result["recording"], result["job"], progress, task)
                progress.remove_task(task)
                yield _outcome(filed)

    def _submit(self, files: Sequence[Path], **profile: Any) -> list[dict[str, Any]]:
        """Queue some files; return what the daemon says of each, in order."""
        paths = [os.path.abspath(file) for file in files]
        if not self._hands_over:
            return list(self.steer("submit", paths=paths, **profile)["results"])
        closed: dict[str, str] = {}
        opened: dict[str, int] = {}
        try:
            for path in dict.fromkeys(paths):
                try:
                    opened[path] = os.dup(self._held[path]) if path in self._held else _open(path)
                except OSError as error:
                    closed[path] = f"{Path(path).name}: {error.strerror}"
            asked = {"paths": list(opened), "descriptors": list(opened.values())}
            answered = self.steer("submit", **asked, **profile)["results"] if opened else []
        finally:
            for descriptor in opened.values():
                os.close(descriptor)
        told = dict(zip(opened, answered, strict=True))
        return [told.get(path) or {"path": path, "error": closed[path]} for path in paths]

    def _await(self, recording: int, job: int, progress: Progress, task: TaskID) -> Filed:
        history = self.history
        recordings = Recordings(history, Clock())
        try:
            while True:
                filed = recordings.get(recording)
                if filed is not None and _is_over(filed):
                    return filed
                self._show(job, progress, task)
                time.sleep(POLL_S)  # the history has no events for other processes
        finally:
            history.close()

    def _show(self, job: int, progress: Progress, task: TaskID) -> None:
        live = self.steer("status")
        recogniser = live["recogniser"]
        if recogniser["state"] in ("blocked", "paused"):
            why = recogniser["problem"] or "the queue is paused; `asr-daemon resume` goes on"
            raise OperatorError(f"cannot transcribe at present: {why}")
        for work in live["in_work"]:
            if work["job"] == job and work["percent"] is not None:
                progress.update(task, completed=work["percent"])


def _is_over(filed: Filed) -> bool:
    return filed.recording.state in LEFT or (filed.work is not None and filed.work.is_complete)


def _outcome(filed: Filed) -> Outcome:
    name = filed.recording.name
    if filed.work is not None and filed.work.state is JobState.DONE:
        return Outcome(filed)
    if filed.recording.state is RecordingState.CANCELLED:
        return Outcome(None, f"{name}: it was cancelled")
    if filed.recording.state in LEFT:
        return Outcome(None, f"{name}: it was taken away, or changed, before its turn; name it once more")
    return Outcome(None, f"{name}: {filed.problem}")


def _open(path: str) -> int:
    with for_caller(Path(path)):
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


@contextlib.contextmanager
def _closed_to_owner(files: Sequence[Path]) -> Iterator[dict[str, int]]:
    """Open what the caller may read and the user whom it has become may not, before there is no way back."""
    held: dict[str, int] = {}
    try:
        for path in map(os.path.abspath, files if os.getuid() != os.geteuid() else ()):
            if not os.access(path, os.R_OK, effective_ids=True):
                with contextlib.suppress(OSError):  # it is said where it is asked for
                    held[path] = _open(path)
        yield held
    finally:
        for descriptor in held.values():
            os.close(descriptor)


@contextlib.contextmanager
def one_off(context: Context, files: Sequence[Path] = ()) -> Iterator[OneOff]:
    """Yield a way by the running daemon, or by one of our own, for these files.

    Root's own daemon is the user who rules in the state folder, for good, since it starts children.
    """
    config = context.config_in_force()
    try:
        ask(config.socket_path, "status")
    except NotRunningError:
        pass
    else:
        yield OneOff(
            config,
            lambda command, **arguments: ask(config.socket_path, command, **arguments),
            hands_over=True,
        )
        return
    from asr_daemon.life import Daemon  # noqa: PLC0415 (commands that only look stay quick)

    log.configure("console", "debug" if context.debug else "error")
    with _closed_to_owner(files) as held:
        become_for_good()
        daemon = Daemon(
            config.model_copy(update={"cluster": None}), context.found_path
        )  # no bridge is let in
        daemon.start(watch=False)
        try:
            yield OneOff(
                config,
                lambda command, **arguments: daemon.commands.answer({"command": command, **arguments}),
                hands_over=bool(held),
                held=held,
            )
        finally:
            daemon.stop()


def _progress() -> Progress:
    shown_on = console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=shown_on,
        transient=True,
        disable=not shown_on.is_terminal,
    )
