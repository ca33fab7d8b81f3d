"""A doubtful text is read once more, the better reading stays, and the flags tell which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sounds import noise, speech

from asr_daemon.recogniser.decoder import Decoder
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.gate import Gate, quietest_near_middle
from asr_daemon.recogniser.limit import BatchLimit
from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

LOOP = "谢谢观看" * 8
GOOD = "各位同事早上好"
WITH_WORDS = Request("zh", ("顾清源",))


class Dreamer:
    """A family that dreams: of loops where it has hotwords (or always), or of whatever it is told."""

    device = "cpu"

    def __init__(self, *, always: bool = False, plain: str = GOOD, error: Exception | None = None) -> None:
        self.always = always
        self.plain = plain
        self.error = error
        self.asked: list[tuple[tuple[int, ...], tuple[str, ...]]] = []

    def prepare(self, samples: np.ndarray, bank: object = None) -> Input:
        """Return the samples as they are."""
        return Input(samples, len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Answer every segment alike."""
        self.asked.append((tuple(segment.length_samples for segment in segments), request.hotwords))
        if not request.hotwords and self.error is not None:
            raise self.error
        text = LOOP if request.hotwords or self.always else self.plain
        if not text:
            return [Spoken("", flags=("empty",))] * len(segments)
        return [Spoken(text, (Token(text, 0, 100),))] * len(segments)

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return none."""
        return ()


def through(
    family: Dreamer, samples: np.ndarray, request: Request = WITH_WORDS, first: Spoken | None = None
) -> Spoken:
    """Return what stays of a segment."""
    decoder = Decoder(family, BatchLimit(80), lambda *_: None)
    if first is None:
        (first,) = decoder.transcribe([decoder.prepare(samples)], request)
    return Gate(decoder).check(samples, first, request)


def test_good_text_is_not_touched() -> None:
    """What is credible comes back as it is, and the model is asked nothing more."""
    family = Dreamer(plain=GOOD)
    said = through(family, speech(10), Request())
    assert (said.text, said.flags) == (GOOD, ())
    assert family.asked == [((160_000,), ())]


def test_loop_that_the_hotwords_make_gives_way_to_the_reading_without_them() -> None:
    """Read in two halves without hotwords, with the times of the whole; the flags say what was found."""
    samples = speech(10)
    family = Dreamer()
    said = through(family, samples)
    assert said.text == GOOD * 2
    assert said.flags == ("repetition", "redecoded")
    (_, (parts, hotwords)) = family.asked
    assert hotwords == ()
    assert sum(parts) == len(samples)
    assert said.tokens[1].start_ms == parts[0] // 16


def test_short_segment_is_read_again_whole() -> None:
    """Halves of three seconds are too short to be of help."""
    family = Dreamer()
    said = through(family, speech(3))
    assert family.asked == [((48_000,), ("顾清源",)), ((48_000,), ())]
    assert (said.text, said.flags) == (GOOD, ("repetition", "redecoded"))


def test_loop_in_both_readings_stays_and_is_said() -> None:
    """The first reading stands, marked as doubtful; nothing is lost."""
    said = through(Dreamer(always=True), speech(20))
    assert said.text == LOOP
    assert said.flags == ("repetition", "hallucination_suspected")


def test_same_question_is_not_asked_twice() -> None:
    """Too short to cut and without hotwords, a second reading would be the first."""
    family = Dreamer(always=True)
    said = through(family, speech(3), Request())
    assert len(family.asked) == 1
    assert said.flags == ("repetition", "hallucination_suspected")


def test_empty_second_reading_replaces_nothing() -> None:
    """What was heard stays, in doubt; the flags tell that the second reading heard nothing."""
    on_silence = through(Dreamer(plain=""), noise(5, -75), first=Spoken("谢谢观看"))
    assert on_silence.text == "谢谢观看"
    assert on_silence.flags == ("text_on_silence", "second_reading_empty", "hallucination_suspected")
    on_speech = through(Dreamer(plain=""), speech(10))
    assert on_speech.text == LOOP
    assert on_speech.flags == ("repetition", "second_reading_empty", "hallucination_suspected")


def test_words_on_silence_in_both_readings_are_kept_and_said() -> None:
    """They are in doubt, and it is the reader who decides."""
    said = through(Dreamer(plain="你好"), noise(5, -75), first=Spoken("谢谢观看"))
    assert said.text == "谢谢观看"
    assert said.flags == ("text_on_silence", "hallucination_suspected")


def test_reading_with_fewer_doubts_stays_even_if_some_are_left() -> None:
    """A loop on silence gives way to words on silence, which are said to be doubtful."""
    said = through(Dreamer(plain="你好"), noise(5, -75))
    assert said.text == "你好你好"
    assert said.flags == ("repetition", "text_on_silence", "redecoded", "hallucination_suspected")


@pytest.mark.parametrize("error", [RuntimeError("no"), MemoryError()])
def test_second_reading_that_fails_costs_nothing(error: Exception) -> None:
    """The first stands, marked as doubtful; memory that does not suffice for it fails no recording."""
    said = through(Dreamer(error=error), speech(10))
    assert said.text == LOOP
    assert said.flags == ("repetition", "hallucination_suspected")


def test_segment_that_ran_out_of_memory_keeps_saying_so() -> None:
    """Its recording goes up the ladder; a second reading here would hide that."""
    family = Dreamer()
    first = Spoken(LOOP, flags=("split", "out_of_memory"))
    assert through(family, speech(10), first=first) is first
    assert family.asked == []


def test_segments_are_cut_where_they_are_quiet() -> None:
    """In the pause nearest to the middle third, never in a word."""
    samples = speech(12, -10)
    samples[5 * 16_000 : 5 * 16_000 + 8000] *= 0.001
    cut = quietest_near_middle(samples)
    assert cut is not None
    assert 5 * 16_000 <= cut <= 5 * 16_000 + 8000
    assert quietest_near_middle(speech(3.9)) is None
