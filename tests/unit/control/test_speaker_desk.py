"""Speakers through the gateway's desk: who may name, remember, tell apart and forget, and what is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from office import Office

from asr_daemon.access import Accesses, parse_rights
from asr_daemon.control import console_answers as ca
from asr_daemon.control import console_messages as cm
from asr_daemon.control import messages as m
from asr_daemon.control import speaker_messages as s
from asr_daemon.control.desk import Desk
from asr_daemon.control.refused import RefusedError
from asr_daemon.history.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SpeakerSite(Office):
    """An office with a desk, and one recording of two voices."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.readers = Readers(self.config.history_path)
        self.accesses = Accesses(self.history, self.time.clock)
        self.desk = Desk(self.parts, self.accesses, self.readers)
        self.editor = self.accesses.add("秘书", ["inbox"], parse_rights("edit"))
        self.reader = self.accesses.add("同事", ["inbox"], parse_rights("read"))
        self.number = self.recognise()
        self.attributor.attribute_all()

    def ask(self, request: Any, token: str = "") -> Any:
        """Ask as who may edit, or as that one."""
        return self.desk.serve(m.Ask(request, token or self.editor), None)[0]

    def refused(self, request: Any, token: str = "") -> m.Refusal:
        """Ask for what is not given."""
        with pytest.raises(RefusedError) as caught:
            self.ask(request, token)
        return caught.value.refusal


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SpeakerSite]:
    """Return it."""
    site = SpeakerSite(tmp_path)
    yield site
    site.readers.close()
    site.close()


def test_a_speaker_is_named_remembered_and_known_again(site: SpeakerSite) -> None:
    """In the files at once, in the next recording by voice; forgotten, no embedding is left, names stay."""
    known = site.ask(s.GetSpeakers(site.number), site.reader)
    assert [(one.name, one.known_by) for one in known.speakers] == [
        ("发言人1", "number"),
        ("发言人2", "number"),
    ]
    assert known.speakers[0].speech_ms == 4000
    assert known.may_regroup
    changed = site.ask(s.NameSpeaker(site.number, 2, " 林夏 ", remember=True))
    assert (changed.written, changed.edited, changed.problems) == (("会议.txt",), (), 0)
    assert [(one.name, one.known_by) for one in changed.now.speakers][1] == ("林夏", "hand")
    assert "林夏 00:00:02" in site.text()
    later = site.recognise("下一次.wav", b"another")
    site.attributor.attribute_all()
    assert [one.known_by for one in site.ask(s.GetSpeakers(later)).speakers] == ["number", "voice"]
    reading = site.ask(cm.GetReading(later))
    assert isinstance(reading, ca.Reading)
    assert [one.name for one in reading.who.speakers] == ["发言人1", "林夏"]
    (voice,) = site.ask(s.GetVoices("inbox")).voices
    assert (voice.name, voice.voices, voice.sources, voice.samples) == ("林夏", 1, ("会议.wav",), ())
    assert site.ask(s.ForgetVoice("inbox", "林夏")) == s.VoiceForgotten(1, ())
    assert site.history.one("enrolments", inbox=None) is None
    assert "林夏 00:00:02" in site.text("下一次")
    site.ask(s.NameSpeaker(site.number, 2, ""))
    assert "发言人2 00:00:02" in site.text()


def test_told_apart_anew_with_the_number_that_a_person_gives(site: SpeakerSite) -> None:
    """Nothing is recognised again; an edited file stays as it is."""
    (site.inbox / "会议.txt").write_text("改过了", encoding="utf-8")
    changed = site.ask(s.Regroup(site.number, 1))
    assert (len(changed.now.speakers), changed.now.expected, changed.edited) == (1, 1, ("会议.txt",))
    assert site.text() == "改过了"
    assert len(site.ask(s.Regroup(site.number)).now.speakers) == 2
    site.parts.speakers.voices.forget(1)
    assert not site.ask(s.GetSpeakers(site.number)).may_regroup
    assert site.refused(s.Regroup(site.number, 2)).code == "conflict"
    assert not any(one.may_be_remembered for one in site.ask(s.GetSpeakers(site.number)).speakers)
    assert site.refused(s.NameSpeaker(site.number, 1, "林夏", remember=True)).code == "conflict"
    assert site.ask(s.GetSpeakers(site.number)).speakers[0].name == "发言人1"


def test_what_is_refused_and_to_whom(site: SpeakerSite) -> None:
    """Readers change nothing and see no list of voices; names that are none are told in Chinese."""
    for request in (
        s.NameSpeaker(site.number, 1, "林夏"),
        s.Regroup(site.number),
        s.GetVoices("inbox"),
        s.ForgetVoice("inbox", "林夏"),
    ):
        assert site.refused(request, site.reader).code == "forbidden"
    refusal = site.refused(s.NameSpeaker(site.number, 1, "发言人9"))
    assert (refusal.code, "编号" in refusal.chinese, "（" in refusal.message) == ("refused", True, False)
    assert site.refused(s.NameSpeaker(site.number, 9, "林夏")).code == "not_found"
    assert site.refused(s.ForgetVoice("inbox", "无人")).code == "not_found"
    assert site.refused(s.GetSpeakers(99)).code == "not_found"


def test_nothing_that_is_answered_is_an_embedding(site: SpeakerSite) -> None:
    """They are biometric."""
    changed = site.ask(s.NameSpeaker(site.number, 2, "林夏", remember=True))
    told = [m.encode_told(each) for each in (changed, site.ask(s.GetVoices("inbox")))]
    for line in told:
        assert len(line) < 1000
        assert "embedding" not in json.dumps(json.loads(line))
