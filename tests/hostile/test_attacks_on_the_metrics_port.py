"""Whoever is on this machine may connect to the port of the figures: the daemon bears it, and answers."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Gauge
from way import HandClock

from asr_daemon.service.schedule import Schedule
from asr_daemon.telemetry import scrape_server
from asr_daemon.telemetry.metrics_port import LOOPBACK, MetricsPort
from asr_daemon.telemetry.scrape_server import MOST_CONNECTIONS
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Counting(CollectorRegistry):
    """A registry that counts how often its figures are collected."""

    collected = 0

    def collect(self) -> Iterator[object]:  # type: ignore[override]
        """Collect."""
        self.collected += 1
        yield from super().collect()


class Port:
    """A port that is served, and those who connect to it."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.registry = Counting()
        Gauge("asr_daemon_answer", "The figure.", registry=self.registry).set(42)
        with socket.create_server((LOOPBACK, 0)) as free:
            self.number = free.getsockname()[1]
        self._port = MetricsPort(self.registry)
        self._port.configure(self.number)
        self._stack = stack
        stack.callback(self._port.close)

    def connect(self, *, small: bool = False) -> socket.socket:
        """Connect; with a window that takes hardly anything where ``small``."""
        client = socket.socket()
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.settimeout(10)
        client.connect((LOOPBACK, self.number))
        return self._stack.enter_context(client)

    def answer(self) -> str:
        """Return what Prometheus is told."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.number}/metrics", timeout=20) as found:
            return str(found.read().decode())


@pytest.fixture
def port() -> Iterator[Port]:
    """Yield a port that is served."""
    with contextlib.ExitStack() as stack:
        yield Port(stack)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_hundreds_of_silent_connections_take_no_thread_and_keep_nobody_out(port: Port) -> None:
    """A bounded number is held, in one thread; Prometheus is answered meanwhile."""
    threads, before = threading.active_count(), descriptors()
    silent = [port.connect() for _ in range(400)]
    assert "asr_daemon_answer 42.0" in port.answer()
    assert threading.active_count() == threads
    assert descriptors() - before <= len(silent) + MOST_CONNECTIONS + 2
    silent[-1].send(b"GET /metr")
    assert "asr_daemon_answer 42.0" in port.answer()


def test_connection_that_dribbles_is_closed_in_time(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no reason to hold it."""
    monkeypatch.setattr(scrape_server, "WITHIN_S", 0.5)
    client = port.connect()

    def is_closed() -> bool:
        try:
            client.send(b"x")
        except OSError:
            return True
        return False

    eventually(is_closed, within_s=20, what="the end of a connection that dribbles")


def test_connection_that_does_not_read_is_closed_in_time(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer waits for nobody, and nobody waits for it."""
    monkeypatch.setattr(scrape_server, "WITHIN_S", 0.5)
    for number in range(2_000):
        Gauge(f"asr_daemon_more_{number}", "More. " * 50, registry=port.registry).set(1)
    before = descriptors()
    lazy = [port.connect(small=True) for _ in range(10)]
    for client in lazy:
        client.send(GET)
    assert "asr_daemon_answer 42.0" in port.answer()
    eventually(
        lambda: descriptors() <= before + len(lazy), within_s=20, what="the end of those that do not read"
    )


@pytest.mark.parametrize(
    "request_",
    [
        b"A" * 100_000,
        b"\r\n\r\n",
        b"\0" * 5000 + b"\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
        b"GET " + b"/x" * 3000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
    ],
    ids=range(8),
)
def test_what_is_no_request_is_refused_and_others_are_answered(port: Port, request_: bytes) -> None:
    """One clear status, and the end of that connection."""
    client = port.connect()
    with contextlib.suppress(OSError):
        client.sendall(request_)
    with contextlib.suppress(ConnectionResetError):  # it was closed with more of it to read
        assert client.recv(100).split(b" ")[1] in (b"400", b"404", b"405")
    assert "asr_daemon_answer 42.0" in port.answer()


def test_figures_are_collected_once_however_often_they_are_asked_for(port: Port) -> None:
    """Each collection asks the history: asking a hundred times a second must not."""
    began_s = time.monotonic()
    for _ in range(100):
        port.answer()
    assert port.registry.collected <= 2 + (time.monotonic() - began_s) / scrape_server.FRESH_S


def test_connections_without_a_descriptor_for_them_spin_nobody(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is left: it waits, and answers again when there is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = socket.socket()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        began_s = time.process_time()
        client.connect((LOOPBACK, port.number))
        time.sleep(1.0)  # nothing is to happen in it
        assert time.process_time() - began_s < 0.5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.close()
    assert "asr_daemon_answer 42.0" in port.answer()


def test_schedule_outlives_a_machine_without_threads() -> None:
    """What cannot be begun now is begun at its next time."""
    time_ = HandClock()
    can_begin, ran = False, []

    class Ended:
        def is_alive(self) -> bool:
            return False

        def join(self, timeout: float | None = None) -> None:
            """Be over."""

    def begin(_name: str, run: object) -> Ended:
        if not can_begin:
            raise RuntimeError("can't start new thread")
        run()  # type: ignore[operator]
        return Ended()

    schedule = Schedule(time_.clock, begin)
    schedule.every(5.0, "tick", lambda: ran.append(1))
    schedule.step()
    time_.pass_s(6.0)
    can_begin = True
    schedule.step()
    assert ran == [1]
