"""Words corrected again and again: offered, and added to the list that people keep in Notepad."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon

from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m
from asr_daemon.hotwords import read_hotwords

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EditedDaemon]:
    """Return it; the list of the inbox lies outside of it."""
    (tmp_path / "lists").mkdir()
    site = EditedDaemon(tmp_path, monkeypatch, hotwords=tmp_path / "lists" / "热词.txt")
    yield site
    site.shut()


def correct(site: EditedDaemon, secret: str, recording: int, *texts: str) -> None:
    """Write these texts over the segments of a recording."""
    for number, text in enumerate(texts):
        detail = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret)
        site.client.ask(c.Corrected, c.Correct(recording, detail.version, number, text), secret)


def suggested(site: EditedDaemon, secret: str) -> c.SuggestionList:
    """Return what is offered."""
    return site.client.ask(c.SuggestionList, c.GetSuggestions("inbox"), secret)


def test_word_that_was_corrected_twice_is_offered_and_added(site: EditedDaemon, tmp_path: Path) -> None:
    """A name becomes a hotword, other words a replacement; once in the list, they are offered no more."""
    secret = site.token("秘书", "inbox")
    said = ("请王晓明发言", "王晓明说这是诊断的结果", "打开肉味平台", "肉味平台的数据", "今天开会")
    wrote = ("请王小明发言", "王小明说这是诊断的结论", "打开Rooway平台", "Rooway平台的数据", "今天开会。")
    recording = site.transcribed("a.wav", *said)
    assert suggested(site, secret).suggestions == ()
    correct(site, secret, recording, *wrote)
    offered = suggested(site, secret)
    assert offered.digest == ""
    lines = [each.line for each in offered.suggestions]
    assert lines == ["肉味=>Rooway", "王小明"]
    told = site.client.ask(c.ListChanged, c.AddHotwords("inbox", "", tuple(lines)), secret)
    assert (told.added, told.backup) == (2, "")
    path = tmp_path / "lists" / "热词.txt"
    known = read_hotwords(path)
    assert (known.words, known.replacements, known.problems) == (("王小明",), (("肉味", "Rooway"),), ())
    after = suggested(site, secret)
    assert (after.suggestions, after.digest) == ((), told.digest)


def test_what_was_undone_teaches_nothing(site: EditedDaemon) -> None:
    """A step that was taken back was a mistake."""
    secret = site.token("秘书", "inbox")
    recording = site.transcribed("a.wav", "请王晓明发言", "王晓明说")
    correct(site, secret, recording, "请王小明发言", "王小明说")
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret)
    site.client.ask(c.Corrected, c.Undo(recording, detail.version), secret)
    assert suggested(site, secret).suggestions == ()


@pytest.mark.parametrize(
    ("encoding", "mark", "end"),
    [
        ("utf-8", b"", "\n"),
        ("utf-8", codecs.BOM_UTF8, "\r\n"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "\r\n"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "\r\n"),
        ("gb18030", b"", "\r\n"),
    ],
)
def test_encoding_and_line_ends_stay_and_a_copy_is_kept(
    site: EditedDaemon, tmp_path: Path, encoding: str, mark: bytes, end: str
) -> None:
    """As Notepad saved it; what was there is untouched, byte for byte."""
    path = tmp_path / "lists" / "热词.txt"
    is_ended = bool(mark)
    text = end.join(["# 财务部的词表", "张湖河", "双碳目标"]) + (end if is_ended else "")
    before = mark + text.encode(encoding)
    path.write_bytes(before)
    secret = site.token("秘书", "inbox")
    digest = suggested(site, secret).digest
    told = site.client.ask(c.ListChanged, c.AddHotwords("inbox", digest, ("王小明", "张湖河")), secret)
    assert told.added == 1
    assert path.read_bytes() == before + ("" if is_ended else end).encode(encoding) + ("王小明" + end).encode(
        encoding
    )
    assert path.with_name(told.backup).read_bytes() == before
    assert read_hotwords(path).words == ("张湖河", "双碳目标", "王小明")


def test_list_that_somebody_saved_meanwhile_is_not_written_over(site: EditedDaemon, tmp_path: Path) -> None:
    """Who adds is told, and nothing is changed."""
    path = tmp_path / "lists" / "热词.txt"
    path.write_bytes("张湖河\n".encode())
    secret = site.token("秘书", "inbox")
    digest = suggested(site, secret).digest
    path.write_bytes("张湖河\n李主任\n".encode())
    refusal = site.refused(c.AddHotwords("inbox", digest, ("王小明",)), secret)
    assert refusal.code == "conflict"
    assert path.read_text(encoding="utf-8") == "张湖河\n李主任\n"
    assert [each.name for each in path.parent.iterdir()] == ["热词.txt"]


@pytest.mark.parametrize("line", ["@include 别人.txt", "# 注释", "王", "一\n二", "<s>", "a\u202eb", "=>"])
def test_line_that_is_no_word_is_refused(site: EditedDaemon, tmp_path: Path, line: str) -> None:
    """No inclusion, no comment, nothing of two lines gets in by that way."""
    secret = site.token("秘书", "inbox")
    assert site.refused(c.AddHotwords("inbox", "", (line,)), secret).code == "refused"
    assert not list((tmp_path / "lists").iterdir())


def test_only_those_who_may_edit_there_add(site: EditedDaemon, tmp_path: Path) -> None:
    """Reading is not enough; the other department's inbox is none."""
    reader, other = site.token("r", "inbox", may="read"), site.token("o", "hr")
    assert site.refused(c.GetSuggestions("inbox"), reader).code == "forbidden"
    assert site.refused(c.AddHotwords("inbox", "", ("王小明",)), reader).code == "forbidden"
    assert site.refused(c.GetSuggestions("inbox"), other).code == "not_found"
    assert site.refused(c.GetSuggestions("hr"), other).code == "conflict"  # it has no list
    assert not list((tmp_path / "lists").iterdir())


def test_link_in_the_place_of_a_list_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A department that may write into its share makes one to a file of the service's."""
    victim = tmp_path / "victim.txt"
    victim.write_text("秘密的词\n", encoding="utf-8")
    site = EditedDaemon(tmp_path, monkeypatch, hotwords=tmp_path / "inbox" / "热词.txt")
    try:
        (tmp_path / "inbox" / "热词.txt").symlink_to(victim)
        secret = site.token("秘书", "inbox")
        assert site.refused(c.GetSuggestions("inbox"), secret).code == "unavailable"
        assert site.refused(c.AddHotwords("inbox", "", ("王小明",)), secret).code == "unavailable"
        assert victim.read_text(encoding="utf-8") == "秘密的词\n"
    finally:
        site.shut()
