"""One POST: within a time in all, without redirects, to an address that is allowed, little read back.

Enters: an address, a body, headers. Leaves: :class:`Reply`. What a name means is looked up once, each
address is looked at, and it is that address which is connected to: a name that means another one a moment
later (DNS rebinding) gains nothing. Fails with
:class:`~asr_daemon.gateway.notifications.errors.NotSentError`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

from asr_daemon import __version__
from asr_daemon.gateway.notifications.errors import NotSentError

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHIN_S = 10.0
TRY_S = 3.0  # to connect, where the name has another address
MOST_REPLY_BYTES = 4096
READ_BYTES = 4096
NAT64 = ipaddress.ip_network("64:ff9b::/96")
MOST_WAIT_S = 3600.0  # that a receiver may ask for
LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes  # its beginning
    after_s: float  # that it asked to wait; 0: it did not

    @property
    def is_ok(self) -> bool:
        """Whether it is a 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    within_s: float = WITHIN_S,
) -> Reply:
    """Send; looking the name up, connecting and reading the answer take no longer together than that."""
    try:
        return await asyncio.wait_for(_post(url, body, headers, allow_private=allow_private), within_s)
    except asyncio.TimeoutError:
        raise NotSentError(f"no answer within {within_s:.0f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NotSentError(f"its certificate is not trusted: {error.verify_message}") from None
    except (OSError, ssl.SSLError) as error:
        raise NotSentError(f"it cannot be reached: {error.strerror or type(error).__name__}") from None
    except h11.ProtocolError:
        raise NotSentError("it closed the connection, or does not speak HTTP") from None


async def _post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> Reply:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if is_tls else 80)
    reader, writer = await _connect(host, port, is_tls=is_tls, allow_private=allow_private)
    try:
        connection = h11.Connection(h11.CLIENT)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": f"asr-daemon/{__version__}",
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        try:
            request = h11.Request(method="POST", target=target, headers=list(given.items()))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise NotSentError("the address holds characters that no address has") from None
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return await _reply(connection, reader)
    finally:
        writer.transport.abort()  # nothing more is wanted, and a receiver may keep it open


async def _connect(
    host: str, port: int, *, is_tls: bool, allow_private: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [each for each in addresses if allow_private or is_public(each)]
    if not allowed:
        raise NotSentError("it lies at an address of this machine or of a local network: see allow_private")
    problem: Exception = ConnectionError()
    for number, address in enumerate(allowed, start=1):
        connecting = asyncio.open_connection(
            address,
            port,
            ssl=ssl.create_default_context() if is_tls else None,
            server_hostname=host if is_tls else None,
        )
        try:
            return await asyncio.wait_for(connecting, None if number == len(allowed) else TRY_S)
        except ssl.SSLError:
            raise
        except (OSError, asyncio.TimeoutError) as error:
            problem = error
    raise problem


def is_public(address: str) -> bool:
    """Return whether an address is one of the Internet; the IPv4 one that it stands for counts."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast


async def _reply(connection: h11.Connection, reader: asyncio.StreamReader) -> Reply:
    status, after_s, body = 0, 0.0, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
            after_s = _after_s(dict(event.headers).get(b"retry-after", b"")) if status in LATER else 0.0
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)) or event is h11.PAUSED:
            break
        if len(body) >= MOST_REPLY_BYTES:
            break
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise NotSentError(
            f"it answers {status}, elsewhere: redirects are not followed, give the address itself"
        )
    return Reply(status, body[:MOST_REPLY_BYTES], after_s)


def _after_s(header: bytes) -> float:
    return min(MOST_WAIT_S, float(header)) if header.isdigit() else 60.0
