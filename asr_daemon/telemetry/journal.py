"""The native protocol of journald: ``journalctl ASR_INBOX=finance -p warning`` finds structured records.

Enters: an event with its fields. Leaves: one datagram to ``/run/systemd/journal/socket`` (or a sealed memory
file, when the record is too large for a datagram). Fails with :class:`OSError` where no journal listens; what
to do then is :mod:`asr_daemon.telemetry.log`'s business. The protocol is described in
https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

from __future__ import annotations

import array
import contextlib
import enum
import errno
import fcntl
import json
import os
import re
import socket
import struct
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_PATH = Path("/run/systemd/journal/socket")
IDENTIFIER = "asr-daemon"
SEND_TIMEOUT_S = 1.0  # a journal that hangs must not hang the daemon with it

# syslog's priorities, which `journalctl -p` filters by
PRIORITIES = {
    "debug": 7,
    "info": 6,
    "notice": 5,
    "warning": 4,
    "warn": 4,
    "error": 3,
    "exception": 3,
    "critical": 2,
}

_FIELD_PREFIX = "ASR_"
_FIELD_NAME_MAX = 64  # journald drops longer names
_SHOWN_HASH_DIGITS = 12  # enough to tell recordings apart by eye; the field holds the whole hash
_NOT_IN_MESSAGE = frozenset({"event", "level", "traceback", "inbox", "file", "job", "timestamp"})
_NEEDS_QUOTES = re.compile(r'[\s"=\\]|^$')


def is_journal_stream(fd: int, stream: str | None) -> bool:
    """Whether ``fd`` is the connection to journald that ``$JOURNAL_STREAM`` (``device:inode``) names."""
    try:
        device, inode = (int(part) for part in (stream or "").split(":"))
        found = os.fstat(fd)
    except (ValueError, OSError):
        return False
    return (found.st_dev, found.st_ino) == (device, inode)


def message(event: Mapping[str, Any]) -> str:
    """Return the line a person reads: ``recording_queued finance/预算会议.m4a job=12 size_bytes=1024``."""
    words = [str(event.get("event", ""))]
    place = "/".join(as_text(event[key]) for key in ("inbox", "file") if event.get(key) is not None)
    if place:
        words.append(place)
    if event.get("job") is not None:
        words.append(f"job={as_text(event['job'])}")
    for key, value in event.items():
        if key in _NOT_IN_MESSAGE or value is None:
            continue
        text = _shown(key, value)
        words.append(f"{key}={json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text}")
    line = printable(" ".join(words))  # else journalctl shows nothing of it but "blob data"
    return f"{line}\n{printable(str(event['traceback']), lines=True)}" if event.get("traceback") else line


def _shown(key: str, value: Any) -> str:
    """Return a value as the message shows it: hashes cut, lists without brackets."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(as_text, value))
    return as_text(value)[: _SHOWN_HASH_DIGITS if key == "sha256" else None]


def fields(event: Mapping[str, Any], *, identifier: str = IDENTIFIER) -> dict[str, str]:
    """Return the record: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, the event's fields as ``ASR_<UPPER>``."""
    record = {
        "MESSAGE": message(event),
        "PRIORITY": str(PRIORITIES.get(str(event.get("level")), PRIORITIES["info"])),
        "SYSLOG_IDENTIFIER": identifier,
    }
    for key, value in event.items():
        if key not in ("level", "timestamp") and value is not None:
            record[_field_name(key)] = as_text(value)
    return record


def as_text(value: Any) -> str:
    """Return a field's value as text: times in ISO form, collections as JSON, the rest as it prints."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def encode(record: Mapping[str, str]) -> bytes:
    """Return the record as the protocol wants it; values with line breaks go length-prefixed.

    File names that are no valid UTF-8 keep their bytes: journald takes any.
    """
    parts = []
    for name, text in record.items():
        value = text.encode("utf-8", "surrogateescape" if _only_escaped_bytes(text) else "replace")
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)


class Journal:
    """A way to journald that survives journald's own restarts: every record is addressed anew."""

    def __init__(self, path: Path = SOCKET_PATH, *, timeout_s: float = SEND_TIMEOUT_S) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 1024 * 1024)
        self._socket.settimeout(timeout_s)

    def reachable(self) -> bool:
        """Whether somebody listens at the socket; sends nothing."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            try:
                probe.connect(self._path)
            except OSError:
                return False
        return True

    def send(self, record: Mapping[str, str]) -> None:
        """Send one record. Raises :class:`OSError` (:class:`TimeoutError` when journald does not read)."""
        data = encode(record)
        try:
            self._socket.sendto(data, self._path)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_in_memory_file(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send_in_memory_file(self, data: bytes) -> None:
        """Hand over a sealed memory file, as journald demands of records larger than a datagram."""
        fd = os.memfd_create("journal-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]).tobytes())
            self._socket.sendmsg([], [rights], 0, self._path)
        finally:
            os.close(fd)


def _field_name(key: str) -> str:
    """Return ``ASR_<KEY>`` with what journald allows in a name: A-Z, 0-9 and the underscore."""
    return (_FIELD_PREFIX + re.sub(r"[^A-Z0-9_]", "_", key.upper()))[:_FIELD_NAME_MAX]


def _only_escaped_bytes(text: str) -> bool:
    """Whether every lone surrogate in the text stands for a byte of a file name."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
