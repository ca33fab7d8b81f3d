"""Whether a share answers at all: on a hard mount whose server is away, every call waits for ever.

Enters: a call on a folder. Leaves: its result, or :class:`~asr_daemon.errors.InboxGoneError` after some
seconds. The call is made in a thread of its own, which is left behind where it waits; until it comes back,
everybody else who asks for that folder hears so at once. Each step on an inbox asks first: a share that hangs
holds up nobody else's recordings. (One that begins to hang between the question and the step holds up that
thread; systemd's watchdog then starts the daemon anew, and from then on it is known.)
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from asr_daemon.errors import InboxGoneError
from asr_daemon.inboxes.handed import HandedFiles
from asr_daemon.inboxes.presence import InboxPresence, check_presence

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.config_sections import InboxSection
    from asr_daemon.history.settings import Settings

T = TypeVar("T")
WITHIN_S = 5.0  # a share that is merely slow answers sooner


class _Call(Generic[T]):
    """One call, in its thread."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._result: T | None = None
        self._error: BaseException | None = None
        self.over = threading.Event()
        threading.Thread(target=self._run, name="share", daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 (raised where the result is asked for)
            self._error = error
        self.over.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


class Shares:
    """The folders of the shares, and which of them do not answer; any thread may ask.

    Whatever reads or writes in a share asks here first.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        within_s: float = WITHIN_S,
        handed: HandedFiles | None = None,
    ) -> None:
        self.handed = handed or HandedFiles()  # lie in no share that the service reaches
        self._settings = settings
        self._within_s = within_s
        self._hung: dict[Path, threading.Event] = {}

    def ask(self, folder: Path, call: Callable[[], T]) -> T:
        """Return what the call on that folder returns, or raise what it raises.

        Raises :class:`InboxGoneError` where there is no answer in time, at once where an earlier one is due.
        """
        hung = self._hung.get(folder)
        if hung is None or hung.is_set():
            begun = _Call(call)
            if begun.over.wait(self._within_s):
                self._hung.pop(folder, None)
                return begun.result()
            self._hung[folder] = begun.over
        raise InboxGoneError(
            f"the share of {folder} does not answer: its server is away; bring it back, or unmount it"
        )

    def require(self, inbox: InboxSection) -> InboxPresence:
        """Return how an inbox is there now; raises :class:`InboxGoneError` where it is not."""
        remembered = self._settings.presence(inbox.path) if self._settings else ""
        known = InboxPresence.from_json(remembered) if remembered else None
        return self.ask(inbox.path, lambda: check_presence(inbox.path, known))

    def real_path(self, folder: Path) -> Path:
        """Return the folder with its links resolved; one whose share does not answer as it is named."""
        try:
            return self.ask(folder, lambda: Path(os.path.realpath(folder)))
        except InboxGoneError:
            return folder

    def exists(self, path: Path) -> bool:
        """Return whether anything lies at that path (a link too); raises :class:`InboxGoneError`."""
        if self.handed.has(path):
            return True
        return self.ask(path.parent, lambda: os.path.lexists(path))
