"""Live sessions with a model that reads loudness: what is said, in what order, to whoever reads or not."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from talking import LoudnessNetwork, Talker, loud, quiet

from asr_daemon.dispatch.protocol import Listen, Listened, Message, Waiting
from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.gate import Gate
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.recogniser.live import ear, outbox
from asr_daemon.recogniser.live.captions import Captions
from asr_daemon.recogniser.live.session import MOST_UNSAID_S
from asr_daemon.recogniser.postprocess import Postprocessor
from asr_daemon.recogniser.segmenter.silero import SileroDetector
from asr_daemon.transcripts import live
from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Token
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SYLLABLES = "零甲乙丙丁戊己庚辛壬"  # by loudness, in tenths
MUTE = 1  # what is as loud as that is speech that reads as nothing
PROFILE = Profile("m", max_end_silence_ms=300, max_segment_s=15.0)


class LoudnessModel:
    """Reads a syllable each 100 ms by its loudness: the text says what was heard, and when."""

    device = "cpu"

    def prepare(self, samples: np.ndarray, _bank: None = None) -> Input:
        """Return the samples as they are."""
        return Input(samples, len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Read each."""
        return [self._read(segment.features) for segment in segments]

    @staticmethod
    def _read(samples: np.ndarray) -> Spoken:
        parts = [np.abs(samples[at : at + 1600]).max() for at in range(0, len(samples), 1600)]
        tenths = [round(float(part) * 10) for part in parts]
        tokens = tuple(
            Token(SYLLABLES[tenth], at * 100, at * 100 + 100)
            for at, tenth in enumerate(tenths)
            if tenth > MUTE
        )
        return Spoken("".join(token.text for token in tokens), tokens)


class Device:
    """The device's thread with nothing but live sessions; :meth:`hold` keeps it busy with something else."""

    def __init__(self) -> None:
        decoder = Decoder(LoudnessModel(), BatchLimit(80), lambda *_: None)
        self.said: list[Message] = []
        self.engine = SimpleNamespace(
            decoder=decoder,
            device="cpu",
            threads=2,
            most_in_batch=8,
            limit=BatchLimit(80),
            request=lambda profile: Request(hotwords=profile.hotwords),
            begin_detector=lambda profile: SileroDetector(LoudnessNetwork(), profile.max_end_silence_ms),  # type: ignore[arg-type]
            own_postprocessor=lambda profile: Postprocessor(
                profile, model_writes_numbers=True, punctuator=None, note=lambda *_: None
            ),
        )
        self.news = threading.Event()
        self.is_free = threading.Event()
        self.is_free.set()
        self.gate = Gate(decoder)
        self.captions = Captions(
            self.engine,  # type: ignore[arg-type]
            self.gate,
            SimpleNamespace(),  # type: ignore[arg-type]
            self.said.append,
            lambda *_: None,
            self.news.set,
        )
        self._ends = False
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._ends:
            self.news.wait()
            self.news.clear()
            self.is_free.wait()
            while self.captions.serve(queue_waits=False):
                pass

    def open(self, number: int = 1, *, interim: bool = True, room_bytes: int = 0) -> Talker:
        """Begin a session; the kernel keeps ``room_bytes`` of what is not read (0: as it is used to)."""
        ours, theirs = socket.socketpair()
        if room_bytes:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room_bytes)
        self.captions.open(Listen(number, PROFILE, interim), theirs.detach())
        return Talker(ours)

    def close(self) -> None:
        """End."""
        self._ends = True
        self.is_free.set()
        self.news.set()
        self._thread.join()


@pytest.fixture
def device() -> Iterator[Device]:
    """Return a device."""
    device = Device()
    yield device
    device.close()


def test_sentences_are_said_in_order_with_their_times(device: Device) -> None:
    """What reads as nothing has no number; the last words come though no silence follows them."""
    talker = device.open().listen()
    talker.say(quiet(1) + loud(1, 5) + quiet(1) + loud(1, MUTE) + quiet(1) + loud(1, 7))
    talker.end_speech()
    talker.wait_for_end()
    finals = talker.of(live.Final)
    assert [(final.segment, set(final.text)) for final in finals] == [(0, {"戊"}), (1, {"庚"})]
    assert [final.start_ms for final in finals] == pytest.approx([800, 4800], abs=50)
    assert [final.end_ms for final in finals] == pytest.approx([2150, 6000], abs=50)
    assert all(final.start_ms <= token.start_ms for final in finals for token in final.tokens)
    assert isinstance(talker.events[-1], live.Ended)
    assert talker.events[-2] == live.Heard(6000, 6000)
    assert talker.garbage == b""


