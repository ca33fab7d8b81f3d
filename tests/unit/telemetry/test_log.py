"""The log as its readers see it: on a terminal, in a file, in the journal."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING

import pytest
import structlog

from asr_daemon.telemetry import journal, log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Leave the process's logging as it was."""
    handlers, level = logging.root.handlers[:], logging.root.level
    hook, thread_hook = sys.excepthook, threading.excepthook
    yield
    logging.captureWarnings(False)
    logging.root.handlers[:], logging.root.level = handlers, level
    sys.excepthook, threading.excepthook = hook, thread_hook
    structlog.contextvars.clear_contextvars()


def test_json_lines_hold_the_event_its_fields_and_what_is_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """A log shipper finds event, level, time, the job's bound fields, and characters as they are."""
    log.configure("json", "info")
    structlog.contextvars.bind_contextvars(job=12, inbox="财务")
    log.get_logger().info("recording_queued", file="预算会议.m4a")
    line = capsys.readouterr().err
    record = json.loads(line)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "recording_queued",
        "level": "info",
        "job": 12,
        "inbox": "财务",
        "file": "预算会议.m4a",
    }
    assert "预算会议" in line


def test_the_level_holds_back_what_is_below_and_can_change(capsys: pytest.CaptureFixture[str]) -> None:
    """After a reload with another level, loggers made before follow it."""
    logger = log.get_logger()
    log.configure("json", "warning")
    logger.info("recording_queued")
    assert capsys.readouterr().err == ""
    log.configure("json", "debug")
    logger.debug("folder_scanned")
    assert json.loads(capsys.readouterr().err)["event"] == "folder_scanned"


def test_away_from_terminal_and_journal_a_record_is_one_plain_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a file or a pipe there is one key=value line, with its time, without colours and priorities."""
    log.configure("auto", "info")
    log.get_logger().info("recording_queued", file="a b.wav", job=1)
    line = capsys.readouterr().err
    assert line.endswith(' level=info event=recording_queued file="a b.wav" job=1\n')
    assert line.startswith("timestamp=")


@pytest.mark.parametrize("style", ["auto", "console"])
def test_a_file_name_can_neither_forge_a_line_nor_steer_the_terminal(
    style: log.Style, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line breaks and escape sequences in names are shown, not obeyed."""
    log.configure(style, "info")
    log.get_logger().info("recording_queued", file="a\nlevel=error\x1b[2J.wav")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "\x1b[2J" not in text
    assert "\\x1b" in text


def read_header(words: str) -> None:
    """Fail with the words as a local variable."""
    raise ValueError(f"bad header of {len(words)} letters")


@pytest.mark.parametrize("style", ["auto", "console", "json"])
def test_an_exception_is_one_record_with_its_traceback(
    style: log.Style, capsys: pytest.CaptureFixture[str]
) -> None:
    """The traceback belongs to the record, and shows no local variables."""
    log.configure(style, "info")
    words = "meeting's words"
    try:
        read_header(words)
    except ValueError:
        log.get_logger().exception("recording_failed", job=3)
    text = capsys.readouterr().err
    assert "recording_failed" in text
    assert "Traceback" in text
    assert "ValueError: bad header of 15 letters" in text
    assert words not in text
    if style != "console":  # where a machine reads, a record is a line
        assert text.count("\n") == 1


def test_libraries_speak_in_the_same_log_tagged(capsys: pytest.CaptureFixture[str]) -> None:
    """A library's warning and Python's come as records with the library's name; its chatter does not."""
    log.configure("json", "info")
    logging.getLogger("apscheduler.executors").warning("run time of job %s was missed", "backup")
    logging.getLogger("apscheduler.executors").info("job executed")
    warnings.warn("old API", UserWarning, stacklevel=1)
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {record["event"] for record in records} == {"library_logged"}
    assert [(record["level"], record["logger"]) for record in records] == [
        ("warning", "apscheduler.executors"),
        ("warning", "py.warnings"),
    ]
    assert records[0]["message"] == "run time of job backup was missed"
    assert "old API" in records[1]["message"]


def test_a_librarys_broken_format_string_is_still_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    """`log.warning("%d", "x")` inside a library reaches the log instead of raising."""
    log.configure("json", "info")
    logging.getLogger("funasr").warning("%d frames", "many")
    assert json.loads(capsys.readouterr().err)["message"].startswith("%d frames")


