"""Accesses and log-ins in the history. Secrets are kept as SHA-256 alone: they are random, 256 bits long."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.access.access import Access, Right
from asr_daemon.clock import from_stamp
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from asr_daemon.clock import Clock
    from asr_daemon.history import History

TOKEN_PREFIX = "asr_"  # noqa: S105 - so that a secret scanner, or a person, knows what it found
LOG_IN_LASTS_S = 14 * 86_400.0  # of a browser
USED_EVERY_S = 3600.0  # how exactly the last use is kept: no row is written for every request


class AccessError(OperatorError):
    """There is no such access, or there is one already."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """A browser's log-in; ``secret`` is its cookie."""

    secret: str
    expires_at: str  # stamp


class Accesses:
    """Who may use the gateway. Every method fails as the history does."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    # ------------------------------------------------------------------ for the administrator

    def add(self, name: str, inboxes: Iterable[str], rights: Collection[Right]) -> str:
        """Add an access; return its token, which nobody can read again.

        Raises :class:`AccessError` where the name is taken.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._history.transaction() as history:
            if history.one("get_access", name=name) is not None:
                raise AccessError(f"there is an access {name!r} already; `access remove` takes it away")
            history.run(
                "insert_access",
                name=name,
                token_sha256=_digest(token),
                inboxes=json.dumps(sorted(set(inboxes)), ensure_ascii=False),
                rights=json.dumps(sorted(rights)),
                now=self._clock.stamp(),
            )
        return token

    def all(self) -> list[Access]:
        """Return everybody, by name."""
        return [_access(row) for row in self._history.all("accesses")]

    def remove(self, name: str) -> None:
        """Take an access away: its token and its log-ins are of no use from now on.

        Raises :class:`AccessError` where there is none.
        """
        with self._history.transaction() as history:
            if not history.run("delete_access", name=name).rowcount:
                raise AccessError(f"there is no access {name!r}; `access list` shows them")

    # ------------------------------------------------------------------ for the gateway

    def of(self, secret: str) -> Access | None:
        """Return whose token, or whose log-in, that is."""
        row = self._history.one("access_of_secret", sha256=_digest(secret), now=self._clock.stamp())
        return None if row is None else self._in_use(row)

    def named(self, name: str) -> Access | None:
        """Return the access of that name."""
        row = self._history.one("get_access", name=name)
        return None if row is None else self._in_use(row)

    def _in_use(self, row: sqlite3.Row) -> Access:
        access = _access(row)
        is_stale = not access.used_at or access.used_at <= self._clock.stamp(-USED_EVERY_S)
        if is_stale:
            with self._history.transaction() as history:
                history.run("use_access", name=access.name, now=self._clock.stamp())
        return access

    def log_in(self, token: str) -> tuple[Access, LogIn] | None:
        """Begin a browser's session with a token (not with another log-in); None where it is none."""
        row = self._history.one("access_of_token", sha256=_digest(token))
        if row is None:
            return None
        secret, now = secrets.token_urlsafe(32), self._clock.stamp()
        log_in = LogIn(secret, self._clock.stamp(LOG_IN_LASTS_S))
        with self._history.transaction() as history:
            history.run("drop_old_log_ins", now=now)
            history.run("use_access", name=row["name"], now=now)
            history.run(
                "insert_log_in",
                name=row["name"],
                sha256=_digest(secret),
                expires_at=log_in.expires_at,
                now=now,
            )
        return _access(row), log_in

    def log_out(self, secret: str) -> None:
        """End a browser's session."""
        with self._history.transaction() as history:
            history.run("delete_log_in", sha256=_digest(secret))


def lasts_s(log_in: LogIn, clock: Clock) -> int:
    """Return for how many seconds a log-in is good, for its cookie."""
    return max(0, int((from_stamp(log_in.expires_at) - clock.now()).total_seconds()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _access(row: sqlite3.Row) -> Access:
    return Access(
        name=row["name"],
        inboxes=tuple(json.loads(row["inboxes"])),
        rights=frozenset(map(Right, json.loads(row["rights"]))),
        created_at=row["created_at"],
        used_at=row["used_at"] or "",
    )