def test_a_sentence_is_read_while_it_is_spoken(device: Device) -> None:
    """Each reading goes on from the one before; none comes once the sentence is over."""
    talker = device.open().listen()
    talker.say(quiet(0.5))
    for tenth in (3, 4, 5, 6):
        count = len(talker.of(live.Interim))
        talker.say(loud(0.6, tenth))
        talker.wait(lambda count=count: len(talker.of(live.Interim)) > count)  # type: ignore[misc]
    talker.say(quiet(1))
    talker.end_speech()
    talker.wait_for_end()
    interims, (final,) = talker.of(live.Interim), talker.of(live.Final)
    assert list(dict.fromkeys(final.text)) == list("丙丁戊己")
    assert interims[-1].stable
    for before, after in itertools.pairwise(interims):
        assert after.stable.startswith(before.stable)
        assert after.heard_ms >= before.heard_ms + 450
    assert all(one.text.startswith(one.stable) and final.text.startswith(one.stable) for one in interims)
    assert {one.segment for one in interims} == {0}
    places = [number for number, event in enumerate(talker.events) if isinstance(event, live.Interim)]
    assert max(places) < talker.events.index(final)


def test_nobody_reads_along_where_nobody_wishes_it(device: Device) -> None:
    """A session without interim text has finals alone."""
    talker = device.open(interim=False).listen()
    talker.say(loud(3, 5) + quiet(1) + loud(3, 5))
    talker.end_speech()
    talker.wait_for_end()
    assert talker.of(live.Interim) == []
    assert len(talker.of(live.Final)) == 2


def test_sound_may_come_in_pieces_of_any_size(device: Device) -> None:
    """Half samples, single bytes: the same is heard."""
    sound = quiet(0.2) + loud(0.5, 5) + quiet(0.5) + loud(0.7, 8) + quiet(0.5)
    said = []
    for number, size in enumerate((len(sound), 3201, 7), 1):
        talker = device.open(number, interim=False).listen()
        for at in range(0, len(sound), size):
            talker.say(sound[at : at + size])
        talker.end_speech()
        talker.wait_for_end()
        said.append(talker.of(live.Final))
    assert len(said[0]) == 2
    assert said[0] == said[1] == said[2]


def test_silence_goes_on_for_an_hour(device: Device) -> None:
    """Nothing is said but how far it was heard, little is kept, and then it still listens."""
    talker = device.open().listen()
    minute = quiet(60)
    for _ in range(60):
        talker.say(minute)
    heard_ms = 3_600_000
    talker.wait(lambda: bool(talker.events) and talker.of(live.Heard)[-1].heard_ms > heard_ms - 1100)
    (session,) = device.captions._all()
    assert len(session._cutter._audio) < 32_000
    talker.say(loud(1, 5))
    talker.end_speech()
    talker.wait_for_end()
    assert talker.of(live.Interim) == [] or talker.of(live.Interim)[0].start_ms > heard_ms - 1000
    (final,) = talker.of(live.Final)
    assert final.start_ms == pytest.approx(heard_ms, abs=250)
    heard = talker.of(live.Heard)
    assert len(heard) > 60  # fewer than seconds: a reader that is behind is spared
    assert all(one.settled_ms > one.heard_ms - 1000 for one in heard[:-2])


def test_words_without_a_pause_are_said_in_pieces(device: Device) -> None:
    """None is longer than allowed, and together they are what was spoken."""
    talker = device.open(interim=False).listen()
    for tenth in (3, 5, 7, 9):
        talker.say(loud(20, tenth))
    talker.end_speech()
    talker.wait_for_end()
    finals = talker.of(live.Final)
    assert max(final.end_ms - final.start_ms for final in finals) <= 15_000
    assert [final.start_ms for final in finals[1:]] == [final.end_ms for final in finals[:-1]]
    assert finals[-1].end_ms == 80_000
    text = talker.text
    assert len(text) == pytest.approx(800, abs=len(finals) + 4)
    assert list(dict.fromkeys(text)) == list("丙戊庚壬")


