"""Receivers of messages on this machine: robots of DingTalk, Feishu and WeCom, and a webhook; with tempers.

They check what the real ones check (signatures, sizes, rates) and answer as those do: errors of a robot come
in the body of a 200. ``troubles`` names what goes wrong with the next requests, one after the other.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import hmac
import http.server
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

WHSEC = "whsec_" + base64.b64encode(b"a secret of thirty-two characters").decode()
SECRET = "SECab12cd34ef56"  # noqa: S105 (of robots that are not there)
TOKEN = "tokenAB12cd34ef56"  # noqa: S105


@dataclass
class Taken:
    """A message that a receiver took."""

    kind: str
    identity: str  # webhook-id; "" of robots
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """What a robot shows."""
        told = self.payload.get("markdown") or self.payload.get("text") or self.payload["content"]
        return str(told.get("content") or told["text"])


@dataclass
class Receivers:
    """A server; ``taken`` grows."""

    troubles: collections.deque[str] = field(default_factory=collections.deque)
    dingtalk_a_minute: int = 1000
    taken: list[Taken] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # why, for every message that was not taken
    requests: int = 0
    slow_s: float = 60.0

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"receivers": self})
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        """Return what stands for every robot's host."""
        return f"http://127.0.0.1:{self.port}"

    def of(self, kind: str) -> list[Taken]:
        """Return what one receiver took, in the order of its coming."""
        return [each for each in list(self.taken) if each.kind == kind]

    def once(self, kind: str) -> list[Taken]:
        """Return the same without repetitions: those have the id of what came before."""
        seen: dict[str, Taken] = {}
        for each in self.of(kind):
            seen.setdefault(each.identity, each)
        return list(seen.values())

    def will(self, *troubles: str) -> None:
        """Say what goes wrong with the next requests."""
        self.troubles.extend(troubles)

    def rest(self) -> None:
        """Be slow."""
        self._over.wait(self.slow_s)


class _Handler(http.server.BaseHTTPRequestHandler):
    receivers: Receivers
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Take a message, or do what goes wrong."""
        receivers = self.receivers
        receivers.requests += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        trouble = receivers.troubles.popleft() if receivers.troubles else ""
        if trouble:
            receivers.refused.append(trouble)
        match trouble:
            case "500":
                self.answer(500, b"broken")
            case "429":
                self.answer(429, b"", {"Retry-After": "7"})
            case "drop" | "slow":
                if trouble == "slow":
                    receivers.rest()
                self.hang_up()
            case "redirect":
                self.answer(302, b"", {"Location": f"{receivers.host}/elsewhere"})
            case "refuse" if self.path == "/hook":
                self.answer(400, b"no")
            case "refuse":
                self.answer(200, json.dumps({"errcode": 310000, "errmsg": f"no {TOKEN}"}).encode())
            case _:
                taken = self.judge(body)
                if trouble == "taken, then drop":
                    self.hang_up()
                else:
                    self.answer(*taken)

    def hang_up(self) -> None:
        """End the connection without a word."""
        self.close_connection = True
        self.connection.close()

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def judge(self, body: bytes) -> tuple[int, bytes]:
        """Return the answer of the receiver that was asked."""
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        payload = json.loads(body)
        match parts.path:
            case "/robot/send":
                return self.robot("dingtalk", payload, self.of_dingtalk(asked, payload), "errcode", "errmsg")
            case "/cgi-bin/webhook/send":
                return self.robot("wecom", payload, of_wecom(asked, payload), "errcode", "errmsg")
            case path if path.startswith("/open-apis/bot/v2/hook/"):
                why = of_feishu(path.rpartition("/")[2], payload)
                return self.robot("feishu", payload, why, "code", "msg")
            case "/hook":
                return self.webhook(body, payload)
            case "/apprise":
                self.receivers.taken.append(Taken("apprise", "", payload))
                return 200, b""
        return 404, b""

    def robot(
        self, kind: str, payload: dict[str, Any], why: tuple[int, str], code: str, said: str
    ) -> tuple[int, bytes]:
        """Take it where nothing is wrong with it."""
        if why[0]:
            self.receivers.refused.append(why[1])
        else:
            self.receivers.taken.append(Taken(kind, "", payload))
        return 200, json.dumps({code: why[0], said: why[1]}).encode()

    def of_dingtalk(self, asked: dict[str, str], payload: dict[str, Any]) -> tuple[int, str]:
        """Check token, signature and rate."""
        if asked.get("access_token") != TOKEN:
            return 300001, "token is not exist"
        stamp = asked.get("timestamp", "")
        signed = hmac.new(SECRET.encode(), f"{stamp}\n{SECRET}".encode(), hashlib.sha256).digest()
        is_late = abs(time.time() * 1000 - int(stamp or 0)) > 3_600_000
        if is_late or asked.get("sign") != base64.b64encode(signed).decode():
            return 310000, "sign not match"
        if payload["msgtype"] != "markdown" or not payload["markdown"]["title"]:
            return 400, "no title"
        if len(self.receivers.of("dingtalk")) >= self.receivers.dingtalk_a_minute:
            return 130101, "send too fast, exceed 20 times per minute"
        return 0, "ok"

    def webhook(self, body: bytes, payload: dict[str, Any]) -> tuple[int, bytes]:
        """Check the signature as Standard Webhooks' libraries do."""
        identity, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        key = base64.b64decode(WHSEC.removeprefix("whsec_"))
        wanted = hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
        if abs(time.time() - int(stamp)) > 300:
            return 400, b"too late"
        if self.headers["webhook-signature"] != f"v1,{base64.b64encode(wanted).decode()}":
            return 401, b"signature"
        self.receivers.taken.append(Taken("hook", identity, payload))
        return 204, b""


def of_wecom(asked: dict[str, str], payload: dict[str, Any]) -> tuple[int, str]:
    """Check the key and the length."""
    if asked.get("key") != TOKEN:
        return 93000, "invalid webhook url"
    if len(payload["text"]["content"].encode()) > 2048:
        return 40058, "text.content exceed max length 2048"
    return 0, "ok"


def of_feishu(token: str, payload: dict[str, Any]) -> tuple[int, str]:
    """Check token and signature: time and secret are the key, and nothing is signed."""
    if token != TOKEN:
        return 19001, "param invalid: incoming webhook access token invalid"
    stamp = str(payload.get("timestamp", ""))
    signed = hmac.new(f"{stamp}\n{SECRET}".encode(), b"", hashlib.sha256).digest()
    if not stamp or abs(time.time() - int(stamp)) > 3600:
        return 19021, "sign match fail or timestamp is not within one hour from current time"
    if payload.get("sign") != base64.b64encode(signed).decode():
        return 19021, "sign match fail or timestamp is not within one hour from current time"
    return 0, "success"


def numbers_in_order(events: Iterable[dict[str, Any]]) -> dict[int, list[str]]:
    """Return what a webhook heard of each recording, by event, in the order of its coming."""
    heard: dict[int, list[str]] = {}
    for event in events:
        heard.setdefault(event["data"]["recording"], []).append(event["data"]["id"])
    return heard
