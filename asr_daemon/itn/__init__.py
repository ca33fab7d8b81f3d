"""Inverse text normalisation of Mandarin: spoken numbers in, written minutes out.

``Normaliser(protect=words).normalise(text)`` returns a :class:`Normalised`: the raw text, the written
one, and the spans between them, so that token times survive; nothing outside the spans changes. A text goes
through five steps: traditional characters are folded for reading (``characters``), the text is parted at
marks and pauses (``borders``), the numerals that stay are masked (``listed`` for a hotword list's words,
then ``staying``, ``fixed``, ``names``, ``holidays``, ``protected`` and ``protected_words.txt``), the rules
read the runs of numerals that are left (``tagger``, and a module per family of types), and their readings
are written (``renderers``, ``normaliser``). A new type is a rule in its family's module and its name in the
tagger's order; a new fixed word is a word in ``protected_words.txt``, or in ``[itn] protect``. Whether a
counting word only begins a longer one (七百五|手续费) is asked of jieba's dictionary (``words``), which is
read once, at the first such question.

The style:

* Dates are digits, 年 and 月 stay, 号 after a month is 日, in a range too: 三月十五号到二十号 is
  3月15日到20日, 九八年 is 98年, 两千零八年 is 2008年. Without a month 号 stays: 十五号 is 15号. Decades
  are digits: 八十年代 is 80年代, 九零后 is 90后.
* Weekdays, festivals, named days, lunar dates, congresses and plans stay: 周三, 五一, 双十一, 大年三十,
  九一八, 十四五规划, 二十大. Three digits that are a label are written: 六一八 is 618, 九九六 is 996.
* Clock times are digits, 点, 分, 半, 刻 and 整 stay: 三点半 is 3点半, 八点零五分 is 8点05分, 差五分八点
  is 差5分8点. A single digit before 点 is an hour unless it counts arguments: 我说三点, 两点意见 stay;
  一点 is a time only beside one.
* Money is digits, units as spoken: 三块五毛 is 3块5毛, 三十九块三 is 39块3, 一点二万亿元 is 1.2万亿元.
* Cardinals of two figures and more are digits, 十 counts as two; one that ends on 万 or 亿 keeps it:
  三千五 is 3500, 十二万八千 is 128000, 三亿五千万 is 3亿5000万.
* A single digit stays alone and with a classifier (三个, 三天, 三楼). It is written with a physical unit,
  a currency, 年, 岁, 小时, 分钟, 秒, 号线, 号楼, in a date, time, decimal, ratio or sum, and before 到
  where its partner is written.
* Decimals and versions have points: 三点一四 is 3.14, 二点零点一 is 2.0.1. Percent, per mille, fractions
  and ratios have signs: 25.6%, 3‰, 1/3, 5:3; 百分之三到五 is 3%到5%. 八五折 is 8.5折; 七成 stays. 负 is
  -, but 零下 and 负一楼 stay.
* Three spoken digits and more are a digit string, 幺 is 1: 三零一医院 is 301医院. A digit beside a letter
  is written: GPT四 is GPT4, 五G is 5G; APP三次 stays.
* A phrase is written whole or stays whole: 三年零六个月 is 3年零6个月, 两斤三 is 2斤3, 五号楼三单元六零二 is
  5号楼3单元602, 第二十七条第三款 stays; so does a range that shares its rank, 三到五百万. Lists of digits
  (五六七三个月, 第一二三产业) stay. 十一 is the holiday unless something beside it counts; eras stay.
* 第一 to 第九 stay, 第十二条 is 第12条. Approximate numbers stay (三四个, 十几, 两三百, 七八点钟); before
  多 and 余 the exact part is written: 二十多个 is 20多个.
* Idioms, fixed words and names stay. Where two readings are open (八千瓦, 万分之一, 一亿零五百万,
  七八年), the text stays.
* Nothing else changes: no blank and no punctuation is added, what is written already stays, and so do
  English number words (``twenty five percent``). A second pass changes nothing.
"""

from asr_daemon.itn.borders import may_part
from asr_daemon.itn.normalised import Normalised, Span
from asr_daemon.itn.normaliser import Normaliser

__all__ = ["Normalised", "Normaliser", "Span", "may_part"]
