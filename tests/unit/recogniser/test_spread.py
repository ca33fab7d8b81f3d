"""A batch is shared out over the cores, and nothing of it is lost or changes places."""

from __future__ import annotations

import threading

import pytest
import torch

from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.families.spread import MOST_WORKERS, Spread, share_out


class Echo:
    """A family that says how long each segment is, and remembers who asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.fails_at = -1
        self.together = threading.Barrier(2, timeout=20)
        self.waits = False

    def transcribe(self, segments: list[Input], _request: Request) -> list[Spoken]:
        """Answer."""
        if self.waits:
            self.together.wait()
        self.calls.append((threading.current_thread().name, torch.get_num_threads()))
        if any(segment.length_samples == self.fails_at for segment in segments):
            raise MemoryError(self.fails_at)
        return [Spoken(str(segment.length_samples)) for segment in segments]


def inputs(*lengths: int) -> list[Input]:
    """Return segments."""
    return [Input(None, length) for length in lengths]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("lengths", [(5,), (5, 6), (1, 1, 1, 1, 1), (1, 2, 3, 4, 100), (100, 1, 1, 1)])
def test_answers_come_in_the_order_of_the_segments(threads: int, lengths: tuple[int, ...]) -> None:
    """However many workers there are."""
    spread = Spread(Echo(), threads)
    answers = spread.transcribe(inputs(*lengths), Request())
    assert [spoken.text for spoken in answers] == list(map(str, lengths))


def test_parts_are_alike_and_none_is_empty() -> None:
    """Two workers end at about the same time."""
    parts = share_out(inputs(*[10] * 8), 2)
    assert [len(part) for part in parts] == [4, 4]
    sums = [sum(one.length_samples for one in part) for part in share_out(inputs(*range(50, 60)), 4)]
    assert all(abs(each - sum(range(50, 60)) / 4) <= 59 for each in sums)  # within one segment
    assert all(share_out(inputs(*lengths), MOST_WORKERS) for lengths in ((1,), (1000, 1), (1, 1000)))


def test_two_workers_work_at_once_with_a_thread_each_and_one_segment_has_all() -> None:
    """The barrier opens only when both are in the model."""
    before = torch.get_num_threads()
    try:
        echo = Echo()
        spread = Spread(echo, 2)
        echo.waits = True
        spread.transcribe(inputs(5, 5), Request())
        assert [threads for _, threads in echo.calls] == [1, 1]
        echo.waits = False
        spread.transcribe(inputs(5), Request())
        assert echo.calls[-1][1] == 2
    finally:
        torch.set_num_threads(before)


def test_failure_of_a_part_is_the_batch_s_once_all_have_ended() -> None:
    """The decoder tries again with less, and is not in the way of a part that still runs."""
    echo = Echo()
    echo.fails_at = 7
    with pytest.raises(MemoryError):
        Spread(echo, 2).transcribe(inputs(7, 8), Request())
    assert len(echo.calls) == 2
