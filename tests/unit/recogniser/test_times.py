"""When each token was spoken: FunASR's rule, without its loop."""

from __future__ import annotations

import random

import pytest
import torch
from funasr.utils.timestamp_tools import ts_prediction_lfr6_standard

from asr_daemon.recogniser.families import cif
from asr_daemon.recogniser.families.times import times_of_tokens


@pytest.mark.parametrize("seed", range(60))
def test_times_are_funasr_s_own(seed: int) -> None:
    """To the millisecond, whether the time head fires once a token, or has to be scaled to it."""
    chance = random.Random(seed)
    steps = chance.randint(5, 300)
    tokens = chance.randint(1, max(1, steps // 8))
    weights = torch.rand(steps, generator=torch.Generator().manual_seed(seed)) ** 4
    weights *= (tokens + chance.randint(0, 1)) / weights.sum()
    gathered = cif.peaks(weights[None], 1 - 1e-4)[0]
    stock = ts_prediction_lfr6_standard(weights.clone(), gathered.clone(), ["x"] * tokens)[1]
    assert times_of_tokens(weights, gathered, tokens) == [tuple(span) for span in stock]


def test_no_tokens_have_no_times() -> None:
    """Silence."""
    assert times_of_tokens(torch.zeros(9), torch.zeros(9), 0) == []
