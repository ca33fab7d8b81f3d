"""One session, step by step: what is settled, and what is not said any more."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from talking import LoudnessNetwork, loud, quiet

from asr_daemon.dispatch.protocol import Listen
from asr_daemon.recogniser.families.family import Request, Spoken
from asr_daemon.recogniser.live.outbox import Outbox
from asr_daemon.recogniser.live.session import LiveSession
from asr_daemon.recogniser.segmenter.silero import SileroDetector
from asr_daemon.transcripts import live
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spoke(LiveSession):
    """A session whose reader is the test."""

    def __init__(self) -> None:
        self.reader, end = socket.socketpair()
        detector = SileroDetector(LoudnessNetwork(), 300)  # type: ignore[arg-type]
        order = Listen(1, Profile("m", max_end_silence_ms=300))
        super().__init__(order, end, Request(), detector, SimpleNamespace())  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        """Say the oldest sentence."""
        sentence = self.unsaid[0]
        place = (sentence.stretch.start_ms, sentence.stretch.end_ms)
        self.say_final(sentence, Segment(0, *place, text, text))

    def told(self) -> list[live.Event]:
        """Return what was said since it was asked last."""
        self.reader.setblocking(False)
        try:
            return list(map(live.decode, self.reader.recv(1 << 16).splitlines()))
        except BlockingIOError:
            return []


@pytest.fixture
def session() -> Iterator[Spoke]:
    """Return a session."""
    session = Spoke()
    yield session
    session.reader.close()
    session.socket.close()


def settled_ms(session: Spoke) -> int:
    """Return what a reader need not send again."""
    return max(event.settled_ms for event in session.told() if isinstance(event, live.Heard))


def test_nothing_is_settled_before_it_is_said(session: Spoke) -> None:
    """Neither a sentence that grows nor one that waits for the device: who connects anew sends it again."""
    session.hear(quiet(2) + loud(1, 5), 0.0)
    assert 1000 < settled_ms(session) <= 2000
    session.hear(loud(1, 5) + quiet(3), 0.0)
    assert 1000 < settled_ms(session) <= 2000
    session.say("话")
    final, heard = session.told()
    assert isinstance(final, live.Final)
    assert isinstance(heard, live.Heard)
    assert final.end_ms <= heard.settled_ms
    assert heard.settled_ms == pytest.approx(7000, abs=500)


def test_reading_that_comes_late_is_not_said(session: Spoke) -> None:
    """The sentence was over while it was read; the next reading is of the next sentence."""
    session.hear(quiet(1) + loud(1, 5), 0.0)
    assert session.wants_reading
    growing = session.growing(0.0)
    session.hear(quiet(1), 0.0)
    session.told()
    session.say_interim(growing, Spoken("迟到的话"))
    assert session.told() == []
    assert not session.wants_reading
    session.say("话")
    session.hear(loud(1, 5), 0.0)
    session.told()
    session.say_interim(session.growing(0.0), Spoken("新的话"))
    (interim,) = session.told()
    assert isinstance(interim, live.Interim)
    assert (interim.segment, interim.text) == (1, "新的话")
    assert interim.start_ms == pytest.approx(2800, abs=100)


def test_silent_sentence_leaves_no_trace(session: Spoke) -> None:
    """It is settled all the same, and its number goes to the next."""
    session.hear(loud(1, 5) + quiet(1) + loud(1, 5) + quiet(1), 0.0)
    session.told()
    session.say("")
    (heard,) = session.told()
    assert isinstance(heard, live.Heard)
    assert heard.settled_ms >= 1000
    session.say("话")
    assert [event.segment for event in session.told() if isinstance(event, live.Final)] == [0]


def test_line_that_is_on_its_way_is_not_cut() -> None:
    """What waits behind it is given up; what comes last is whole, too."""
    reader, end = socket.socketpair()
    reader.settimeout(10)
    with reader, end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        end.setblocking(False)
        outbox = Outbox(end)
        long = b"a" * 100_000 + b"\n"
        outbox.add(long)
        outbox.add(b"given up\n")
        outbox.end_with(b"the last\n")
        received = b""
        while not outbox.is_empty:
            received += reader.recv(1 << 16)
            outbox.flush()
        received += reader.recv(1 << 16)
    assert received == long + b"the last\n"
