"""What the child says of a batch, job by job."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from sounds import speech
from way import segment

from asr_daemon.profile import Profile
from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.job import Job
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.recogniser.loop import Loop
from asr_daemon.recogniser.pool import Waiting
from asr_daemon.recogniser.protocol import Failed, Message, Recognise, Recognised
from asr_daemon.recogniser.segmenter.cutter import Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

LOUD = 0.9


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


def test_what_fitted_beside_a_segment_that_did_not_is_committed_before_the_job_fails() -> None:
    """The other segments of the recording are said first; the other recording goes on."""
    said: list[Message] = []
    decoder = Decoder(NoRoomForLoud(), BatchLimit(80), lambda *_: None)  # type: ignore[arg-type]
    engine = SimpleNamespace(decoder=decoder, device="cuda:0", full_bound_s=80.0)
    setup = SimpleNamespace(ffmpeg="", max_duration_s=1.0)
    loop = Loop(SimpleNamespace(send=said.append), engine, setup)  # type: ignore[arg-type]
    text = SimpleNamespace(segment=lambda index, _start, _end, spoken: segment(index, spoken.text))
    jobs = [
        Job(Recognise(number, "a.wav", Profile("m")), Request(), -1, text, said.append)  # type: ignore[arg-type]
        for number in (1, 2)
    ]
    batch = []
    for job, loud in ((jobs[0], False), (jobs[0], True), (jobs[1], False), (jobs[0], False)):
        place = (len(batch) * 1000, len(batch) * 1000 + 1000)
        (index,) = job.found([place])
        assert index is not None
        samples = np.full(16_000, LOUD, np.float32) if loud else speech(1, -30)
        batch.append(Waiting(job, index, Stretch(*place, samples), decoder.prepare(samples)))
    loop._recognise(batch)
    words = [message for message in said if isinstance(message, (Recognised, Failed))]
    assert [(word.job, type(word)) for word in words] == [(1, Recognised), (1, Failed), (2, Recognised)]
    first, failed, other = words
    assert isinstance(first, Recognised)
    assert [one.index for one in first.segments] == [0, 2]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.evidence) == ("out_of_memory", "tried to allocate 2 GiB")
    assert isinstance(other, Recognised)
    assert jobs[1].is_open
