"""Words that were corrected at several places: the word, and not a character of what stands beside it."""

from __future__ import annotations

import pytest

from asr_daemon.hotwords.learning import Corrected, learn


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ([("请郭朱远负责进度", "请郭竹原负责进度")] * 2, "郭竹原"),
        ([("请王小明发言", "请王晓明发言")] * 2, "王晓明"),
        ([("和何敏说", "和贺敏说")] * 2, "贺敏"),
        ([("请林霞说一下", "请林夏说一下")] * 2, "林夏"),
        ([("由古清元的组报告", "由顾清源的组报告")] * 2, "顾清源"),
        ([("把顶单号写上", "把订单号写上")] * 2, "订单"),
        ([("我们在南昌路开会", "我们在南长路开会"), ("到南昌路去", "到南长路去")], "南长路"),
        ([("今天物流一场", "今天物流异常"), ("有物流一场的", "有物流异常的")], "异常"),
    ],
)
def test_a_learned_word_takes_no_neighbour_along(pairs: list[tuple[str, str]], line: str) -> None:
    """Prepositions, particles and what a person does are no part of a name, however often they are there."""
    learned = learn([Corrected(place, before, after) for place, (before, after) in enumerate(pairs)], (), ())
    assert [each.line for each in learned] == [line]
