"""Windows, questions and answers, and their way between two processes."""

from __future__ import annotations

import math

import pytest
from made_voices import Room

from asr_daemon.speakers.grouped import (
    Grouped,
    Question,
    Turn,
    Voice,
    grouped_from_bytes,
    grouped_to_bytes,
    question_from_bytes,
    question_to_bytes,
)
from asr_daemon.speakers.window import EMBEDDING_BYTES, Window, cosine, decoded, encoded


def test_a_question_arrives_as_it_was_asked() -> None:
    """Embeddings bit by bit, whatever bytes they are: a line end among them too."""
    windows = (*Room().segment((0, 6000)), Window(4_000_000_000, 1, 2, b"\n" * EMBEDDING_BYTES))
    question = Question(windows, speakers_expected=3, max_speakers=7)
    assert question_from_bytes(question_to_bytes(question)) == question


def test_a_question_that_was_cut_short_is_refused() -> None:
    """A pipe that broke is no recording with fewer words."""
    data = question_to_bytes(Question(tuple(Room().segment((0, 6000)))))
    with pytest.raises(ValueError, match="cut short"):
        question_from_bytes(data[:-1])


def test_an_answer_arrives_as_it_was_given() -> None:
    """Turns in order, flags and voices."""
    voice = Voice(1, 900, Room().segment((1, 900))[0].embedding)
    answer = Grouped((Turn(0, 500, 1), Turn(500, 900, 0, is_overlapped=True)), (voice,))
    assert grouped_from_bytes(grouped_to_bytes(answer)) == answer


def test_embeddings_are_numbers_of_length_1() -> None:
    """What is encoded comes back to half precision; cosine is that of the numbers."""
    numbers = [math.sin(k) for k in range(192)]
    back = decoded(encoded(numbers))
    assert math.hypot(*back) == pytest.approx(1, abs=1e-3)
    assert cosine(back, numbers) == pytest.approx(1, abs=1e-4)
    assert cosine(back, [-number for number in numbers]) == pytest.approx(-1, abs=1e-4)


def test_nothing_is_like_nothing() -> None:
    """An embedding of zeros, or of no numbers, is like nobody's."""
    nothing = decoded(encoded([0.0] * 192))
    assert cosine(nothing, [1.0] * 192) == 0
    assert decoded(b"\xff" * EMBEDDING_BYTES) == (0.0,) * 192  # not a number


def test_biometric_numbers_are_not_shown() -> None:
    """A window in a log line or a traceback says where it is, not whose voice."""
    [window] = Room().segment((0, 700))
    assert "embedding" not in repr(window)
    assert "embedding" not in repr(Voice(0, 1, window.embedding))


def test_what_cannot_be_a_window_is_refused() -> None:
    """Of another length, or of no length."""
    with pytest.raises(ValueError, match="384 bytes"):
        Window(0, 0, 1500, b"short")
    with pytest.raises(ValueError, match="ends after"):
        Window(0, 1500, 1500, bytes(EMBEDDING_BYTES))
