"""A machine under its lease: who is not asked ends itself, and a frozen one that wakes up says nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from clustered import BUILTIN, setup

from asr_daemon.cluster.machine import Machine
from asr_daemon.cluster.sealing import Seal, Stream, UnsealableError, make_key
from asr_daemon.dispatch import cluster_messages, protocol
from asr_daemon.dispatch.local_process import _child_environment
from asr_daemon.models.weights import describe

FAKE = (str(Path(__file__).parents[2] / "fake_recogniser.py"),)
HIRE = cluster_messages.encode(cluster_messages.Hire(7, "remote 1", describe(BUILTIN)))
SETUP = protocol.encode(setup())


def test_who_is_not_asked_ends() -> None:
    """Also before its lease has begun: the bridge may be gone already."""
    ended = threading.Event()
    Machine(lease_s=0.2, end=ended.set)
    assert ended.wait(5)


def test_who_is_asked_goes_on_until_that_ends() -> None:
    """Every question renews the lease."""
    ended = threading.Event()
    machine = Machine(lease_s=0.5, end=ended.set)
    until_s = time.monotonic() + 1.5
    while time.monotonic() < until_s:
        machine._outbox.put(b"x")
        machine.hear(0, wants_words=True)
        time.sleep(0.02)
    assert not ended.is_set()
    assert ended.wait(5)


def test_who_was_frozen_ends_instead_of_speaking() -> None:
    """By then somebody else has the work."""
    ended = threading.Event()
    machine = Machine(lease_s=30.0, end=ended.set)
    machine._outbox.put(b"late words\n")
    machine._asked_s -= 31.0  # asleep for so long
    assert machine.hear(0, wants_words=True) == b""
    assert ended.is_set()


def test_the_process_ends_also_where_its_child_has_ended_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would keep the card for ever."""
    ended = threading.Event()
    monkeypatch.setattr("os._exit", lambda _status: ended.set())
    machine = Machine(lease_s=3.0, program=FAKE)
    machine.start(HIRE, SETUP, make_key())
    assert machine._child is not None
    machine._child.kill()
    assert ended.wait(8)


def test_what_comes_under_another_lease_is_dropped() -> None:
    """An order of an old hire, or of a bridge that was declared dead."""
    ended, key = threading.Event(), make_key()
    machine = Machine(program=FAKE, end=ended.set)
    machine.start(HIRE, SETUP, key)
    machine.tell(6, Seal(key, 6).close(Stream.ORDERS, 1, protocol.encode(protocol.Stop())))
    assert machine.take(6, 1, b"") is True
    machine.sound(6, 1, 0, b"")
    assert machine._child is not None
    assert machine._child.is_alive
    machine.hear(6, wants_words=True)
    assert ended.is_set()
    machine._child.kill()


def test_a_seal_opens_nothing_that_was_moved_changed_or_said_under_another_lease() -> None:
    """Whoever can write into Ray's store can at most lose a recogniser."""
    key = make_key()
    seal = Seal(key, 7)
    piece = seal.close(Stream.SOUND, 3, b"sound", 8)
    assert seal.open(Stream.SOUND, 3, piece, 8) == b"sound"
    for stream, number, offset in ((Stream.SOUND, 3, 16), (Stream.SOUND, 4, 8), (Stream.WORDS, 3, 8)):
        with pytest.raises(UnsealableError):
            seal.open(stream, number, piece, offset)
    for other in (Seal(key, 8), Seal(make_key(), 7)):
        with pytest.raises(UnsealableError):
            other.open(Stream.SOUND, 3, piece, 8)
    with pytest.raises(UnsealableError):
        seal.open(Stream.SOUND, 3, piece[:-1] + bytes([piece[-1] ^ 1]), 8)


def test_who_reads_recordings_is_not_given_rays_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording may have been made to break into its reader: it would own every machine."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/etc/ray/token")
    assert not [name for name in _child_environment() if name.startswith("RAY_")]
