"""The native protocol of journald, read back as journald reads it."""

from __future__ import annotations

import array
import os
import socket
import struct
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.telemetry import journal

if TYPE_CHECKING:
    from collections.abc import Iterator


def decode(data: bytes) -> dict[str, bytes]:
    """Read a record as https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ says."""
    record = {}
    while data:
        line, _, rest = data.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
            data = rest
        else:
            name = line
            (size,) = struct.unpack("<Q", rest[:8])
            value, end, data = rest[8 : 8 + size], rest[8 + size : 9 + size], rest[9 + size :]
            assert end == b"\n"
        record[name.decode()] = value
    return record


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket that stands where journald's would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(5)
        yield listener


def test_a_record_carries_message_priority_and_the_events_fields(journald: socket.socket) -> None:
    """What `journalctl ASR_INBOX=finance -p warning` needs arrives at journald."""
    way = journal.Journal(Path(journald.getsockname()))
    event = {
        "event": "recording_failed",
        "level": "warning",
        "inbox": "finance",
        "file": "预算会议.m4a",
        "job": 12,
    }
    way.send(journal.fields(event))
    way.close()
    record = {name: value.decode() for name, value in decode(journald.recv(65536)).items()}
    assert record == {
        "MESSAGE": "recording_failed finance/预算会议.m4a job=12",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "asr-daemon",
        "ASR_EVENT": "recording_failed",
        "ASR_INBOX": "finance",
        "ASR_FILE": "预算会议.m4a",
        "ASR_JOB": "12",
    }


def test_values_with_line_breaks_cannot_forge_fields() -> None:
    """A file whose name holds a line break and a field stays one value of one field."""
    name = "a\nPRIORITY=0\nMESSAGE=forged"
    record = decode(journal.encode(journal.fields({"event": "recording_queued", "file": name})))
    assert record["ASR_FILE"] == name.encode()
    assert record["PRIORITY"] == b"6"
    assert set(record) == {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "ASR_EVENT", "ASR_FILE"}


def test_file_names_that_are_no_utf8_keep_their_bytes() -> None:
    """A name from an old Windows share arrives byte for byte."""
    name = os.fsdecode("预算".encode("gbk") + b".wav")
    record = decode(journal.encode(journal.fields({"event": "recording_queued", "file": name})))
    assert record["ASR_FILE"] == "预算".encode("gbk") + b".wav"


def test_half_characters_are_replaced_rather_than_raised() -> None:
    """A lone surrogate that stands for no byte does not stop the log."""
    record = decode(journal.encode({"MESSAGE": "broken \ud83d end"}))
    assert record["MESSAGE"] == b"broken ? end"


def test_a_record_too_large_for_a_datagram_comes_as_a_sealed_memory_file(journald: socket.socket) -> None:
    """A traceback of megabytes is not lost."""
    way = journal.Journal(Path(journald.getsockname()))
    text = "x" * (32 * 1024 * 1024)
    way.send({"MESSAGE": text})
    way.close()
    data, ancillary, _, _ = journald.recvmsg(1024, socket.CMSG_SPACE(array.array("i").itemsize))
    assert data == b""
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    with os.fdopen(fds[0], "rb") as file:
        file.seek(0)
        assert decode(file.read()) == {"MESSAGE": text.encode()}
        with pytest.raises(PermissionError):
            os.write(file.fileno(), b"journald refuses files that can still change")


def test_the_journal_survives_its_own_restart(tmp_path: Path) -> None:
    """After journald came back under the same name, records arrive again."""
    path = tmp_path / "socket"
    way = journal.Journal(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(str(path))
        way.send({"MESSAGE": "one"})
    with pytest.raises(ConnectionRefusedError):
        way.send({"MESSAGE": "lost"})
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(str(path))
        way.send({"MESSAGE": "two"})
        assert decode(second.recv(1024)) == {"MESSAGE": b"two"}
    way.close()


def test_reachable_tells_a_listener_from_a_left_over_socket(journald: socket.socket, tmp_path: Path) -> None:
    """Only a socket with a listener counts, and asking sends nothing."""
    assert journal.Journal(Path(journald.getsockname())).reachable()
    journald.setblocking(False)
    with pytest.raises(BlockingIOError):
        journald.recv(1)
    assert not journal.Journal(tmp_path / "nowhere").reachable()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "daemon_started"}, "daemon_started"),
        ({"event": "inbox_gone", "inbox": "财务"}, "inbox_gone 财务"),
        ({"event": "recording_queued", "sha256": "ab" * 32}, "recording_queued sha256=abababababab"),
        ({"event": "backup_failed", "error": 'disk "full" now'}, 'backup_failed error="disk \\"full\\" now"'),
        ({"event": "x_done", "level": "info", "nothing": None, "empty": ""}, 'x_done empty=""'),
        ({"event": "x_done", "outputs": ["会议.txt", "会议.srt"]}, 'x_done outputs="会议.txt, 会议.srt"'),
        ({"event": "x_failed", "traceback": "Traceback\n  line"}, "x_failed\nTraceback\n  line"),
    ],
)
def test_messages_read_well(event: dict[str, object], expected: str) -> None:
    """The line in `journalctl` says what happened and where, short enough to read."""
    assert journal.message(event) == expected


def test_field_names_keep_to_what_journald_takes() -> None:
    """A name outside A-Z, 0-9 and the underscore, or over 64 letters, would be dropped: it is mended."""
    names = set(journal.fields({"event": "x_done", "大小.b-c": 1, "k" * 100: 2}))
    assert names - {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "ASR_EVENT"} == {
        "ASR____B_C",
        "ASR_" + "K" * 60,
    }


def test_values_become_text_that_scripts_can_read() -> None:
    """Times are ISO 8601, collections JSON, switches true and false."""
    at = datetime(2025, 3, 15, 9, 30, tzinfo=timezone.utc)
    record = journal.fields({"event": "x_done", "at": at, "words": ["甲", Path("/a")], "ok": True})
    assert record["ASR_AT"] == "2025-03-15T09:30:00+00:00"
    assert record["ASR_WORDS"] == '["甲", "/a"]'
    assert record["ASR_OK"] == "true"


def test_the_journals_stream_is_known_by_device_and_inode(tmp_path: Path) -> None:
    """Only the descriptor that $JOURNAL_STREAM names is the journal's; anything unclear is not."""
    with (tmp_path / "stderr").open("w") as file:
        found = os.fstat(file.fileno())
        assert journal.is_journal_stream(file.fileno(), f"{found.st_dev}:{found.st_ino}")
        assert not journal.is_journal_stream(file.fileno(), f"{found.st_dev}:{found.st_ino + 1}")
        for unclear in (None, "", "8", "a:b"):
            assert not journal.is_journal_stream(file.fileno(), unclear)
