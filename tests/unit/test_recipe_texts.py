"""The sentences that the built-in model is made from, and how they are stored."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr_daemon.itn.normaliser import Normaliser
from recipe.dictionary import read_dictionary
from recipe.names import LONGEST, NameMaker
from recipe.numerals import number
from recipe.sentences import SentenceMaker
from recipe.shards import Shard

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (10, "十"),
        (12, "十二"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1001, "一千零一"),
        (10_000, "一万"),
        (10_080, "一万零八十"),
        (120_000, "十二万"),
        (100_000_005, "一亿零五"),
        (30_500_000, "三千零五十万"),
    ],
)
def test_numbers_are_said_as_people_say_them(value: int, said: str) -> None:
    """Zeros between units are said once, trailing ones not at all."""
    assert number(value) == said


def test_said_numbers_are_read_back() -> None:
    """The normaliser writes what was said as the number that it was (round myriads it leaves: 十二万)."""
    random, normaliser = Random(1), Normaliser()
    for _ in range(200):
        value = random.randrange(101, 10 ** random.randint(4, 8))
        if value % 10_000:
            assert normaliser.normalise(f"共{number(value)}人").text == f"共{value}人"


def test_the_same_seed_draws_the_same_sentences() -> None:
    """They differ from each other, keep the limits, and avoid what they are told to avoid."""
    dictionary = read_dictionary(500)
    makers = [SentenceMaker(dictionary, Random(seed)) for seed in (1, 1, 2)]
    drawn = [maker.unique(200, maker.sentence, without=("预算", "投诉")) for maker in makers]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 200
    assert not [text for text in drawn[0] if "预算" in text or "投诉" in text]
    assert all(3 <= len(text) <= 36 for text in drawn[0])


def test_names_are_written_with_known_characters_and_stand_in_their_sentences() -> None:
    """Sentences about a name have it; none is longer or has other characters than asked for."""
    random = Random(3)
    dictionary = read_dictionary(500)
    maker = SentenceMaker(dictionary, random)
    known = frozenset("".join(maker.unique(300, maker.sentence)))
    names = NameMaker(maker, random, known)
    for _ in range(50):
        name = names.person()
        about = names.about(name)
        assert name in about
        assert known.issuperset(about)
        assert known.issuperset(names.term())
    sentences = maker.unique(100, names.sentence, longest=LONGEST, characters=known)
    assert known.issuperset("".join(sentences))
    assert max(map(len, sentences)) <= LONGEST


def test_shards_keep_texts_and_arrays_together(tmp_path: Path) -> None:
    """What is read is what was written: texts, arrays, their type."""
    items = [("一", np.arange(6, dtype=np.float16).reshape(3, 2)), ("二二", np.ones((1, 2), np.float16))]
    shard = Shard.of(items)
    (shard + shard).write(tmp_path / "a" / "two.npz")
    back = Shard.read(tmp_path / "a" / "two.npz")
    assert back.texts == ("一", "二二", "一", "二二")
    for (text, array), (was, expected) in zip(back, items * 2, strict=True):
        assert text == was
        assert array.dtype == np.float16
        np.testing.assert_array_equal(array, expected)
    assert not list(tmp_path.rglob("*.part*"))
