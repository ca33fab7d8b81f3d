"""When each token was spoken, from the time head of a BiCif- or SeACo-Paraformer: a weight every 20 ms.

The rule is FunASR's (1.4.16, ``utils/timestamp_tools.py``, ``ts_prediction_lfr6_standard``): a token begins
where the gathered weights reach a whole number, 30 ms early, and lasts until the next one does, at most
240 ms; the last one lasts into the silence behind it. FunASR gathers in a loop over every step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from asr_daemon.recogniser.families.cif import peaks

if TYPE_CHECKING:
    import torch

STEP_MS = 20
_FIRES = 1.0 - 1e-4
_SHIFT_STEPS = -1.5  # FunASR's force_time_shift
_LONGEST_STEPS = 12
_EDGE_STEPS = 5  # more than that behind the last token is silence


def times_of_tokens(weights: torch.Tensor, gathered: torch.Tensor, tokens: int) -> list[tuple[int, int]]:
    """Return (start, end) of each token in milliseconds from the segment's start.

    ``weights``, ``gathered``: float32 [n_steps], the time head's answer for the segment alone.
    """
    if not tokens:
        return []
    fires = _places(gathered)
    if len(fires) != tokens + 1:  # one weight a token, and one for the end
        scaled = weights / (weights.sum() / (tokens + 1))
        fires = _places(peaks(scaled[None], _FIRES)[0])
    steps = len(weights)
    spans = [[first, min(behind, first + _LONGEST_STEPS)] for first, behind in pairwise(fires)]
    last = fires[-1] if fires else 0.0
    if spans and last - fires[-2] <= _LONGEST_STEPS:  # of one that was cut, the silence behind it grows
        spans[-1][1] = (steps + last) * 0.5 if steps - last > _EDGE_STEPS else float(steps)
    return [(int(first * STEP_MS), int(end * STEP_MS)) for first, end in spans]


def _places(gathered: torch.Tensor) -> list[float]:
    return [place + _SHIFT_STEPS for place in (gathered >= _FIRES).nonzero()[:, 0].tolist()]
