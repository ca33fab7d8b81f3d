"""A webhook: JSON for a program, signed as Standard Webhooks has it (https://www.standardwebhooks.com).

Enters: a batch. Leaves: one POST with ``webhook-id`` (the same at every try), ``webhook-timestamp`` and
``webhook-signature``: ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``. The secret is what
follows ``whsec_``, in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.gateway.notifications.posting import WITHIN_S, post

if TYPE_CHECKING:
    from asr_daemon.control.notice_messages import Notice, Notices
    from asr_daemon.gateway.notifications.address import Address

PREFIX = "whsec_"


async def send(address: Address, batch: Notices, now_s: float, within_s: float = WITHIN_S) -> str:
    """Send; return what was answered, raise :class:`NotSentError` where it was not taken."""
    body = body_of(batch)
    stamp = str(int(now_s))
    headers = {"webhook-id": batch.batch, "webhook-timestamp": stamp}
    if address.secret:
        headers["webhook-signature"] = signature(address.secret, batch.batch, stamp, body)
    reply = await post(address.url, body, headers, allow_private=address.allow_private, within_s=within_s)
    if not reply.is_ok:
        raise NotSentError(f"it answers {reply.status} {_phrase(reply.status)}".rstrip(), reply.after_s)
    return f"it answers {reply.status} {_phrase(reply.status)}".rstrip()


def body_of(batch: Notices) -> bytes:
    """Return the JSON; several that belong together (an address that was a group's before) are a list."""
    events = [_event(each) for each in batch.notices]
    if len(events) == 1:
        told = events[0]
    else:
        told = {"type": "digest", "timestamp": batch.notices[-1].at, "data": {"events": events}}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _event(notice: Notice) -> dict[str, Any]:
    data: dict[str, Any] = {"id": notice.id}
    if notice.inbox:
        data["inbox"] = notice.inbox
    if notice.recording is not None:
        data |= {"recording": notice.recording, "file": notice.file}
        data["duration_s"] = notice.duration_ms / 1000 if notice.duration_ms else None
    if notice.problem:
        data |= {"code": notice.code or None, "problem": notice.problem, "problem_zh": notice.problem_zh}
    if notice.text is not None:
        data |= {"text": notice.text, "text_is_cut": notice.text_is_cut}
    return {"type": notice.event, "timestamp": notice.at, "data": data}


def signature(secret: str, identity: str, stamp: str, body: bytes) -> str:
    """Return the header's value; raises :class:`NotSentError` for a secret that is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise NotSentError(f"the webhook's secret is not {PREFIX} and base64") from None
    signed = hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
