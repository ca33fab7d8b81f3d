"""What ``hotwords check`` says, in English and in Chinese."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.hotwords.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr_daemon.hotwords.source import HotwordFileError

_DIGITS = re.compile(r"[0-9]+")
_SPOKEN = str.maketrans("0123456789", "零一二三四五六七八九")
_TENS = 2  # figures that are read as a number; more of them may be one by one

NOT_BY_SOUND = Remark(
    "Correction by sound is off for this inbox (phonetic_correction).",
    "这个收件夹没有启用按读音纠正（phonetic_correction）。",
)
NO_MODEL_FOLDER = Remark(
    "The model's folder is not there: what it can write was not looked at.",
    "模型文件夹不存在，没有检查模型能写出哪些字。",
)
ONLY_A_REPLACEMENT = Remark(
    "Only a replacement (错词=>正词) can bring it in.", "只有用替换（错词=>正词）才能写出这个词。"
)
ONE_CHARACTER_REPLACED = Remark(
    "One character alone is replaced everywhere, inside other words, too.",
    "单个字会到处被替换，别的词里的这个字也会变。",
)


def model_takes_none(*, phonetic: bool) -> Remark:
    """Return that the model itself knows no hotwords, and what is left."""
    how = "correction of its text" if phonetic else "replacements (错词=>正词)"
    chinese = "识别之后的文字纠正" if phonetic else "替换（错词=>正词）"
    return Remark(
        f"This model takes no hotwords: the list serves by {how} alone.",
        f"这个模型本身不接受热词，词表只通过{chinese}起作用。",
    )


def more_than_a_prompt_holds(words: int, most: int) -> Remark:
    """Return that the model is given only the first words."""
    return Remark(
        f"This model is given {most} words at most: the first of the {words}; "
        "the others serve by correction of its text alone.",
        f"这个模型最多接受 {most} 个热词：{words} 个词里只用最前面的，其余只用于识别之后的文字纠正。",
    )


def more_than_at_once(words: int, at_once: int) -> Remark:
    """Return how many words act in one segment."""
    return Remark(
        f"Of the {words} words each segment is read with the {at_once} that fit best what was "
        "heard; the others come in where they were nearly heard.",
        f"词表共 {words} 个词，每一段只用最接近所听到内容的 {at_once} 个；其余的词在几乎听到时才会写出来。",
    )


def unreadable_vocabulary(error: Exception) -> Remark:
    """Return that the words could not be compared with what the model can write."""
    return Remark(
        f"The model's vocabulary cannot be read, so that it was not looked at: {error}",
        f"模型的字表无法读取，没有检查模型能写出哪些字：{error}",
    )


def repeated(line: int, file: str) -> Remark:
    """Return where the word stands already."""
    return Remark(
        f"The word stands on line {line} of {file} already.", f"这个词在 {file} 第 {line} 行已经有了。"
    )


def long_word(most_chars: int) -> Remark:
    """Return that a word is longer than words are."""
    return Remark(
        f"More than {most_chars} characters are seldom recognised as one: list its parts.",
        f"超过 {most_chars} 个字的词很少能整个识别出来，请分成几个词来写。",
    )


def many_tokens(most: int) -> Remark:
    """Return that a word has more tokens than a model takes."""
    return Remark(
        f"The model is given words of {most} tokens at most; this has more.",
        f"模型接受的词最多 {most} 个单位（汉字或字母组合），这个词超过了，请写短一些。",
    )


def digits(word: str) -> Remark:
    """Return how to write a word with digits: as it is spoken."""
    spoken = spoken_form(word)
    return Remark(
        f"Digits are heard as words: write {spoken}, as it is spoken, and the normaliser makes the digits.",
        f"模型听到的是读音，不是数字：请按读法写成“{spoken}”，转写时会自动变成数字。",
    )


def cannot_write(stretches: Sequence[str], word: str, *, by_sound: bool) -> Remark:
    """Return which part of a word the model has no character for, as it stands in the word."""
    help_ = "correction by sound" if by_sound else "a replacement (错词=>正词)"
    chinese = "按读音纠正" if by_sound else "替换（错词=>正词）"
    parts, of_word = ", ".join(stretches), "" if [word] == [*stretches] else f" in {word}"
    listed = "”“".join(stretches)
    return Remark(
        f"The model cannot write {parts}{of_word} (its vocabulary has no such characters): "
        f"only {help_} can bring it in.",
        f"模型的字表里没有“{listed}”，写不出这个词，只能靠{chinese}。",
    )


def replaced_already(left: str, line: int, file: str) -> Remark:
    """Return that another line has a replacement for the same."""
    return Remark(
        f"{left} is replaced by line {line} of {file} already.",
        f"“{left}”已经由 {file} 第 {line} 行替换，这一行不起作用。",
    )


def replaced_hotword(left: str) -> Remark:
    """Return that the list brings in what it replaces."""
    return Remark(
        f"{left} is a hotword of this list as well: it is brought in and then replaced.",
        f"“{left}”同时又是热词：先被写出来，然后又被替换掉。",
    )


def marks_on_the_left(marks: str) -> Remark:
    """Return that a replacement waits for marks which are not there yet."""
    return Remark(
        f"Replacements come before punctuation: a left side with {marks} is seldom found.",
        f"替换在加标点之前进行，左边带有“{marks}”的写法很少能匹配到。",
    )


def written_with_characters(left: str) -> Remark:
    """Return that the transcript has no figure where the left side of a replacement has one."""
    spoken = spoken_form(left)
    return Remark(
        f"Transcripts write {spoken}, not {left}: write the left side so.",
        f"转写稿里写的是“{spoken}”，不是“{left}”：箭头左边请这样写。",
    )


def spoken_form(word: str) -> str:
    """Return a word with its figures in Chinese characters."""
    return _DIGITS.sub(lambda match: _as_spoken(match[0]), word)


def _as_spoken(figures: str) -> str:
    """Return the likeliest reading: two figures as a number, others one by one."""
    if len(figures) == _TENS and figures[0] != "0":
        tens, ones = list(figures.translate(_SPOKEN))
        return ("" if tens == "一" else tens) + "十" + ("" if ones == "零" else ones)
    return figures.translate(_SPOKEN)


def unreadable(error: HotwordFileError) -> Remark:
    """Say that the whole file cannot be read."""
    return Remark(str(error), f"{error.path}：{error.chinese}。")


def no_list(inbox: str) -> Remark:
    """Say that an inbox has no list to check."""
    return Remark(f"inbox {inbox!r} has no hotword file", f"收件夹 {inbox} 没有设置热词文件。")


def no_words(file: Path) -> Remark:
    """Say that there is nothing to try."""
    return Remark(f"{file} holds no hotword", f"{file} 里没有任何热词。")


def not_tried(problem: str) -> Remark:
    """Say why a recording could not be transcribed."""
    return Remark(problem, f"这个录音没能转写：{problem}")


def no_model(error: Exception) -> Remark:
    """Say that the model is missing, which the administrator has to get."""
    return Remark(str(error), "服务器上还没有这个模型，请让管理员先下载。")
