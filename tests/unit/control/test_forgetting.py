"""Forgetting: nothing of what was said is left in the history's bytes and in the share."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from doored import EditedDaemon
from way import PROFILE

from asr_daemon.control import corrections_messages as c
from asr_daemon.control import messages as m

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAID, WROTE = "Zwieback王晓明发言", "Quetzal王小明发言"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EditedDaemon]:
    """Return it."""
    site = EditedDaemon(tmp_path, monkeypatch)
    yield site
    site.shut()


def history_bytes(site: EditedDaemon) -> bytes:
    """Return every byte of the history's files."""
    return b"".join(path.read_bytes() for path in sorted(site.config.state_dir.glob("history.db*")))


def holds(site: EditedDaemon, *words: str) -> list[str]:
    """Return which of these words stand in the files, as a text or as the index has them."""
    data = history_bytes(site).lower()
    spaced = {word: " ".join(word) for word in words}
    return [word for word in words if word.lower().encode() in data or spaced[word].lower().encode() in data]


def corrected(site: EditedDaemon) -> tuple[int, str]:
    """Return a recording among others with a corrected text, and who may edit it."""
    for number in range(20):
        site.transcribed(f"other{number}.wav", f"别的内容{number}", "还有一段")
    recording = site.transcribed("a.wav", SAID, "散会Zwieback")
    secret = site.token("秘书", "inbox")
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret)
    site.client.ask(c.Corrected, c.Correct(recording, detail.version, 0, WROTE, "Xylander"), secret)
    site.rewritten()
    return recording, secret


def test_nothing_of_the_words_is_left_in_the_history(site: EditedDaemon) -> None:
    """Neither what was recognised, twice, nor what was corrected, nor the index of either."""
    recording, secret = corrected(site)
    site.recognised_again(recording, SAID, "散会Zwieback")
    words = ("Zwieback", "Quetzal", "Xylander", "王晓明", "王小明")
    assert holds(site, *words) == list(words)
    site.client.ask(c.Forgotten, c.Forget(recording), secret)
    assert holds(site, *words) == []
    for word in words:
        assert not site.client.ask(m.Found, m.Search(word), secret).places
    assert len(site.client.ask(m.Found, m.Search("别的内容"), secret).places) == 20
    assert [tuple(row) for row in site.history.db.execute("PRAGMA integrity_check")] == [("ok",)]
    assert not site.history.db.execute("PRAGMA foreign_key_check").fetchall()
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret)
    assert (detail.passages, detail.recording.state) == ((), "forgotten")
    assert detail.recording.problem == "its text was forgotten; `asr-daemon retry` transcribes it again"
    assert site.client.ask(c.CorrectionList, c.GetCorrections(recording), secret).steps == ()
    assert site.history.all("recent_errors", limit=5) == []  # that is no failure


def test_files_go_but_for_what_a_person_edited_and_the_sound(site: EditedDaemon) -> None:
    """The answer names them."""
    recording, secret = corrected(site)
    (site.inbox / "a.srt").write_text("我自己写的", encoding="utf-8")
    told = site.client.ask(c.Forgotten, c.Forget(recording), secret)
    assert set(told.removed) == {"a.txt", "a.json"}
    assert told.kept == ("a.srt",)
    assert sorted(path.name for path in site.inbox.glob("a.*")) == ["a.srt", "a.wav"]
    assert (told.problem, told.backups, told.backups_until) == ("", 0, None)


def test_it_is_not_transcribed_again_unless_somebody_asks(site: EditedDaemon) -> None:
    """A scan that finds the file anew, also under other hotwords, leaves it; `retry` brings it back."""
    recording, secret = corrected(site)
    site.client.ask(c.Forgotten, c.Forget(recording), secret)
    os.utime(site.inbox / "a.wav", ns=(1, 1))
    assert site.put("a.wav", b"a.wav") == recording
    assert site.put("a.wav", b"a.wav", replace(PROFILE, hotwords=("别的",))) == recording
    assert site.jobs.claim("cpu") is None
    site.client.ask(m.Done, m.Retry((recording,)), secret)
    site.finish(site.claim().id, SAID, "散会")
    assert site.parts.deliverer.deliver(recording)
    assert SAID in (site.inbox / "a.txt").read_text(encoding="utf-8")
    detail = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret)
    assert [passage.text for passage in detail.passages] == [SAID, "散会"]
    assert site.put("a.wav", b"other content") != recording  # another sound is another recording


def test_it_is_told_who_forgot_it_and_when(site: EditedDaemon) -> None:
    """In lists and on its page, with a filter of its own; what was cancelled is told apart from it."""
    recording, cancelled = site.transcribed("a.wav", SAID), site.put("b.wav")
    site.arrivals.cancel(cancelled)
    secret = site.token("李主任", "inbox")
    site.client.ask(c.Forgotten, c.Forget(recording), secret)
    now = site.time.clock.stamp()
    site.time.pass_s(3600)
    site.parts.deliverer.forgetter.finish_all()
    shown = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret).recording
    assert (shown.state, shown.forgotten_at, shown.forgotten_by) == ("forgotten", now, "李主任")
    for state, expected in (("forgotten", recording), ("cancelled", cancelled)):
        (row,) = site.client.ask(m.RecordingList, m.ListRecordings(state=state), secret).recordings
        assert (row.id, row.state) == (expected, state)
    (row,) = site.client.ask(m.RecordingList, m.ListRecordings(state="forgotten"), secret).recordings
    assert (row.forgotten_at, row.forgotten_by) == (now, "李主任")
    site.arrivals.retry(recording)
    shown = site.client.ask(m.RecordingDetail, m.GetRecording(recording), secret).recording
    assert (shown.state, shown.forgotten_at) == ("queued", None)


