"""Lists of hotwords for a batch of sentences, with what is to come out and where each position is to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.utils.rnn import pad_sequence

from recipe.batches import IGNORED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from recipe.network import Network
    from recipe.shards import Shard

_LENGTHS = (2, 2, 3, 3, 3, 4, 4, 5, 6)  # of the words cut out of sentences
_NEAR_MISSES = 0.25  # of the words in the list, with one character changed
_START = 1  # FunASR's sign, at the end of the list, for "none of these"


@dataclass(frozen=True)
class HotwordBatch:
    """A batch with one list for all: the words, and last the entry that means none of them."""

    acoustic: torch.Tensor  # float32 [batch, n_tokens, width]
    hidden: torch.Tensor  # float32 [batch, n_tokens, width]
    lengths: torch.Tensor  # int64 [batch]
    words: torch.Tensor  # int64 [n_words + 1, longest], padded with 0
    word_lengths: torch.Tensor  # int64 [n_words + 1]
    labels: torch.Tensor  # int64 [batch, n_tokens]: the token inside a listed word, else "no bias"
    entries: torch.Tensor  # int64 [batch, n_tokens]: which entry of the list to look at

    @property
    def none(self) -> int:
        """The entry that means no word."""
        return len(self.words) - 1


class HotwordLists:
    """Makes the batches."""

    def __init__(self, network: Network, data: Shard, random: Random) -> None:
        self._network = network
        self._data = data
        self._random = random
        self._characters = sorted(set("".join(data.texts)))

    def batch(self, numbers: Sequence[int], share_listed: float, n_foreign: int) -> HotwordBatch:
        """Return a batch of these sentences; of ``share_listed`` of them a word is listed."""
        texts, arrays = zip(*(self._data[number] for number in numbers), strict=True)
        words = self._words(texts, share_listed, n_foreign)
        labels, entries = zip(*(self._targets(text, words) for text in texts), strict=True)
        vectors = pad_sequence([torch.from_numpy(array).float() for array in arrays], batch_first=True)
        acoustic, hidden = vectors.chunk(2, dim=-1)
        spelled = [*(self._network.numbers(word) for word in words), torch.tensor([_START])]
        return HotwordBatch(
            acoustic,
            hidden,
            torch.tensor([len(array) for array in arrays]),
            pad_sequence(spelled, batch_first=True),
            torch.tensor([len(each) for each in spelled]),
            pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            pad_sequence(entries, batch_first=True, padding_value=IGNORED),
        )

    def _words(self, texts: Sequence[str], share_listed: float, n_foreign: int) -> list[str]:
        random = self._random
        listed = [self._cut(text) for text in texts if random.random() < share_listed]
        foreign = [self._cut(random.choice(self._data.texts)) for _ in range(n_foreign)]
        near = [self._changed(word) for word in listed if len(word) > 2 and random.random() < _NEAR_MISSES]
        words = list(dict.fromkeys((*listed, *foreign, *near)))
        random.shuffle(words)
        return words

    def _cut(self, text: str) -> str:
        length = min(self._random.choice(_LENGTHS), len(text))
        first = self._random.randint(0, len(text) - length)
        return text[first : first + length]

    def _changed(self, word: str) -> str:
        place = self._random.randrange(len(word))
        return word[:place] + self._random.choice(self._characters) + word[place + 1 :]

    def _targets(self, text: str, words: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return labels and entries, int64 [n_characters + 1]; where words overlap the longer one counts."""
        labels = [self._network.no_bias] * (len(text) + 1)
        entries = [len(words)] * (len(text) + 1)
        for entry in sorted(range(len(words)), key=lambda one: len(words[one])):
            place = text.find(words[entry])
            while place >= 0:
                for position in range(place, place + len(words[entry])):
                    labels[position] = self._network.tokens[text[position]]
                    entries[position] = entry
                place = text.find(words[entry], place + 1)
        return torch.tensor(labels), torch.tensor(entries)
