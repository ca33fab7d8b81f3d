"""Hotwords for SeACo-Paraformer, past FunASR's own way of taking them.

FunASR takes hotwords as one string, which it fetches where it begins with ``http`` and reads as a file
where it ends in ``.txt``; it puts ``<unk>`` for what the model cannot write, computes the words'
representations for every batch, and beyond 50 words uses those that suit the first segment of the batch.
Here they arrive as token sequences, are represented once per list, and every segment has its own choice
(word_bank.py): its text is the same whatever shares its batch.

Enters: a loaded ``SeacoParaformer`` (funasr 1.4.16, ``models/seaco_paraformer/model.py``), whose decoding is
replaced in place. One thread.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.hotwords.vocabulary import MAX_AT_ONCE
from asr_daemon.hotwords.word_bank import WORDS_PER_STEP, Fit, Usable, WordBank, pad, spell_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.hotwords.vocabulary import Vocabulary

CACHED_LISTS = 8  # inboxes take turns


class SeacoHotwords:
    """The hotwords of one loaded model. :meth:`use` sets the list for the batches that follow."""

    def __init__(self, model: Any, vocabulary: Vocabulary, max_at_once: int = MAX_AT_ONCE) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._max_at_once = max_at_once
        self._banks: dict[tuple[str, ...], WordBank] = {}
        self._bank: WordBank | None = None

        def decode(_model: Any, *inputs: Any, **_options: Any) -> torch.Tensor:
            return self._decode(*inputs[:4])

        model.generate_hotwords_list = lambda *_args, **_kwargs: None
        model._seaco_decode_with_ASF = MethodType(decode, model)  # noqa: SLF001 (what is replaced)

    def use(self, words: Sequence[str]) -> Usable:
        """Take these hotwords for the batches that follow; return which of them serve."""
        key = tuple(words)
        if key not in self._banks:
            while len(self._banks) >= CACHED_LISTS:
                del self._banks[next(iter(self._banks))]
            self._banks[key] = self._represent(key)
        self._bank = self._banks[key]
        return self._bank.usable

    @torch.inference_mode()
    def _represent(self, words: tuple[str, ...]) -> WordBank:
        usable, spelled = spell_all(words, self._vocabulary)
        device = next(self._model.parameters()).device
        every = [*spelled, (self._model.sos,)]  # FunASR's sign for "none of these"
        vectors = [
            self._model._hotword_representation(pad(part).to(device), torch.tensor([*map(len, part)]))  # noqa: SLF001
            for first in range(0, len(every), WORDS_PER_STEP)
            if (part := every[first : first + WORDS_PER_STEP])
        ]
        return WordBank(usable, tuple(spelled), torch.cat(vectors))

    def _decode(
        self,
        encoded: torch.Tensor,
        encoded_lengths: torch.Tensor,
        acoustic: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        """Return the log-probabilities of the tokens, float32 [batch, n_tokens, n_vocabulary].

        ``encoded``: float32 [batch, time, width]; ``acoustic``: one vector a token, float32 [batch, n_tokens,
        width]; ``lengths``: int64 [batch], tokens of each segment.
        """
        model = self._model
        out, hidden, _ = model.decoder(
            encoded, encoded_lengths, acoustic, lengths, return_hidden=True, return_both=True
        )
        plain = torch.log_softmax(out, dim=-1)
        bank = self._bank
        if bank is None or not bank.usable.words:
            return plain
        fit = bank.fit(plain, lengths)
        memory = self._memory(bank, fit)
        n_words = torch.full((len(encoded),), memory.shape[1], dtype=torch.int32, device=encoded.device)
        attended = (
            model.seaco_decoder(memory, n_words, acoustic, lengths)[0]
            + model.seaco_decoder(memory, n_words, hidden, lengths)[0]
        )
        biased = model.hotword_output_layer(attended)
        is_no_hotword = biased.argmax(dim=-1, keepdim=True) == model.NO_BIAS
        biased = torch.where(is_no_hotword, plain, biased)
        return bank.settle(plain, biased, fit, lengths, self._vocabulary)

    def _memory(self, bank: WordBank, fit: Fit) -> torch.Tensor:
        """Return what each segment's decoder attends to, float32 [batch, n_words + 1, width]."""
        if len(bank.usable.words) <= self._max_at_once:
            return bank.vectors.expand(len(fit.best), -1, -1)
        chosen = fit.best.topk(self._max_at_once, dim=1, largest=False).indices.sort(dim=1).values
        nothing = bank.vectors[-1].expand(len(chosen), 1, -1)
        return torch.cat([bank.vectors[chosen], nothing], dim=1)
