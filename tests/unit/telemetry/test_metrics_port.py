"""The loopback port: our own, or the one that systemd opened for a service without a network."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Gauge
from structlog.testing import capture_logs

from asr_daemon.service.activation import passed_socket
from asr_daemon.telemetry.metrics_port import LOOPBACK, MetricsPort

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry with one figure."""
    registry = CollectorRegistry()
    Gauge("asr_daemon_answer", "The figure.", registry=registry).set(42)
    return registry


@pytest.fixture
def port(registry: CollectorRegistry) -> Iterator[MetricsPort]:
    """Yield a port of our own, closed as yet."""
    port = MetricsPort(registry)
    yield port
    port.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield a socket that listens on a free port."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener


def number_of(listener: socket.socket) -> int:
    """Return the port that it listens on."""
    return int(listener.getsockname()[1])


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return number_of(listener)


def listening() -> list[str]:
    """Return where this machine listens (IPv4), as the kernel writes it."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
    return [line.split()[1] for line in lines if line.split()[3] == "0A"]


def answer(number: int) -> str:
    """Return what Prometheus is told there."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{number}/metrics", timeout=10) as found:
        return str(found.read().decode())


def test_port_is_on_loopback_only_and_closes_again(port: MetricsPort) -> None:
    """Served under /metrics on 127.0.0.1, gone after a reload that says so; the next port is taken up."""
    number, other = free_port(), free_port()
    port.configure(number)
    assert "asr_daemon_answer 42.0" in answer(number)
    assert f"0100007F:{number:04X}" in listening()
    assert f"00000000:{number:04X}" not in listening()
    port.configure(other)
    assert "asr_daemon_answer" in answer(other)
    with pytest.raises(OSError, match="refused"):
        answer(number)
    port.configure(0)
    with pytest.raises(OSError, match="refused"):
        answer(other)


def test_another_address_is_listened_at_and_left_again(port: MetricsPort) -> None:
    """A container's engine reaches no loopback; "0.0.0.0" is every address, and a reload takes it back."""
    number = free_port()
    port.configure(number, "0.0.0.0")  # noqa: S104 (what is asked for)
    assert f"00000000:{number:04X}" in listening()
    assert "asr_daemon_answer" in answer(number)
    port.configure(number)
    assert f"00000000:{number:04X}" not in listening()
    assert "asr_daemon_answer" in answer(number)
    port.configure(number, "::1")
    assert not [at for at in listening() if at.endswith(f":{number:04X}")]


def test_port_that_is_taken_is_said_once_and_taken_when_it_is_free(port: MetricsPort) -> None:
    """The daemon asks for it again and again; the log has one line, and then it is served."""
    with socket.create_server((LOOPBACK, 0)) as taken, capture_logs() as logs:
        number = number_of(taken)
        for _ in range(3):
            port.configure(number)
    assert [(entry["event"], entry["port"]) for entry in logs] == [("metrics_port_refused", number)]
    port.configure(number)
    assert "asr_daemon_answer" in answer(number)


def test_systemds_socket_is_served_and_stays_systemds(
    registry: CollectorRegistry, listener: socket.socket
) -> None:
    """It is served without a socket of our own, and again after a reload in between said no port."""
    port = MetricsPort(registry, listener)
    port.configure(number_of(listener))
    assert "asr_daemon_answer" in answer(number_of(listener))
    port.configure(0)
    port.configure(number_of(listener))
    assert "asr_daemon_answer" in answer(number_of(listener))
    port.close()


def test_another_port_than_systemds_is_refused_with_what_to_do(
    registry: CollectorRegistry, listener: socket.socket
) -> None:
    """After a reload with another port nothing is served under the wrong one, and the log says the fix."""
    port = MetricsPort(registry, listener)
    with capture_logs() as logs:
        port.configure(free_port())
    (entry,) = logs
    assert f"systemd listens on port {number_of(listener)}" in entry["problem"]
    assert "asr-daemon install" in entry["problem"]


def passed(listener: socket.socket, **changes: str) -> socket.socket | None:
    """Ask for the socket "metrics" as a service does whose second descriptor it is."""
    environ = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "other:metrics",
        **changes,
    }
    return passed_socket("metrics", environ, first_fd=listener.fileno() - 1)


def test_the_socket_of_that_name_is_found(listener: socket.socket) -> None:
    """By its name among several, and kept from children."""
    found = passed(listener)
    assert found is not None
    assert found.getsockname() == listener.getsockname()
    assert not found.get_inheritable()
    found.detach()  # the fixture closes it


@pytest.mark.parametrize(
    "changes",
    [
        {"LISTEN_PID": "1"},
        {"LISTEN_PID": ""},
        {"LISTEN_FDS": ""},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDNAMES": "other:figures"},
    ],
)
def test_no_socket_is_found_that_was_not_passed_to_us(
    listener: socket.socket, changes: dict[str, str]
) -> None:
    """Another process's, none at all, fewer, or of another name: none."""
    assert passed(listener, **changes) is None
