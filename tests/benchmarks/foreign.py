"""Hotword lists of which nothing is said, made from seeds: what they change in a text is damage.

Names as people have them, terms made of two words, and words of a dictionary by their kind (persons,
transliterations, places, brands, institutions, rare nouns, idioms). A word that is said, or that sounds like
something said (tones left out), is left out: to write that one is what a list is for.
"""

from __future__ import annotations

import random
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pypinyin import lazy_pinyin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾萧田董潘袁于蒋蔡余杜叶程苏魏"
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文志海波玉兰红梅春雷鹏飞宇浩然子轩雨涵萱思远晓东佳琪俊"
    "翔雪莹婷慧欣怡博昊泽睿诗琳倩美云帆凯旋永福德胜家豪宏达立新振兴若兮清扬书恒景行致"
)
HEADS = "星辰云海天枢北极银河蓝鲸火石长城昆仑磐石青松龙门玄武白鹭凤凰瀚海启明麒麟灵犀东方"  # two by two
TAILS = "平台系统计划项目集团科技银行协议方案网关终端基金工程中心引擎模块公司芯片"
KINDS: dict[str, tuple[str, ...]] = {  # of jieba's dictionary
    "persons": ("nr",),
    "transliterations": ("nrt",),
    "places": ("ns",),
    "brands": ("nz",),
    "institutions": ("nt",),
    "rare nouns": ("n",),
    "idioms": ("i", "l"),
}
USED, MOST_USED = 3, 300  # counts in the dictionary: no accidents of it, nothing that everybody says
SPARE = 3  # times as many words as are wanted, before those that are said are left out


def foreign_lists(
    said: Sequence[str], size: int, seeds: Sequence[int]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (kind and seed, words) of each kind for each seed, 50 words or how many are asked for."""
    texts = "\n".join(said)
    sounds = " ".join(["", *lazy_pinyin("".join(said), errors=lambda run: ["-"] * len(run)), ""])
    for seed in seeds:
        for kind in ("names", "terms", *KINDS):
            words = _words(kind, SPARE * size, random.Random(f"{kind} {seed}"))
            heard = {word for word in words if word in texts or f" {' '.join(lazy_pinyin(word))} " in sounds}
            yield f"{kind} {seed}", tuple(word for word in words if word not in heard)[:size]


def _words(kind: str, count: int, chance: random.Random) -> list[str]:
    if kind == "names":
        made = (
            chance.choice(SURNAMES) + "".join(chance.choices(GIVEN, k=chance.choice((1, 2, 2))))
            for _ in range(count)
        )
    elif kind == "terms":
        made = (_pair(HEADS, chance) + _pair(TAILS, chance) for _ in range(count))
    else:
        return chance.sample(_dictionary(kind), count)
    return list(dict.fromkeys(made))


def _pair(words: str, chance: random.Random) -> str:
    at = 2 * chance.randrange(len(words) // 2)
    return words[at : at + 2]


@cache
def _dictionary(kind: str) -> list[str]:
    spec = find_spec("jieba")
    assert spec is not None
    assert spec.submodule_search_locations
    lines = (Path(spec.submodule_search_locations[0]) / "dict.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split(" ") for line in lines)
    return [
        word
        for word, used, flag in entries
        if flag in KINDS[kind] and USED <= int(used) <= MOST_USED and 2 <= len(word) <= 5
    ]
