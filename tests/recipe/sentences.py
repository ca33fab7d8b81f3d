"""Spoken-form sentences of meetings, calls and lectures, from templates and a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipe.numerals import Figures

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from random import Random

    from recipe.dictionary import Dictionary

SHORTEST, LONGEST = 3, 36  # characters
_SURNAMES = "张王李刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = (
    "伟 芳 敏 静 强 磊 军 洋 勇 杰 娟 涛 明 超 秀英 建国 志强 晓明 小红 海燕 文博 思远 雨晴 天宇"
).split()
DEPARTMENTS = (
    "财务部 人事部 技术部 市场部 销售部 法务部 客服部 采购部 "
    "研发中心 运营部 产品部 行政部 审计部 物流部 质检部 总裁办"
).split()
TOPICS = (
    "年度预算 季度报表 项目进度 合同审批 招聘计划 绩效考核 系统升级 数据安全 "
    "客户投诉 物流异常 退款流程 服务评价 产品发布 市场推广 采购清单 供应商管理 "
    "员工培训 信息安全 语音识别 模型训练 服务器扩容 数据库备份 接口测试 用户反馈 "
    "需求评审 上线计划 风险评估 会议纪要 工单系统 发票管理 库存盘点 质量检查"
).split()
_ACTS = ("讨论一下 汇报一下 确认一下 跟进一下 总结一下 安排一下 核对一下 审核一下 整理一下 反馈一下").split()
_TERMS = (
    "工单号 投诉 退款 服务评价 物流异常 验证码 订单号 快递单号 会员卡 "
    "优惠券 售后服务 发货时间 收货地址 联系电话 保修期 营业时间 开放时间"
).split()
_WISHES = ("投诉", "退款", "咨询", "查询", "反映")
_DAYS = ("周一", "周二", "周三", "周四", "周五", "个月", "周")


class SentenceMaker:
    """Draws sentences; the same seed gives the same ones."""

    def __init__(self, dictionary: Dictionary, random: Random) -> None:
        self._dictionary = dictionary
        self._random = random
        self.figures = Figures(random)

    def sentence(self) -> str:
        """Return a sentence: half of them from one template, some from two, the rest mere words."""
        kind = self._random.random()
        if kind < 0.5:
            return self.template()
        if kind < 0.6:
            return self.template() + self.template()
        return "".join(self.word() for _ in range(self._random.randint(2, 6)))

    def unique(
        self,
        n_sentences: int,
        draw: Callable[[], str],
        *,
        longest: int = LONGEST,
        without: Collection[str] = (),
        besides: Collection[str] = (),
        characters: Collection[str] | None = None,
    ) -> list[str]:
        """Return as many different sentences as asked for, in the order drawn.

        None contains a word of ``without``, none is one of ``besides``, all are written with ``characters``.
        """
        found: dict[str, None] = {}
        while len(found) < n_sentences:
            text = draw()
            if (
                SHORTEST <= len(text) <= longest
                and text not in besides
                and not any(word in text for word in without)
                and (characters is None or set(text).issubset(characters))
            ):
                found[text] = None
        return list(found)

    def word(self) -> str:
        """Return a word of the dictionary."""
        return self._dictionary.word(self._random)

    def pick(self, choices: list[str] | tuple[str, ...] | str) -> str:
        """Return one of them."""
        return self._random.choice(choices)

    def person(self) -> str:
        """Return one of the common names."""
        return self.pick(_SURNAMES) + self.pick(_GIVEN)

    def template(self) -> str:
        """Return a sentence of one template."""
        kinds = (self._meeting, self._call, self._lecture)
        return self._random.choices(kinds, weights=(9, 5, 6))[0]()

    def _meeting(self) -> str:
        figures, pick, person = self.figures, self.pick, self.person
        return pick(
            (
                f"{figures.date()}{figures.time()}召开{pick(TOPICS)}会议",
                f"请{pick(DEPARTMENTS)}的{person()}{pick(_ACTS)}{pick(TOPICS)}的情况",
                f"本次{pick(TOPICS)}的预算是{figures.money()}",
                f"同比增长了{figures.percentage()}",
                f"{pick(TOPICS)}完成了{figures.percentage()}还剩{figures.amount()}没有处理",
                f"请在{figures.date()}之前把{pick(TOPICS)}发给{person()}",
                f"{person()}负责{pick(TOPICS)}{person()}负责{pick(TOPICS)}",
                f"下{pick(_DAYS)}{figures.time()}我们再{pick(_ACTS)}",
                f"今天的会议主要{pick(_ACTS)}{pick(TOPICS)}和{pick(TOPICS)}",
            )
        )

    def _call(self) -> str:
        figures, pick = self.figures, self.pick
        return pick(
            (
                f"您好我的{pick(_TERMS)}是{figures.digits(self._random.randint(4, 11))}",
                f"我要{pick(_WISHES)}{pick(_TERMS)}的问题",
                f"退款金额是{figures.money()}",
                f"一共有{figures.amount()}{pick(_TERMS)}需要{pick(_ACTS)[:2]}",
                f"联系电话是{figures.digits(11)}",
            )
        )

    def _lecture(self) -> str:
        figures, pick, word = self.figures, self.pick, self.word
        return pick(
            (
                f"同学们今天我们来学习{word()}和{word()}的关系",
                f"这个{word()}的{word()}是{word()}的{figures.below(2, 20)}倍",
                f"我觉得{word()}应该{word()}{word()}",
                f"大家好我是{pick(DEPARTMENTS)}的{self.person()}",
                f"关于{word()}我们{pick(DEPARTMENTS)}有{figures.below(2, 9)}点建议",
                f"第{figures.below(1, 50)}{pick('章节页条项次')}的{word()}{word()}",
            )
        )
