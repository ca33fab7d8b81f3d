"""What SeACo's hotword decoder is shown, and what of its words is taken, with a model of known answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from asr_daemon.hotwords.seaco import SeacoHotwords
from asr_daemon.hotwords.vocabulary import Vocabulary

TOKENS = "今天讨论顾清源程千里星河计划的进度故城"
VOCABULARY = Vocabulary({token: number for number, token in enumerate(TOKENS, start=3)}, {})
N_TOKENS = len(TOKENS) + 4
NO_BIAS = N_TOKENS - 1


def heard(*texts: str, doubt: dict[str, str] | None = None, doubt_logit: float = 11.5) -> torch.Tensor:
    """Return logits, float32 [batch, n_tokens, n_vocabulary], with second thoughts of ``doubt``."""
    logits = torch.zeros(len(texts), max(map(len, texts)), N_TOKENS)
    for row, text in enumerate(texts):
        for place, char in enumerate(text):
            logits[row, place, VOCABULARY.numbers[char]] = 12.0
            if second := (doubt or {}).get(char):
                logits[row, place, VOCABULARY.numbers[second]] = doubt_logit
    return logits


class FakeModel(torch.nn.Module):
    """A SeacoParaformer that hears and suggests what the test says, and keeps what it was shown."""

    def __init__(self, plain: torch.Tensor, suggested: torch.Tensor | None = None) -> None:
        super().__init__()
        self.sos, self.NO_BIAS = 1, NO_BIAS
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.plain = plain
        self.suggested = suggested
        self.shown = torch.zeros(0)

    # the names and signatures are FunASR's
    def decoder(self, *_inputs: object, **_options: object) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Hear what the test says."""
        return self.plain, self.plain, None

    def seaco_decoder(self, memory: torch.Tensor, *_inputs: object) -> tuple[torch.Tensor, None]:
        """Keep what is shown."""
        self.shown = memory
        return torch.zeros(len(memory), self.plain.shape[1], 1), None

    def hotword_output_layer(self, _attended: torch.Tensor) -> torch.Tensor:
        """Suggest what the test says."""
        nothing = torch.zeros_like(self.plain)
        nothing[..., NO_BIAS] = 20.0
        if self.suggested is None:
            return nothing
        return torch.where(self.suggested.amax(-1, keepdim=True) > 0, self.suggested * 2, nothing)

    def _hotword_representation(self, padded: torch.Tensor, _lengths: torch.Tensor) -> torch.Tensor:
        return padded[:, :1].float()  # a word is known by its first token


def decode(model: FakeModel, words: tuple[str, ...], lengths: list[int], max_at_once: int = 50) -> list[str]:
    """Return the texts that the model writes with those hotwords."""
    hotwords = SeacoHotwords(model, VOCABULARY, max_at_once)
    hotwords.use(words)
    inputs = SimpleNamespace(encoded=torch.zeros(len(lengths), 5, 1))
    result = model._seaco_decode_with_ASF(inputs.encoded, None, None, torch.tensor(lengths), hw_list=None)
    names = {number: token for token, number in VOCABULARY.numbers.items()}
    return [
        "".join(names.get(number, "?") for number in row[:length].tolist())
        for row, length in zip(result.argmax(-1), lengths, strict=True)
    ]


def test_each_segment_is_shown_the_words_that_fit_it() -> None:
    """The choice is a segment's own, not the first one's; "none of these" is always there."""
    model = FakeModel(heard("故清源的进度", "城千里的进度"))
    decode(model, ("星河计划", "程千里", "顾清源"), [6, 6], max_at_once=1)
    shown = model.shown[:, :, 0].tolist()
    assert shown == [
        [VOCABULARY.numbers["顾"], model.sos],
        [VOCABULARY.numbers["程"], model.sos],
    ]


def test_padding_takes_no_part_in_the_choice() -> None:
    """What stands behind a segment's end fits no word."""
    model = FakeModel(heard("程千里顾清源", "程千里顾清源"))
    decode(model, ("顾清源", "程千里"), [6, 3], max_at_once=1)
    assert model.shown[1, 0, 0] == VOCABULARY.numbers["程"]


def test_half_a_hotword_is_not_taken() -> None:
    """The hotword decoder puts single characters of hotwords into ordinary speech; they stay out."""
    plain = heard("今天讨论进度")
    suggested = torch.zeros_like(plain)
    suggested[0, 1, VOCABULARY.numbers["千"]] = 12.0
    assert decode(FakeModel(plain, suggested), ("程千里",), [6]) == ["今天讨论进度"]


def test_a_whole_hotword_that_was_nearly_heard_is_taken() -> None:
    """故清源 with doubts becomes 顾清源; without a doubt it stays what was heard."""
    plain = heard("讨论故清源的进度", doubt={"故": "顾"})
    assert decode(FakeModel(plain), ("顾清源",), [8]) == ["讨论顾清源的进度"]
    assert decode(FakeModel(heard("讨论故城的进度")), ("顾清源",), [7]) == ["讨论故城的进度"]


@pytest.mark.parametrize(("doubt_logit", "text"), [(10.5, "讨论程千里的进度"), (8.8, "讨论源顾划的进度")])
def test_garbled_speech_falls_to_a_hotword_only_where_that_was_nearly_heard(
    doubt_logit: float, text: str
) -> None:
    """源顾划 is no Chinese, which may be because it is any other name."""
    plain = heard(
        "讨论源顾划的进度", doubt=dict(zip("源顾划", "程千里", strict=True)), doubt_logit=doubt_logit
    )
    assert decode(FakeModel(plain), ("程千里",), [8]) == [text]


def test_a_shorter_hotword_that_was_heard_does_not_keep_the_longer_one_out() -> None:
    """千里 was heard in 故千里, and 程千里 leaves it as it is; 计千 would not."""
    plain = heard("讨论故千里的进度", doubt={"故": "程"})
    assert decode(FakeModel(plain), ("程千里", "千里"), [8]) == ["讨论程千里的进度"]
    plain = heard("讨论故千里的进度", doubt={"千": "计"})
    assert decode(FakeModel(plain), ("故计里", "千里"), [8]) == ["讨论故千里的进度"]


def test_without_hotwords_the_model_is_left_alone() -> None:
    """An empty list, and one of unknown words, changes nothing and asks the hotword decoder nothing."""
    for words in ((), ("龘靐",)):
        model = FakeModel(heard("今天讨论进度"))
        assert decode(model, words, [6]) == ["今天讨论进度"]
        assert model.shown.numel() == 0
