"""``hotwords check``, what was hit, and what a list changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asr_daemon.cli.hotwords import language_of
from asr_daemon.hotwords import read_hotwords
from asr_daemon.hotwords.check import Verdict, check_hotwords
from asr_daemon.hotwords.difference import find_changes
from asr_daemon.hotwords.hits import Hit, find_hits
from asr_daemon.hotwords.remark import Remark
from asr_daemon.hotwords.report import render_report, render_trial
from asr_daemon.hotwords.vocabulary import MAX_AT_ONCE, Vocabulary
from asr_daemon.transcripts.transcript import Correction, Segment

MODEL_NAME = Remark("a model", "小模型")
MODEL = Path(__file__).resolve().parents[3] / "asr_daemon" / "models" / "paraformer-tiny-zh"


def check(tmp_path: Path, text: str, family: str = "seaco_paraformer") -> dict[int, tuple[Verdict, str]]:
    """Return verdict and remarks by line number."""
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    report = check_hotwords(path, family, MODEL)
    return {
        line.line: (line.verdict, " ".join(remark.english for remark in line.remarks))
        for line in report.lines
    }


@pytest.mark.parametrize(
    ("line", "verdict", "part"),
    [
        ("顾清源", Verdict.GOOD, ""),
        ("故清源=>顾清源", Verdict.GOOD, ""),
        ("王", Verdict.UNUSABLE, "One character alone"),
        ("龘靐", Verdict.WARNING, "cannot write 龘靐"),
        ("5号楼", Verdict.UNUSABLE, "cannot write 5"),
        ("kubernetes", Verdict.UNUSABLE, "cannot write kubernetes"),
        ("中华人民共和国财政部预算司", Verdict.WARNING, "More than 10 characters"),
        ("国务院" * 8, Verdict.UNUSABLE, "20 tokens"),
        ("的=>地", Verdict.WARNING, "One character alone"),
        ("张三，李四", Verdict.UNUSABLE, "line of its own"),
        ("2024年预算", Verdict.UNUSABLE, "cannot write 2024 in 2024年预算"),
        ("2024年预算", Verdict.UNUSABLE, "write 二零二四年预算"),
        ("第12条", Verdict.UNUSABLE, "write 第十二条"),
        ("顾清源 20", Verdict.WARNING, "weights have no effect here"),
        ("顾清源\t5", Verdict.WARNING, "weights have no effect here"),
        ("顾清源（财务部）", Verdict.WARNING, "taken for a note"),
        ("“双碳”目标", Verdict.WARNING, "taken as 双碳目标"),
        ("《人民日报》", Verdict.GOOD, ""),
        ("顾清源|小顾", Verdict.UNUSABLE, "错词=>正词"),
        ("故清源 = 顾清源", Verdict.UNUSABLE, "which side is wrong"),
        ("你好，世界=>您好", Verdict.WARNING, "before punctuation"),
        ("404车间=>锻压车间", Verdict.GOOD, ""),
        ("4车间=>锻压车间", Verdict.WARNING, "Transcripts write 四车间"),
        ("http://x.cn/a.txt", Verdict.UNUSABLE, "cannot write http"),
    ],
)
def test_each_line_is_judged(tmp_path: Path, line: str, verdict: Verdict, part: str) -> None:
    """Every kind of trouble is said in a sentence, and how bad it is."""
    found, remarks = check(tmp_path, f"# 注释\n{line}\n")[2]
    assert found is verdict
    assert part in remarks
    assert bool(remarks) is bool(part)


def test_repeats_name_the_first_line(tmp_path: Path) -> None:
    """A repeated word is a warning, a second replacement of one form does nothing."""
    lines = check(tmp_path, "顾清源\n顾清源\n甲乙=>丙\n甲乙=>丁\n")
    assert lines[2][0] is Verdict.WARNING
    assert "line 1 of a.txt" in lines[2][1]
    assert lines[4][0] is Verdict.UNUSABLE
    assert "line 3 of a.txt" in lines[4][1]


def test_a_family_without_hotwords_is_said(tmp_path: Path) -> None:
    """The reader learns that the list serves by correction only."""
    path = tmp_path / "a.txt"
    path.write_text("顾清源\n", encoding="utf-8")
    report = check_hotwords(path, "sense_voice", None)
    assert "correction of its text alone" in report.remarks[0].english
    assert report.lines[0].tokens == ()


def test_a_word_that_nothing_brings_in_is_said(tmp_path: Path) -> None:
    """Without the model and without correction by sound only replacements are left."""
    path = tmp_path / "a.txt"
    path.write_text("顾清源\n故清源=>顾清源\n", encoding="utf-8")
    report = check_hotwords(path, "sense_voice", None, phonetic=False)
    assert [line.verdict for line in report.lines] == [Verdict.UNUSABLE, Verdict.GOOD]
    assert "replacements (错词=>正词) alone" in report.remarks[0].english
    assert check_hotwords(path, "sense_voice", None).is_good


def test_too_many_words_for_a_prompt_are_said(tmp_path: Path) -> None:
    """Fun-ASR-Nano's limit shows before it hurts."""
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"词{chr(0x4E00 + i)}" for i in range(101)), encoding="utf-8")
    assert "100 words at most" in check_hotwords(path, "fun_asr_nano", None).remarks[0].english


