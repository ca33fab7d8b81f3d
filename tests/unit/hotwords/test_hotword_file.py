"""Hotword files as people save them: encodings, lines, inclusions, attacks, and being saved while read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from asr_daemon.hotwords import HotwordFileError, read_hotwords
from asr_daemon.hotwords import source as source_module
from asr_daemon.hotwords.source import read_stable

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = (
    "# 财务部\r\n顾清源　\r\n\r\n  ＡＩ 平台\t\r\n故清源=>顾清源 # 备注\r\n"
    "年度预算 -> 年度决算\r\n温如育→温如玉"
)
WORDS = ("顾清源", "AI 平台")
REPLACEMENTS = (("故清源", "顾清源"), ("年度预算", "年度决算"), ("温如育", "温如玉"))


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write the file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_every_encoding_reads_the_same(tmp_path: Path, encoding: str, line_end: str) -> None:
    """A file serves the same list in every encoding and with every line end that editors write."""
    text = CONTENT.replace("\r\n", line_end).replace("　", "" if encoding == "gbk" else "　")
    result = read_hotwords(write(tmp_path / "a.txt", text, encoding))
    assert result.words == WORDS
    assert result.replacements == REPLACEMENTS
    assert result.problems == ()


def test_utf16_big_endian_with_its_mark(tmp_path: Path) -> None:
    """Notepad's "Unicode big endian" is read."""
    (tmp_path / "a.txt").write_bytes(b"\xfe\xff" + "顾清源\r\n".encode("utf-16-be"))
    assert read_hotwords(tmp_path / "a.txt").words == ("顾清源",)


@pytest.mark.parametrize("word", ["学习", "联通", "毛泽东", "一一", "顾清源"])
def test_a_single_gbk_word_is_not_mistaken_for_utf8(tmp_path: Path, word: str) -> None:
    """Words whose GBK bytes happen to be valid UTF-8 are still Chinese."""
    assert read_hotwords(write(tmp_path / "a.txt", word, "gbk")).words == (word,)


def test_latin_letters_with_accents_stay_utf8(tmp_path: Path) -> None:
    """A foreign name in UTF-8 is not turned into a Chinese character."""
    assert read_hotwords(write(tmp_path / "a.txt", "Zoë\nRené\n")).words == ("Zoë", "René")


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_stray_zero_byte_makes_no_utf16(tmp_path: Path, encoding: str) -> None:
    """One zero byte spoils its line, not the file."""
    result = read_hotwords(write(tmp_path / "a.txt", "顾清源\n温\0如玉\n岳明远啊\n", encoding))
    assert result.words == ("顾清源", "岳明远啊")
    assert [problem.line for problem in result.problems] == [2]


def test_one_damaged_line_is_named_and_the_others_serve(tmp_path: Path) -> None:
    """A GBK line in a UTF-8 file is a problem of that line alone."""
    path = tmp_path / "a.txt"
    path.write_bytes("顾清源\n".encode() + "温如玉\n".encode("gbk") + "岳明远\n".encode())
    result = read_hotwords(path)
    assert result.words == ("顾清源", "岳明远")
    assert [(problem.line, problem.path) for problem in result.problems] == [(2, path)]
    assert "damaged" in result.problems[0].text
    assert "损坏" in result.problems[0].chinese


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("张三、李四", "line of its own"),
        ("张三，李四", "line of its own"),
        ("张三 李四", "line of its own"),
        ("顾清源\t财务部", "line of its own"),
        ("顾清源|小顾", "line of its own"),
        ("顾清源/小顾", "line of its own"),
        ("故清源 = 顾清源", "which side is wrong"),
        ("姓名：顾清源", "which nobody says"),
        ("// 财务部", "begins with #"),
        ("=>顾清源", "one wrong form"),
        ("a=>b=>c", "one wrong form"),
        ("顾清源=>顾清源", "the same"),
        ("<s>", "mark of the models"),
        ("顾<unk>源", "mark of the models"),
        ("词" * 41, "41 characters"),
        ("词" * 100_000, "100000 characters"),
        ("词=>" + "字" * 201, "longer than 200"),
        ("。。。", "no letter"),
        ("王", "One character alone"),
        ("王。", "One character alone"),
        ("顾\x00清", "control characters"),
        ("\x1b[31m红", "control characters"),
        ("@include", "names no file"),
    ],
)
def test_wrong_lines_are_named_and_the_others_serve(tmp_path: Path, line: str, part: str) -> None:
    """Each kind of wrong line is one sentence with its number, in English and in Chinese."""
    result = read_hotwords(write(tmp_path / "a.txt", f"前词\n{line}\n后词\n"))
    assert result.words == ("前词", "后词")
    (problem,) = result.problems
    assert problem.line == 2
    assert part in problem.text
    assert problem.chinese


