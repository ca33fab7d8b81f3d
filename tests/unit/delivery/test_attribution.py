"""Between the text and the files: who speaks, asked of a child that answers as it is told here."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from office import MODEL, Office, voice
from way import OpenDaemon

from asr_daemon.config_sections import RetentionSection
from asr_daemon.control.speakers import SpeakerError
from asr_daemon.errors import UsageError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.reading import places
from asr_daemon.history.retention import expire
from asr_daemon.history.search import match_terms
from asr_daemon.history.voices import speakers_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def test_nothing_is_written_before_it_is_known_who_speaks(office: Office) -> None:
    """Also by those who look for what waits; then everything is, with what was asked for."""
    office.recognise()
    office.parts.deliverer.deliver_all()
    assert not (office.inbox / "会议.txt").exists()
    assert office.attributor.attribute_all() == 1
    assert office.child.asked == [(3, 0, 5)]
    assert "发言人1 00:00:00\n今天讨论预算" in office.text()
    assert "发言人2 00:00:02\n我同意" in office.text()
    assert "几个人同时说话，文字和发言人可能不准：00:00:02。" in office.text()


def test_a_daemon_killed_before_that_begins_with_it(tmp_path: Path) -> None:
    """Nothing is recognised again: the voices lie beside the text."""
    office = Office(tmp_path)
    office.recognise()
    office.close()
    again = OpenDaemon.__new__(Office)
    (tmp_path / "inbox").rename(tmp_path / "kept")
    Office.__init__(again, tmp_path)
    (tmp_path / "inbox").rmdir()
    (tmp_path / "kept").rename(tmp_path / "inbox")
    assert again.jobs.recover() == []
    assert again.attributor.attribute_all() == 1
    assert "发言人2" in again.text()
    again.close()


def test_the_text_does_not_depend_on_it(office: Office) -> None:
    """Where the child fails the transcript is written without speakers."""
    office.child.fails = True
    office.recognise()
    office.attributor.attribute_all()
    assert "[00:00:00] 今天讨论预算" in office.text()
    assert office.attributor.attribute_all() == 0


def test_a_known_voice_gives_its_name_in_its_own_inbox_alone(office: Office) -> None:
    """Its numbers go on counting; another inbox, and what is asked without one, know nobody."""
    office.parts.speakers.enrolments.add("inbox", "顾清源", MODEL, voice(7), "样本.wav")
    office.parts.speakers.enrolments.add("other", "林夏", MODEL, voice(4), "样本.wav")
    office.parts.speakers.enrolments.add("inbox", "何敏", "another model", voice(4), "样本.wav")
    recording = office.recognise()
    office.attributor.attribute_all()
    assert "发言人1 00:00:00" in office.text()
    assert "顾清源 00:00:02\n我同意" in office.text()
    job = office.recording(recording)["job_id"]
    assert [one.name for one in speakers_of(office.history, int(str(job)), "other")] == ["发言人1", "发言人2"]


def test_renaming_rewrites_what_nobody_edited(office: Office) -> None:
    """An edited transcript stays, and nothing is written beside it; the history has the name."""
    first = office.recognise()
    office.attributor.attribute_all()
    answer = office.command("speakers_rename", recording=first, speaker="2", name="林夏")
    assert answer["written"] == ["会议.txt"]
    assert "林夏 00:00:02" in office.text()
    (office.inbox / "会议.txt").write_text("改过了", encoding="utf-8")
    answer = office.command("speakers_rename", recording=first, speaker="林夏", name="")
    assert (answer["written"], answer["edited"]) == ([], ["会议.txt"])
    assert office.text() == "改过了"
    assert sorted(path.name for path in office.inbox.iterdir()) == ["会议.txt", "会议.wav"]
    told = office.command("speakers_of_recording", recording=first)
    assert [one["name"] for one in told["speakers"]] == ["发言人1", "发言人2"]


def test_a_name_by_hand_stays_with_its_voice(office: Office) -> None:
    """Told apart as one and then as two again: the same two names."""
    recording = office.recognise()
    office.attributor.attribute_all()
    office.command("speakers_rename", recording=recording, speaker="2", name="林夏")
    told = office.command("speakers_regroup", recording=recording, speakers=1)
    assert len(told["speakers"]) == 1
    assert office.child.asked[-1] == (3, 1, 0)
    told = office.command("speakers_regroup", recording=recording, speakers=0)
    assert [one["name"] for one in told["speakers"]] == ["发言人1", "林夏"]
    assert office.text().count("发言人：") == 1


def test_a_voice_is_remembered_from_a_recording_and_forgotten(office: Office) -> None:
    """At most five embeddings, none twice; forgetting leaves none."""
    recording = office.recognise()
    office.attributor.attribute_all()
    for axis in range(20, 27):
        office.parts.speakers.enrolments.add("inbox", "林夏", MODEL, voice(axis), "样本.wav")
    for _ in range(2):
        office.command("speakers_enrol", inbox="inbox", name="林夏", recording=recording, speaker="2")
    assert len(office.command("speakers_enrolled")["voices"]) == 5
    office.recognise("下一次.wav", b"another")
    office.attributor.attribute_all()
    assert "林夏 00:00:02" in office.text("下一次")
    assert office.command("speakers_forget", inbox="inbox", name="林夏") == {"count": 5, "samples": []}
    assert office.history.one("enrolments", inbox=None) is None
    with pytest.raises(UsageError, match="nobody is called"):
        office.command("speakers_forget", inbox="inbox", name="林夏")


def test_answers_and_transcripts_hold_no_embedding(office: Office) -> None:
    """They are biometric: nothing that people or programs are told is one."""
    recording = office.recognise()
    office.attributor.attribute_all()
    office.command("speakers_enrol", inbox="inbox", name="林夏", recording=recording, speaker="2")
    told = json.dumps(
        [office.command("speakers_enrolled"), office.command("speakers_of_recording", recording=recording)]
    )
    assert 'voice":' not in told
    assert "embedding" not in told
    assert "\\x00" not in repr(speakers_of(office.history, 1, "inbox"))


def test_retention_forgets_the_voices_of_old_recordings(office: Office) -> None:
    """After so many days; who spoke when stays, and so do people whom the inbox knows."""
    recording = office.recognise()
    office.attributor.attribute_all()
    office.command("speakers_enrol", inbox="inbox", name="林夏", recording=recording, speaker="2")
    limits = RetentionSection(voices_days=30)
    for days, kept in ((29, 1), (31, 0)):
        now = office.time.wall + timedelta(days=days)
        expire(office.history, limits, since="", now=now)
        assert len(office.parts.speakers.voices.models(1)) == kept
    row = office.history.one("job_speakers", job=1, inbox="inbox")
    assert row is not None
    assert row["voice"] is None
    assert len(office.command("speakers_enrolled")["voices"]) == 1
    assert "发言人2" in office.text()


def test_forgotten_voices_leave_the_turns(office: Office) -> None:
    """Who spoke when stays; what is asked of the voices is refused, and says how to have them again."""
    recording = office.recognise()
    office.attributor.attribute_all()
    office.parts.speakers.voices.forget(1)
    with pytest.raises(SpeakerError, match="asr-daemon retry"):
        office.command("speakers_regroup", recording=recording)
    with pytest.raises(SpeakerError, match="asr-daemon retry"):
        office.command("speakers_enrol", inbox="inbox", name="林夏", recording=recording, speaker="2")
    assert len(office.command("speakers_of_recording", recording=recording)["speakers"]) == 2


@pytest.mark.parametrize("name", ["", " ", "发言人3", "7", "a<b", "a\nb -->", "x" * 41, "顾：", "\u202e顾"])
def test_what_is_no_name_is_refused(office: Office, name: str) -> None:
    """It would be taken for a number, or break a subtitle."""
    recording = office.recognise()
    office.attributor.attribute_all()
    with pytest.raises(UsageError, match="姓名须为"):
        office.command("speakers_enrol", inbox="inbox", name=name, recording=recording, speaker="2")


def test_search_by_speaker(office: Office, tmp_path: Path) -> None:
    """What one of them says; without asking for anybody each passage says whose it is."""
    office.recognise()
    office.attributor.attribute_all()
    history = open_history_read_only(tmp_path / "state" / "history.db")

    def found(words: str, speaker: str | None) -> list[tuple[str, str]]:
        terms = match_terms(words)
        return [(one.speaker, one.text) for one in places(history, terms, None, limit=9, speaker=speaker)]

    assert found("同意", "发言人2") == [("发言人2", "我同意")]
    assert found("同意", "发言人1") == []
    assert found("预算", None) == [("发言人1", "今天讨论预算")]
    history.close()


def test_a_recording_whose_speakers_nobody_asked_for(office: Office) -> None:
    """As ever; the commands say what to set."""
    recording = office.put("普通.wav", b"plain")
    job = office.claim()
    office.finish(job.id, "你好")
    office.parts.deliverer.deliver_job(job.id)
    assert "[00:00:00] 你好" in office.text("普通")
    with pytest.raises(SpeakerError, match="speakers = true"):
        office.command("speakers_of_recording", recording=recording)
