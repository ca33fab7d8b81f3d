"""What people corrected again and again, offered for their department's hotword list, and added to it.

Enters: an inbox whose corrections are looked through, and lines that somebody chose. Leaves: suggestions; the
list's file with the lines at its end, and beside it a copy of what it was. A file that was saved meanwhile is
not written over.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import corrections_messages as c
from asr_daemon.control.refused import RefusedError
from asr_daemon.errors import InboxGoneError, ShareUnavailableError
from asr_daemon.files.publish import publish
from asr_daemon.files.trusted import trusted_path
from asr_daemon.hotwords import HotwordFileError, read_hotwords
from asr_daemon.hotwords.adding import LineRefusedError, with_lines
from asr_daemon.hotwords.learning import Corrected, learn
from asr_daemon.hotwords.source import MISSING, read_stable
from asr_daemon.queue.inbox_profiles import hotword_places

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.control.correcting import Doorkeeper
    from asr_daemon.control.messages import Told
    from asr_daemon.daemon import Parts
    from asr_daemon.history.readers import Readers

log = structlog.get_logger()

MOST_CORRECTIONS = 5000  # of an inbox that are looked through, the newest


class LearningDesk:
    """Serves one request after the other, from any thread."""

    def __init__(self, parts: Parts, readers: Readers, keeper: Doorkeeper) -> None:
        self._parts = parts
        self._readers = readers
        self._keeper = keeper
        self.requests: dict[type, Callable[[Access, Any], Told]] = {
            c.GetSuggestions: self._suggest,
            c.AddHotwords: self._add,
        }

    def _suggest(self, person: Access, request: c.GetSuggestions) -> c.SuggestionList:
        self._keeper.require(person, Right.EDIT, request.inbox)
        path = self._list_of(request.inbox)
        data = self._read(path)
        known = None
        if data:
            known = read_hotwords(path, hotword_places(self._parts.config), self._parts.shares.ask)
        with self._readers.reader() as history:
            rows = history.all("text_corrections", inbox=request.inbox, limit=MOST_CORRECTIONS)
        found = learn(
            (
                Corrected((row["recording_id"], row["start_ms"]), row["before_text"], row["after_text"])
                for row in rows
            ),
            known.words if known else (),
            known.replacements if known else (),
        )
        told = tuple(
            c.Suggestion(
                each.wrong,
                each.right,
                each.times,
                "hotword" if each.is_hotword else "replacement",
                each.line,
            )
            for each in found
        )
        return c.SuggestionList(told, _digest(data))

    def _add(self, person: Access, request: c.AddHotwords) -> c.ListChanged:
        self._keeper.require(person, Right.EDIT, request.inbox)
        path = self._list_of(request.inbox)
        data = self._read(path)
        self._refuse_other(data, request.digest)
        try:
            changed, added = with_lines(data, request.lines)
        except LineRefusedError as error:
            raise RefusedError("refused", str(error), error.chinese) from None
        backup = ""
        if changed != data:
            try:
                backup = self._write(path, data, changed)
            except FileExistsError:
                self._refuse_other(self._read(path), "-")
            except ShareUnavailableError as error:
                raise RefusedError(
                    "unavailable", str(error), "词表文件现在无法写入，请联系管理员。"
                ) from None
        log.info("hotwords_added", inbox=request.inbox, lines=added, access=person.name)
        return c.ListChanged(_digest(changed), added, backup)

    def _list_of(self, inbox: str) -> Path:
        path = self._parts.config.require_inbox(inbox).hotwords
        if path is None:
            raise RefusedError(
                "conflict",
                "this inbox has no hotword file: an administrator names one (inbox.hotwords)",
                "这个文件夹没有设置热词文件，请联系管理员。",
            )
        return path

    def _real(self, path: Path) -> Path:
        try:
            return trusted_path(path.absolute(), hotword_places(self._parts.config).shares)
        except OSError as error:
            raise HotwordFileError(path, str(error.strerror), "文件无法打开") from None

    def _read(self, path: Path) -> bytes:
        """Return what the file holds; b"" where there is none."""
        try:
            return self._parts.shares.ask(path.parent, lambda: read_stable(self._real(path)))
        except HotwordFileError as error:
            if error.reason == MISSING:
                return b""
            raise RefusedError("unavailable", str(error), f"词表读不了：{error.chinese}。") from None
        except InboxGoneError as error:
            raise RefusedError("unavailable", str(error), error.chinese) from None

    def _refuse_other(self, data: bytes, digest: str) -> None:
        if _digest(data) != digest:
            raise RefusedError(
                "conflict",
                "the list was saved by somebody else meanwhile: look at it, then add again",
                "词表刚刚被别人保存过，请刷新后再添加。",
            )

    def _write(self, path: Path, before: bytes, data: bytes) -> str:
        """Write the list, and a copy of what it was beside it; return the copy's name."""
        real = self._parts.shares.ask(path.parent, lambda: self._real(path))
        root = Path(real.anchor)
        if not before:
            publish(real, data, root=root, replace=False)
            return ""
        stamp = f"{self._parts.clock.now().astimezone():%Y%m%d-%H%M%S}"
        copy = real.with_name(f"{real.stem}.备份-{stamp}{real.suffix}")  # Notepad opens it
        publish(copy, before, root=root, replace=True)
        self._refuse_other(self._read(path), _digest(before))  # saved this very moment?
        publish(real, data, root=root)
        return copy.name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""