@pytest.mark.parametrize(
    "word", ["http://10.0.0.1/a", "https://x.cn/热词.txt", "../../etc/passwd", "/etc/x.txt"]
)
def test_what_looks_like_an_address_or_a_path_is_just_a_word(tmp_path: Path, word: str) -> None:
    """Nothing in a line is fetched or opened."""
    result = read_hotwords(write(tmp_path / "a.txt", word))
    assert result.words == (word,)
    assert result.problems == ()


def test_a_sharp_sign_inside_a_word_is_no_comment(tmp_path: Path) -> None:
    """C# is a word; a comment follows a blank."""
    assert read_hotwords(write(tmp_path / "a.txt", "C#\nC# 语言 # 编程\n")).words == ("C#", "C# 语言")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("顾清源 20", "顾清源"),
        ("顾清源　20", "顾清源"),
        ("顾清源\t5", "顾清源"),
        ("顾清源:5", "顾清源"),
        ("顾清源：5", "顾清源"),
        ("顾清源,5", "顾清源"),
        ("kubernetes\t10", "kubernetes"),
        ('"顾清源": 20,', "顾清源"),
        ("“顾清源”", "顾清源"),
        ("《人民日报》", "人民日报"),
        ("【星河计划】", "星河计划"),
        ("“双碳”目标", "双碳目标"),
        ("买买提·阿凡提", "买买提阿凡提"),
        ("张　三", "张三"),
        ("1、顾清源", "顾清源"),
        ("2. 顾清源", "顾清源"),
        ("（3）顾清源", "顾清源"),
        ("• 顾清源", "顾清源"),
        ("顾清源（财务部）", "顾清源"),
        ("苏星（中国）有限公司", "苏星中国有限公司"),
        ("顾清源。", "顾清源"),
    ],
)
def test_a_word_is_taken_as_people_write_it_into_a_list(tmp_path: Path, line: str, word: str) -> None:
    """Weights, quotation marks, numbers of a list and notes are no part of the word."""
    result = read_hotwords(write(tmp_path / "a.txt", f"前词\n{line}\n"))
    assert result.words == ("前词", word)
    assert result.problems == ()


@pytest.mark.parametrize(
    "word",
    ["Windows 11", "会议室 301", "58.com", "3.5匹空调", "比分3:2", "COVID-19", "A/B测试", "R&D 中心", "C++"],
)
def test_numbers_and_signs_that_belong_to_a_word_stay(tmp_path: Path, word: str) -> None:
    """Not every number behind a word is a weight, not every sign an ornament."""
    assert read_hotwords(write(tmp_path / "a.txt", f"前词\n{word}\n")).words == ("前词", word)


def test_in_a_list_with_weights_latin_words_have_them_too(tmp_path: Path) -> None:
    """FunASR's own lists mix both: one Chinese line with a weight tells what the numbers are."""
    result = read_hotwords(write(tmp_path / "a.txt", "阿里巴巴 20\nkubernetes 10\nhello world 5\n"))
    assert result.words == ("阿里巴巴", "kubernetes", "hello world")


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("故清源=》顾清源", ("故清源", "顾清源")),  # what a Chinese input method makes of =>
        ("故清源 —> 顾清源", ("故清源", "顾清源")),
        ("“故清源”=>“顾清源”", ("故清源", "顾清源")),
        ("双碳=>“双碳”", ("双碳", "“双碳”")),
        ("《红楼》=>《红楼梦》", ("红楼", "《红楼梦》")),
        ("４０４车间=>锻压车间", ("404车间", "锻压车间")),
        ("1、故清源=>顾清源", ("故清源", "顾清源")),
    ],
)
def test_replacements_are_taken_as_people_write_them(
    tmp_path: Path, line: str, pair: tuple[str, str]
) -> None:
    """Arrows of every keyboard; quotation marks around both sides are none of the text."""
    result = read_hotwords(write(tmp_path / "a.txt", line))
    assert result.replacements == (pair,)
    assert result.problems == ()