def test_what_is_no_sound_is_refused(device: Device) -> None:
    """With the reason, and the others hear nothing of it."""
    other = device.open(1).listen()
    talker = device.open(2).listen()
    talker.say("这里应该是声音，不是文字。\n".encode() * 100)
    talker.wait_for_end()
    (failed,) = talker.events
    assert isinstance(failed, live.Failed)
    assert failed.code == "live_not_sound"
    assert "text" in failed.message
    other.say(loud(1, 5))
    other.end_speech()
    other.wait_for_end()
    assert len(other.of(live.Final)) == 1
    assert [(m.session, m.code) for m in device.said if isinstance(m, Listened)] == [
        (2, "live_not_sound"),
        (1, ""),
    ]


def test_reader_that_does_not_read_is_dropped_and_holds_up_nobody(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told why, behind the whole lines that it was sent before; the other one has all its words."""
    monkeypatch.setattr(outbox, "MOST_BYTES", 20_000)
    deaf, other = device.open(1, room_bytes=4096), device.open(2).listen()
    deaf.end.settimeout(1)
    with contextlib.suppress(OSError):  # nobody listens to it any more, or it has gone
        for _ in range(1000):
            deaf.say(loud(1, 5) + quiet(0.5))
    other.say(loud(1, 5))
    other.end_speech()
    other.wait_for_end()
    assert len(other.of(live.Final)) == 1
    deaf.listen()
    deaf.wait_for_end()
    assert deaf.garbage == b""
    failed = deaf.events[-1]
    assert isinstance(failed, live.Failed)
    assert failed.code == "live_not_read"
    segments = [final.segment for final in deaf.of(live.Final)]
    assert segments == list(range(len(segments)))
    eventually(lambda: not device.captions.are_open)
    ends = {message.session: message.code for message in device.said if isinstance(message, Listened)}
    assert ends == {1: "live_not_read", 2: ""}


def test_sender_waits_while_the_device_is_behind(device: Device) -> None:
    """No more than a minute of sentences is kept; nothing is lost once the device is free again."""
    device.is_free.clear()
    talker = device.open(interim=False).listen()
    sentences = 200
    sending = threading.Thread(target=lambda: talker.say((loud(1, 5) + quiet(0.5)) * sentences))
    sending.start()
    talker.wait(lambda: bool(device.captions._all()) and not device.captions._all()[0].takes_sound)
    (session,) = device.captions._all()
    assert sending.is_alive()
    assert sum(len(one.stretch.samples) for one in session.unsaid) < (MOST_UNSAID_S + 3) * 16_000
    device.is_free.set()
    sending.join(30)
    talker.end_speech()
    talker.wait_for_end()
    assert [final.segment for final in talker.of(live.Final)] == list(range(sentences))


def test_daemon_is_told_while_a_sentence_waits(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, so that a device that hangs is noticed; not where nothing waits."""
    monkeypatch.setattr(ear, "TOLD_AFTER_S", 0.05)
    device.is_free.clear()
    talker = device.open(interim=False).listen()
    talker.say(quiet(2))
    talker.wait(lambda: bool(talker.events))
    assert device.said == []
    talker.say(loud(1, 5) + quiet(1))
    eventually(lambda: device.said.count(Waiting()) >= 3)
    device.is_free.set()
    talker.end_speech()
    talker.wait_for_end()
    assert len(talker.of(live.Final)) == 1


def test_failure_of_a_session_is_its_own(device: Device) -> None:
    """An error of the program in one of two that share a batch ends that one, with its reason."""

    class Broken:
        def segment(self, *_: object) -> None:
            raise RuntimeError("broken steps")

    good = device.open(1).listen()
    good.say(quiet(0.2))
    device.engine.own_postprocessor = lambda _profile: Broken()
    bad = device.open(2).listen()
    for talker in (bad, good):
        talker.say(loud(1, 5))
        talker.end_speech()
        talker.wait_for_end()
    assert isinstance(bad.events[-1], live.Failed)
    assert "broken steps" in bad.events[-1].message
    assert len(good.of(live.Final)) == 1


def test_reader_that_goes_ends_its_session(device: Device) -> None:
    """The daemon hears of it; nothing is kept."""
    talker = device.open()
    talker.say(loud(1, 5) + quiet(1))
    talker.end.close()
    talker_of_later = device.open(2).listen()
    talker_of_later.say(loud(1, 5))
    talker_of_later.end_speech()
    talker_of_later.wait_for_end()
    eventually(lambda: not device.captions.are_open)
    assert sum(isinstance(message, Listened) for message in device.said) == 2
