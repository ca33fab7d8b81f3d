"""A department's hotword list, read with the check's word for every line, and written by who may edit.

Enters: an inbox, or its new text with the digest of the one that it was made from. Leaves: the list. A list
that somebody else saved meanwhile (Notepad, say) is not written over. The file before is kept beside it as
``NAME.bak``; encoding and line ends stay what they were.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.access import Right
from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control.refused import RefusedError
from asr_daemon.errors import AsrDaemonError, ModelMissingError
from asr_daemon.files.publish import publish
from asr_daemon.files.trusted import trusted_path
from asr_daemon.hotwords.check import check_hotwords
from asr_daemon.hotwords.encoding import split_lines
from asr_daemon.hotwords.source import MISSING, HotwordFileError, read_stable
from asr_daemon.queue.inbox_profiles import hotword_places

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from asr_daemon.access import Access
    from asr_daemon.config_sections import InboxSection
    from asr_daemon.control.sight import Sight
    from asr_daemon.daemon import Parts
    from asr_daemon.hotwords.check import Report

log = structlog.get_logger()

MARKS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


class HotwordDesk:
    """Answers for the lists; any thread."""

    def __init__(self, parts: Parts, sight: Sight) -> None:
        self._parts, self._sight = parts, sight
        self._saving = threading.Lock()
        self.requests: dict[type, Callable[[Access, Any], Any]] = {
            cm.GetHotwords: self._get,
            cm.SaveHotwords: self._save,
        }

    def _get(self, person: Access, request: cm.GetHotwords) -> ca.HotwordFile:
        self._sight.require(person, Right.READ, request.inbox)
        inbox = self._parts.config.require_inbox(request.inbox)
        may_edit = person.may(Right.EDIT, inbox.name) and inbox.hotwords is not None
        if inbox.hotwords is None:
            return ca.HotwordFile(inbox.name, "", "", "", (), (), (), may_edit=False)
        try:
            data = self._read(inbox.hotwords)
            report = self._check(inbox, inbox.hotwords) if data is not None else None
        except AsrDaemonError as error:
            raise _unavailable(error) from None
        return ca.HotwordFile(
            inbox.name,
            inbox.hotwords.name,
            _text(data or b""),
            "" if data is None else _digest(data),
            _lines(report),
            tuple(remark.english for remark in report.remarks) if report else (),
            tuple(remark.chinese for remark in report.remarks) if report else (),
            may_edit,
        )

    def _check(self, inbox: InboxSection, path: Path) -> Report | None:
        try:
            model = self._parts.profiles.model
        except ModelMissingError:
            return None
        return check_hotwords(
            path,
            model.family,
            Path(model.folder),
            phonetic=inbox.phonetic_correction,
            places=hotword_places(self._parts.config),
        )

    def _read(self, path: Path) -> bytes | None:
        """Return what is there; None where there is no file yet."""
        try:
            return self._parts.shares.ask(path.parent, lambda: read_stable(self._real(path)))
        except HotwordFileError as error:
            if error.reason == MISSING:
                return None
            raise

    def _real(self, path: Path) -> Path:
        shares = tuple(inbox.path for inbox in self._parts.config.inbox)
        try:
            return trusted_path(path.absolute(), shares)
        except OSError as error:
            raise HotwordFileError(path, str(error.strerror), "热词文件无法打开") from None

    def _save(self, person: Access, request: cm.SaveHotwords) -> ca.HotwordFile:
        self._sight.require(person, Right.EDIT, request.inbox)
        inbox = self._parts.config.require_inbox(request.inbox)
        if inbox.hotwords is None:
            raise RefusedError(
                "conflict", "this inbox has no hotword file configured", "这个文件夹没有配置热词文件。"
            )
        path = inbox.hotwords
        with self._saving:
            try:
                data = self._read(path)
                if request.digest != ("" if data is None else _digest(data)):
                    raise RefusedError(
                        "conflict",
                        "the list was changed by somebody else meanwhile; load it again",
                        "这份词表刚刚被别人改过，请重新载入后再改。",
                    )
                self._write(path, request.text, data)
            except AsrDaemonError as error:
                raise _unavailable(error) from None
        log.info("hotwords_saved", inbox=inbox.name, file=path.name, access=person.name)
        return self._get(person, cm.GetHotwords(inbox.name))

    def _write(self, path: Path, text: str, before: bytes | None) -> None:
        written = _bytes_like(text, before)

        def write() -> None:
            real = self._real(path)
            if before is not None:
                publish(real.with_name(f"{real.name}.bak"), before, root=real.parent)
            publish(real, written, root=real.parent)

        self._parts.shares.ask(path.parent, write)


def _unavailable(error: AsrDaemonError) -> RefusedError:
    if isinstance(error, RefusedError):
        return error
    chinese = getattr(error, "chinese", "") or "热词文件暂时无法使用"
    return RefusedError("unavailable", str(error), f"{chinese.rstrip('。')}。")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> str:
    """Return the file as an editor shows it; what is no text is shown as U+FFFD."""
    encoding, lines = split_lines(data)
    return "\n".join("�" if line.text is None else line.text for line in lines) if encoding else ""


def _bytes_like(text: str, before: bytes | None) -> bytes:
    """Return the text in the encoding and with the line ends of the file before; of a new one, Notepad's."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if before is None:
        return MARKS["utf-8"] + text.replace("\n", "\r\n").encode()
    encoding, _ = split_lines(before)
    mark = MARKS.get(encoding, b"") if before.startswith(MARKS.get(encoding, b"\0")) else b""
    wide = before.decode(encoding, "replace")
    if "\r\n" in wide:
        text = text.replace("\n", "\r\n")
    try:
        return mark + text.encode(encoding)
    except UnicodeEncodeError:
        return MARKS["utf-8"] + text.encode("utf-8", "replace")


def _lines(report: Report | None) -> tuple[ca.HotwordLine, ...]:
    if report is None:
        return ()
    return tuple(
        ca.HotwordLine(
            line.line,
            line.text,
            line.verdict.value,
            tuple(remark.english for remark in line.remarks),
            tuple(remark.chinese for remark in line.remarks),
        )
        for line in report.lines
    )
