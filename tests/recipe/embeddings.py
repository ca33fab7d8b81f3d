"""What the hotword part hears: each sentence's embeddings from the frozen base, so that it trains alone."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch

from recipe.batches import batches, collate
from recipe.network import cut_into_tokens
from recipe.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recipe.batches import Batch
    from recipe.network import Network

MOST_STEPS = 6000  # of 60 ms in a batch


def embed(network: Network, data: Shard) -> Shard:
    """Return float16 [n_characters + 1, 2 * width] for each sentence (the last one: its end).

    The first half is the acoustic embedding (what CIF cut out), the second the decoder's hidden state.
    """
    return Shard.of(_embed(network, data))


@torch.inference_mode()
def _embed(network: Network, data: Shard) -> Iterator[tuple[str, NDArray[np.float16]]]:
    network.model.eval()
    for numbers in batches(data, MOST_STEPS, Random(0)):
        batch = collate(data, numbers, network)
        both = torch.cat(_acoustic_and_hidden(network, batch), dim=-1).numpy().astype(np.float16)
        for text, vectors in zip(batch.texts, both, strict=True):
            yield text, vectors[: len(text) + 1]
    network.model.train()


def _acoustic_and_hidden(network: Network, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = network.encode(batch.features, batch.lengths)
    lengths = batch.label_lengths + 1
    acoustic, _ = cut_into_tokens(network, encoded, lengths)
    hidden, _ = network.model.decoder(encoded.states, encoded.lengths, acoustic, lengths, return_hidden=True)
    return acoustic, hidden
