"""Rules of clock times; 点 also parts decimals and counts arguments, so much here is deciding which."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import MASK, NUMERALS, D, N
from asr_daemon.itn.context import CLASSIFIER, DAYTIME, MEASURE, POINTS_AFTER, POINTS_BEFORE, TIME_AFTER
from asr_daemon.itn.numerals import cardinal
from asr_daemon.itn.reading import Reading, Seen, group, stays, written

_MINUTE_SIGN = "分(?![钟之享析别配为成开类期之数享布])"
_MARK = f"(?:半(?![点价天个数年])|整(?![顿理改个体合治数])|钟(?!爱|情)|[一二三两]刻(?![不意画苦舟])|{MASK}刻)"
_MARKED = re.compile(f"(?P<hour>{N})[点时]{_MARK}")
_MINUTES = re.compile(
    f"(?P<hour>{N})(?:点|"
    f"时)过?(?P<minute>{N})(?:(?P<sign>{_MINUTE_SIGN})(?:(?P<second>{N})秒)?)?(?![{NUMERALS}点])"
)
_TO_GO = re.compile(f"(?P<minute>{N})分(?:钟)?(?:到)?(?P<hour>{N})点")
_QUARTER_TO_GO = re.compile(f"[一三两]刻(?:钟)?(?P<hour>{N})点")
_SHORT_OF = re.compile(f"(?P<hour>{N})点差(?P<minute>{N})分")
_BARE = re.compile(f"(?P<hour>{N})点(?!几|半价)")
_RANGE = re.compile(f"(?P<first>{N})(?:到|至)(?P<hour>{N})点(?!{D}|几)")
_HOUR_THEN_COUNT = re.compile(
    f"(?P<hour>{N})点(?=(?:[二两三四五六七八九]|二三|两三|三四|四五|五六|六七|七八|八九)(?:位|个人|人(?![次民])|桌|间))"
)
_EVENT_BEFORE = re.compile(
    "(?:高铁|动车|火车|列车|车次|航班|飞机|班车|大巴|闹钟|会议|例会|早会|晨会|晚会|电影|演出|比赛|球赛|考试|"
    "早读|晚读|早操|早课|晚课|早自习|晚自习|首班车|末班车|早班车|晚班车|头班车|早市|夜市|早间|开机|集合|签到|打卡|"
    "[约定改]在|[约定]好|[改推提约定挪][到至]|推迟到|提前到|准时|截止|时间是?|午休|早班|晚班|首班|末班|头班)"
    "(?:时间)?(?:就|都|才|也|还)?(?:定在|定的|约在|改成|是|在|为|于)?$"
)
_VALUE_BEFORE = re.compile(
    "(?:[这那增]|[涨跌降升减率价分数值重高宽长深占达超差额](?:[到至了为是在过]|到了)?)$"
)
_EVENT_AFTER = re.compile(
    "(?:吉时|正式|统一|全员|大家|全体|我们)?(?:集合|集中|开(?![方根尔元])|签|报到|报道|打卡|上班|下班|上课|下课|上车|下车|上机|出发|出门|发车|起飞|降落|落地|抵达|到(?!"
    f"[{NUMERALS}底处了头手])|进站|出站|进场|入场|登机|起床|睡|吃饭|碰|会合|汇合|见|准时|关门|关店|接[我你他她人]|送[我你他她人]|结束|"
    "打的?卡|剪彩|发的?车|开的?车|首班|末班|头班|检票|停检|开检|停止|放学|放行|到校|到岗|到位|到站|到家|换班|交班|交接|换岗|查房|点名|熄灯|闭馆|闭园|收摊|收工|"
    "收盘|开盘|打烊|出摊|动身|启程|停机|首播|播出|直播|发布|更新|生效|截止|接班|接站|接机|接亲|吃|叫|醒|"
    "[在从于到][^，。]{1,6}(?:集合|出发|见面|碰头|碰面|开会|上车|会合|汇合|登机|起飞|签到|开始)|之前|以前|的(?:车|地铁|公交|大巴|轮渡|客车|班机|早班|末班|那[趟班场节]|火车|高铁|动车|飞机|航班|电影|课|会|闹钟|班车|船|场|票)|这趟|那趟|那班|走(?!势)|过来|来接|叫我|叫醒|闹钟)"
)
_HOUR = re.compile(f"(?P<hour>{N})时(?![间候期代光常而段尚髦差空速效长刻])")
_DAYTIME_BEFORE = re.compile(f"{DAYTIME}的?$")
_MIDNIGHT_AFTER = re.compile(
    "点(?:准时|开抢|开售|开卖|开始|上线|发布|更新|生效|截止|起(?![点义])|到|过后|抢|秒杀|付款|跨年|放票|开票|停[机电水服]|断[电网]|下单|整|见|的?钟声|一到|交班|换班|睡|下班|上班|发车|起飞|出发|关[门机停]|[之以][前后]|左右|前|后|一过|[上干值忙开排等守站睡走]到)"
)
_MIDNIGHT_HOUR = re.compile("[零〇]时(?:起|至|到|整|前|后|许|开始|[，。]|$)")
_AT_LAST = re.compile("最[早晚]$")
_EARLY_OR_LATE = re.compile("[早晚快]$")  # 早八点, 快九点; but 晚两点 is by two
_LAST_HOUR = 24
_HOUR_BEFORE = re.compile(f"(?<![第说讲提{NUMERALS}])[{NUMERALS}]点$")  # 三点|四点之间
_UNTIL_BEFORE = re.compile("[到过]了?$")
_ON_AVERAGE = re.compile("(?:平均|人均|每.{1,3}|大约|达到?|约)$")
_POINTS_BEFORE = re.compile(POINTS_BEFORE)
_POINTS_AFTER = re.compile(f"点{POINTS_AFTER}")
_TIME_AFTER = re.compile(f"点(?:{TIME_AFTER})")
_RANGE_AFTER = re.compile(f"点(?:半|钟|整)?(?:到|至|—|-|~){N}点")
_COUNTED_AFTER = re.compile(f"{CLASSIFIER}|{MEASURE}|[块元倍度]")
_UNTIL_ONE = re.compile("(?:等|忙|睡|玩|聊|拖|改|推|排|熬|干|开|学|闹|吵|谈|喝|打|站|坐|守)到了?$")
_ONE_AFTER = re.compile(
    "点(?:开会|集合|出发|上课|上班|下课|下班|开始(?!怀|就不|不)|发车|起飞|开车|碰头|见面|开庭|签到|报到|准时|左右|之前|以前|之后|以后|前后|多(?![了一])|前(?![面途端台景期]))"
)
_AGREED = re.compile("(?:说|约|讲|定|谈|订)(?:好|定)了?的?是?$")
_SAID = re.compile("[说讲]$")
_ONE = ("一", "零", "〇")


def _daytime(seen: Seen, start: int) -> bool:
    """Return whether a time of the day stands before."""
    return seen.ends(_DAYTIME_BEFORE, start)


def _is_time(seen: Seen, start: int, end: int, hour: str) -> bool:
    """Return whether a bare single digit before 点 is an hour, not a count of points or 一点, a little."""
    counts = seen.ends(_POINTS_BEFORE, start)
    if seen.ends(_AGREED, start) and hour not in _ONE:
        return True
    if seen.ends(_SAID, start) and hour not in _ONE and seen.follows(_EVENT_AFTER, end + 1):
        return True  # 导游说八点叫醒
    if (
        _daytime(seen, start)
        or (hour not in _ONE and seen.ends(_HOUR_BEFORE, start))
        or _RANGE_AFTER.match(seen.masked, end)
        or (hour in ("零", "〇") and _MIDNIGHT_AFTER.match(seen.text, end))
        or seen.ends(_AT_LAST, start)
        or (hour not in _ONE and hour != "两" and seen.ends(_EARLY_OR_LATE, start))
        or (hour == "一" and seen.ends(_UNTIL_ONE, start) and not seen.text.startswith("点点", end))
        or (hour == "一" and _ONE_AFTER.match(seen.text, end) and not counts)
    ):
        return True
    if hour in _ONE or counts:
        return False
    return bool(_TIME_AFTER.match(seen.text, end)) or not _POINTS_AFTER.match(seen.text, end)


def marked(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read an hour with 半, 整, 钟 or a quarter."""
    match = _MARKED.match(seen.masked, start)
    if not match:
        return None
    return written(match.span(), "clock", "hour_marked", group(match, "hour", render.hour))


