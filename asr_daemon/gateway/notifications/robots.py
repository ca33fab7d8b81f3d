"""Robots in the groups of DingTalk, Feishu (Lark) and WeCom: JSON of their own, and errors in a 200's body.

apprise (2.3.0) signs nothing for Feishu, takes every 200 of DingTalk and WeCom for success, though they say
there that a message was refused, and counts WeCom's 2,048 bytes as characters. Sources: open.dingtalk.com
(custom robot), open.feishu.cn (add-custom-bot), developer.work.weixin.qq.com (group robot, 91770).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from asr_daemon.gateway.notifications.address import Kind
from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.gateway.notifications.posting import WITHIN_S, Reply, post
from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr_daemon.gateway.notifications.address import Address
    from asr_daemon.gateway.notifications.wording import Message

TOO_OFTEN = {"130101", "45009", "11232"}  # the codes that mean: too many messages
REST_S = 60.0
MOST_SAID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Robot:
    """What holds for one kind."""

    most_bytes: int  # of a message's text, in UTF-8
    markdown: bool
    pause_s: float  # between two messages


ROBOTS = {
    Kind.DINGTALK: Robot(16_000, markdown=True, pause_s=3.1),  # of 20,000 bytes in all; 20 messages a minute
    Kind.FEISHU: Robot(16_000, markdown=False, pause_s=0.7),  # of 20 KB in all; 100 a minute
    Kind.LARK: Robot(16_000, markdown=False, pause_s=0.7),
    Kind.WECOM: Robot(2048, markdown=False, pause_s=3.1),  # 20 a minute
}
HOSTS: Mapping[Kind, str] = {
    Kind.DINGTALK: "https://oapi.dingtalk.com",
    Kind.FEISHU: "https://open.feishu.cn",
    Kind.LARK: "https://open.larksuite.com",
    Kind.WECOM: "https://qyapi.weixin.qq.com",
}


async def send(
    address: Address,
    message: Message,
    now_s: float,
    hosts: Mapping[Kind, str] = HOSTS,
    within_s: float = WITHIN_S,
) -> str:
    """Send; return what was answered, raise :class:`NotSentError` where it was not taken."""
    path, payload = _REQUESTS[address.kind](address, message, now_s)
    body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
    # Hosts are fixed; a proxy on this machine that answers for all of the Internet has private addresses.
    reply = await post(hosts[address.kind] + path, body, {}, allow_private=True, within_s=within_s)
    return _judged(address, reply)


def _dingtalk(address: Address, message: Message, now_s: float) -> tuple[str, dict[str, Any]]:
    asked = {"access_token": address.url}
    if address.secret:
        stamp = str(round(now_s * 1000))
        asked |= {"timestamp": stamp, "sign": dingtalk_signature(address.secret, stamp)}
    payload = {
        "msgtype": "markdown",
        "markdown": {"title": message.title, "text": message.text},
        "at": {"isAtAll": False},
    }
    return f"/robot/send?{urlencode(asked)}", payload


def _feishu(address: Address, message: Message, now_s: float) -> tuple[str, dict[str, Any]]:
    payload: dict[str, Any] = {"msg_type": "text", "content": {"text": message.text}}
    if address.secret:
        stamp = str(int(now_s))
        payload |= {"timestamp": stamp, "sign": feishu_signature(address.secret, stamp)}
    return f"/open-apis/bot/v2/hook/{address.url}", payload


def _wecom(address: Address, message: Message, _now_s: float) -> tuple[str, dict[str, Any]]:
    payload = {"msgtype": "text", "text": {"content": message.text}}
    return f"/cgi-bin/webhook/send?{urlencode({'key': address.url})}", payload


_REQUESTS = {Kind.DINGTALK: _dingtalk, Kind.FEISHU: _feishu, Kind.LARK: _feishu, Kind.WECOM: _wecom}


def dingtalk_signature(secret: str, stamp_ms: str) -> str:
    """Return base64 of HMAC-SHA256, the secret as key, over time and secret."""
    signed = hmac.new(secret.encode(), f"{stamp_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(signed).decode()


def feishu_signature(secret: str, stamp_s: str) -> str:
    """Return base64 of HMAC-SHA256, time and secret as key, over nothing."""
    signed = hmac.new(f"{stamp_s}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(signed).decode()


def _judged(address: Address, reply: Reply) -> str:
    """Return what was said of a message that was taken; its code counts, not the 200."""
    if not reply.is_ok:
        raise NotSentError(f"{address.kind} answers {reply.status}", reply.after_s)
    try:
        told = json.loads(reply.body)
        code = next(told[key] for key in ("errcode", "code", "StatusCode") if key in told)
    except (ValueError, TypeError, StopIteration):
        raise NotSentError(
            f"{address.kind} answers {reply.status} with something that is no answer"
        ) from None
    words = next((told[key] for key in ("errmsg", "msg", "StatusMessage") if key in told), "")
    said = re.sub(r"\s+", " ", printable(str(words)))[:MOST_SAID_CHARS]
    if str(code) != "0":
        raise NotSentError(
            address.without_secrets(f"{address.kind} refuses it: {code} {said}"),
            REST_S if str(code) in TOO_OFTEN else 0.0,
        )
    return f"{address.kind} took it"
