"""Rules of money, temperatures, heights and single digits with a unit."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import MASK, NOT_N, NUMERALS, D, N
from asr_daemon.itn.context import CLASSIFIER, MEASURE
from asr_daemon.itn.numerals import cardinal, is_digit_string
from asr_daemon.itn.reading import Edit, Reading, Seen, group, stays, written
from asr_daemon.itn.words import starts_word

_ENDS = "(?=[，。！？；、,.!?;\\s的了吧吗呢啊左右每以就到起包]|$)"
_NOT_COUNTED = f"(?!{CLASSIFIER}|{MEASURE}|[等折成维块元毛角])"
_TAIL = f"(?:[二三四五六七八九]{NOT_N}{_NOT_COUNTED}|一{NOT_N}{_ENDS})"  # the unspoken last unit: 三块五
_MONEY = re.compile(
    f"(?P<yuan>{render.NUMBER})[块元圆]"
    f"(?:零?(?P<jiao>{D}){NOT_N}[毛角](?:(?P<fen>{D}){NOT_N}(?:分(?!钟|之))?)?|"
    f"零?(?P<cents>{D}){NOT_N}分(?!钟|之)"
    f"|(?P<short>{_TAIL}|零{D}{NOT_N}{_NOT_COUNTED}))"
)
_JIAO = re.compile(f"(?P<jiao>{N})[毛角](?P<fen>{D}){NOT_N}(?:分(?!钟|之))?(?!{CLASSIFIER})")
_COINS = re.compile(
    "(?P<coins>[一二两三四五六七八九])毛(?![病巾衣孩发利孔笔重豆坯线绒皮茸遂泽])|"
    "(?P<counted>[一二两三四五六七八九])(?=[毛角分]钱)"
)
_YUAN = re.compile(f"(?P<yuan>{D}|两)块(?!钱)")
_PIECES_BEFORE = re.compile(
    "(?:[这那有几第每分成哪另各]|分为|分成|[切掰砍碎裂摔劈]成?|主要|包括|一共有|负责的|其中)了?$"
)
_PIECES_AFTER = re.compile(
    "块(?:[的]?(?:大|小)?(?:蛋糕|石|地|肉|糖|豆腐|布|砖|手?表|屏|电池|硬盘|板|内容|业务|牌|骨|木|"
    "玻璃|面包|巧克力|肥皂|香皂|橡皮|饼|西瓜|冰|铁|钢|金|奖|拼图|"
    "显卡|内存|芯片|广告|区域|电|主板|黑|白|手帕|毛巾|土|田|草|场|空地|纱|抹布|瓷|积木|磁|疤|宝|玉|"
    "腹肌|肌|皮|煤|工作|部分|领域|任务|方面|口香糖|排骨|鸡|牛|红烧|试验|模块|"
    "披萨|三明治|奶酪|点心|月饼|寿司|墙|展|云|阴影|伤|淤|补丁|儿|去|走|来|吃|玩|聊|做|干|住|过))"
)
_YUAN_AFTER = re.compile(
    "块(?:$|[，。！？；、,.!?;\\s]|[的了吧吗呢啊嘛呀哦左右上下以多来钱每都就也还不没够起到至封和跟或买卖给比涨降打包搞拿是但可要已能交付花算出起押运随优满减返加含管配送抵]|"
    f"[{NUMERALS}0-9]|半|/|一)"
)
_YUAN_BEFORE = re.compile(
    "(?:[花付收给找卖要赚亏差欠贵涨降价省退罚补费扣交值减打低高充赔租加到满返抵送]了?(?:[我你您他她它]们?)?|便宜|优惠|每.{1,3}|一[斤个份张本瓶盒杯碗串只条件次吨升度]|"
    "只[要有]|才|仅|大约|不到|超过|总共|一共|合计|余额|现金|硬币|零钱)了?$"
)
_WARMTH = re.compile(f"(?P<whole>{N})度(?P<tenth>{_TAIL})")
_LENGTH = re.compile(f"(?P<whole>{N})[米秒](?P<rest>{D}{D}?){NOT_N}(?!几)")
_LENGTH_ENDS = re.compile(f"(?!{CLASSIFIER}|{MEASURE}|[厘分毫])")
_LIANG = re.compile(
    f"(?P<number>{D})两{NOT_N}(?=酒|白酒|肉|米|面|粉|饭|茶|牛肉|排骨|黄金|银|重|[，。！？；、,.!?;\\s]|$)"
)
_LIANG_AFTER_JIN = re.compile(f"(?P<number>{D})两{NOT_N}(?![个人天次位只本条件])")
_LIANG_OF = re.compile("[酒白肉米面粉饭茶牛排黄银]")
_ONE_LIANG_OF = re.compile("[酒白肉茶牛黄银]")
_WEIGHED = re.compile("斤$")
_THOUSANDS = re.compile("[一二两三四五六七八九]千(?:瓦|克(?!拉)|卡(?!路里)|赫|帕|伏|焦)")
_UNIT = re.compile(f"(?P<number>{render.NUMBER})(?P<unit>{MEASURE})")
_AMOUNT_THEN = re.compile(  # behind 一年: 收入也就二三十万
    f"[^{NUMERALS}，。、！？,.到至的前后内]{{0,6}}?(?P<few>好?几|数|上)?(?P<run>{N})(?![点几])(?:[到至](?P<last>{N}))?"
)
_DURATION = re.compile(
    f"(?P<minute>{N})分(?:钟)?(?P<second>{N})秒(?:(?P<tenth>{D}){NOT_N}(?!几|{CLASSIFIER}|{MEASURE}))?(?![杀懂变])"
)
_PACE = re.compile(f"(?P<minute>{N})分(?P<second>{N})(?![{NUMERALS}点秒])(?!{CLASSIFIER}|{MEASURE})")
_PACE_ENDS = re.compile("(?:[，。！？；、,.!?;]|$)")
_PACE_BEFORE = re.compile(
    "(?:配速|用时|耗时|成绩|跑了|跑出|跑进|游了|游出|时长|计时|还剩|公里|[米圈跑游骑走])[是在到为]?了?$"
)
_DEGREES = re.compile(f"(?P<number>{D}|两)度(?!假|过|量|数|日)")
_DEGREES_BEFORE = re.compile(
    "(?:温|零下|零上|升|降|高|低|差|摄氏|华氏|角|转|倾斜?|偏|到|约|[东西]经|[南北]纬|减|加|烧|用|调|是|在|"
    "有|冰箱|冰柜|冷库|冷链车?|冷藏[室柜箱]?|空调|暖气|室[内外]|体感|机房|恒温|车厢|水箱)了?(?:约|大约)?$"
)
_ONCE = re.compile("[一两]度(?!电)")
_ONE_DEGREE_BEFORE = re.compile(
    "(?:温度?|零下|零上|[升降调烧]到?|高|低|差|摄氏|华氏|角|转|偏|[东西]经|[南北]纬)了?$"
)
_DEGREES_AFTER = re.compile(
    "度(?:电|以|保存|冷藏|冷冻|存放|储存|储藏|恒温|低温|近视|散光|左右|的|角|半|视|近视|[，。！？；、,.!?;\\s]|$|[到至])"
)


def money(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 三块五毛, 三十九块三 and 五毛钱; the units stay as spoken."""
    match = _MONEY.match(seen.masked, start)
    if match and not (match["short"] and starts_word(seen.text, match.start("short"))):
        edits = [group(match, "yuan", render.number)]
        edits += [group(match, name, render.label) for name in ("jiao", "fen", "cents") if match[name]]
        if match["short"]:
            edits.append(group(match, "short", render.label))
        return written(match.span(), "money", "money_parts", *edits)
    match = _JIAO.match(seen.masked, start)
    if match and ("分" in match.group() or "毛" in match.group()):
        edits = [group(match, "jiao", render.integer), group(match, "fen", render.label)]
        return written(match.span(), "money", "money_parts", *edits)
    match = _COINS.match(seen.masked, start)
    if not match:
        return None
    name = "coins" if match["coins"] else "counted"
    return written(match.span(), "money", "coins", group(match, name, render.integer))


