"""What the child says of a batch, job by job."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sounds import speech
from way import segment

from asr_daemon.dispatch.protocol import Computed, Failed, Message, Recognise, Recognised, Saved, Stop
from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.job import Job
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.recogniser.live.pace import Pace
from asr_daemon.recogniser.loop import Loop
from asr_daemon.recogniser.pool import Waiting
from asr_daemon.recogniser.segmenter.cutter import Stretch
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from asr_daemon.transcripts.transcript import Segment

LOUD = 0.9
TEXT = SimpleNamespace(segment=lambda index, _start, _end, spoken: segment(index, spoken.text))


class NoRoomForLoud:
    """Runs out of memory wherever something loud is in the batch, alone and in halves too."""

    device = "cuda:0"

    def prepare(self, samples: np.ndarray, _bank: None = None) -> Input:
        """Return the samples as they are."""
        return Input(samples, len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Answer, if nothing is loud."""
        if any(np.abs(segment.features).max() >= LOUD for segment in segments):
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return [Spoken(f"{segment.length_samples}") for segment in segments]


def waiting(job: Job, second: int, decoder: Decoder, samples: np.ndarray | None = None) -> Waiting:
    """Return a second of the recording, found and ready."""
    place = (second * 1000, second * 1000 + 1000)
    (index,) = job.found([place])
    assert index is not None
    samples = speech(1, -30) if samples is None else samples
    return Waiting(job, index, Stretch(*place, samples), decoder.prepare(samples))


def test_what_fitted_beside_a_segment_that_did_not_is_committed_before_the_job_fails() -> None:
    """The other segments of the recording are said first; the other recording goes on."""
    said: list[Message] = []
    decoder = Decoder(NoRoomForLoud(), BatchLimit(80), lambda *_: None)  # type: ignore[arg-type]
    engine = SimpleNamespace(decoder=decoder, device="cuda:0", full_bound_s=80.0, feeders=1, threads=1)
    setup = SimpleNamespace(ffmpeg="", max_duration_s=1.0, speaker_model="", speaker_folder="")
    loop = Loop(SimpleNamespace(send=said.append), engine, setup)  # type: ignore[arg-type]
    jobs = [
        Job(Recognise(number, number, "a.wav", Profile("m")), Request(), -1, TEXT, said.append)  # type: ignore[arg-type]
        for number in (1, 2)
    ]
    loop._teller.start()
    loud = np.full(16_000, LOUD, np.float32)
    loop._recognise(
        [
            waiting(jobs[0], 0, decoder),
            waiting(jobs[0], 1, decoder, loud),
            waiting(jobs[1], 2, decoder),
            waiting(jobs[0], 3, decoder),
        ]
    )
    loop._teller.finish()
    words = [message for message in said if isinstance(message, (Recognised, Failed))]
    assert [(word.order, type(word)) for word in words] == [(1, Recognised), (1, Failed), (2, Recognised)]
    first, failed, other = words
    assert isinstance(first, Recognised)
    assert [one.index for one in first.segments] == [0, 2]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.evidence) == ("out_of_memory", "tried to allocate 2 GiB")
    assert isinstance(other, Recognised)
    assert jobs[1].is_open


