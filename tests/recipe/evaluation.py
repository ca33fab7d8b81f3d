"""How well a finished folder recognises, through the recogniser's own loading: errors, hotwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from asr_daemon.models.catalogue import resolve
from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.seaco import SeacoParaformer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recipe.shards import Shard

_AT_ONCE = 8


@dataclass(frozen=True)
class Score:
    """What was said, and how far it is from the texts."""

    said: tuple[str, ...]
    n_wrong: int  # characters: put in, left out, replaced
    n_characters: int
    n_words: int  # occurrences of listed words in the texts
    n_found: int  # of those whose sentence came out with the word

    @property
    def character_error_rate(self) -> float:
        """0 to 1, and above where more is put in than was said."""
        return self.n_wrong / max(1, self.n_characters)

    @property
    def recall(self) -> float:
        """Of the listed words."""
        return self.n_found / max(1, self.n_words)

    def __str__(self) -> str:
        words = f", {self.n_found} of {self.n_words} hotwords" if self.n_words else ""
        rate = f"{self.character_error_rate:.1%}"
        return f"CER {rate} ({self.n_wrong} of {self.n_characters} characters){words}"


def open_recogniser(folder: Path, threads: int) -> SeacoParaformer:
    """Return the adapter that the recogniser uses, of the folder that ``engine.model = folder`` means."""
    choice = resolve(str(folder), folder.parent, "cpu")
    assert choice.family == "seaco_paraformer"
    return SeacoParaformer(folder, "cpu", threads)


def evaluate(
    recogniser: SeacoParaformer,
    speech: Shard,
    *,
    hotwords: Sequence[str] = (),
    wanted: Sequence[str] = (),
) -> Score:
    """Recognise int16 sentences with a list of hotwords; ``wanted`` are the words to look for."""
    request = Request(hotwords=tuple(hotwords))
    said: list[str] = []
    for first in range(0, len(speech), _AT_ONCE):
        some = [speech[number] for number in range(first, min(first + _AT_ONCE, len(speech)))]
        ready = [recogniser.prepare(samples.astype(np.float32) / 32768) for _, samples in some]
        said += [spoken.text for spoken in recogniser.transcribe(ready, request)]
    pairs = list(zip(speech.texts, said, strict=True))
    occurring = [(word, text) for reference, text in pairs for word in wanted if word in reference]
    return Score(
        tuple(said),
        sum(Levenshtein.distance(reference, text) for reference, text in pairs),
        sum(map(len, speech.texts)),
        len(occurring),
        sum(word in text for word, text in occurring),
    )
