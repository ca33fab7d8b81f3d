"""十一 is the national holiday unless something beside it counts; and holidays before another number."""

from __future__ import annotations

import re

from asr_daemon.itn.characters import NUMERALS
from asr_daemon.itn.context import CLASSIFIER, MEASURE
from asr_daemon.itn.lists import words_of
from asr_daemon.itn.words import begins_word

_ROW = "三八|五一|五四|六一|七一|八一"
STAYING = (
    (  # 五一六一都有活动
        "一",
        (
            f"(?:{_ROW})(?<![{NUMERALS}码号房室是编拨打A-Z]..)(?:{_ROW}){{1,3}}(?:十一)?"
            "(?=都|也|两|这|那|期间|前后|的?时候|节|假|[、，和跟与]|放|活动|连|一起)"
        ),
    ),
    ("天", f"(?<![{NUMERALS}])(?:五一|六一|七一|八一|十一)(?=[一两二三四五六七八九]天)"),  # 五一|三天假
    ("号", f"(?<![{NUMERALS}])十一(?=[一二三四五六七]号)"),
    ("十一", f"(?<![{NUMERALS}])五一十一(?![{NUMERALS}点月号日年岁个位名人])"),
    (
        "号",
        f"(?<![{NUMERALS}第])(?:五一|十一)(?=[一二三四五六七]号(?:出发|走|去|回|开始|放假|上班|加班|值班|休息|开业|到))",
    ),
    ("点", f"(?<![{NUMERALS}])(?:五一|六一|七一|八一|三八|五四)(?=[二三四五六七八九]点(?![{NUMERALS}几]))"),
)
_SURELY = re.compile(
    "(?:国庆)?(?:假|放|长假|黄金周|小长假|期间|出游|出去|旅游|旅行|回|返程|出行|加班|值班|促销|大促|活动|档期?|"
    "那几天|那天|当天|快乐|下[午雨雪周班]|元旦|日程|日子|时候|时间|月饼|部门(?:聚餐|团建)|点名|加中秋|比[去今往平前]|人从众|多少|多[热冷堵挤忙]|头一|头[几两]天|集合|集中|比赛|年会|到(?:了|来|时候|$)|到[，。]|之前|之后|以后|以前|前后|过后|前[^面]|后[^面卫]|去|要|你|我|咱|准备|打算|怎么|人多|人山|人太|到处|"
    "景区|高速|节|连休|休)"
)
_COUNTS_AFTER = re.compile(
    f"{CLASSIFIER}|{MEASURE}|"
    "[点月号日时年岁元块毛角分倍度折成%％多来级届比加减乘除栋幢床桌排排线频颗粒朵轮战杆环下维票胜负选余到至、]|等[于份奖分]|"
    "[册卷枝载担箱单宗桩捆摞沓瓣垛堵壶篮缕捧坪扇胎筒丸盆缸锅勺丛垄畦窝坨帖孔]|起(?:$|[，。、；]|[是为属都均案火事盗抢诈交投纠警])|单元|[和跟与或]十[二三四五六七八九]|路(?!上|况|程|线)|连[胜败冠击环霸涨跌平]|人|边形|进制|米|之[一二三四五六七八九多几]|[A-Za-z%]|[—~-]"
)
_COUNTS_BEFORE = re.compile(
    "(?:[是为第负加减乘除比共初图表]|等于|乘以|除以|加上|减去|分之|编号|尾号|序号|代码|答案|结果|得数|数字|数值|附件|附录|"
    "总共|一共|合计|总计|共计|接警|[查侦]处|侦破|破获|受理|不到|超过|将近|至少|最多|大于|小于|高于|低于|排名?第?|[升降增减涨跌][到至]了?|零下|零上|"
    f"[改换变设调切选]成|[A-Za-z0-9] ?|[{NUMERALS}]月|[{NUMERALS}]点|"
    f"(?<![五六七八]一)(?<!双十一)(?<=[{NUMERALS}])[、和跟与或到至比])$"
)
_TIME_BEFORE = re.compile(  # 趁十一|把房子装了
    "(?:趁着?|赶在|赶上|赶着|等到|等着|盼着?|自从|自打|打从|过了|过完|临近|接近|迎接|备战|奔着|冲着|利用|借着|好好过|五一[和跟与到]|"
    "中秋[和跟与到]|元旦[和跟与到]|春节[和跟与到]|[今去明前]年|每年|往年|定在|安排在|推到|拖到|改到|约在|选在|[票房]订?到了?)$"
)
_COUNTS_THEN = re.compile(
    f"[个点月号日岁年万亿天元块毛%％人位名条件楼层路线期届级周次倍度折成~——至]|{MEASURE}|[A-Za-z]"
)
_SOON_BEFORE = re.compile(  # 下周就是|十一了
    "(?:下+个?(?:周|星期|礼拜|月)[一二三四五六日天末]?|马上|眼看|眼瞅着?|转眼|很快|不久|[明后]天|大后天|过[两几]天|再过.{1,3}|"
    "接下来|接着|紧接着|后面|之后|过后|节后|中秋.{0,2}|假期|最近的假)"
    "[，]?(?:又|也|就|都|不)?(?:就?[是到]|要到|该到|快到)$"
)
_SOON_AFTER = re.compile("(?:了|假|长假|黄金周|放假|呢|吧|啦|[，。！？]|$)")
_LOOK_BACK = 12


def eleven_is_holiday(text: str, start: int, end: int) -> bool:
    """Return whether the run ``text[start:end]`` is 十一 and nothing beside it counts; ``text`` is folded."""
    if text[start:end] != "十一":
        return False
    before = text[max(0, start - _LOOK_BACK) : start]
    if _TIME_BEFORE.search(before) and not _COUNTS_THEN.match(text, end):
        return True
    if _COUNTS_BEFORE.search(before):
        return bool(_SOON_BEFORE.search(before) and _SOON_AFTER.match(text, end))
    if (
        _SURELY.match(text, end)
        or begins_word(text, end)
        or text.startswith(words_of("holiday_words.txt"), end)
    ):
        return True
    return not _COUNTS_AFTER.match(text, end)