def minutes(seen: Seen, start: int, end: int) -> Reading | None:
    """Read hour and minute; single digits after 点 are a decimal unless the daytime or 分 says otherwise."""
    match = _MINUTES.match(seen.masked, start)
    if not match:
        return None
    hour, minute = match["hour"], match["minute"]
    ten = "十" in minute
    if not ten and not _minutes_meant(seen, match):
        return None
    if not match["sign"] and not (_timed(seen, match) and hour not in _ONE[1:]):
        counted = _COUNTED_AFTER.match(seen.text, match.end())
        few = len(hour) == 1 and not _daytime(seen, start)
        if (counted or not ten) and few and (hour in _ONE or seen.ends(_POINTS_BEFORE, start)):
            return None
    edits = [group(match, "hour", render.hour), group(match, "minute", render.minute)]
    if match["second"]:
        edits.append(group(match, "second", render.minute))
    return written((start, match.end()), "clock", "hour_minute", *edits) if end < match.end() else None


def _minutes_meant(seen: Seen, match: re.Match[str]) -> bool:
    """Return whether digits after 点 without 十 are minutes: 零五分, or 零五 and 三零 after a daytime."""
    minute, daytime = match["minute"], _daytime(seen, match.start()) or _timed(seen, match)
    if seen.text[match.end("hour")] == "时":
        return True
    if match["sign"]:
        return daytime or minute[0] in "零〇" or "过" in match.group()
    return daytime and len(minute) == 2  # noqa: PLR2004  # 三零


