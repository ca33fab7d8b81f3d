"""Correcting through the daemon's socket: who may, who is told, what is written and found afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon

from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EditedDaemon]:
    """Return it."""
    site = EditedDaemon(tmp_path, monkeypatch)
    yield site
    site.shut()


class Editor:
    """Somebody who edits a recording."""

    def __init__(self, site: EditedDaemon, name: str, recording: int, *, inbox: str = "inbox") -> None:
        self.secret = site.token(name, inbox)
        self.site, self.recording = site, recording
        self.look()

    def look(self) -> list[str]:
        """Open the recording; return its texts."""
        detail = self.site.client.ask(m.RecordingDetail, m.GetRecording(self.recording), self.secret)
        self.version, self.passages = detail.version, detail.passages
        return [passage.text for passage in detail.passages]

    def write(self, segment: int, text: str) -> c.Corrected | c.Outdated:
        """Write a text; who is told that it is another one by now looks at that."""
        return self.ask(c.Correct(self.recording, self.version, segment, text))

    def ask(self, request: c.CorrectingRequest) -> c.Corrected | c.Outdated:
        """Ask for a step."""
        told = self.site.client.ask_one_of((c.Corrected, c.Outdated), request, self.secret)
        if isinstance(told, c.Corrected):
            self.version = told.version
        return told

    def undo(self) -> c.Corrected | c.Outdated:
        """Take back the newest step."""
        return self.ask(c.Undo(self.recording, self.version))

    def story(self) -> c.CorrectionList:
        """Return what was done."""
        return self.site.client.ask(c.CorrectionList, c.GetCorrections(self.recording), self.secret)


def test_what_is_corrected_is_shown_written_and_found(site: EditedDaemon) -> None:
    """On the page, in every file, and in search; what was recognised stays in the history."""
    recording = site.transcribed("会议.wav", "请王晓明发言", "谢谢大家")
    editor = Editor(site, "秘书", recording)
    told = editor.write(0, "请王小明发言。")
    assert isinstance(told, c.Corrected)
    assert [each.text for each in told.passages] == ["请王小明发言。"]
    assert editor.look() == ["请王小明发言。", "谢谢大家"]
    assert site.rewritten() == 1
    for kind in ("txt", "srt", "json"):
        text = (site.inbox / f"会议.{kind}").read_text(encoding="utf-8")
        assert "请王小明发言。" in text
        assert ("请王晓明发言" in text) == (kind == "json"), kind  # as raw_text, there alone
    searches = {"王小明": 1, "王晓明": 0, "谢谢": 1, "小明 大家": 2}
    for words, count in searches.items():
        found = site.client.ask(m.Found, m.Search(words), editor.secret)
        assert len(found.places) == count, words
    rows = site.history.all("job_segments", job=site.recording(recording)["job_id"])
    assert [row["text"] for row in rows] == ["请王晓明发言", "谢谢大家"]
    assert site.rewritten() == 0


def test_second_editor_is_told_what_the_first_wrote(site: EditedDaemon) -> None:
    """Nothing of the first's is lost, and the second writes on what is in force."""
    recording = site.transcribed("a.wav", "一", "二", "三")
    first, second = Editor(site, "甲", recording), Editor(site, "乙", recording)
    first.ask(c.Join(recording, first.version, 0))
    told = second.write(1, "贰")
    assert isinstance(told, c.Outdated)
    assert [(each.who, each.kind, each.before, each.after) for each in told.steps] == [
        ("甲", "join", "一 / 二", "一 二")
    ]
    assert [each.text for each in told.passages] == ["一 二", "三"]
    assert first.look() == ["一 二", "三"]
    second.version = told.version
    assert isinstance(second.write(1, "叁"), c.Corrected)
    assert second.look() == ["一 二", "叁"]


