"""Who may use the gateway: tokens and log-ins, and what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from way import Way

from asr_daemon.access import EVERY_INBOX, Access, Accesses, Right, parse_rights
from asr_daemon.access.store import LOG_IN_LASTS_S, AccessError, LogIn
from asr_daemon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Door(Way):
    """A history with accesses."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.accesses = Accesses(self.history, self.time.clock)


def begun(door: Door, token: str) -> LogIn:
    """Log in."""
    found = door.accesses.log_in(token)
    assert found is not None
    return found[1]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Return one with nobody in it."""
    return Door(tmp_path)


def test_token_says_who_it_is_and_is_kept_nowhere(door: Door) -> None:
    """Who reads the history's file, or a backup, learns no token."""
    token = door.accesses.add("王芳", ["财务"], {Right.READ, Right.EDIT})
    found = door.accesses.of(token)
    assert found is not None
    assert (found.name, found.inboxes, found.rights) == ("王芳", ("财务",), {Right.READ, Right.EDIT})
    door.history.close()
    assert token.encode() not in door.config.history_path.read_bytes()


@pytest.mark.parametrize("secret", ["", "asr_", "asr_nobody", "\udcff", "x" * 100_000])
def test_no_other_words_open(door: Door, secret: str) -> None:
    """Whatever a stranger sends."""
    door.accesses.add("a", ["x"], {Right.READ})
    assert door.accesses.of(secret) is None
    assert door.accesses.log_in(secret) is None


def test_log_in_lasts_its_time_and_until_it_is_ended(door: Door) -> None:
    """A cookie is not the token: it ends by itself, and by the person's own click."""
    token = door.accesses.add("a", ["x"], {Right.READ})
    first = begun(door, token)
    second = begun(door, token)
    door.accesses.log_out(first.secret)
    assert door.accesses.of(first.secret) is None
    assert door.accesses.of(second.secret) is not None
    assert door.accesses.log_in(second.secret) is None, "a log-in begets no other"
    door.time.pass_s(LOG_IN_LASTS_S + 1)
    assert door.accesses.of(second.secret) is None
    assert door.accesses.of(token) is not None


def test_one_that_is_removed_has_nothing_left(door: Door) -> None:
    """Neither its token nor a browser that is logged in."""
    token = door.accesses.add("a", ["x"], {Right.READ})
    log_in = begun(door, token)
    door.accesses.remove("a")
    assert door.accesses.of(token) is None
    assert door.accesses.of(log_in.secret) is None
    assert door.accesses.all() == []
    with pytest.raises(AccessError, match="no access 'a'"):
        door.accesses.remove("a")


def test_name_is_given_once(door: Door) -> None:
    """Adding it again would leave two tokens of one name."""
    token = door.accesses.add("a", ["x"], {Right.READ})
    with pytest.raises(AccessError, match="already"):
        door.accesses.add("a", ["y"], {Right.READ})
    found = door.accesses.of(token)
    assert found is not None
    assert found.inboxes == ("x",)


def test_use_is_kept_to_the_hour(door: Door) -> None:
    """A program that asks twice a second writes one row an hour."""
    token = door.accesses.add("a", ["x"], {Right.READ})
    for _ in range(3):
        door.accesses.of(token)
    (first,) = door.accesses.all()
    door.time.pass_s(60)
    door.accesses.of(token)
    assert door.accesses.all() == [first]
    door.time.pass_s(3600)
    door.accesses.of(token)
    assert door.accesses.all()[0].used_at > first.used_at


def test_rights_are_of_named_inboxes() -> None:
    """A department sees its own; an operator every one, also those to come."""
    one = Access("a", ("财务",), parse_rights("edit"))
    assert one.may(Right.READ, "财务")
    assert not one.may(Right.READ, "人事")
    assert not one.may(Right.UPLOAD, "财务")
    assert one.seen(["人事", "财务"]) == ("财务",)
    assert Access("b", (EVERY_INBOX,), parse_rights("read, operate")).may(Right.OPERATE, "新来的")


@pytest.mark.parametrize("words", ["", "write", "read,,delete", "READ"])
def test_unknown_right_is_refused_with_those_that_there_are(words: str) -> None:
    """A slip must not give less, or more, than was meant, without a word."""
    with pytest.raises(UsageError, match="read, upload, edit, operate"):
        parse_rights(words)
