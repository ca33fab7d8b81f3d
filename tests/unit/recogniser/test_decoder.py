"""A batch in which something goes wrong costs the segment that went wrong, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import AnswerMismatchError, Input, Request, Spoken

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
            if self.trouble == "memory":
                raise torch.OutOfMemoryError
        return [
            Spoken("" if self.trouble == "empty" and length == self.bad_length else str(length))
            for length in lengths
        ]

    def prepare(self, samples: np.ndarray) -> Input:
        """Return the samples as they are."""
        return Input(samples, len(samples))

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return none."""
        return ()


def run(family: FakeFamily, *lengths: int) -> tuple[list[Spoken], list[str]]:
    """Recognise segments of those lengths; return the answers and the events noted."""
    events: list[str] = []
    decoder = Decoder(family, lambda _level, event, _fields: events.append(event))
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
    """Only the empty one is tried again."""
    family = FakeFamily("empty", 600)
    answers, _ = run(family, 500, 600)
    assert family.calls == [[500, 600], [600]]
    assert answers[1].flags == ("decoded_alone",)
    assert answers[0].flags == ()


def test_memory_is_not_this_floor_s_business() -> None:
    """Out of memory goes up to where batches are made smaller."""
    with pytest.raises(torch.OutOfMemoryError):
        run(FakeFamily("memory", 600), 500, 600)