def test_steps_are_taken_back_one_by_one_with_who_and_when(site: EditedDaemon) -> None:
    """To the last one: then everything is as it was recognised, in the files and in search, too."""
    recording = site.transcribed("a.wav", "今天开会明天放假", "散会")
    editor = Editor(site, "秘书", recording)
    before = {path.name: path.read_bytes() for path in site.inbox.iterdir()}
    editor.ask(c.Split(recording, editor.version, 0, 4))
    editor.ask(c.Correct(recording, editor.version, 1, "明天休假", "李主任"))
    editor.ask(c.Join(recording, editor.version, 1))
    assert editor.look() == ["今天开会", "明天休假 散会"]
    assert editor.passages[1].speaker == "李主任"
    told = [(each.kind, each.who, each.before, each.after) for each in editor.story().steps]
    assert told == [
        ("join", "秘书", "明天休假 / 散会", "明天休假 散会"),
        ("speaker", "秘书", "", "李主任"),
        ("text", "秘书", "明天放假", "明天休假"),
        ("split", "秘书", "今天开会明天放假", "今天开会 / 明天放假"),
    ]
    assert site.rewritten() == 1
    shown = []
    while editor.story().may_undo:
        editor.undo()
        shown.append(editor.look())
    assert shown == [
        ["今天开会", "明天休假", "散会"],
        ["今天开会", "明天休假", "散会"],
        ["今天开会", "明天放假", "散会"],
        ["今天开会明天放假", "散会"],
    ]
    assert site.refused(c.Undo(recording, editor.version), editor.secret).code == "refused"
    assert site.rewritten() == 1
    assert {path.name: path.read_bytes() for path in site.inbox.iterdir()} == before
    assert not site.client.ask(m.Found, m.Search("休假"), editor.secret).places
    assert len(site.client.ask(m.Found, m.Search("放假"), editor.secret).places) == 1


def test_file_that_a_person_edited_or_took_away_is_left(site: EditedDaemon) -> None:
    """The others are written anew."""
    recording = site.transcribed("a.wav", "王晓明")
    (site.inbox / "a.txt").write_text("我自己写的", encoding="utf-8")
    (site.inbox / "a.srt").unlink()
    Editor(site, "秘书", recording).write(0, "王小明")
    assert site.rewritten() == 1
    assert (site.inbox / "a.txt").read_text(encoding="utf-8") == "我自己写的"
    assert json.loads((site.inbox / "a.json").read_bytes())["segments"][0]["text"] == "王小明"
    assert sorted(path.name for path in site.inbox.iterdir()) == ["a.json", "a.txt", "a.wav"]


def test_retranscribing_keeps_what_lies_over_the_same_words(site: EditedDaemon) -> None:
    """What lies over other words is told with its time and text, and is forgotten when somebody says so."""
    recording = site.transcribed("a.wav", "请王晓明发言", "今天开会", "散会")
    editor = Editor(site, "秘书", recording)
    editor.write(0, "请王小明发言。")
    editor.write(1, "今天开大会")
    site.recognised_again(recording, "请王晓明发言", "今天不开会", "散会")
    assert editor.look() == ["请王小明发言。", "今天不开会", "散会"]
    assert "请王小明发言。" in (site.inbox / "a.txt").read_text(encoding="utf-8")
    story = editor.story()
    (left,) = story.unplaced
    assert (left.text, left.said, left.start_ms) == ("今天开大会", "今天开会", 1000)
    assert not story.may_undo
    assert len(site.client.ask(m.Found, m.Search("王小明"), editor.secret).places) == 1
    assert not site.client.ask(m.Found, m.Search("大会"), editor.secret).places
    assert site.client.ask(m.Found, m.Search("不开会"), editor.secret).places[0].text == "今天不开会"
    site.recognised_again(recording, "请王晓明发言", "今天开会", "散会")
    assert editor.look() == ["请王小明发言。", "今天开大会", "散会"]  # its words are back
    site.recognised_again(recording, "请王晓明发言", "今天不开会", "散会")
    editor.look()
    (left,) = editor.story().unplaced
    editor.ask(c.Discard(recording, editor.version, left.id))
    assert editor.story().unplaced == ()


