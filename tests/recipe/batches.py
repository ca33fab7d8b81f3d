"""Sentences of like length, put together for a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import pad_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from recipe.network import Network
    from recipe.shards import Shard

IGNORED = -1  # where a label is padding
_LENGTH_NOISE_STEPS = 8  # so that each epoch has other batches
_MELS = 80


@dataclass(frozen=True)
class Batch:
    """Features float32 [batch, n_steps, n_features], normalised; labels int64 [batch, n_tokens]."""

    texts: tuple[str, ...]
    features: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    label_lengths: torch.Tensor


def batches(data: Shard, most_steps: int, random: Random) -> list[list[int]]:
    """Return the numbers of the sentences of each batch, at most ``most_steps`` with the padding."""
    lengths = [int(after - before) for before, after in zip(data.starts, data.starts[1:], strict=False)]
    order = sorted(range(len(data)), key=lambda one: lengths[one] + random.random() * _LENGTH_NOISE_STEPS)
    made: list[list[int]] = [[]]
    longest = 0
    for number in order:
        longest = max(longest, lengths[number])
        if made[-1] and longest * (len(made[-1]) + 1) > most_steps:
            made.append([])
            longest = lengths[number]
        made[-1].append(number)
    random.shuffle(made)
    return made


def endless(data: Shard, most_steps: int, random: Random) -> Iterator[tuple[int, list[int]]]:
    """Yield (epoch, numbers of a batch) without end."""
    epoch = 0
    while True:
        for numbers in batches(data, most_steps, random):
            yield epoch, numbers
        epoch += 1


def collate(data: Shard, numbers: list[int], network: Network) -> Batch:
    """Return a batch."""
    texts, arrays = zip(*(data[number] for number in numbers), strict=True)
    shift, scale = network.statistics
    features = [(torch.from_numpy(array).float() + shift) * scale for array in arrays]
    labels = [network.numbers(text) for text in texts]
    return Batch(
        texts,
        pad_sequence(features, batch_first=True),
        torch.tensor([len(each) for each in features]),
        pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        torch.tensor([len(each) for each in labels]),
    )


def mask_stretches(batch: Batch, random: Random) -> None:
    """Blank out two bands and two moments of each sentence, in place (SpecAugment, arXiv:1904.08779)."""
    for features, length in zip(batch.features, batch.lengths.tolist(), strict=True):
        by_frame = features.view(len(features), -1, _MELS)
        for _ in range(2):
            width = random.randint(0, 12)
            first = random.randint(0, _MELS - width)
            by_frame[:, :, first : first + width] = 0
            width = random.randint(0, max(1, min(5, int(length * 0.06))))
            first = random.randint(0, max(0, length - width))
            features[first : first + width] = 0
