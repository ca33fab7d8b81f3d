"""Attacks by whoever reaches the gateway's port: connections, bodies and readers that hold it up, memory."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from attack import drop, recording
from gatewayed import Gatewayed

from asr_daemon.control import listeners
from asr_daemon.control.listeners import Listeners
from asr_daemon.control.refused import RefusedError
from asr_daemon.gateway import bodies, connection
from asr_daemon.gateway.bodies import Bodies
from asr_daemon.gateway.connection import Connection
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

API = "/api/v1"
SOON_S = 0.3


# ---------------------------------------------------------------------- both processes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes, with a recording done."""
    with Gatewayed(tmp_path_factory.mktemp("port")) as site:
        site.start()
        drop(site.inbox / "会议.wav", recording(1) + bytes(8 << 20))
        site.wait_until_done(1)
        yield site
        site.check_memory()
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "Traceback" not in site.log_text()


def connect(site: Gatewayed, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    """Return a connection from an address, on which that was sent."""
    end = socket.create_connection(("127.0.0.1", site.port), timeout=20, source_address=(source, 0))
    end.sendall(sent)
    return end


def is_open(end: socket.socket) -> bool:
    """Whether the other end holds a connection still."""
    end.setblocking(False)
    try:
        return end.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_one_address_does_not_have_all_the_connections(site: Gatewayed) -> None:
    """A thousand and more are tried; others are answered meanwhile, and so is that address afterwards."""
    with contextlib.ExitStack() as stack:
        ends = []
        for _ in range(1200):
            with contextlib.suppress(OSError):
                ends.append(stack.enter_context(connect(site)))
        eventually(
            lambda: sum(map(is_open, ends)) <= connection.MOST_OF_ONE_ADDRESS, what="the rest to be closed"
        )
        assert sum(map(is_open, ends)) > connection.MOST_OF_ONE_ADDRESS // 2
        with connect(site, b"GET /login HTTP/1.1\r\nHost: a\r\n\r\n", source="127.0.0.2") as other:
            assert b" 200 " in other.recv(100)
    with site.client() as client:
        eventually(lambda: answers(client), what="its turn")
    assert site.gateway_log.read_text(encoding="utf-8").count("connections_refused") < 100


def answers(client: Any) -> bool:
    """Whether the gateway answers a client."""
    with contextlib.suppress(Exception):
        return bool(client.get("/login").status_code == 200)
    return False


def test_bodies_of_nobody_fill_no_memory(site: Gatewayed) -> None:
    """Three hundred who send as much as they can, none of them to its end."""
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            end = stack.enter_context(connect(site, head))
            end.settimeout(0.05)
            with contextlib.suppress(OSError):
                end.sendall(b"300000\r\n" + b" " * (3 << 20))
        site.check_memory()
        with site.client(site.let_in("a", "inbox")) as client:
            assert client.get(f"{API}/me").status_code == 200


@pytest.mark.slow
def test_listeners_of_one_access_leave_room_to_others(site: Gatewayed) -> None:
    """More than may: those beyond are told so, and another department's page opens."""
    token, other = site.let_in("viele", "inbox"), site.let_in("andere", "hr")
    asked = f"GET {API}/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(connect(site, asked)) for _ in range(listeners.MOST_OF_ONE + 20)]
        told = [end.recv(12) for end in ends]
        assert told.count(b"HTTP/1.1 200") == listeners.MOST_OF_ONE
        assert told.count(b"HTTP/1.1 503") == 20
        with site.client(other) as client:
            assert client.get(f"{API}/recordings").status_code == 200
            with client.stream("GET", f"{API}/events") as answer:
                assert answer.status_code == 200
        site.check_memory()


def test_listeners_of_all_leave_room_to_those_who_ask() -> None:
    """Whoever they are: each place is given back."""
    here = Listeners()
    with contextlib.ExitStack() as stack:
        for number in range(listeners.MOST):
            stack.enter_context(here.place(f"{number % 7}"))
        with pytest.raises(RefusedError), here.place("noch einer"):
            pass
    with here.place("noch einer"):
        pass


# ---------------------------------------------------------------------- the clock


class Port:
    """An application behind :class:`Connection` and :class:`Bodies`, in a thread."""

    def __init__(self, application: Any) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        settings = uvicorn.Config(
            Bodies(application),
            http=functools.partial(Connection),  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
        )
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        eventually(lambda: self.server.started, what="its start")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(20)

    def connect(self, sent: bytes) -> socket.socket:
        """Return a connection on which that was sent."""
        end = socket.create_connection(self.socket.getsockname(), timeout=20)
        end.sendall(sent)
        return end


async def reads_slowly(scope: Any, receive: Any, send: Any) -> None:
    """Take a body, but wait before; answer with how long it was."""
    if scope["type"] != "http":
        return
    if scope["path"].endswith("slow"):
        await asyncio.sleep(4 * SOON_S)
    count, more = 0, True
    while more:
        message = await receive()
        count, more = count + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d bytes" % count})


async def sends_without_end(scope: Any, _receive: Any, send: Any) -> None:
    """Send more than any buffer holds."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10_000):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


PATCH = b"PATCH /api/v1/uploads/x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
POST = b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


def rest_of(end: socket.socket) -> bytes:
    """Return what comes until the connection ends."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := end.recv(65536):
            found += data
    return found


def read_until(end: socket.socket, wanted: bytes) -> bytes:
    """Return what comes until that was seen."""
    found = b""
    while wanted not in found and (data := end.recv(65536)):
        found += data
    return found


def test_body_that_stops_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a piece; one that goes on, however slowly it is taken, is taken."""
    monkeypatch.setattr(connection, "BODY_WITHIN_S", SOON_S)
    with Port(reads_slowly) as port:
        with port.connect(PATCH + b"1234") as end:
            assert rest_of(end) == b""
        with port.connect(PATCH.replace(b"/x ", b"/slow ") + b"x" * 200_000) as end:
            assert b"200000 bytes" in read_until(end, b"bytes")


def test_small_body_comes_in_time_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no reason to wait."""
    monkeypatch.setattr(bodies, "WITHIN_S", SOON_S)
    with Port(reads_slowly) as port:
        with port.connect(POST + b"1") as end:
            assert b"408" in rest_of(end)
        with port.connect(POST + b"1234567890") as end:
            assert b"10 bytes" in read_until(end, b"bytes")


def test_answer_that_nobody_takes_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader has stopped; it is held no longer than a while."""
    monkeypatch.setattr(connection, "TAKEN_WITHIN_S", SOON_S)
    with Port(sends_without_end) as port, port.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
        eventually(lambda: port.server.server_state.connections, what="the connection")
        eventually(lambda: not port.server.server_state.connections, what="its end")
