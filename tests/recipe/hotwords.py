"""The hotword part (bias encoder, SeACo decoder, output layer), learnt from the frozen base's embeddings.

The cross attention is supervised: at a position inside a listed word every layer past the first must look at
that word, elsewhere at the entry "none of these". Without that the part learns no matching in hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from recipe.batches import IGNORED
from recipe.hotword_lists import HotwordLists
from recipe.network import HOTWORD_PART
from recipe.training import Budget, Curve, descend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from typing_extensions import Self

    from recipe.hotword_lists import HotwordBatch
    from recipe.network import Network
    from recipe.shards import Shard

_SHARES_LISTED = (0.3, 0.6, 0.9)
_NUMBERS_FOREIGN = (0, 10, 30, 60)
_LOOKING_UNTIL = 0.6  # of the budget; from then on what is said counts more than where it looks
_EXACT = 1e-6


@dataclass(frozen=True)
class HotwordTraining:
    """How the hotword part is trained."""

    budget: Budget
    n_sentences: int = 48  # in a step
    none_weight: float = 0.5  # of the positions outside words: they are most, and must not win by number
    bfloat16: bool = False


@dataclass(frozen=True)
class HotwordFit:
    """How well the part finds listed words, by positions."""

    recall: float  # inside words: the right character comes out
    attention: float  # inside words: the share of the last layer's look that goes to the right word
    false_alarms: float  # outside words: something comes out


def train_hotwords(network: Network, data: Shard, training: HotwordTraining, random: Random) -> Curve:
    """Train the part on :func:`~recipe.embeddings.embed`'s shard."""
    parameters = network.train_only(*HOTWORD_PART)
    lists = HotwordLists(network, data, random)
    part = HotwordPart(network)
    weights = torch.ones(len(network.tokens))
    weights[network.no_bias] = training.none_weight
    saying = torch.nn.CrossEntropyLoss(weight=weights, ignore_index=IGNORED, label_smoothing=0.02)

    def next_loss(spent: float) -> tuple[torch.Tensor, Mapping[str, float]]:
        numbers = random.sample(range(len(data)), min(training.n_sentences, len(data)))
        batch = lists.batch(numbers, random.choice(_SHARES_LISTED), random.choice(_NUMBERS_FOREIGN))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=training.bfloat16):
            said = part.say(batch).float()
        said_loss = saying(said.flatten(0, 1), batch.labels.flatten())
        looked_loss = part.looked(batch, training.none_weight)
        loss = said_loss + (1.0 if spent < _LOOKING_UNTIL else 0.3) * looked_loss
        return loss, {"said": float(said_loss.detach()), "looked": float(looked_loss.detach())}

    with part:
        return descend(parameters, next_loss, training.budget, step_name="hotwords")


@torch.inference_mode()
def hotword_fit(network: Network, data: Shard, random: Random, n_foreign: int = 20) -> HotwordFit:
    """Measure with one list for all of ``data``: a word of every second sentence, and foreign ones."""
    batch = HotwordLists(network, data, random).batch(range(len(data)), 0.5, n_foreign)
    with HotwordPart(network) as part:
        said = part.say(batch).argmax(-1)
        shares = part.attention[-1].mean(1).gather(-1, batch.entries.clamp(min=0)[..., None]).squeeze(-1)
    inside = (batch.entries != batch.none) & (batch.labels != IGNORED)
    outside = batch.entries == batch.none
    return HotwordFit(
        recall=float((said == batch.labels)[inside].float().mean()),
        attention=float(shares[inside].mean()),
        false_alarms=float((said != network.no_bias)[outside].float().mean()),
    )


class HotwordPart:
    """FunASR's hotword part, made to tell where it looks; a context in which it does so."""

    def __init__(self, network: Network) -> None:
        self._model = network.model
        self._layers = list(network.model.seaco_decoder.decoders)

    def __enter__(self) -> Self:
        for layer in self._layers:
            layer.src_attn.forward_qkv = MethodType(_project_list_once, layer.src_attn)
        for layer in self._layers[1:]:
            layer.reserve_attn = True
        return self

    def __exit__(self, *_: object) -> None:
        for layer in self._layers:
            del layer.src_attn.forward_qkv
            layer.reserve_attn = False
            layer.attn_mat = []

    def say(self, batch: HotwordBatch) -> torch.Tensor:
        """Return the scores of the tokens, float32 [batch, n_tokens, n_vocabulary]."""
        for layer in self._layers:
            layer.attn_mat = []
        words = self._model._hotword_representation(batch.words, batch.word_lengths)
        memory = words.reshape(1, len(batch.words), -1).expand(len(batch.lengths), -1, -1)
        n_words = torch.full((len(batch.lengths),), len(batch.words), dtype=torch.int32)
        heard, _ = self._model.seaco_decoder(memory, n_words, batch.acoustic, batch.lengths)
        meant, _ = self._model.seaco_decoder(memory, n_words, batch.hidden, batch.lengths)
        return self._model.hotword_output_layer(heard + meant)

    @property
    def attention(self) -> list[torch.Tensor]:
        """Where :meth:`say` looked, float32 [batch, n_heads, n_tokens, n_words + 1], layer by layer."""
        return [matrix for layer in self._layers[1:] for matrix in layer.attn_mat]

    def looked(self, batch: HotwordBatch, none_weight: float) -> torch.Tensor:
        """Return the loss of having looked elsewhere than at ``batch.entries``."""
        counts = batch.entries != IGNORED
        weights = torch.where(batch.entries == batch.none, none_weight, 1.0)[counts]
        losses = []
        for matrix in self.attention:
            right = matrix.mean(1).gather(-1, batch.entries.clamp(min=0)[..., None]).squeeze(-1)[counts]
            losses.append(-((right.float() + _EXACT).log() * weights).sum() / weights.sum())
        return torch.stack(losses).mean()


def _project_list_once(
    attention: Any, states: torch.Tensor, memory: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Replace ``forward_qkv``: the list is the same for the whole batch, and large."""
    n_batch = len(states)

    def heads(vectors: torch.Tensor) -> torch.Tensor:
        split = vectors.reshape(len(vectors), -1, attention.h, attention.d_k).transpose(1, 2)
        return split.expand(n_batch, -1, -1, -1)

    keys, values = attention.linear_k_v(memory[:1]).chunk(2, dim=-1)
    return heads(attention.linear_q(states)), heads(keys), heads(values)
