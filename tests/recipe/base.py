"""The base model (encoder, decoder, CTC, CIF), then its time head, learnt from filter banks and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from recipe.batches import collate, endless, mask_stretches
from recipe.network import TIME_HEAD, Encoded, Network, cut_into_tokens
from recipe.training import Budget, Curve, descend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from recipe.batches import Batch
    from recipe.shards import Shard

_CTC_SHARE = 0.3


@dataclass(frozen=True)
class BaseTraining:
    """How the base is trained."""

    budget: Budget
    most_steps: int = 4000  # of 60 ms in a batch
    masks: bool = True  # from the second epoch on
    bfloat16: bool = False  # quicker on processors that multiply in it


def train_base(network: Network, data: Shard, training: BaseTraining, random: Random) -> Curve:
    """Train everything but the time head and the hotword part."""
    network.train_only()
    parameters = [
        parameter
        for name, parameter in network.model.named_parameters()
        if name.startswith(("encoder", "decoder", "ctc", "predictor")) and not name.startswith(TIME_HEAD)
    ]
    network.model.predictor.forward = _predictor(network)
    order = endless(data, training.most_steps, random)

    def next_loss(_spent: float) -> tuple[torch.Tensor, Mapping[str, float]]:
        epoch, numbers = next(order)
        batch = collate(data, numbers, network)
        if training.masks and epoch > 0:
            mask_stretches(batch, random)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=training.bfloat16):
            return _base_loss(network, batch)

    try:
        return descend(parameters, next_loss, training.budget, step_name="base")
    finally:
        del network.model.predictor.forward


def _base_loss(network: Network, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    model = network.model
    encoded = network.encode(batch.features, batch.lengths)
    said = (encoded.states, encoded.lengths, batch.labels, batch.label_lengths)
    ctc, _ = model._calc_ctc_loss(*said)
    attention, accuracy, _, _, count = model._calc_att_loss(*said)
    ctc = ctc / batch.label_lengths.float().mean()
    parts = {"ctc": ctc, "attention": attention, "count": count}
    figures = {name: float(value.detach()) for name, value in parts.items()}
    loss = _CTC_SHARE * ctc + (1 - _CTC_SHARE) * attention + count
    return loss, {**figures, "accuracy": float(accuracy)}


def _predictor(network: Network) -> Any:
    """Return a stand-in for FunASR's predictor: without the time head, and without its loop over steps."""

    def predict(states: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, **_: Any) -> tuple[Any, ...]:
        encoded = Encoded(states, mask.sum(dim=(1, 2)).long())
        embeddings, counted = cut_into_tokens(network, encoded, (labels != network.model.ignore_id).sum(-1))
        return embeddings, counted, None, None, None

    return predict


def train_times(network: Network, data: Shard, training: BaseTraining, random: Random) -> Curve:
    """Train the time head alone: at three times the rate, its weights must add up to the number of tokens."""
    parameters = network.train_only(*TIME_HEAD)
    order = endless(data, training.most_steps, random)

    def next_loss(_spent: float) -> tuple[torch.Tensor, Mapping[str, float]]:
        _, numbers = next(order)
        batch = collate(data, numbers, network)
        with torch.no_grad():
            encoded = network.encode(batch.features, batch.lengths)
        said = (encoded.states, encoded.lengths, batch.labels, batch.label_lengths)
        return network.model._calc_pre2_loss(*said), {}

    return descend(parameters, next_loss, training.budget, step_name="times")
