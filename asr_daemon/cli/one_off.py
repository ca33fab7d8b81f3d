"""Recognising files named on the command line: by the running daemon, or by one of the command's own."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from asr_daemon.clock import Clock
from asr_daemon.control.socket import MOST_DESCRIPTORS, NotRunningError, ask
from asr_daemon.errors import OperatorError
from asr_daemon.files.owner import as_caller
from asr_daemon.history import open_history_read_only
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.states import JobState, RecordingState
from asr_daemon.printable import printable
from asr_daemon.telemetry import log
from asr_daemon.views.console import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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

    def __init__(self, config: Config, steer: Callable[..., Answer], opened: dict[str, int]) -> None:
        self._config = config
        self._steer = steer
        self._opened = opened

    @property
    def history(self) -> History:
        """Open the history for reading; the caller closes it."""
        return open_history_read_only(self._config.history_path)

    def recognise(
        self, files: Sequence[Path], *, inbox: str = "", hotwords: str | None = None
    ) -> Iterator[Outcome]:
        """Yield the outcome of each file, in order, with a progress bar where a person watches.

        They are recognised under an inbox's profile, with another hotword file where one is given ("": none).
        """
        results: list[dict[str, Any]] = []
        for begin in range(0, len(files), MOST_DESCRIPTORS):
            some = files[begin : begin + MOST_DESCRIPTORS]
            results += self._submit(some, inbox=inbox, hotwords=hotwords)
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
        """Queue some files; return what the daemon says of each, in order.

        They are handed over open: the service's user may not reach what the caller reaches.
        """
        paths = [os.path.abspath(file) for file in files]
        opened = {path: self._opened[path] for path in paths if path in self._opened}
        asked = {"paths": list(opened), "descriptors": list(opened.values())}
        answered = self._steer("submit", **asked, **profile)["results"] if opened else []
        told = dict(zip(opened, answered, strict=True))
        closed = {path: f"{Path(path).name}: it cannot be opened" for path in paths if path not in opened}
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
        live = self._steer("status")
        recogniser = live["recogniser"]
        if recogniser["state"] in ("blocked", "paused"):
            why = recogniser["problem"] or "the queue is paused; `asr-daemon resume` goes on"
            raise OperatorError(f"cannot transcribe at present: {why}")
        for work in live["in_work"]:
            if work["job"] == job and work["percent"] is not None:
                progress.update(task, completed=work["percent"])


def _is_over(filed: Filed) -> bool:
    return filed.recording.state in LEFT or (filed.work is not None and filed.work.state.is_over)


def _outcome(filed: Filed) -> Outcome:
    name = filed.recording.name
    if filed.work is not None and filed.work.state is JobState.DONE:
        return Outcome(filed)
    if filed.recording.state is RecordingState.CANCELLED:
        return Outcome(None, f"{name}: it was cancelled")
    if filed.recording.state in LEFT:
        return Outcome(None, f"{name}: it was taken away, or changed, before its turn; name it once more")
    return Outcome(None, f"{name}: {filed.problem}")


@contextlib.contextmanager
def one_off(context: Context, files: Sequence[Path]) -> Iterator[OneOff]:
    """Yield a way by the running daemon, or by one of our own, for files that the caller may open."""
    opened: dict[str, int] = {}
    try:
        with as_caller():  # before anything runs in this process
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            for path in dict.fromkeys(map(os.path.abspath, files)):
                with contextlib.suppress(OSError):
                    opened[path] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with _way(context, opened) as way:
            yield way
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


@contextlib.contextmanager
def _way(context: Context, opened: dict[str, int]) -> Iterator[OneOff]:
    config = context.config_in_force()
    try:
        ask(config.socket_path, "status")
    except NotRunningError:
        pass
    else:
        yield OneOff(
            config,
            lambda command, **arguments: ask(config.socket_path, command, **arguments),
            opened,
        )
        return
    from asr_daemon.daemon import Daemon  # noqa: PLC0415 (commands that only look stay quick)

    log.configure("console", "debug" if context.debug else "error")
    daemon = Daemon(config, context.found_path)
    daemon.start(watch=False)
    try:
        yield OneOff(
            config,
            lambda command, **arguments: daemon.commands.answer({"command": command, **arguments}),
            opened,
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