class Slow(NoRoomForLoud):
    """Tells of each batch that is begun."""

    def __init__(self) -> None:
        self.begun: queue.Queue[int] = queue.Queue()

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Answer, and say how many there were."""
        self.begun.put(len(segments))
        return super().transcribe(segments, request)


class AtWork:
    """A loop that runs, whose family tells of each batch."""

    def __init__(self) -> None:
        self.family, limit = Slow(), BatchLimit(80)
        self.decoder = Decoder(self.family, limit, lambda *_: None)  # type: ignore[arg-type]
        engine = SimpleNamespace(
            decoder=self.decoder,
            device="cpu",
            full_bound_s=80.0,
            limit=limit,
            most_in_batch=1,
            begin_detector=None,
            feeders=1,
            threads=1,
        )
        self.orders: queue.Queue[tuple[Message, None] | None] = queue.Queue()
        self.said: list[Message] = []
        channel = SimpleNamespace(send=self.said.append, receive=self.orders.get)
        setup = SimpleNamespace(ffmpeg="", max_duration_s=1.0, speaker_model="", speaker_folder="")
        self.loop = Loop(channel, engine, setup)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self.loop.run)

    def begin(self, number: int, seconds: int, text: SimpleNamespace = TEXT) -> None:
        """Let so many seconds of a recording wait."""
        order = Recognise(number, number, "a.wav", Profile("m"))
        job = Job(order, Request(), -1, text, self.loop._say)  # type: ignore[arg-type]
        self.loop._pool.put([waiting(job, second, self.decoder) for second in range(seconds)])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.orders.put((Stop(), None))
        self.orders.put(None)
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()

    def begun(self) -> bool:
        """Whether another batch is begun within half a second."""
        try:
            return self.family.begun.get(timeout=0.5) == 1
        except queue.Empty:
            return False


def test_a_recordings_next_batch_is_begun_when_its_last_one_is_committed() -> None:
    """What a kill costs is one batch: not one that was recognised and one in hand."""
    room = AtWork()
    room.begin(1, seconds=2)
    with room:
        assert room.family.begun.get(timeout=30) == 1
        assert not room.begun()
        room.orders.put((Saved(1), None))
        assert room.family.begun.get(timeout=30) == 1


def test_device_goes_on_with_other_recordings_while_text_is_written() -> None:
    """Punctuation and numbers cost it no time; the same recording waits for its text, which comes whole."""
    written = threading.Event()

    def slowly(index: int, _start: int, _end: int, spoken: Spoken) -> Segment:
        written.wait(30)
        return segment(index, spoken.text)

    room = AtWork()
    room.begin(1, seconds=2, text=SimpleNamespace(segment=slowly))
    room.begin(2, seconds=1)
    with room:
        assert room.family.begun.get(timeout=30) == 1
        assert room.family.begun.get(timeout=30) == 1
        assert not room.begun(), "the text of the first is not even written"
        written.set()
        room.orders.put((Saved(1), None))
        assert room.family.begun.get(timeout=30) == 1
    told = [message.order for message in room.said if isinstance(message, Recognised)]
    assert sorted(told) == [1, 1, 2]
    assert sum(isinstance(message, Computed) for message in room.said) == 3


class Speaking:
    """Live sessions in which so many sentences are over."""

    def __init__(self, sentences: int) -> None:
        self.pace = Pace()
        self.are_open = True
        self.is_behind = False
        self.sentences = sentences
        self.served: queue.Queue[int] = queue.Queue()

    @property
    def have_work(self) -> bool:
        """Whether one is to be said."""
        return self.sentences > 0

    def serve(self, *, queue_waits: bool) -> bool:
        """Say one."""
        if not self.have_work:
            return False
        self.sentences -= 1
        self.served.put(self.sentences)
        return True


def test_who_speaks_waits_for_no_receipt() -> None:
    """The queue's next batch waits until its last one is committed; a sentence that is over does not."""
    room = AtWork()
    room.loop._captions = speaking = Speaking(0)  # type: ignore[assignment]
    room.begin(1, seconds=2)
    with room:
        assert room.family.begun.get(timeout=30) == 1
        assert not room.begun()
        speaking.sentences = 1
        room.loop._somebody_speaks()
        assert speaking.served.get(timeout=30) == 0
        assert not room.begun()


def test_sentences_go_before_the_queue_and_in_turn_with_it_where_they_are_behind() -> None:
    """Sound that is sent faster than anybody speaks does not hold up the queue for hours."""
    room = AtWork()
    room.loop._captions = speaking = Speaking(3)  # type: ignore[assignment]
    room.begin(1, seconds=1)
    room.loop._step()
    room.loop._step()
    assert not room.begun()
    speaking.is_behind = True
    room.loop._step()
    assert speaking.sentences == 0
    assert room.begun()


def test_batches_are_short_while_somebody_speaks() -> None:
    """A third of a second at most, by what batches have cost; all of it when nobody does."""
    room = AtWork()
    room.loop._captions = speaking = Speaking(0)  # type: ignore[assignment]
    for _ in range(30):
        speaking.pace.was_recognised(padded_s=80.0, took_s=1.6)
    assert room.loop._bound_s() == pytest.approx(15.0)
    speaking.are_open = False
    assert room.loop._bound_s() == 80.0
