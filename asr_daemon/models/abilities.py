"""What each model family can do and needs: the one place that says it, for the daemon and the recogniser.

Imports neither torch nor funasr.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["seaco_paraformer", "paraformer", "sense_voice", "fun_asr_nano"]
Half = Literal["bfloat16", "float16"]
Computed = Literal["float32", "bfloat16", "int8"]  # on a processor
PrecisionWanted = Literal["auto", "float32", "bfloat16", "int8"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """One family."""

    classes: tuple[str, ...]  # what the line `model:` of its config.yaml may say
    # How hotwords reach the decoder; "none": they act by correction of its text alone.
    hotwords: Literal["tokens", "prompt", "none"]
    chooses_language: bool  # listens for the language of the inbox; the others know one
    writes_numbers: bool  # by itself, where asked to: our normaliser then keeps out
    punctuates: Literal["never", "with_numbers", "always"]  # by itself; otherwise ct-punc does
    halves: tuple[Half, ...]  # in which autocast leaves its text intact, best first
    on_processor: tuple[Computed, ...]  # what it may be computed in there, float32 first
    most_in_batch: tuple[int, int]  # segments, on a processor and on a card
    most_hotwords: int | None = None  # that the decoder can be given; None: as many as there are

    @property
    def takes_hotwords(self) -> bool:
        """Whether hotwords reach the decoder."""
        return self.hotwords != "none"

    @property
    def wants_punctuation(self) -> bool:
        """Whether ct-punc is of use beside it."""
        return self.punctuates != "always"

    def is_punctuated(self, *, itn: bool) -> bool:
        """Whether its text comes punctuated, with and without written numbers."""
        return self.punctuates == "always" or (self.punctuates == "with_numbers" and itn)


ABILITIES: dict[Family, Abilities] = {
    "seaco_paraformer": Abilities(
        classes=("SeacoParaformer",),
        hotwords="tokens",
        chooses_language=False,
        writes_numbers=False,
        punctuates="never",
        halves=("bfloat16", "float16"),
        on_processor=("float32", "bfloat16", "int8"),
        most_in_batch=(16, 128),
    ),
    "paraformer": Abilities(
        classes=("Paraformer", "BiCifParaformer"),
        hotwords="none",
        chooses_language=False,
        writes_numbers=False,
        punctuates="never",
        halves=("bfloat16", "float16"),
        on_processor=("float32", "bfloat16", "int8"),
        most_in_batch=(16, 128),
    ),
    "sense_voice": Abilities(
        classes=("SenseVoiceSmall",),
        hotwords="none",
        chooses_language=True,
        writes_numbers=True,
        punctuates="with_numbers",
        halves=("bfloat16", "float16"),
        on_processor=("float32", "bfloat16", "int8"),
        most_in_batch=(16, 128),
    ),
    "fun_asr_nano": Abilities(
        classes=("FunASRNano",),
        hotwords="prompt",
        chooses_language=True,
        writes_numbers=True,
        punctuates="always",
        on_processor=("float32",),
        halves=("bfloat16",),  # in float16 its language model overflows
        most_in_batch=(4, 32),
        most_hotwords=100,  # beyond, it invents text, on silence above all (its issue tracker)
    ),
}
FAMILY_OF_CLASS: dict[str, Family] = {
    name: family for family, can in ABILITIES.items() for name in can.classes
}
