"""What the service tells systemd, read back from a socket that stands for systemd's."""

from __future__ import annotations

import socket
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from asr_daemon.service.sd_notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield the service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def test_each_message_is_what_sd_notify_says(manager: socket.socket) -> None:
    """Systemd understands every message of a service's life."""
    notifier = Notifier(manager.getsockname())
    notifier.ready()
    notifier.status("会议.wav 42% · 3 waiting")
    notifier.watchdog()
    notifier.extend_timeout(12.5)
    notifier.stopping()
    received = [manager.recv(4096).decode() for _ in range(5)]
    assert received == [
        "READY=1",
        "STATUS=会议.wav 42% · 3 waiting",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=12500000",
        "STOPPING=1",
    ]


def test_reloading_carries_the_monotonic_time(manager: socket.socket) -> None:
    """Systemd orders reloads by the monotonic clock, in microseconds, in the same message."""
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(manager.getsockname()).reloading()
    first, second = manager.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_file_name_with_a_line_break_is_no_second_message(manager: socket.socket) -> None:
    """A recording called "a<line break>MAINPID=1" cannot tell systemd another main process."""
    Notifier(manager.getsockname()).status("a\nMAINPID=1\r\nb")
    assert manager.recv(4096).decode() == "STATUS=a MAINPID=1 b"


def test_abstract_sockets_are_reached() -> None:
    """A manager that listens in the abstract name space ("@...") hears the service."""
    name = f"asr-daemon-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(5)
        Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).ready()
        assert listener.recv(4096) == b"READY=1"


def test_outside_systemd_every_call_does_nothing() -> None:
    """Without $NOTIFY_SOCKET the daemon runs the same way."""
    notifier = Notifier.from_environment({})
    assert notifier == Notifier(None, None)
    for call in (notifier.ready, notifier.reloading, notifier.stopping, notifier.watchdog):
        call()
    notifier.status("x")
    notifier.extend_timeout(1)


def test_a_manager_that_went_away_stops_nothing(tmp_path: Path) -> None:
    """A message that cannot be sent is dropped."""
    Notifier(str(tmp_path / "nowhere")).ready()


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_per_timeout_and_only_if_it_is_ours(
    environ: dict[str, str], interval_s: float | None
) -> None:
    """Half of WatchdogSec is the interval; a watchdog for another process is not ours to feed."""
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **environ}, pid=42)
    assert notifier.watchdog_interval_s == interval_s
