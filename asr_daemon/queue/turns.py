"""Whose turn it is: which recording is next, for whose part, and what each inbox got so far.

Enters: who waits (:mod:`asr_daemon.queue.line`), weights and hours of the configuration, and what was really
recognised. Leaves: the next one, in the claim's own transaction; nothing is remembered beside the history
but how many in a row were somebody's at a screen. The rules are :mod:`asr_daemon.queue.fairness`.

A content that several inboxes wait for is one piece of work: it is begun when it is the turn of the first of
them, and for that one's part. What somebody waits for at a screen is bound by no hours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.queue.fairness import Account, Candidate, choose, rates
from asr_daemon.queue.line import Line
from asr_daemon.queue.open_hours import OpenHours

if TYPE_CHECKING:
    from collections.abc import Collection

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.history import History

AGEING = 4.0  # of what lies in no inbox
FAILED_MS = 10_000.0  # what an attempt is charged that failed
_NOW = "queue_clock_ms"  # a setting: the time of now on the inboxes' clocks


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a recording's file may be for a recogniser."""

    above_bytes: int = -1  # larger than that
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recogniser may take now."""

    away: Collection[str] = ()  # inboxes whose share is gone
    fresh_only: bool = False  # no suspects: those run alone
    most_bytes: int | None = None
    above_bytes: int = -1  # larger ones only
    only_urged: bool = False  # only what somebody waits for at a screen
    suspects_since: str = ""  # a suspect that has been due since that stamp goes before all others
    without: Collection[str] = ()  # inboxes of which only what is waited for at a screen may come


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late it is for each inbox that has work, with its account; and the time of now on their clocks."""

    accounts: dict[str, Account]
    own_ms: dict[str, float]
    in_work_ms: dict[str, float]  # still expected of what is in work
    now_ms: float

    @property
    def late_ms(self) -> dict[str, float]:
        """Who is furthest behind is next; none is behind the time of now."""
        return {inbox: max(self.now_ms, own_ms) for inbox, own_ms in self.own_ms.items()}


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is, and how that was found."""

    chosen: Candidate
    lateness: Lateness


class Turns:
    """Says who is next; called with the history's transaction held, where it changes anything."""

    def __init__(self, config: Config, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self.screens_in_a_row = 0
        self._ageing: dict[str, float] = {}
        self.hours = OpenHours(config, clock)
        self.line = Line(history, lambda inbox: self._ageing.get(inbox, AGEING))
        self.reload(config)

    def reload(self, config: Config) -> None:
        """Take up other weights, orders and hours."""
        self.hours.reload(config)
        self._weights = {inbox.name: inbox.weight for inbox in config.inbox}
        ageing = {inbox.name: inbox.ageing if inbox.order == "short_first" else 0.0 for inbox in config.inbox}
        if ageing != self._ageing:
            self._ageing = ageing
            self.line.place_anew()

    def weight(self, inbox: str) -> float:
        """Return an inbox's part of the recogniser, beside the others'."""
        return self._weights.get(inbox, 1.0)

    # ------------------------------------------------------------------ who is next

    def may_begin(self, limits: Limits) -> bool:
        """Whether anything may be begun: asked several times a second, and cheaper than whose turn it is."""
        return bool(self._candidates(limits))

    def next(self, limits: Limits) -> Turn | None:
        """Return whose turn it is; None where nothing may be begun."""
        candidates = self._candidates(limits)
        lateness = self.lateness({one.inbox for one in candidates})
        chosen = choose(candidates, lateness.late_ms, self.screens_in_a_row)
        return None if chosen is None else Turn(chosen, lateness)

    def _candidates(self, limits: Limits) -> list[Candidate]:
        closed = self.hours.closed()
        if limits.suspects_since and not limits.only_urged:
            sizes = (limits.above_bytes, limits.most_bytes)
            found = self.line.overdue_suspect(limits.suspects_since, limits.away, closed, *sizes)
            if found is not None:
                return [found]
        urged = self._first(limits, closed, urged=True)
        if limits.only_urged:
            return urged
        return urged + self._first(limits, {*closed, *limits.without}, urged=False)

    def _first(self, limits: Limits, closed: Collection[str], *, urged: bool) -> list[Candidate]:
        return self.line.first(
            urged=urged,
            now=self._clock.stamp(),
            closed=closed,
            away=limits.away,
            fresh_only=limits.fresh_only,
            above_bytes=limits.above_bytes,
            most_bytes=limits.most_bytes,
        )

    def lateness(self, inboxes: Collection[str]) -> Lateness:
        """Return how late it is for each of these inboxes, and for those that have something in work."""
        now_s = self._clock.now().timestamp()
        rows = self._history.all("in_work_ms")
        in_work_ms: dict[str, float] = {row["inbox"]: row["expected_ms"] for row in rows}
        accounts = self._accounts()
        used_ms = {inbox: account.used_at(now_s) for inbox, account in accounts.items()}
        weights = {inbox: self.weight(inbox) for inbox in {*inboxes, *in_work_ms}}
        rated = {
            inbox: replace(accounts.get(inbox, Account()), rate=rate)
            for inbox, rate in rates(weights, used_ms).items()
        }
        own_ms = {
            inbox: account.clock_ms + in_work_ms.get(inbox, 0.0) / account.rate
            for inbox, account in rated.items()
        }
        row = self._history.one("get_setting", key=_NOW)
        return Lateness(rated, own_ms, in_work_ms, float(row["value"]) if row else 0.0)

    def begin(self, turn: Turn) -> None:
        """It is being claimed: for its inbox's part, with what is expected of it."""
        chosen, lateness = turn.chosen, turn.lateness
        account = lateness.accounts[chosen.inbox]
        behind_ms = max(0.0, lateness.now_ms - lateness.own_ms[chosen.inbox])
        lateness.accounts[chosen.inbox] = replace(account, clock_ms=account.clock_ms + behind_ms)
        for inbox in {chosen.inbox, *lateness.in_work_ms}:  # what is recognised of them goes by this rate
            self._save(inbox, lateness.accounts[inbox])
        if not (chosen.is_urged or chosen.is_suspect):  # those are out of turn
            self._history.run("set_setting", key=_NOW, value=repr(lateness.late_ms[chosen.inbox]))
        self._history.run("claim_for", job=chosen.job, inbox=chosen.inbox, expected_ms=chosen.expected_ms)
        self.screens_in_a_row = self.screens_in_a_row + 1 if chosen.is_urged else 0

    # ------------------------------------------------------------------ what it cost

    def charge(self, job: int, until_ms: int) -> None:
        """So much of a job's sound is recognised; what was charged before is not charged again."""
        row = self._history.one("charged_of", job=job)
        if row is None or until_ms <= row["charged_ms"]:
            return
        self._history.run("charge_job", job=job, until_ms=until_ms)
        if row["claimed_for"] is not None:
            self._charge(row["claimed_for"], until_ms - row["charged_ms"])

    def charge_failure(self, job: int) -> None:
        """An attempt failed: it kept the recogniser busy, too, and files that only fail are no way around."""
        row = self._history.one("charged_of", job=job)
        if row is not None and row["claimed_for"] is not None:
            self._charge(row["claimed_for"], FAILED_MS)

    def _charge(self, inbox: str, sound_ms: float) -> None:
        account = self._accounts().get(inbox, Account())
        self._save(inbox, account.charged(sound_ms, self._clock.now().timestamp()))

    def used_ms(self) -> dict[str, float]:
        """Return what each inbox got of late, as it counts now."""
        now_s = self._clock.now().timestamp()
        return {inbox: account.used_at(now_s) for inbox, account in self._accounts().items()}

    # ------------------------------------------------------------------ within their hours

    def held_back(self, jobs: Collection[int], *, all_of_them: bool = False) -> list[int]:
        """Return those of these running jobs whose time is over: outside the hours of who waits for them.

        ``all_of_them``: whoever waits. What somebody waits for at a screen is never among them.
        """
        closed = self.hours.closed()
        if not (closed or all_of_them):
            return []
        rows = self._history.all(
            "held_back",
            jobs=json.dumps(sorted(jobs)),
            closed=json.dumps(closed),
            all=int(all_of_them),
        )
        return [row["id"] for row in rows]

    def oldest_age_s(self) -> float:
        """Return how long the one in line has waited that waits longest; outside its hours nothing does."""
        now, ages_s = self._clock.now(), [0.0]
        for row in self._history.all("queued_since"):
            since = from_stamp(row["queued_at"])
            is_urged = row["is_urged"]
            waited_s = self.hours.waited_s(row["inbox"], since)
            ages_s.append((now - since).total_seconds() if is_urged else waited_s)
        return max(ages_s)

    def count_open(self) -> int:
        """Return how many queued jobs may be begun by their hours."""
        row = self._history.one("count_open", closed=json.dumps(self.hours.closed()))
        return int(row["jobs"]) if row else 0

    def _accounts(self) -> dict[str, Account]:
        return {
            row["inbox"]: Account(row["used_ms"], row["used_at"], row["clock_ms"], row["rate"])
            for row in self._history.all("accounts")
        }

    def _save(self, inbox: str, account: Account) -> None:
        self._history.run(
            "save_account",
            inbox=inbox,
            used_ms=account.used_ms,
            used_at=account.at_s,
            clock_ms=account.clock_ms,
            rate=account.rate,
        )
