"""The line between daemon and recogniser: nothing is lost, mixed up or left open."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.protocol import Cancel, Progress, Recognise, Stop, encode
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

Ends = tuple[Channel, Channel, socket.socket]


@pytest.fixture
def ends() -> tuple[Channel, Channel, socket.socket]:
    """Two ends of a line, and the first one's bare socket."""
    one, other = socket.socketpair()
    return Channel(one), Channel(other), one


def test_recordings_arrive_with_their_own_descriptors(ends: Ends, tmp_path: Path) -> None:
    """Several recordings sent at once keep their descriptors apart, other messages between them."""
    daemon, child, _ = ends
    for number in range(5):
        path = tmp_path / str(number)
        path.write_text(f"recording {number}")
        with path.open() as file:
            daemon.send(Recognise(number, number, path.name, Profile("m")), file.fileno())
        daemon.send(Cancel(100 + number))
    for number in range(5):
        message, fd = child.receive(5)
        assert isinstance(message, Recognise)
        assert message.order == number
        assert os.pread(fd, 100, 0).decode() == f"recording {number}"
        os.close(fd)
        assert child.receive(5) == (Cancel(100 + number), None)


def test_a_line_may_arrive_in_pieces(ends: Ends) -> None:
    """Half a line is not a message yet; with its second half it is."""
    _, child, bare = ends
    line = encode(Progress(1, 2, 3, 4))
    bare.sendall(line[:10])
    assert child.receive(0.01) is None
    bare.sendall(line[10:] + encode(Stop())[:3])
    assert child.receive(5) == (Progress(1, 2, 3, 4), None)
    assert child.receive(0.01) is None


def test_a_long_message_with_a_descriptor_fits(ends: Ends, tmp_path: Path) -> None:
    """A message larger than the socket's buffer arrives whole, with its descriptor."""
    daemon, child, _ = ends
    words = tuple(f"热词{number}" for number in range(50_000))
    (tmp_path / "a").write_text("x")
    with (tmp_path / "a").open() as file:
        sender = threading.Thread(
            target=daemon.send, args=(Recognise(1, 1, "a", Profile("m", hotwords=words)), file.fileno())
        )
        sender.start()
        message, fd = child.receive(5)
        sender.join()
    assert message.profile.hotwords == words
    os.close(fd)


def test_the_end_is_said_after_the_last_whole_line(ends: Ends) -> None:
    """What was sent before the other end closed is still received; then comes the end."""
    daemon, child, _ = ends
    daemon.send(Stop())
    daemon.close()
    assert child.receive(5) == (Stop(), None)
    with pytest.raises(EOFError):
        child.receive(5)


def test_a_line_that_is_no_message_is_refused(ends: Ends) -> None:
    """Garbage raises ValueError, as do messages with wrong fields."""
    _, child, bare = ends
    bare.sendall(b'{"type": "Explode"}\n{"type": "Cancel"}\nxx\n')
    for _ in range(3):
        with pytest.raises(ValueError, match=r"."):
            child.receive(5)


def test_closing_closes_descriptors_that_nobody_took(ends: Ends, tmp_path: Path) -> None:
    """A recording that arrived but was never looked at does not stay open."""
    daemon, child, _ = ends
    (tmp_path / "a").write_text("x")
    with (tmp_path / "a").open() as file:
        daemon.send(Cancel(1))
        daemon.send(Recognise(1, 1, "a", Profile("m")), file.fileno())
    assert child.receive(5) == (Cancel(1), None)
    if not child._descriptors:
        child._fill()
    (waiting,) = child._descriptors
    child.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(waiting)
