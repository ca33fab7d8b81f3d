"""What a Paraformer can write: its tokens, read from the model's folder without loading the model.

Enters: a folder with ``tokens.json`` (the tokens in the order of their numbers) and, mostly, ``seg_dict``
(how words are divided into tokens). Leaves: a word's token numbers, or the parts that the model has no token
for. Fails with ``OSError`` or ``ValueError`` where ``tokens.json`` cannot be read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_TOKENS = 20  # of a hotword that a model is given
# Hotwords that take part in one segment: what FunASR allows. From 10 to 100 the recall differs by 2 of 40
# words at most (tests/benchmarks/bench_hotwords.py); fewer would only shorten the lists that are used whole.
MAX_AT_ONCE = 50
MAX_SPELLED_CHARS = 6  # an abbreviation in capitals is spelled out: AI, GDP, HTTPS
NOT_CHINESE = "\ufffc"
_MARKS = frozenset(("<blank>", "<s>", "</s>", "<unk>", "<pad>", "<eos>", "<sos>"))
_LATIN_OR_ONE = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|\S")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A hotword as the model would write it."""

    tokens: tuple[str, ...]
    numbers: tuple[int, ...]  # of the tokens
    unknown: tuple[str, ...]  # the parts without a token; the word is of no use unless this is empty
    stretches: tuple[str, ...] = ()  # the same, as they stand in the word: 2024, not 2, 0 and 4


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one model."""

    numbers: dict[str, int]
    divisions: dict[str, tuple[str, ...]]  # word: its tokens

    @classmethod
    def read(cls, folder: Path) -> Vocabulary:
        """Return the vocabulary of a model folder."""
        tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise ValueError(f"{folder / 'tokens.json'}: not a list of tokens")
        numbers = {token: number for number, token in enumerate(tokens) if token not in _MARKS}
        divisions: dict[str, tuple[str, ...]] = {}
        path = folder / "seg_dict"
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                word, *parts = line.split()[:40] or [""]
                if parts and all(part in numbers for part in parts):
                    divisions[word] = tuple(parts)
        return cls(numbers, divisions)

    def spell(self, word: str) -> Spelling:
        """Return the word's tokens; parts of a phrase follow one another."""
        tokens: list[str] = []
        unknown: list[str] = []
        stretches: list[str] = []
        for piece in word.split():
            whole = self._tokens(piece)
            is_after_unknown = False
            for part in [piece] if whole else _LATIN_OR_ONE.findall(piece):
                found = self._tokens(part) or self._letters(part)
                tokens += found
                if not found:
                    unknown.append(part)
                    stretches[-1:] = [stretches[-1] + part] if is_after_unknown else [*stretches[-1:], part]
                is_after_unknown = not found
        return Spelling(
            tuple(tokens),
            tuple(self.numbers[token] for token in tokens),
            tuple(dict.fromkeys(unknown)),
            tuple(dict.fromkeys(stretches)),
        )

    def outline(self, numbers: Sequence[int]) -> str:
        """Return one character a token: itself, or ``NOT_CHINESE`` where it is not one character."""
        return "".join(
            token if len(token := self._names.get(number, "")) == 1 else NOT_CHINESE for number in numbers
        )

    @cached_property
    def _names(self) -> dict[int, str]:
        return {number: token for token, number in self.numbers.items()}

    def _tokens(self, part: str) -> tuple[str, ...]:
        part = part.lower()
        return self.divisions.get(part) or ((part,) if part in self.numbers else ())

    def _letters(self, part: str) -> tuple[str, ...]:
        """Return the tokens of an abbreviation, letter by letter."""
        if not (part.isascii() and part.isupper() and len(part) <= MAX_SPELLED_CHARS):
            return ()
        letters = [self._tokens(letter) for letter in part]
        return tuple(token for letter in letters for token in letter) if all(letters) else ()
