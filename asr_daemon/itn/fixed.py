"""Patterns of what stays as it is spoken: approximate numbers, lunar dates, congresses, floors below ground.

All are matched on the folded text; the numerals of a match are masked. Names and holidays have theirs beside
their rules.
"""

from __future__ import annotations

import re

from asr_daemon.itn import holidays, names
from asr_daemon.itn.characters import FEW, NOT_N, NUMERALS
from asr_daemon.itn.context import CLASSIFIER, DAYTIME, MEASURE

_SHORT = f"(?<![{NUMERALS}])[{NUMERALS}]{{1,8}}{NOT_N}"
_COUNTED = "[个人天年岁块元万亿米里斤次号条件位名家本张只种分页公克吨平度倍层户台辆点多]"
_CONGRESS = f"(?<![{NUMERALS}第])(?:十[二三四五六七八九]|二十[一二]?)"
_NO_CONGRESS = (  # 十二大类
    "块目卡步难军战奇名酷王家硬古宝毒洲洋件杯碗盒箱桶瓶车圈堆批排类亮问措举领板任重品"
    "行城看趋优功特原系工项技方核主热关要体模场景"
)
# Beside each pattern what it cannot do without: a text without that need not be searched.
STAYING = tuple(
    (needle, re.compile(pattern))
    for needle, pattern in (
        ("届", f"{_SHORT}届[一二三四五六七八九]中全会"),
        ("八", r"十([个块天年次斤])八\1"),
        # 三块五块的
        ("", rf"(?<![{NUMERALS}点])[一二两三四五六七八九]([年块毛])[二两三四五六七八九]\1{NOT_N}"),
        (
            "数十",
            f"(?<![人总分次个件位倍指基级届页天岁读参系函票股户房层期计年字行线])数十(?:[万亿]{{0,2}}{NOT_N}|(?=千[克瓦米帕卡赫伏]))",
        ),
        ("几", f"{_SHORT}(?=好?{FEW})"),
        ("几", f"(?<=几)[{NUMERALS}]{{1,8}}"),
        ("来", f"{_SHORT}(?=来{_COUNTED})(?!来(?:自|到|源|说|看|人了))"),
        ("中", f"{_SHORT}[罚投射]{_SHORT}中(?!的|场|锋)"),  # 十罚九中
        ("中", f"(?:三分球?|两分球?|二分球?|投篮|罚球|罚篮|出手|射门|打靶)[是仅只才]?{_SHORT}中{_SHORT}"),
        ("得", r"[一二三四五六七八九]{2}得[一二三四五六七八九]"),  # 二三得六二四得八
        (  # 三四到五百
            "到",
            (
                f"(?<![{NUMERALS}])(?:一二|两三|二三|三四|四五|五六|六七|七八|八九)到"
                f"[三四五六七八九](?:[百千]万?|[万亿]){NOT_N}"
            ),
        ),
        ("省", f"{_SHORT}省{_SHORT}[市区县]"),  # 九省十市
        ("月份", "(?<![零一二三四五六七八九百千])九十月(?=份)"),
        (  # 高二|十三班
            "班",
            f"(?<![{NUMERALS}提最升增])[高初][一二三](?=(?:[二三四]?十[一二三四五六七八九]?|二零)班)",
        ),
        ("十六进八", f"十六进八(?![{NUMERALS}])"),
        ("进制", f"{_SHORT}(?=进制)"),
        ("九十点", f"(?:{DAYTIME}|差不多|大概|大约|[睡等玩拖干忙]?到)九十点(?![{NUMERALS}分])"),
        ("九十点", "九十点(?=钟|左右|多|开会|来|去|起|才|见|出|的时候|睡|再)"),
        (
            "一点",
            (
                "(?<=[这那哪])一点(?=[一两二三四五六七八九]"
                "(?:个(?!百分点|点)|家|位|名|人|方|部门|年[前级来间]|次|张|件|项))"
            ),
        ),
        (
            "点",  # 这两点|三个小组
            (
                f"(?:(?<=[这那哪讲说提上下后])(?<![早晚]上)(?<!午后)|(?<=[讲说提]的))[两二三四五六七八九]点(?=[一两二三四五六七八九]"
                f"(?:个(?!百分点|点|多?小时|半?月|亿|百|单位|学分|工作日|工时|平方|身位|标准){NOT_N}|"
                "家(?!庭)|位(?!数)|名|人(?!次|民|份)|方|部门|科室|车间|组|班))"
            ),
        ),
        ("十有", r"[二三四五六七八九]十有[一二三四五六七八九]"),
        ("点一过", "点一(?=过)"),
        ("十数", "十(?=数[万亿人个年天日里种名次位家倍座条块元岁])"),
        ("十", "(?:路易|查理|亨利|乔治|彼得|亚历山大|本笃|庇护|若望)十[一二三四五六]"),
        ("元", f"{_SHORT}元[{NUMERALS}]次"),
        (
            "",
            r"大年(?:三十|初[一二三四五六七八九十])|(?<![今去明前后每])年三十(?=晚|夜|儿|那天|$)|(?<![年最起当期])初十",
        ),
        ("月", r"(?:正月|腊月|冬月)(?:初|廿)?[一二三四五六七八九十]{1,3}"),
        ("月", f"(?:农历|阴历|旧历|闰)[{NUMERALS}]{{1,3}}月(?:初|廿)?(?:[{NUMERALS}]{{1,3}})?"),
        ("月", f"[{NUMERALS}]{{1,3}}月(?:初|廿)[{NUMERALS}]{{1,2}}"),
        ("负", f"负{_SHORT}[楼层]"),
        ("第", "第[一二三四五六七八九](?:百货|百盛)"),
        ("一年", f"(?<![{NUMERALS}])一年(?=[一两二三四五六七八九几][次回趟度])"),
        ("大", f"{_CONGRESS}大(?![{_NO_CONGRESS}])"),
        *names.STAYING,
        *holidays.STAYING,
        ("十一", rf"(?<=国庆|过完|放完|临近)十一(?!{CLASSIFIER}|{MEASURE}|[{NUMERALS}点月号])"),
        ("班", r"[一二三四五六]年[一二三四五六七八九十]+班"),
        ("", f"(?:十几|几十|上百|数十)(?:到|至){_SHORT}"),
    )
)
