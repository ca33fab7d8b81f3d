"""A hotword list in a Paraformer's terms, and how well each word fits what the decoder heard.

Paraformer gives every token of a segment a distribution over the vocabulary. A hotword's gap at a place is
how much less likely than the best tokens its own are there, the mean of log-probabilities, in nats: about 0
where it was heard, 1 to 3 where it was said and heard as something else, above 3 elsewhere (measured on
paraformer-tiny-zh; a larger model is surer of itself, so that fewer words are put in, not more).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from asr_daemon.hotwords.contest import Claim, Unlisted, hotword_costs, keeps, winners
from asr_daemon.hotwords.vocabulary import MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.hotwords.vocabulary import Vocabulary

WORDS_PER_STEP = 2048  # bounds the memory of representing and of scoring a long list
MAX_TOKEN_GAP = 16.0  # nats; a token that is not there at all
MAX_MEAN_GAP = 5.0  # beyond it a hotword is not considered
GAP_COST = 1.2  # of a nat of gap, in the contest
HINT_GAIN = 5.0  # of a hotword that the hotword decoder writes
NO_HINT_COST = 3.0  # of one that it does not
MIN_CHARS = 2  # of a hotword that is put where something else was heard
CERTAIN = 1.0  # above any log-probability


@dataclass(frozen=True, slots=True)
class Usable:
    """A hotword list as this model can use it."""

    words: tuple[str, ...]  # each sequence of tokens once
    left_out: tuple[tuple[str, tuple[str, ...]], ...]  # (word, the parts without a token; none: too long)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the words of a list fit each segment of a batch."""

    best: torch.Tensor  # float32 [batch, n_words]: the smallest mean gap anywhere in the segment
    near: tuple[
        tuple[tuple[int, int, float], ...], ...
    ]  # a segment each: (token, word, mean gap) of near ones


@dataclass(frozen=True, slots=True)
class WordBank:
    """The words of one list, in the model's terms."""

    usable: Usable
    tokens: tuple[tuple[int, ...], ...]  # of each word
    vectors: torch.Tensor  # float32 [n_words + 1, width], on the model's device; the last is "none of these"

    def fit(self, plain: torch.Tensor, lengths: torch.Tensor) -> Fit:
        """Compare every word with every place.

        ``plain``: log-probabilities without hotwords, float32 [batch, n_tokens, n_vocabulary]; ``lengths``:
        int64 [batch], tokens of each segment.
        """
        best: list[torch.Tensor] = []
        near: list[list[tuple[int, int, float]]] = [[] for _ in plain]
        for first in range(0, len(self.tokens), WORDS_PER_STEP):
            mean = _gaps(self.tokens[first : first + WORDS_PER_STEP], plain, lengths)
            best.append(mean.amin(dim=1))
            where = mean <= MAX_MEAN_GAP
            for (row, start, word), gap in zip(where.nonzero().tolist(), mean[where].tolist(), strict=True):
                near[row].append((start, first + word, gap))
        return Fit(torch.cat(best, dim=1), tuple(map(tuple, near)))

    def settle(
        self,
        plain: torch.Tensor,
        biased: torch.Tensor,
        fit: Fit,
        lengths: torch.Tensor,
        vocabulary: Vocabulary,
    ) -> torch.Tensor:
        """Return ``plain`` with the hotwords that win a place made its best tokens.

        ``biased`` (as ``plain`` in shape) is what the hotword decoder would write: it speaks for the hotwords
        that it writes in full. What else it changes, parts of hotwords mostly, is left as it was heard.
        """
        costs = hotword_costs(self.usable.words) if any(fit.near) else []
        sizes, heard, hinted = lengths.tolist(), plain.argmax(-1).tolist(), biased.argmax(-1).tolist()
        result = plain.clone()
        for row, near in enumerate(fit.near):
            if not near:
                continue
            unlisted = Unlisted(vocabulary.outline(heard[row][: sizes[row]]))
            claims = self._claims(near, heard[row], hinted[row], unlisted, costs)
            for claim in winners(claims, [False] * sizes[row]):
                for offset, token in enumerate(claims[claim]):
                    result[row, claim.start + offset, token] = CERTAIN
        return result

    def _claims(
        self,
        near: Sequence[tuple[int, int, float]],
        heard: Sequence[int],
        hinted: Sequence[int],
        unlisted: Unlisted,
        costs: Sequence[float],
    ) -> dict[Claim, tuple[int, ...]]:
        """Return the hotwords near a place with their tokens that change none that was heard."""
        claims: dict[Claim, tuple[int, ...]] = {}
        settled = [False] * len(heard)
        for start, word, gap in near:
            tokens = self.tokens[word]
            place = slice(start, start + len(tokens))
            if tokens == tuple(heard[place]):
                settled[place] = [True] * len(tokens)
            elif len(self.usable.words[word]) >= MIN_CHARS:
                gain = unlisted.cost(place.start, place.stop) - costs[word] - GAP_COST * gap * len(tokens)
                gain += HINT_GAIN if tokens == tuple(hinted[place]) else -NO_HINT_COST
                claims[Claim(place.start, place.stop, self.usable.words[word], gain)] = tokens
        return {
            claim: tokens for claim, tokens in claims.items() if keeps(settled, claim.start, heard, tokens)
        }


def _gaps(words: Sequence[tuple[int, ...]], plain: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the mean gaps, float32 [batch, n_tokens, n_words], of the words from each token on."""
    batch, n_tokens, _ = plain.shape
    numbers = pad(words).to(plain.device)
    sizes = torch.tensor([len(tokens) for tokens in words], device=plain.device)
    tokens, columns = torch.unique(numbers, return_inverse=True)
    gaps = (plain.amax(dim=-1, keepdim=True) - plain[:, :, tokens]).clamp_max(MAX_TOKEN_GAP)
    total = plain.new_zeros(batch, n_tokens, len(words))
    for offset in range(min(numbers.shape[1], n_tokens)):
        total[:, : n_tokens - offset] += gaps[:, offset:, columns[:, offset]] * (offset < sizes)
    place = torch.arange(n_tokens, device=plain.device)[None, :, None]
    return (total / sizes).masked_fill(place + sizes > lengths[:, None, None], MAX_TOKEN_GAP)


def pad(words: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Return the words' tokens, int64 [n_words, longest], padded with 0."""
    longest = max(map(len, words))
    return torch.tensor([[*tokens, *[0] * (longest - len(tokens))] for tokens in words])


def spell_all(words: Sequence[str], vocabulary: Vocabulary) -> tuple[Usable, list[tuple[int, ...]]]:
    """Return which words the model can write, and the tokens of those."""
    good: dict[tuple[int, ...], str] = {}
    left_out: list[tuple[str, tuple[str, ...]]] = []
    for word in words:
        spelling = vocabulary.spell(word)
        if spelling.unknown or not 0 < len(spelling.numbers) <= MAX_TOKENS:
            left_out.append((word, spelling.unknown))
        else:
            good.setdefault(spelling.numbers, word)
    return Usable(tuple(good.values()), tuple(left_out)), list(good)