def test_uncaught_exceptions_of_threads_are_records(capsys: pytest.CaptureFixture[str]) -> None:
    """A thread that dies leaves one critical record with its name and traceback."""
    log.configure("json", "info")
    thread = threading.Thread(target=lambda: 1 / 0, name="watcher")
    thread.start()
    thread.join()
    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["level"], record["thread"]) == (
        "exception_uncaught",
        "critical",
        "watcher",
    )
    assert "ZeroDivisionError" in record["traceback"]


def test_an_uncaught_exception_ends_the_program_with_one_record(tmp_path: Path) -> None:
    """What ends the process is the last record, as JSON like the rest, and the exit status says failure."""
    code = "from asr_daemon.telemetry import log; log.configure('json', 'info'); raise OSError('disk gone')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    record = json.loads(ended.stderr)
    assert record["event"] == "exception_uncaught"
    assert record["error"] == "OSError: disk gone"


def test_a_closed_stderr_stops_nothing() -> None:
    """When the reader of the log went away, work goes on."""
    code = (
        "import os, sys; from asr_daemon.telemetry import log; log.configure('json', 'info')\n"
        "os.close(2); log.get_logger().info('recording_queued')\n"
        "sys.stderr = None; log.configure('auto', 'info'); log.get_logger().info('recording_queued')\n"
        "print('went on')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout == "went on\n"


# ------------------------------------------------------------------ the journal


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket that stands where journald's would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(5)
        yield listener


@pytest.fixture
def way(tmp_path: Path) -> Iterator[journal.Journal]:
    """Yield the way to that socket, which does not wait long."""
    way = journal.Journal(tmp_path / "socket", timeout_s=0.01)
    yield way
    way.close()


def test_in_the_journal_records_are_native(
    journald: socket.socket, way: journal.Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bound and given fields arrive as ASR_ fields with the priority, and stderr stays silent."""
    log.configure("journal", "info", way=way)
    structlog.contextvars.bind_contextvars(job=7, inbox="finance")
    log.get_logger().error("recording_failed", file="a.wav")
    received = set(journald.recv(65536).decode().splitlines())
    assert {"MESSAGE=recording_failed finance/a.wav job=7", "PRIORITY=3"} <= received
    assert {"ASR_JOB=7", "ASR_INBOX=finance", "ASR_FILE=a.wav"} <= received
    assert capsys.readouterr().err == ""


def test_a_journal_that_went_away_leaves_prefixed_lines(
    journald: socket.socket, way: journal.Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    """While journald is down, records go to stderr with the priority that journald reads from it."""
    log.configure("journal", "info", way=way)
    journald.close()
    log.get_logger().warning("disk_low", free_bytes=10)
    assert capsys.readouterr().err == "<4>event=disk_low free_bytes=10\n"


def test_a_hanging_journal_loses_records_but_says_how_many(
    journald: socket.socket, way: journal.Journal
) -> None:
    """The daemon does not hang with journald; when it reads again, it learns what it missed."""
    log.configure("journal", "info", way=way)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, contextlib.suppress(BlockingIOError):
        other.setblocking(False)
        while True:  # fills the socket's queue
            other.sendto(b"x", journald.getsockname())
    for job in range(3):
        log.get_logger().info("recording_queued", job=job)
    journald.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while journald.recv(65536):
            pass
    log.get_logger().info("recording_written", job=1)
    assert "ASR_RECORDS=3" in journald.recv(65536).decode().splitlines()
    assert "ASR_EVENT=recording_written" in journald.recv(65536).decode().splitlines()


@pytest.mark.parametrize("listens", [True, False])
def test_auto_recognises_the_journal(
    listens: bool, way: journal.Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under systemd the journal is found by itself; without its socket, lines get their priority."""
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        if listens:
            listener.bind(str(tmp_path / "socket"))
        assert log.choose_output("auto", way) == ("native" if listens else "prefixed")


def test_a_shell_inside_a_service_is_not_taken_for_the_journal(
    journald: socket.socket, way: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inherited $JOURNAL_STREAM of another stream does not send an administrator's output away."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert log.choose_output("auto", way) in ("console", "logfmt")
