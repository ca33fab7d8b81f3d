"""What a CTC head says, step by step: its best tokens with their times, and when a given text was spoken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import torch
from funasr.models.sense_voice.utils.ctc_alignment import ctc_forced_align

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Run:
    """One token and the steps that it fills: from ``first`` up to, not including, ``end``."""

    token: int
    first: int
    end: int


def runs(best: Sequence[int], blank: int) -> list[Run]:
    """Return the tokens of the best number at each step: repeats are one token, blanks none."""
    found, at = [], 0
    for number, group in groupby(best):
        first, at = at, at + len(list(group))
        if number != blank:
            found.append(Run(number, first, at))
    return found


def align(scores: torch.Tensor, tokens: Sequence[int], blank: int) -> list[Run]:
    """Return when each of ``tokens`` was spoken; none where they do not fit into the steps.

    ``scores``: log-probabilities, float [n_steps, n_vocabulary]. In plain torch: torchaudio is not needed.
    """
    repeats = sum(one == other for one, other in pairwise(tokens))
    if not tokens or len(tokens) + repeats > len(scores):
        return []
    # Only the columns of these tokens count; the blank is the first of them.
    columns = [blank, *dict.fromkeys(token for token in tokens if token != blank)]
    places = {token: place for place, token in enumerate(columns)}
    few = scores[:, torch.tensor(columns, device=scores.device)].float().cpu()
    path = ctc_forced_align(
        few[None],
        torch.tensor([[places[token] for token in tokens]]),
        torch.tensor([len(few)]),
        torch.tensor([len(tokens)]),
    )
    found = runs(path[0].tolist(), 0)
    return [Run(columns[run.token], run.first, run.end) for run in found] if len(found) == len(tokens) else []