def test_more_words_than_take_part_at_once_are_said(tmp_path: Path) -> None:
    """Who lists a hundred names learns how many act in a segment, and which."""
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"顾清{chr(0x4E00 + i)}" for i in range(100)), encoding="utf-8")
    (remark,) = check_hotwords(path, "seaco_paraformer", MODEL).remarks
    assert remark.english.startswith(
        f"Of the 100 words each segment is read with the {MAX_AT_ONCE} that fit best"
    )


def test_a_broken_model_folder_is_said_not_raised(tmp_path: Path) -> None:
    """The check of the file goes on without the vocabulary."""
    path = tmp_path / "a.txt"
    path.write_text("顾清源\n", encoding="utf-8")
    report = check_hotwords(path, "seaco_paraformer", tmp_path)
    assert "cannot be read" in report.remarks[0].english
    assert report.lines[0].verdict is Verdict.GOOD


def test_the_rendering_shows_tokens_remarks_and_the_sum(tmp_path: Path) -> None:
    """What is printed has a line a word and the count at the end."""
    path = tmp_path / "a.txt"
    path.write_text("顾清源\n王\n\x1b张三、李四\n", encoding="utf-8")
    text = render_report(check_hotwords(path, "seaco_paraformer", MODEL), path, MODEL_NAME, "en")
    assert "顾清源  [顾 清 源]" in text
    assert "One character alone" in text
    assert "  张三、李四\n" in text
    digest = read_hotwords(path).digest[:12]
    assert "3 lines: 1 good, 0 with a warning, 2 without effect." in text
    assert text.endswith(f"Transcripts name the list {digest}.\n")


def test_the_report_speaks_the_reader_s_language(tmp_path: Path) -> None:
    """In Chinese no sentence is English, in English none is Chinese; without a choice both are there."""
    path = tmp_path / "a.txt"
    lines = [
        "顾清源 20",
        "2024年预算",
        "龘靐",
        "张三、李四",
        "王",
        "甲乙=>丙丁",
        "甲乙=>丙戊",
        "的=>地",
        "2024年预算",
    ]
    path.write_text("\n".join([*lines, *(f"程千{chr(0x4E00 + i)}" for i in range(60))]), encoding="utf-8")
    report = check_hotwords(path, "seaco_paraformer", MODEL, phonetic=False)
    in_chinese = render_report(report, path, MODEL_NAME, "zh")
    assert not re.search(
        "[A-Za-z]{3,}",
        in_chinese.replace(str(path), "")
        .replace(report.digest[:12], "")
        .replace("phonetic_correction", "")
        .replace("a.txt", ""),
    )
    for said in (
        "权重在这里不起作用",
        "字表里没有“2024”",
        "写成“二零二四年预算”",
        "分成多行",
        "第 2 行已经有了",
        "第 6 行替换",
        "不起作用",
        "没有启用按读音纠正",
    ):
        assert said in in_chinese
    in_english = render_report(report, path, MODEL_NAME, "en")
    assert "。" not in in_english
    both = render_report(report, path, MODEL_NAME, "both")
    for line in report.lines:
        for remark in line.remarks:
            assert remark.english in both
            assert remark.chinese in both


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "both"),
        ({"LANG": "C.UTF-8"}, "both"),
        ({"LANG": "en_US.UTF-8"}, "both"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "both"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
    ],
)
def test_the_locale_chooses_the_language(environment: dict[str, str], language: str) -> None:
    """Chinese is never missing: servers have an English locale, the list's editors do not."""
    assert language_of(environment) == language


# ------------------------------------------------------------------ the vocabulary


