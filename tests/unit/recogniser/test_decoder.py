"""A batch in which something goes wrong costs the segment that went wrong, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import AnswerMismatchError, Input, Request, Spoken
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Sequence


class FakeFamily:
    """Says how long each segment is; misbehaves as told."""

    device = "cpu"

    def __init__(self, trouble: str = "", bad_length: int = -1) -> None:
        self.trouble = trouble
        self.bad_length = bad_length
        self.calls: list[list[int]] = []

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Answer, or do what ``trouble`` says when the bad segment is in the batch."""
        lengths = [segment.length_samples for segment in segments]
        self.calls.append(lengths)
        if self.bad_length in lengths:
            if self.trouble == "raise":
                raise RuntimeError("no")
            if self.trouble == "mismatch" and len(lengths) > 1:
                raise AnswerMismatchError
        return [
            Spoken("" if length == self.bad_length and self._is_empty(len(lengths)) else str(length))
            for length in lengths
        ]

    def _is_empty(self, company: int) -> bool:
        return self.trouble == "empty" or (self.trouble == "empty in company" and company > 1)

    def prepare(self, samples: np.ndarray, bank: object = None) -> Input:
        """Return the samples as they are."""
        return Input(samples, len(samples))

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return none."""
        return ()


def run(family: FakeFamily, *lengths: int) -> tuple[list[Spoken], list[str]]:
    """Recognise segments of those lengths; return the answers and the events noted."""
    events: list[str] = []
    decoder = Decoder(family, BatchLimit(80), lambda _level, event, _fields: events.append(event))
    ready = [decoder.prepare(np.zeros(length, np.float32)) for length in lengths]
    return decoder.transcribe(ready, Request()), events


def test_answers_keep_their_order() -> None:
    """The n-th answer belongs to the n-th segment."""
    answers, _ = run(FakeFamily(), 900, 500, 700)
    assert [spoken.text for spoken in answers] == ["900", "500", "700"]


def test_less_than_a_frame_never_reaches_the_model() -> None:
    """Segments under 25 ms are empty by themselves, beside others and alone."""
    family = FakeFamily()
    answers, _ = run(family, 399, 500, 0)
    assert [spoken.text for spoken in answers] == ["", "500", ""]
    assert "too_short" in answers[0].flags
    assert family.calls == [[500]]
    assert run(FakeFamily(), 10)[0][0].flags == ("empty", "too_short")


@pytest.mark.parametrize("trouble", ["raise", "mismatch"])
def test_a_failed_batch_is_tried_one_by_one(trouble: str) -> None:
    """An exception or a short answer costs at most the segment that causes it; all are flagged."""
    answers, events = run(FakeFamily(trouble, 600), 500, 600, 700)
    assert [spoken.text for spoken in answers] == ["500", "" if trouble == "raise" else "600", "700"]
    assert all("decoded_alone" in spoken.flags for spoken in answers)
    assert ("failed" in answers[1].flags) == (trouble == "raise")
    assert "batch_failed" in events
    assert ("segment_failed" in events) == (trouble == "raise")


def test_an_empty_answer_is_tried_alone_once() -> None:
    """Only the empty one is tried again; where that brings text, the flag tells."""
    for trouble, text in (("empty", ""), ("empty in company", "600")):
        family = FakeFamily(trouble, 600)
        answers, _ = run(family, 500, 600)
        assert family.calls == [[500, 600], [600]]
        assert answers[1].text == text
        assert answers[1].flags == (("decoded_alone",) if text else ())
        assert answers[0].flags == ()


class SmallDevice(FakeFamily):
    """Holds so many padded samples at once, and says where each segment begins and ends."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Answer with a token for each segment, if all fit."""
        self.calls.append([segment.length_samples for segment in segments])
        if max(self.calls[-1]) * len(segments) > self.room:
            raise torch.OutOfMemoryError
        return [
            Spoken(str(s.length_samples), (Token(str(s.length_samples), 0, s.length_samples // 16),))
            for s in segments
        ]


def test_out_of_memory_halves_the_batch_down_to_one() -> None:
    """Every segment is still recognised, in order, and the bound of later batches is lower."""
    limit = BatchLimit(80)
    decoder = Decoder(SmallDevice(20_000), limit, lambda *_: None)
    lengths = [8000, 9000, 10_000, 16_000]
    answers = decoder.transcribe([Input([0] * n, n) for n in lengths], Request())
    assert [spoken.text for spoken in answers] == [str(n) for n in lengths]
    assert limit.bound_s < 80


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "mps", "cublas", "python"],
)
def test_every_kind_of_want_of_memory_is_known_as_one(error: Exception) -> None:
    """Whatever a device raises is halved, and no text is lost as it would be with another error."""

    class Device(SmallDevice):
        def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
            try:
                return super().transcribe(segments, request)
            except torch.OutOfMemoryError:
                raise error from None

    noted: list[dict[str, object]] = []
    decoder = Decoder(Device(16_000), BatchLimit(80), lambda _level, _event, fields: noted.append(fields))
    answers = decoder.transcribe([Input([0] * n, n) for n in (16_000, 16_000, 32_000)], Request())
    assert [spoken.text for spoken in answers] == ["16000", "16000", "16000 16000"]
    assert [fields["step"] for fields in noted] == ["batch", "batch", "segment"]
    assert decoder.memory_error == (str(error) or "MemoryError")


def test_a_segment_that_does_not_fit_is_recognised_in_halves() -> None:
    """The halves become one segment again, times and all, and it is flagged."""
    decoder = Decoder(SmallDevice(100_000), BatchLimit(80), lambda *_: None)
    (spoken,) = decoder.transcribe([Input([0] * 160_000, 160_000)], Request())
    assert [(token.start_ms, token.end_ms) for token in spoken.tokens] == [(0, 5000), (5000, 10_000)]
    assert spoken.flags == ("split",)


def test_what_does_not_fit_at_all_costs_its_own_recording() -> None:
    """A device with no room left is said of that segment; its neighbours have their text."""
    decoder = Decoder(SmallDevice(1000), BatchLimit(80), lambda *_: None)
    good, bad = decoder.transcribe([Input([0] * 900, 900), Input([0] * 16_000, 16_000)], Request())
    assert good.text == "900"
    assert bad.flags == ("out_of_memory",)


def test_the_bound_grows_back() -> None:
    """After enough batches that fitted, twice as much is tried, up to the full bound."""
    limit = BatchLimit(80)
    for _ in range(20):
        limit.shrink()
    assert limit.bound_s == 1.0
    bounds = []
    for _ in range(20 * 8):
        limit.fitted()
        bounds.append(limit.bound_s)
    assert bounds == sorted(bounds)
    assert bounds[18] == 1.0
    assert bounds[-1] == 80


def test_after_want_of_memory_a_fresh_process_begins_with_a_segment_and_grows() -> None:
    """The bound starts at its least, whatever the full one is."""
    limit = BatchLimit(80, begins_small=True)
    assert limit.bound_s == 1.0
    for _ in range(20):
        limit.fitted()
    assert limit.bound_s == 2.0
    assert BatchLimit(0.5, begins_small=True).bound_s == 0.5