def yuan(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a single digit before 块 as money, unless it counts pieces."""
    match = _YUAN.match(seen.masked, start)
    if not match or match["yuan"] in ("一", "零"):
        return None
    as_money = seen.follows(_YUAN_AFTER, match.end("yuan")) or seen.ends(_YUAN_BEFORE, start)
    if not as_money or seen.ends(_PIECES_BEFORE, start) or _PIECES_AFTER.match(seen.text, match.end("yuan")):
        return stays(start, match.end(), "pieces")
    return written(match.span(), "money", "yuan", group(match, "yuan", render.integer))


def degrees(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 三十七度五 as 37.5度, and a single digit of degrees; 三度夺冠, thrice, stays."""
    match = _WARMTH.match(seen.masked, start)
    whole = render.integer(match["whole"]) if match else None
    if match and whole and whole.isdecimal() and not starts_word(seen.text, match.start("tenth")):
        tenth = render.label(match["tenth"])
        first = Edit(*match.span("whole"), f"{whole}.{tenth}")
        return written(match.span(), "temperature", "degrees_tenth", first, Edit(*match.span("tenth"), ""))
    match = _DEGREES.match(seen.masked, start)
    if not match:
        return None
    cued = seen.ends(_DEGREES_BEFORE, start) or _DEGREES_AFTER.match(seen.text, match.end("number"))
    if match["number"] != "零" and (
        not cued
        or (
            match["number"] == "一"
            and _ONCE.match(seen.text, start)
            and not seen.ends(_ONE_DEGREE_BEFORE, start)
        )
    ):
        return stays(start, match.end(), "times_or_degrees")
    return written(match.span(), "temperature", "degrees", group(match, "number", render.integer))


def length(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a height and a sprint: 一米七五, 两米三, 十二秒八八."""
    match = _LENGTH.match(seen.masked, start)
    if not match or not _LENGTH_ENDS.match(seen.text, match.end()):
        return None
    return written(
        match.span(),
        "unit",
        "unit_and_rest",
        group(match, "whole", render.integer),
        group(match, "rest", render.label),
    )


def duration(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 八分二十秒."""
    match = _DURATION.match(seen.masked, start)
    if not match:
        return None
    edits = [group(match, "minute", render.integer), group(match, "second", render.minute)]
    if match["tenth"]:
        edits.append(group(match, "tenth", render.label))  # 四分十八秒六
    return written(match.span(), "unit", "minutes_and_seconds", *edits)


def pace(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a runner's time without its 秒, 配速五分三十."""
    match = _PACE.match(seen.masked, start)
    if not match:
        return None
    ends = "十" in match["second"] and _PACE_ENDS.match(seen.text, match.end())  # 利息一分五 has no minutes
    if not ends and not seen.ends(_PACE_BEFORE, start):
        return None
    edits = group(match, "minute", render.integer), group(match, "second", render.minute)
    return written(match.span(), "unit", "minutes_and_seconds", *edits)


def liang(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 两 as the weight of 50 g: 五斤三两, 二两酒."""
    match = (_LIANG_AFTER_JIN if seen.ends(_WEIGHED, start) else _LIANG).match(seen.masked, start)
    if not match or match["number"] in "零〇幺":
        return None
    weighable = _ONE_LIANG_OF if match["number"] == "一" else _LIANG_OF  # 一两面 may be a few
    if not seen.ends(_WEIGHED, start) and not weighable.match(seen.text, match.end()):  # 五斤三两
        return None
    return written(match.span(), "unit", "liang", group(match, "number", render.label))


def then_stays(seen: Seen, place: int) -> bool:
    """Return whether the amount of 一年收入二三十万 and 一年产量六到七百吨 stays, and the phrase with it."""
    match = _AMOUNT_THEN.match(seen.text, place)
    if not match:
        return False
    run = match["run"]
    open_range = match["last"] and match["last"][-1] in "百千万亿" and len(run) == 1
    about = (
        cardinal(run) is None and not is_digit_string(run) and MASK not in seen.masked[place : match.end()]
    )
    return bool(open_range or about or match["few"])


def unit(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a number with a physical unit, a currency, 年, 岁, 小时, 号线 and the like; 八千瓦 is open."""
    if _THOUSANDS.match(seen.masked, start):
        return stays(start, start + 2, "thousand_or_kilo")
    match = _UNIT.match(seen.masked, start)
    if not match or cardinal(match["number"]) is None:
        return None
    if match["number"] == "一" and then_stays(seen, match.end()):
        return stays(start, match.end(), "whole_stays")
    return written(match.span(), "unit", "number_and_unit", group(match, "number", render.number))