def test_another_departments_copy_keeps_its_text(site: EditedDaemon) -> None:
    """It is the same content; what is forgotten here is not shown here, and stays there."""
    mine = site.transcribed("a.wav", SAID, content=b"same")
    look = site.candidate("b.wav", b"same").look
    path = (site.inbox / "b.wav").rename(site.folder / "hr" / "b.wav")
    sha256 = str(site.recording(mine)["sha256"])
    theirs = site.arrivals.put("hr", replace(look, path=path), sha256, PROFILE).recording
    assert site.parts.deliverer.deliver(theirs)
    secret, other = site.token("甲", "inbox"), site.token("乙", "hr")
    site.client.ask(c.Forgotten, c.Forget(mine), secret)
    assert site.client.ask(m.RecordingDetail, m.GetRecording(mine), secret).passages == ()
    assert site.refused(m.GetTranscript(mine, "txt"), secret).code == "conflict"
    assert not site.client.ask(m.Found, m.Search("发言"), secret).places
    assert len(site.client.ask(m.Found, m.Search("发言"), other).places) == 1
    assert SAID in (site.folder / "hr" / "b.txt").read_text(encoding="utf-8")
    site.client.ask(c.Forgotten, c.Forget(theirs), other)
    assert holds(site, "Zwieback") == []


def test_older_text_under_other_hotwords_goes_too(site: EditedDaemon) -> None:
    """The history keeps what was recognised before the list changed: that is forgotten with it."""
    site.transcribed("a.wav", "Zwieback")
    again = site.put("a.wav", b"a.wav", replace(PROFILE, hotwords=("别的",)))
    site.finish(site.claim().id, "Quetzal")
    assert site.parts.deliverer.deliver(again)
    site.parts.deliverer.forgetter.forget(again)
    assert holds(site, "Zwieback", "Quetzal") == []


def test_what_is_in_work_is_forgotten_when_it_has_stopped(site: EditedDaemon) -> None:
    """Segments that came in meanwhile are deleted, too."""
    from way import segment  # noqa: PLC0415

    recording = site.put("a.wav")
    job = site.claim()
    site.segments.save(job.id, (segment(0, "Zwieback"),))
    secret = site.token("甲", "inbox")
    site.client.ask(c.Forgotten, c.Forget(recording), secret)
    assert site.jobs.unwanted([job.id]) == [job.id]
    site.segments.save(job.id, (segment(1, "Quetzal"),))
    site.jobs.put_back(job.id)
    site.parts.deliverer.forgetter.finish_all()
    assert holds(site, "Zwieback", "Quetzal") == []
    assert site.jobs.claim("cpu") is None


def test_files_of_a_share_that_is_gone_are_taken_away_when_it_is_back(site: EditedDaemon) -> None:
    """The text is forgotten at once; the answer says that files are left."""
    recording, secret = corrected(site)
    away = site.inbox.rename(site.folder / "away")
    told = site.client.ask(c.Forgotten, c.Forget(recording), secret)
    assert told.problem
    assert holds(site, "Zwieback") == []
    away.rename(site.inbox)
    site.parts.deliverer.forgetter.finish_all()
    assert sorted(path.name for path in site.inbox.glob("a.*")) == ["a.wav"]


def test_who_may_forget(site: EditedDaemon) -> None:
    """Those who may edit, and operators; for another department there is no such recording."""
    recording = site.transcribed("a.wav", "一")
    assert site.refused(c.Forget(recording), site.token("r", "inbox", may="read,upload")).code == "forbidden"
    assert site.refused(c.Forget(recording), site.token("o", "hr")).code == "not_found"
    site.client.ask(c.Forgotten, c.Forget(recording), site.token("op", "inbox", may="operate"))


def test_it_is_told_until_when_backups_hold_it(site: EditedDaemon) -> None:
    """By the rotation: by then every backup that was made before is gone."""
    from asr_daemon.backup import list_backups  # noqa: PLC0415
    from asr_daemon.clock import next_time  # noqa: PLC0415

    recording = site.transcribed("a.wav", "Zwieback")
    site.parts.upkeep.back_up()
    site.time.pass_s(3600)
    done = site.parts.deliverer.forgetter.forget(recording)
    assert done.held.backups == 1
    assert done.held.until is not None
    made = {path.name for path in site.config.backup_dir.iterdir()}
    while site.time.clock.now() < done.held.until:
        assert made & {info.path.name for info in list_backups(site.config.backup_dir)}
        coming = next_time(site.config.backup.schedule, site.time.clock.now().astimezone())
        assert coming is not None
        site.time.pass_s((coming - site.time.clock.now()).total_seconds())
        site.parts.upkeep.back_up()
    assert not made & {info.path.name for info in list_backups(site.config.backup_dir)}


def test_killed_in_between_it_is_finished_after_the_restart(site: EditedDaemon) -> None:
    """The text went with one transaction; files, and what is left in the file's bytes, follow."""
    from asr_daemon.history.forgetting import Forgetting  # noqa: PLC0415

    recording, _ = corrected(site)
    Forgetting(site.history, site.time.clock).forget(recording)  # and no more
    assert (site.inbox / "a.txt").exists()
    site.parts.deliverer.forgetter.finish_all()
    assert sorted(path.name for path in site.inbox.glob("a.*")) == ["a.wav"]
    assert holds(site, "Zwieback", "Quetzal", "Xylander") == []
    assert site.parts.deliverer.forgetter._forgetting.half_forgotten() == []
