"""Where a receiver's messages go: its address read from the file, and what kind of receiver that is.

Enters: a ``[[notify]]``. Leaves: :class:`Address`. Files are read when something is to be sent, a systemd
credential of the same name first; what was read is kept by nobody. Fails with
:class:`~asr_daemon.gateway.notifications.errors.NotSentError`.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from asr_daemon.files.credentials import handed_over
from asr_daemon.gateway.notifications.errors import NotSentError

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config_notify import NotifySection

MOST_BYTES = 16 << 10
LEAST_SECRET_CHARS = 4  # shorter pieces of an address are no secrets
TOKEN = re.compile(r"[A-Za-z0-9_-]{4,256}")


class Kind(str, enum.Enum):
    """What takes messages."""

    WEBHOOK = "webhook"
    DINGTALK = "DingTalk"
    FEISHU = "Feishu"
    LARK = "Lark"
    WECOM = "WeCom"
    APPRISE = "apprise"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Address:
    """Where to; nothing of it is shown but the kind."""

    kind: Kind
    url: str = field(repr=False)  # of a robot: its token
    secret: str = field(default="", repr=False)
    allow_private: bool = False

    @property
    def takes_each_alone(self) -> bool:
        """Whether it is a program, which wants no digest."""
        return self.kind is Kind.WEBHOOK

    def without_secrets(self, said: str) -> str:
        """Return what a receiver said without pieces of the address, which some repeat."""
        pieces = {self.url, self.secret, unquote(self.url), *re.split(r"[/?&=:@#]+", self.url)}
        pieces |= {unquote(piece) for piece in pieces}
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= LEAST_SECRET_CHARS and piece not in ("https", "http"):
                said = said.replace(piece, "…")
        return said


def address_of(section: NotifySection) -> Address:
    """Return where that receiver's messages go; raises :class:`NotSentError`."""
    url = section.url.get_secret_value().strip() if section.url else _read("url_file", section.url_file)
    secret = ""
    if section.secret is not None:
        secret = section.secret.get_secret_value().strip()
    elif section.secret_file is not None:
        secret = _read("secret_file", section.secret_file)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (asked for, it is checked)
    except ValueError:
        raise NotSentError("the address is none that can be read") from None
    return _known(parts, url, secret, section) or Address(Kind.APPRISE, url, secret)


def _read(key: str, path: Path | None) -> str:
    """Return the first line of a file that holds a secret."""
    assert path is not None  # noqa: S101 (the configuration's model says so)
    try:
        with handed_over(path).open("rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NotSentError(f"{key} {path.name!r} cannot be read: {why}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise NotSentError(f"{key} {path.name!r} is empty")
    return lines[0]


def _known(parts: SplitResult, url: str, secret: str, section: NotifySection) -> Address | None:
    """Return the address of a robot or a webhook; None of what apprise knows."""
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    kind = _KIND_OF_SCHEME.get(scheme)
    if kind is not None:
        own = parts.netloc.rpartition("@")[2].partition(":")[0]  # as it is written: tokens have capitals
        if parts.path.strip("/") or "to" in parse_qs(parts.query):
            raise NotSentError(f"{scheme}:// with more than a token (phone numbers ...) is not taken")
        return _robot(kind, own, secret or unquote(parts.username or ""))
    if scheme not in ("http", "https"):
        return None
    kind = _KIND_OF_HOST.get(host)
    if kind is not None:
        asked = _TOKEN_IN_QUERY.get(kind)
        last = unquote(parts.path.rstrip("/").rpartition("/")[2])
        return _robot(kind, parse_qs(parts.query).get(asked, [""])[0] if asked else last, secret)
    if scheme == "http" and not section.allow_private:
        raise NotSentError("a webhook is https://; http:// needs allow_private = true")
    if not host or parts.username:
        raise NotSentError("a webhook's address is https://host/path, without a user")
    return Address(Kind.WEBHOOK, url, secret, section.allow_private)


_KIND_OF_SCHEME = {
    "dingtalk": Kind.DINGTALK,
    "feishu": Kind.FEISHU,
    "lark": Kind.LARK,
    "wecombot": Kind.WECOM,
}
_TOKEN_IN_QUERY = {Kind.DINGTALK: "access_token", Kind.WECOM: "key"}  # of the others, in the path
_KIND_OF_HOST = {
    "oapi.dingtalk.com": Kind.DINGTALK,
    "open.feishu.cn": Kind.FEISHU,
    "open.larksuite.com": Kind.LARK,
    "qyapi.weixin.qq.com": Kind.WECOM,
}


def _robot(kind: Kind, token: str, secret: str) -> Address:
    if not TOKEN.fullmatch(token):
        raise NotSentError(f"the address holds no token of a {kind} robot: copy it from the group's settings")
    return Address(kind, token, secret)
