"""The dictionary as text says what the dictionary as a dict says."""

from __future__ import annotations

import random

import pytest

from asr_daemon.language.costs import text_costs, word_costs
from asr_daemon.language.small_dictionary import WordCosts, small_word_costs

TEXT = "我们今天上午一起参加了市里的重点工程建设推进工作会议hello 3.5 龘"


def test_every_word_costs_the_same() -> None:
    """Recognisers and the daemon judge a text alike."""
    small, costs = small_word_costs(), word_costs()
    words = random.Random(5).sample(sorted(costs), 20_000)
    assert [small.get(word) for word in words] == [costs[word] for word in words]
    assert text_costs(TEXT, small) == text_costs(TEXT)


@pytest.mark.parametrize(
    "word", ["", " ", "\n", "的\n", "的 1", "重点工程建设推进", "龘靐龘", "\ud800", "\ud800的", "a b"]
)
def test_what_is_no_word_costs_nothing_known(word: str) -> None:
    """Whatever text comes, the look-up answers."""
    assert small_word_costs().get(word) is None


def test_without_a_dictionary_there_are_no_words() -> None:
    """An installation without jieba cuts anywhere, and does not fail."""
    assert WordCosts(b"").get("我们") is None
    assert text_costs("我们", WordCosts(b""))[0][0] == 0.0
