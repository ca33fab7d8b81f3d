"""The analytic start of the hotword part, without which it finds no matching in hours.

- Its output layer starts as the decoder's own, with a vector of its own for "no hotword here".
- The bias encoder is trained first, alone: a word's vector, multiplied with the output layer, must name the
  word's characters.
- The cross attention starts as identity: a decoder's state then already attends to words with its character.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import pad_sequence

from recipe.training import Budget, Curve, descend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from recipe.network import Network

_START = 1
_NONE_WEIGHT = 0.05  # of the entry "none of these" beside all the words
_SELF_ATTENTION_SCALE = 0.05  # what a layer hears of the neighbours at first


@dataclass(frozen=True)
class StartTraining:
    """How the bias encoder is trained."""

    budget: Budget
    n_words: int = 255  # in a step


def start_hotwords(network: Network, texts: Sequence[str], training: StartTraining, random: Random) -> Curve:
    """Set the hotword part's start; ``texts`` are what words are cut out of."""
    _start_output_layer(network)
    curve = _train_bias_encoder(network, texts, training, random)
    _start_attention(network)
    return curve


@torch.no_grad()
def _start_output_layer(network: Network) -> None:
    own, decoders = network.model.hotword_output_layer, network.model.decoder.output_layer
    own.weight.copy_(decoders.weight)
    own.bias.copy_(decoders.bias)
    nothing = torch.randn(network.width)
    own.weight[network.no_bias] = nothing / nothing.norm() * decoders.weight.norm(dim=1).mean()
    own.bias[network.no_bias] = decoders.bias.mean()


def _train_bias_encoder(
    network: Network, texts: Sequence[str], training: StartTraining, random: Random
) -> Curve:
    meanings = network.model.hotword_output_layer.weight.detach().clone()  # [n_tokens, width]
    sharpness = torch.nn.Parameter(torch.tensor(3.0))
    parameters = [*network.train_only("bias_encoder"), sharpness]
    characters = sorted(set("".join(texts)))

    def next_loss(_spent: float) -> tuple[torch.Tensor, Mapping[str, float]]:
        words = [_word(texts, characters, random) for _ in range(training.n_words)]
        spelled = [*(network.numbers(word) for word in words), torch.tensor([_START])]
        vectors = network.model._hotword_representation(
            pad_sequence(spelled, batch_first=True), torch.tensor([len(each) for each in spelled])
        )
        named = torch.log_softmax(sharpness * vectors.reshape(len(spelled), -1) @ meanings.T, dim=-1)
        wanted = torch.zeros_like(named)
        for row, numbers in zip(wanted[:-1], spelled[:-1], strict=True):
            row.index_add_(0, numbers, torch.full((len(numbers),), 1 / len(numbers)))
        wanted[-1, network.no_bias] = 1
        divergence = torch.nn.functional.kl_div(named, wanted, reduction="none").sum(-1)
        return divergence.mean() + divergence[-1] * _NONE_WEIGHT, {"sharpness": float(sharpness.detach())}

    return descend(parameters, next_loss, training.budget, step_name="hotword_start")


def _word(texts: Sequence[str], characters: list[str], random: Random) -> str:
    if random.random() < 0.5:
        text = random.choice(texts)
        length = min(random.choice((1, 2, 3, 3, 4, 5, 6, 8)), len(text))
        first = random.randint(0, len(text) - length)
        return text[first : first + length]
    return "".join(random.sample(characters, min(random.choice((1, 2, 3, 3, 4, 4, 5, 6)), len(characters))))


@torch.no_grad()
def _start_attention(network: Network) -> None:
    identity = torch.eye(network.width)
    for layer in network.model.seaco_decoder.decoders:
        layer.norm2.weight.fill_(_SELF_ATTENTION_SCALE)
        layer.norm2.bias.zero_()
        attention = layer.src_attn
        attention.linear_q.weight.copy_(identity)
        attention.linear_k_v.weight.copy_(torch.cat([identity, identity]))
        attention.linear_out.weight.copy_(identity * 0.1)  # softly: what it says is not right yet
        for linear in (attention.linear_q, attention.linear_k_v, attention.linear_out):
            linear.bias.zero_()
