"""Sentences rich in invented names and terms: what hotwords are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipe.sentences import DEPARTMENTS, TOPICS, SentenceMaker

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

_SURNAMES = (
    "张王李刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
    "苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史"
    "顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_KINDS = (
    "计划 平台 系统 项目 引擎 助手 网关 协议 基金 指数 终端 方案 公司 集团 大厦 模型 工程 中心 学院 行动"
).split()
LONGEST = 24  # characters of a sentence
_TRIES = 500


class NameMaker:
    """Draws invented names, terms and sentences about them, written with the given characters."""

    def __init__(self, sentences: SentenceMaker, random: Random, characters: Collection[str]) -> None:
        self._sentences = sentences
        self._random = random
        self._known = frozenset(characters)
        self._characters = sorted(characters)
        self._surnames = [name for name in _SURNAMES if name in characters] or self._characters
        self._kinds = [kind for kind in _KINDS if set(kind).issubset(characters)] or [""]

    def person(self) -> str:
        """Return a surname with one or two characters."""
        return self._random.choice(self._surnames) + self._any(self._random.choice((1, 2, 2)))

    def term(self) -> str:
        """Return the name of a project, a product or a firm."""
        word = self._sentences.word()
        is_word = self._random.random() < 0.4 and self._known.issuperset(word)
        return (word if is_word else self._any(2)) + self._random.choice(self._kinds)

    def name(self) -> str:
        """Return either, or mere characters."""
        kind = self._random.random()
        if kind < 0.55:
            return self.person()
        return self.term() if kind < 0.89 else self._any(self._random.choice((2, 3, 4)))

    def about(self, name: str) -> str:
        """Return a sentence about a name, written with the given characters; at worst the name alone."""
        drawn = (self._about(name) for _ in range(_TRIES))
        return next((text for text in drawn if self._known.issuperset(text)), name)

    def _about(self, name: str) -> str:
        pick, word, figures = self._sentences.pick, self._sentences.word, self._sentences.figures
        return pick(
            (
                f"请{name}负责{pick(TOPICS)}",
                f"今天讨论{name}的进展",
                f"关于{name}我有{pick('二三四五')}个问题",
                f"{name}在{figures.date()}交了材料",
                f"明天请{pick(DEPARTMENTS)}找{name}",
                f"{name}的费用是{figures.money()}",
                f"{name}和{self.name()}一起去{self.name()}",
                f"我是{name}的{self.person()}",
                f"{name}说{word()}{word()}",
                f"{word()}{name}{word()}",
                f"联系{name}确认{self.term()}",
                f"{self.term()}由{name}主持",
                f"{name}{word()}",
                f"欢迎{name}参加{self.term()}的会议",
            )
        )

    def sentence(self) -> str:
        """Return a sentence, three of four with a name."""
        return self._about(self.name()) if self._random.random() < 0.75 else self._sentences.sentence()

    def _any(self, n_characters: int) -> str:
        return "".join(self._random.choice(self._characters) for _ in range(n_characters))