def _timed(seen: Seen, match: re.Match[str]) -> bool:
    """Return whether something that has a time stands beside: 高铁七点零五, 八点四五集合."""
    if seen.ends(_VALUE_BEFORE, match.start()):
        return False
    before, after = seen.ends(_EVENT_BEFORE, match.start()), seen.follows(_EVENT_AFTER, match.end())
    return bool(after or (before and not _COUNTED_AFTER.match(seen.text, match.end())))


def to_go(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 差五分八点, 差一刻九点 and 八点差五分."""
    before = seen.text[start - 1 : start]
    match = _TO_GO.match(seen.masked, start)
    if match and before in ("差", "过"):
        edits = group(match, "minute", render.minute), group(match, "hour", render.hour)
        return written(match.span(), "clock", "minutes_to", *edits)
    match = _QUARTER_TO_GO.match(seen.masked, start)
    if match and before == "差":
        return written(match.span(), "clock", "quarter_to", group(match, "hour", render.hour))
    match = _SHORT_OF.match(seen.masked, start)
    if not match:
        return None
    edits = group(match, "hour", render.hour), group(match, "minute", render.minute)
    return written(match.span(), "clock", "minutes_short", *edits)


def hour_then_count(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read the hour of a booking, 今晚七点|八位, and of 到十二点|五个人: people have no decimals."""
    match = _HOUR_THEN_COUNT.match(seen.masked, start)
    if not match or (
        len(match["hour"]) == 1 and not (_daytime(seen, start) or seen.ends(_UNTIL_BEFORE, start))
    ):
        return None
    if seen.ends(_ON_AVERAGE, start):
        return None
    return written((start, match.end()), "clock", "hour", group(match, "hour", render.hour))


def hour_range(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a range of hours that share their 点: 两到三点."""
    match = _RANGE.match(seen.masked, start)
    if not match or _POINTS_AFTER.match(seen.text, match.end("hour")):
        return None
    first, last = group(match, "first", render.hour), group(match, "hour", render.hour)
    return written(match.span(), "clock", "hour_range", first, last)


def bare_hour(seen: Seen, start: int, end: int) -> Reading | None:
    """Read an hour that stands alone; a count of points stays."""
    match = _BARE.match(seen.masked, start)
    if not match:
        return None
    run = match["hour"]
    number = cardinal(run)
    if number is None:
        return None
    if number.value > _LAST_HOUR and seen.ends(_DAYTIME_BEFORE, start):
        return stays(start, match.end(), "no_hour")  # 早上六十点: six or ten
    if not number.several and not _is_time(seen, start, end, run):
        return stays(start, match.end(), "points_or_time")
    return written(match.span(), "clock", "hour", group(match, "hour", render.hour))


def o_clock(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 时 as an hour after a daytime, or where the hour has two figures."""
    match = _HOUR.match(seen.masked, start)
    number = cardinal(match["hour"]) if match else None
    midnight = number is not None and number.value == 0 and _MIDNIGHT_HOUR.match(seen.text, start)
    if not match or number is None or not (number.several or _daytime(seen, start) or midnight):
        return None
    return written(match.span(), "clock", "hour", group(match, "hour", render.hour))
