"""When a model computes in half precision."""

from __future__ import annotations

import pytest
import torch

from asr_daemon.models.abilities import ABILITIES
from asr_daemon.recogniser.families.precision import (
    FLOAT32,
    Precision,
    choose_precision,
    computes_bfloat16,
    full,
)


@pytest.mark.parametrize(
    ("device", "family", "wanted", "has_bfloat16", "half"),
    [
        ("cuda:0", "seaco_paraformer", True, True, torch.bfloat16),
        ("cuda:1", "sense_voice", True, False, torch.float16),
        ("cuda:0", "fun_asr_nano", True, True, torch.bfloat16),
        ("cuda:0", "fun_asr_nano", True, False, None),  # never float16
        ("cuda:0", "paraformer", False, True, None),
        ("cpu", "paraformer", True, True, None),
        ("mps", "paraformer", True, True, None),
    ],
)
def test_half_is_for_cards_families_and_those_who_want_it(
    device: str, family: str, wanted: bool, has_bfloat16: bool, half: torch.dtype | None
) -> None:
    """Best of what the family allows and the card computes; float32 on every other device."""
    chosen = choose_precision(device, ABILITIES[family].halves, wanted=wanted, has_bfloat16=has_bfloat16)
    assert chosen == Precision(device.partition(":")[0], half)


def test_only_a_card_is_asked_for_bfloat16() -> None:
    """Without CUDA nothing of CUDA is touched."""
    assert not computes_bfloat16("cpu")
    assert not computes_bfloat16("mps")


def test_float32_can_be_had_within_half() -> None:
    """Operations follow the context, and sums along time leave it."""
    weights = torch.ones(4, 4)
    with Precision("cpu", torch.bfloat16)():
        assert (weights @ weights).dtype == torch.bfloat16
        with full(weights):
            assert (weights @ weights).dtype == torch.float32
    with FLOAT32():
        assert (weights @ weights).dtype == torch.float32
