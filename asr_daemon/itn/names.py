"""Names with numerals that a list of words cannot hold: eras, villages, congresses, brands, petrol.

``STAYING`` are patterns, matched on the folded text, whose numerals stay, each behind what it cannot do
without; ``brand`` and ``petrol`` write those whose owners write figures.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from asr_daemon.itn.characters import NOT_N, NUMERALS
from asr_daemon.itn.lists import words_of
from asr_daemon.itn.reading import Edit, Reading, Seen, written
from asr_daemon.itn.renderers import label

if TYPE_CHECKING:
    from collections.abc import Iterator

_YEAR_OF_ERA = re.compile(
    f"(?<![{NUMERALS}])[{NUMERALS}]{{1,4}}[年载](?:(?:到|至)[{NUMERALS}]{{1,4}}年)?"
    f"(?:[{NUMERALS}]{{1,3}}月(?:初|廿)?(?:[{NUMERALS}]{{1,3}}[日号]?)?)?"
)
_ERA_CHARS = (2, 3, 4)
_NO_VILLAGE = "(?!路|设|张|开|满|就|的|地(?![^方]))"
_MODEL = (
    "手机|[Pp]ro|PRO|[Uu]ltra|[TR](?![a-z])|系列|新机|发布|旗舰|的?(?:屏|电池|拍照|系统|摄像|售价|价格|续航|充电|"
    "手感|性能|信号|外观)|(?:和|跟|与|比)(?:苹果|华为|小米|三星|荣耀|iPhone|vivo|OPPO)"
)
STAYING = (
    (
        "里",
        f"[{NUMERALS}]{{1,4}}里(?:铺|店|堡|河|桥|台|屯|庄|坡|村|营|亭|墩|沟|湾|镇|街|岗|庙|寨|塘|园|坪|坨){_NO_VILLAGE}",
    ),
    (
        "里",
        (
            f"(?<![走跑开骑赶追绕]了)(?<!方圆|绵延|相距|相隔|大约)[{NUMERALS}]{{1,4}}里"
            "(?:[堡屯庄坡墩沟湾岗寨塘坪坨庙桥台营](?!路程|设|满)|[铺店](?=的(?!都|是|全)|[村镇乡站]|小学|中学|派出所|卫生院|车站))"
        ),
    ),
    (
        "十三行",  # the wholesale market in Guangzhou
        f"(?<![第{NUMERALS}])十三行(?=拿货?(?!到)|进货|批发|市场|服装|女装|档口|新中国|地铁|附近|那边的?[货衣档]|的?(?:衣服|货|档口|服装|女装|批发|老板|行商|商人|贸易)|做批发|打包)",
    ),
    (
        "届",
        f"(?<![{NUMERALS}第])[{NUMERALS}]{{1,3}}届(?=(?:全国)?(?:人大|政协|人民代表|党代会|党代表|代表大会)|[^，。]{{0,4}}全会)",
    ),
    ("铺", f"[{NUMERALS}]{{1,4}}铺(?=[镇村乡站路街]|小学|中学|派出所)"),
    ("一加", f"一加(?=[{NUMERALS}]{{1,3}}(?:{_MODEL}))"),
    (
        "一加",
        f"(?:(?<=[买用换款部台出卖])|(?<=[买换出用][了的])|(?<=[买换用]的是))一加(?=[{NUMERALS}]{{1,3}}(?![{NUMERALS}等加减乘除]))",
    ),
    ("二点五", f"[Pp][Mm]二点五(?=[{NUMERALS}])"),  # it and its value would run together
    (
        "",  # 老六|十点, 阮小七|十五号到
        (
            f"[二三四五六七八九](?=(?:[二三]?十[一二三四五六七八九]?|[一二两三四五六七八九])[点号月岁](?![{NUMERALS}]*[线楼]))"
            "(?:(?<=[^衰古养陈苍变]老.)|(?<=^老.)|(?<=[^缩减变大最更很较中]小.)|(?<=^小.)|(?<=阿.)|(?<=周[七八九])(?=十)|"
            "(?<=^[张李王赵陈刘孙吴郑冯钱].)|(?<=[叫请让给跟和找等问由是][张李王赵陈刘孙吴郑冯钱].))"
        ),
    ),
    ("三方", "三方(?=签|协议|合同|会谈|会议|共同)"),
    ("负", "负[一二三四五六](?:(?:和|跟|、)?负[一二三四五六])+(?!等于|加|减|乘|除|度)"),
    ("负", "(?:(?<=电梯按)|(?<=[停下开]在)|(?<=[停下开]到)|(?<=车库|地下)|(?<=电梯到))负[一二三四五六]"),
    ("九", "一九二九不出手|五九六九(?=[，]?沿?河|[，]?隔)|七九河开|八九雁来|九九加一九"),
    ("八度", "(?<![温天度])[高低](?=八度)八(?=度(?!的?温|电|左右|以))"),
    (
        "九毛九",
        f"(?<![块元])九毛九(?=(?:西北|集团|餐饮|餐厅|股份|门店|面馆|吃|上市|旗下|创始|又?开了?(?:新店|分店|业)|新店|排队|那家|家的|见)|{NOT_N}$)",
    ),
)
_BRAND = re.compile("(?P<number>五八)(?=同城|到家|集团)")
_RACE = re.compile(
    "(?P<number>一)(?=直播|转播|赛|大奖|车[队手迷]|方程式|中国站|上海站|摩纳哥|分站|收官|揭幕|冠军|年度|总冠军|排位|比赛|在上海|来上海)"
)
_RACE_BEFORE = re.compile("(?<![A-Za-z])[Ff]$")
_PHONE = re.compile(f"(?P<number>[{NUMERALS}]{{1,3}})")
_PHONE_BEFORE = re.compile("一加$")
_PETROL = re.compile(
    "(?P<number>九[零二三五七八]|零)(?=号?(?:的)?(?:汽油|乙醇|无铅|油[，。价箱站卡]?|加满|柴油))"
)
_FILLED = re.compile("(?P<number>九[258二五八])(?=号(?:[，。的和跟涨降加]|$)|的?(?:[，。]|$))")
_FILLING_BEFORE = re.compile("(?:加了?|加满|加的是?|汽油|油价|油品|加.{0,7}块钱?的?)$")


def years_of_eras(text: str) -> Iterator[tuple[int, int]]:
    """Yield where years of an emperor's stand, 康熙六十一年; ``text`` is folded."""
    eras = _eras()
    for match in _YEAR_OF_ERA.finditer(text):
        start = match.start()
        if any(text[max(0, start - length) : start] in eras for length in _ERA_CHARS):
            yield match.span()


@cache
def _eras() -> frozenset[str]:
    return frozenset(words_of("eras.txt"))


def brand(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 五八同城 as 58同城, and the number of a telephone's model, 一加九."""
    match = _BRAND.match(seen.masked, start)
    if not match and seen.ends(_PHONE_BEFORE, start) and seen.masked[start - 2] != "一":
        match = _PHONE.match(seen.masked, start)
    if not match and seen.ends(_RACE_BEFORE, start):
        match = _RACE.match(seen.text, start)  # F一直播
    return _label(match, "brand")


def petrol(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read the octane of 九二号汽油 and of 加九五."""
    match = _PETROL.match(seen.masked, start)
    if not match and seen.ends(_FILLING_BEFORE, start):
        match = _FILLED.match(seen.masked, start)
    return _label(match, "petrol")


def _label(match: re.Match[str] | None, rule: str) -> Reading | None:
    text = label(match["number"]) if match else None
    if match is None or text is None:
        return None
    return written(match.span("number"), "name", rule, Edit(*match.span("number"), text))
