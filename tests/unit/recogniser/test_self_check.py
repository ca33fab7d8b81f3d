"""The fastest precision that writes what float32 writes is taken, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr_daemon.recogniser import self_check
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.families.precision import FLOAT32, Precision
from asr_daemon.transcripts.transcript import Token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Model:
    """Takes so long, and writes so, in each precision."""

    def __init__(self, **ways: tuple[float, str]) -> None:
        self.ways = ways
        self.now_s = 0.0
        self.precision = FLOAT32
        self.is_settled = False

    def prepare(self, samples: NDArray[np.float32], _bank: object = None) -> Input:
        """Take sound."""
        return Input(samples, len(samples))

    def transcribe(self, segments: list[Input], _request: Request) -> list[Spoken]:
        """Write."""
        spent_s, text = self.ways[self.precision.name]
        if text == "!":
            raise RuntimeError("could not create a primitive")
        self.now_s += spent_s
        return [Spoken(text, tuple(Token(char, 0, 1) for char in text)) for _ in segments]

    def compute_in(self, precision: Precision) -> None:
        """Change."""
        self.precision = precision

    def clock_s(self) -> float:
        """Return how long it has computed."""
        return self.now_s

    def settle(self) -> None:
        """Stay."""
        self.is_settled = True


RIGHT = "一二三四五六七八九十"


@pytest.mark.parametrize(
    ("bfloat16", "int8", "taken"),
    [
        ((0.02, RIGHT), (0.01, RIGHT), "int8"),
        ((0.01, RIGHT), (0.03, RIGHT), "bfloat16"),
        ((0.02, RIGHT), (0.01, "一二三四五六七八九拾"), "bfloat16"),  # fast and wrong
        ((0.06, RIGHT), (0.059, RIGHT), "float32"),  # no faster
        ((0.01, "!"), (0.01, "!"), "float32"),  # this torch cannot
        ((0.01, ""), (0.02, RIGHT), "int8"),
    ],
)
def test_fastest_of_those_that_agree_is_taken(
    bfloat16: tuple[float, str], int8: tuple[float, str], taken: str
) -> None:
    """And it is what the model computes in afterwards."""
    model = Model(float32=(0.06, RIGHT), bfloat16=bfloat16, int8=int8)
    notes: list[tuple[str, str, dict[str, object]]] = []
    found = self_check.check(
        model, model, ["bfloat16", "int8"], lambda *note: notes.append(note), model.clock_s
    )
    assert found == taken
    assert model.precision.name == taken
    assert model.is_settled
    assert [note[2]["precision"] for note in notes] == ["bfloat16", "int8"]


def test_model_that_hears_nothing_in_the_sample_stays_as_it_is() -> None:
    """Nothing agrees with nothing: a model of another language is not judged by it."""
    model = Model(float32=(0.05, ""), int8=(0.0, ""))
    assert self_check.check(model, model, ["int8"], lambda *_note: None, model.clock_s) == "float32"


def test_sample_is_speech_of_some_seconds() -> None:
    """The package brings it."""
    samples = self_check.read_sample()
    assert 5 < len(samples) / 16_000 < 60
    assert 0.05 < abs(samples).max() <= 1.0