def test_phrases_stay_one_hotword(tmp_path: Path) -> None:
    """Blanks inside a line are one blank inside one word."""
    assert read_hotwords(write(tmp_path / "a.txt", "machine　 learning\n")).words == ("machine learning",)


def test_the_digest_is_of_the_content_that_counts(tmp_path: Path) -> None:
    """Comments, blank lines, repeats and the encoding do not change it; a word does."""
    plain = read_hotwords(write(tmp_path / "a.txt", "顾清源\n甲=>乙丙\n")).digest
    same = read_hotwords(
        write(tmp_path / "b.txt", "# x\r\n\r\n顾清源\r\n甲 → 乙丙\r\n顾清源", "utf-16")
    ).digest
    other = read_hotwords(write(tmp_path / "c.txt", "顾清园\n甲=>乙丙\n")).digest
    assert plain == same
    assert plain != other
    assert len(plain) == 64


def test_a_change_is_seen_though_size_and_time_stay_the_same(tmp_path: Path) -> None:
    """Lists are known by their content: a share may give every version the same second."""
    path = write(tmp_path / "a.txt", "顾清源\n")
    before = path.stat()
    first = read_hotwords(path).words
    write(path, "岳明远\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (first, read_hotwords(path).words) == (("顾清源",), ("岳明远",))


def test_ten_thousand_lines(tmp_path: Path) -> None:
    """A long list is read whole, in its order."""
    words = [f"词{chr(0x4E00 + i % 5000)}{chr(0x4E00 + i // 5000)}" for i in range(10_000)]
    assert read_hotwords(write(tmp_path / "a.txt", "\n".join(words))).words == tuple(words)


# ------------------------------------------------------------------ inclusions


def test_an_inclusion_takes_its_place(tmp_path: Path) -> None:
    """Words of an included file, relative to the including one, stand where the line stood."""
    write(tmp_path / "lists" / "common.txt", "总公司\n@include more/more.txt")
    write(tmp_path / "lists" / "more" / "more.txt", "分公司")
    path = write(tmp_path / "a.txt", "甲方\n@include lists/common.txt\n乙方\n", "gb18030")
    assert read_hotwords(path).words == ("甲方", "总公司", "分公司", "乙方")


def test_backslashes_of_windows_serve(tmp_path: Path) -> None:
    """Whoever edits in Notepad writes backslashes."""
    write(tmp_path / "lists" / "common.txt", "总公司")
    path = write(tmp_path / "a.txt", '@include "lists\\common.txt"')
    assert read_hotwords(path).words == ("总公司",)


def test_a_circle_is_named_and_the_words_serve(tmp_path: Path) -> None:
    """Files that include one another end, with each word once."""
    write(tmp_path / "a.txt", "甲词\n@include b.txt\n")
    write(tmp_path / "b.txt", "乙词\n@include a.txt\n")
    result = read_hotwords(tmp_path / "a.txt")
    assert result.words == ("甲词", "乙词")
    (problem,) = result.problems
    assert (problem.path.name, problem.line) == ("b.txt", 2)
    assert "circle" in problem.text


def test_a_file_included_twice_is_no_circle(tmp_path: Path) -> None:
    """Two files may share a third."""
    write(tmp_path / "c.txt", "丙词")
    write(tmp_path / "b.txt", "@include c.txt")
    result = read_hotwords(write(tmp_path / "a.txt", "@include b.txt\n@include c.txt"))
    assert result.words == ("丙词",)
    assert result.problems == ()


def test_a_missing_inclusion_is_a_problem_of_its_line(tmp_path: Path) -> None:
    """The rest of the list serves."""
    result = read_hotwords(write(tmp_path / "a.txt", "甲词\n@include nix.txt"))
    assert result.words == ("甲词",)
    assert "does not exist" in result.problems[0].text


def test_inclusions_do_not_leave_the_departments_folders(tmp_path: Path) -> None:
    """Neither by dots, nor absolutely, nor through a link, nor of another kind of file."""
    secret = write(tmp_path / "secret.txt", "密码甲")
    share = tmp_path / "share" / "finance"
    write(share / "notes.md", "密码乙")
    (share / "link.txt").symlink_to(secret)
    lines = ["@include ../../secret.txt", f"@include {secret}", "@include link.txt", "@include notes.md"]
    result = read_hotwords(write(share / "a.txt", "\n".join(["甲词", *lines])))
    assert result.words == ("甲词",)
    assert [problem.line for problem in result.problems] == [2, 3, 4, 5]


def test_a_chain_of_a_hundred_files_ends(tmp_path: Path) -> None:
    """An endless chain of inclusions is cut, and said."""
    for number in range(100):
        write(tmp_path / f"{number}.txt", f"词{number}\n@include {number + 1}.txt")
    result = read_hotwords(tmp_path / "0.txt")
    assert len(result.words) == 50
    assert "more than 50 files" in result.problems[0].text


# ------------------------------------------------------------------ the file itself


def test_a_missing_file_raises_with_its_name(tmp_path: Path) -> None:
    """The error names the file as it was configured."""
    with pytest.raises(HotwordFileError, match=r"nix\.txt: does not exist"):
        read_hotwords(tmp_path / "nix.txt")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no list."""
    with pytest.raises(HotwordFileError, match="not an ordinary file"):
        read_hotwords(tmp_path)


def test_a_named_pipe_does_not_hold_the_reader(tmp_path: Path) -> None:
    """Nobody need write to it."""
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(HotwordFileError, match="not an ordinary file"):
        read_hotwords(tmp_path / "a.txt")


def test_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    """Links that lead to one another end in an error, not in a hang."""
    (tmp_path / "a.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    with pytest.raises(HotwordFileError):
        read_hotwords(tmp_path / "a.txt")


def test_the_configured_path_may_be_a_link(tmp_path: Path) -> None:
    """An administrator may point into the share; inclusions are relative to the real file."""
    write(tmp_path / "share" / "common.txt", "总公司")
    real = write(tmp_path / "share" / "words.txt", "@include common.txt")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "finance.txt").symlink_to(real)
    assert read_hotwords(tmp_path / "etc" / "finance.txt").words == ("总公司",)


def test_a_recording_in_place_of_a_list_is_refused(tmp_path: Path) -> None:
    """A very large file is not read."""
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(source_module.MAX_BYTES + 1)
    with pytest.raises(HotwordFileError, match="larger than 1 MB"):
        read_hotwords(tmp_path / "a.txt")


def test_a_file_emptied_by_a_saving_editor_is_looked_at_again(tmp_path: Path) -> None:
    """Between the editor's truncation and its writing there is nothing: that is not the list."""
    path = write(tmp_path / "a.txt", "")
    pauses: list[float] = []

    def editor_writes(seconds: float) -> None:
        pauses.append(seconds)
        path.write_text("顾清源\n", encoding="utf-8")

    assert read_stable(path, pause=editor_writes) == "顾清源\n".encode()
    assert len(pauses) == 1


def test_a_file_moved_away_by_a_saving_editor_is_looked_at_again(tmp_path: Path) -> None:
    """Some editors move the old file away before they put the new one in its place."""
    path = tmp_path / "a.txt"
    assert read_stable(path, pause=lambda _: write(path, "顾清源\n") and None) == "顾清源\n".encode()
    path.unlink()
    pauses: list[float] = []
    with pytest.raises(HotwordFileError, match="does not exist"):
        read_stable(path, pause=pauses.append)
    assert len(pauses) == 1


def test_a_file_that_stays_empty_is_an_empty_list(tmp_path: Path) -> None:
    """A department may have no hotwords."""
    path = write(tmp_path / "a.txt", "")
    assert read_stable(path, pause=lambda _: None) == b""
    assert read_hotwords(path).words == ()


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content of two moments never serves; the last whole one does."""
    path = write(tmp_path / "a.txt", "旧词\n")
    real_fstat, looks = os.fstat, []

    def fstat(descriptor: int) -> os.stat_result:
        looks.append(descriptor)
        if len(looks) == 2:  # after the first reading, before the second look
            path.write_text("新词甲\n新词乙\n", encoding="utf-8")
        return real_fstat(descriptor)

    monkeypatch.setattr(source_module.os, "fstat", fstat)
    assert read_stable(path, pause=lambda _: None).decode() == "新词甲\n新词乙\n"


def test_a_file_that_never_rests_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader gives up rather than serve half a list."""
    path = write(tmp_path / "a.txt", "词\n")
    real_fstat = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        with path.open("a", encoding="utf-8") as file:
            file.write("词\n")
        return real_fstat(descriptor)

    monkeypatch.setattr(source_module.os, "fstat", fstat)
    with pytest.raises(HotwordFileError, match="being written"):
        read_stable(path, pause=lambda _: None)
