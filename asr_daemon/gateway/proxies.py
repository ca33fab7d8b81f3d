"""A proxy in front of the gateway: what it says of its clients counts, and what anybody else says does not.

Trusted is who comes by the Unix socket, and who comes from ``gateway.trusted_proxies``. Of those,
``X-Forwarded-Proto`` and ``X-Forwarded-For`` count, and ``gateway.trusted_user_header`` says who is logged
in there.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from asr_daemon.config_sections import GatewaySection

TRUSTED_USER = "trusted_user"  # in the request's state: the name, "" for nobody


class Proxies:
    """ASGI middleware, outermost: puts the client's own address and scheme in the place of the proxy's."""

    def __init__(self, app: ASGIApp, section: GatewaySection) -> None:
        self._app = app
        self._networks = section.trusted_proxies
        self._user_header = section.trusted_user_header.lower().encode("latin-1")
        self._is_unix = section.listen.startswith("unix:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] in ("http", "websocket"):
            client = scope.get("client")
            user = ""
            if (client is None and self._is_unix) or (client is not None and self.trusts(client[0])):
                scope = self._as_told(scope)
                user = self._user(scope)
            scope = {**scope, "state": {**scope.get("state", {}), TRUSTED_USER: user}}
        await self._app(scope, receive, send)

    def trusts(self, address: str) -> bool:
        """Whether that is a proxy's address."""
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
            known = known.ipv4_mapped
        return any(known in network for network in self._networks if network.version == known.version)

    def _as_told(self, scope: Scope) -> Scope:
        told = dict(scope)
        scheme = _last(scope, b"x-forwarded-proto").lower()
        if scheme in ("http", "https"):
            is_socket = scope["type"] == "websocket"
            told["scheme"] = scheme.replace("http", "ws") if is_socket else scheme
        every = [each.strip() for each in _all(scope, b"x-forwarded-for").split(",") if each.strip()]
        for address in reversed(every):
            if not self.trusts(address):  # the nearest that is none of ours
                told["client"] = (address, 0)
                break
        return told

    def _user(self, scope: Scope) -> str:
        given = [value for name, value in scope["headers"] if self._user_header and name == self._user_header]
        if len(given) != 1:  # two: one of them is not the proxy's
            return ""
        return str(given[0].decode("utf-8", "replace").strip())


def _all(scope: Scope, wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


def _last(scope: Scope, wanted: bytes) -> str:
    return _all(scope, wanted).rpartition(",")[2].strip()