def test_words_are_divided_as_the_model_writes_them() -> None:
    """Whole words by the division list, abbreviations by letters, the rest character by character."""
    numbers = {token: i for i, token in enumerate(["a", "i", "平", "台", "ku@@", "ber", "hello"])}
    vocabulary = Vocabulary(numbers, {"kuber": ("ku@@", "ber"), "hello": ("hello",)})
    assert vocabulary.spell("AI平台").tokens == ("a", "i", "平", "台")
    assert vocabulary.spell("Kuber hello").tokens == ("ku@@", "ber", "hello")
    assert vocabulary.spell("Kuber hello").numbers == (4, 5, 6)
    assert vocabulary.spell("ai").unknown == ("ai",)
    assert vocabulary.spell("平<s>台").unknown == ("<", "s", ">")


def test_the_model_s_own_marks_are_no_tokens() -> None:
    """<s> and <unk> cannot be asked for."""
    vocabulary = Vocabulary.read(MODEL)
    assert vocabulary.spell("<s>").numbers == ()
    assert vocabulary.spell("<unk>").unknown


# ------------------------------------------------------------------ hits


def test_hits_say_who_put_the_word_there() -> None:
    """A word that a correction brought in is the correction's, another the model's."""
    raw = "请程千里联系城千里和飞于中端"
    corrections = (
        Correction(6, 9, "城千里", "程千里", "phonetic"),
        Correction(10, 14, "飞于中端", "飞鱼终端", "phonetic"),
    )
    assert find_hits(raw, corrections, ["飞鱼终端", "程千里", "顾清源"]) == (
        Hit("程千里", "model"),
        Hit("程千里", "correction"),
        Hit("飞鱼终端", "correction"),
    )


def test_latin_hotwords_are_hit_as_whole_words_in_any_case() -> None:
    """AI is in 用ai做 but not in "said"; blanks between Chinese characters do not count."""
    assert find_hits("用ai做", (), ["AI"]) == (Hit("AI", "model"),)
    assert find_hits("he said", (), ["AI"]) == ()
    assert find_hits("用 machine  learning 做", (), ["Machine Learning"]) == (
        Hit("Machine Learning", "model"),
    )
    assert find_hits("(a+b) C++", (), ["C++", "(a+b)", " "]) == (Hit("(a+b)", "model"), Hit("C++", "model"))


# ------------------------------------------------------------------ with and without a list


def test_changes_are_shown_with_time_context_and_hotword() -> None:
    """One place is one change, named with the hotword that it brought."""
    without = [
        Segment(0, 0, 900, "", "今天讨论"),
        Segment(1, 61_500, 64_000, "", "请部明来负责接口测试，谢谢。"),
    ]
    with_list = [
        Segment(0, 0, 900, "", "今天讨论"),
        Segment(1, 61_500, 64_000, "", "请顾明兰负责接口测试，谢谢。"),
    ]
    (change,) = find_changes(without, with_list, ["顾明兰", "程千里"])
    assert (change.start_ms, change.left, change.before, change.after) == (61_500, "请", "部明来", "顾明兰")
    assert change.right == "负责接口测试"
    assert change.hotwords == ("顾明兰",)
    shown = "01:01.500  请[部明来 → 顾明兰]负责接口测试   (顾明兰)\n"
    assert render_trial([change], ["顾明兰"], 2, "en") == f"{shown}1 of 2 hotwords are in the text: 顾明兰\n"
    assert render_trial([change], ["顾明兰"], 2, "zh") == f"{shown}转写稿里有 2 个热词中的 1 个：顾明兰\n"


def test_a_hotword_that_was_heard_in_part_is_shown_whole() -> None:
    """Of 岳明远 the last character was right; who reads the list looks for the name."""
    without = [Segment(0, 0, 900, "", "请运林远和飞于中段负责")]
    with_list = [Segment(0, 0, 900, "", "请岳明远和飞鱼终端负责")]
    changes = find_changes(without, with_list, ["岳明远", "飞鱼终端"])
    assert [(change.left, change.before, change.after) for change in changes] == [
        ("请", "运林远", "岳明远"),
        ("请运林远和", "飞于中段", "飞鱼终端"),
    ]


def test_no_change_is_said() -> None:
    """A list without effect is an answer, too."""
    segments = [Segment(0, 0, 900, "", "今天讨论")]
    assert find_changes(segments, segments) == ()
    assert render_trial((), (), 3, "zh") == "热词没有改变转写结果。\n转写稿里有 3 个热词中的 0 个。\n"
    assert render_trial((), (), 3, "both").startswith("The hotwords changed nothing.\n热词没有改变")


def test_a_segment_of_one_side_only_is_a_change() -> None:
    """Nothing that appears or goes is passed over."""
    (change,) = find_changes([], [Segment(0, 0, 900, "", "顾明兰")])
    assert (change.before, change.after) == ("", "顾明兰")
