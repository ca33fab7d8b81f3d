"""The predictor without loops says what FunASR's says of each segment alone, in any batch."""

from __future__ import annotations

import copy

import pytest
import torch
from funasr.models.bicif_paraformer.cif_predictor import CifPredictorV3
from funasr.models.paraformer.cif_predictor import CifPredictorV2

from asr_daemon.recogniser.families import cif

WIDTH = 16
LENGTHS = [40, 7, 33, 1]


def predictor(kind: str) -> torch.nn.Module:
    """Return one of FunASR's predictors with random weights."""
    torch.manual_seed(3)
    shape = {"idim": WIDTH, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    if kind == "v2":
        return CifPredictorV2(**shape).eval()
    more = {"smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3}
    return CifPredictorV3(**shape, **more, upsample_type="cnn_blstm", use_cif1_cnn=False).eval()


def hidden_and_mask() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch with rubbish in the padding, as an encoder leaves it."""
    hidden = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(5))
    steps = torch.arange(max(LENGTHS))[None]
    return hidden, (steps < torch.tensor(LENGTHS)[:, None])[:, None, :]


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_embeddings_and_counts_are_funasr_s_own_for_each_segment_alone(kind: str) -> None:
    """Padding and neighbours change nothing; nor does the product in place of the loop."""
    stock = predictor(kind)
    ours = copy.deepcopy(stock)
    cif.install(ours)
    hidden, mask = hidden_and_mask()
    embeddings, counts, *_ = ours(hidden, None, mask, ignore_id=-1)
    for row, length in enumerate(LENGTHS):
        expected, count, *_ = stock(hidden[row : row + 1, :length], None, mask[row : row + 1, :, :length])
        assert int(counts[row]) == int(count[0])
        torch.testing.assert_close(embeddings[row : row + 1, : int(count[0])], expected, atol=2e-5, rtol=0)
    assert int(counts.max()) > 10


@torch.inference_mode()
def test_peaks_of_the_time_head_are_those_of_each_segment_alone() -> None:
    """Tokens begin at the same step whatever shares the batch."""
    stock = predictor("v3")
    ours = copy.deepcopy(stock)
    cif.install(ours)
    hidden, mask = hidden_and_mask()
    numbers = torch.tensor([12, 3, 9, 1])
    _, _, _, found = ours.get_upsample_timestamp(hidden, mask, numbers)
    for row, length in enumerate(LENGTHS):
        alone = stock.get_upsample_timestamp(
            hidden[row : row + 1, :length], mask[row : row + 1, :, :length], numbers[row : row + 1]
        )
        fires = (alone[3][0] >= 1 - 1e-4).nonzero().flatten().tolist()
        assert (found[row, : length * 3] >= 1 - 1e-4).nonzero().flatten().tolist() == fires


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_the_sum_along_time_is_float32_under_any_autocast(kind: str) -> None:
    """Half precision around it changes no count and no peak; each kind has as many results as FunASR's."""
    stock = predictor(kind)
    ours = copy.deepcopy(stock)
    assert cif.install(ours)
    hidden, mask = hidden_and_mask()
    plain = ours(hidden, None, mask, ignore_id=-1)
    assert len(plain) == len(stock(hidden[:1], None, mask[:1], ignore_id=-1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = ours(hidden, None, mask, ignore_id=-1)
        heads = ours.get_upsample_timestamp(hidden, mask, plain[1]) if kind == "v3" else ()
    assert all(torch.equal(one, other) for one, other in zip(plain, half, strict=True))
    assert all(head is None or head.dtype == torch.float32 for head in heads)


def test_a_predictor_of_another_kind_is_left_alone() -> None:
    """Only what is known is replaced, and the caller learns it."""
    other = torch.nn.Linear(2, 2)
    assert not cif.install(other)
    assert "forward" not in vars(other)