def test_correction_made_on_an_older_recognition_is_refused(site: EditedDaemon) -> None:
    """Segment 1 is another one since: nothing is written over what nobody saw."""
    recording = site.transcribed("a.wav", "一", "二")
    editor = Editor(site, "秘书", recording)
    site.time.pass_s(60)
    site.recognised_again(recording, "零", "一", "二")
    told = editor.write(1, "贰")
    assert isinstance(told, c.Outdated)
    assert [each.text for each in told.passages] == ["零", "一", "二"]


def test_other_hotwords_keep_corrections(site: EditedDaemon) -> None:
    """The same recording under another profile is another row: what people wrote goes along."""
    from dataclasses import replace  # noqa: PLC0415

    from way import PROFILE  # noqa: PLC0415

    recording = site.transcribed("a.wav", "请王晓明发言", "开会")
    Editor(site, "甲", recording).write(0, "请王小明发言")
    again = site.put("a.wav", b"a.wav", replace(PROFILE, hotwords=("开会",)))
    assert again != recording
    site.finish(site.claim().id, "请王晓明发言", "开会")
    assert site.parts.deliverer.deliver(again)
    editor = Editor(site, "乙", again)
    assert editor.look() == ["请王小明发言", "开会"]
    assert "请王小明发言" in (site.inbox / "a.txt").read_text(encoding="utf-8")
    assert [step.who for step in editor.story().steps if step.kind == "text"] == ["甲"]


def test_copy_in_another_department_stays_as_it_is(site: EditedDaemon) -> None:
    """Both share what was recognised; what one department writes is not the other's."""
    mine = site.transcribed("a.wav", "王晓明", content=b"same")
    look = site.candidate("b.wav", b"same").look
    path = (site.inbox / "b.wav").rename(site.folder / "hr" / "b.wav")
    from dataclasses import replace  # noqa: PLC0415

    from way import PROFILE  # noqa: PLC0415

    sha256 = str(site.recording(mine)["sha256"])
    theirs = site.arrivals.put("hr", replace(look, path=path), sha256, PROFILE).recording
    assert site.parts.deliverer.deliver(theirs)
    Editor(site, "甲", mine).write(0, "王小明")
    site.rewritten()
    other = Editor(site, "乙", theirs, inbox="hr")
    assert other.look() == ["王晓明"]
    assert "王晓明" in (site.folder / "hr" / "b.txt").read_text(encoding="utf-8")
    assert not site.client.ask(m.Found, m.Search("王小明"), other.secret).places
    assert len(site.client.ask(m.Found, m.Search("王晓明"), other.secret).places) == 1


def test_only_those_who_may_edit_there_correct(site: EditedDaemon) -> None:
    """A reader is refused; for another department there is no such recording."""
    recording = site.transcribed("a.wav", "一", "二")
    version = Editor(site, "甲", recording).version
    reader, other = site.token("r", "inbox", may="read,upload"), site.token("o", "hr")
    for request in (
        c.Correct(recording, version, 0, "壹"),
        c.Split(recording, version, 0, 1),
        c.Join(recording, version, 0),
        c.Undo(recording, version),
        c.Discard(recording, version, 1),
    ):
        assert site.refused(request, reader).code == "forbidden"
        assert site.refused(request, other).code == "not_found"
    assert site.refused(c.GetCorrections(recording), other).code == "not_found"
    assert site.client.ask(c.CorrectionList, c.GetCorrections(recording), reader).steps == ()


def test_what_waits_for_its_share_is_written_when_that_is_back(
    site: EditedDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    """The correction is saved at once; its file follows."""
    recording = site.transcribed("a.wav", "王晓明")
    away = site.inbox.rename(site.folder / "away")
    Editor(site, "甲", recording).write(0, "王小明")
    assert site.rewritten() == 0
    away.rename(site.inbox)
    assert site.rewritten() == 1
    assert "王小明" in (site.inbox / "a.txt").read_text(encoding="utf-8")
    assert "王小明" not in caplog.text  # no event carries a text
