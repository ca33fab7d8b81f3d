"""A corrected segment in which the speaker changes: each of its words stays with who said it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from office import ASKS, MODEL, Office, voice

from asr_daemon.history.corrections import Corrections
from asr_daemon.history.in_force import read_in_force, transcript_in_force, version_of
from asr_daemon.history.reading import places
from asr_daemon.history.recordings import Recordings
from asr_daemon.history.search import match_terms
from asr_daemon.speakers.window import Window, windows_to_bytes
from asr_daemon.transcripts.transcript import Segment, Token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = "今天讨论预算的事", "我完全同意这样做"  # two voices in one segment, a second each word or so
RAW = FIRST + SECOND
WORD_MS = 250


class Meeting(Office):
    """With one recording of one segment, in which the second voice begins at two seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.recording_id = self.put("会议.wav", b"sound", ASKS)
        job = self.claim()
        tokens = tuple(
            Token(char, at * WORD_MS, at * WORD_MS + (180 if char != "事" else 100))
            for at, char in enumerate(RAW)
        )
        windows = [Window(0, start, start + 2000, voice(who)) for start, who in ((0, 4), (2000, 7))]
        segment = Segment(0, 0, len(RAW) * WORD_MS, RAW, RAW, tokens)
        self.segments.save(job.id, (segment,), [(0, windows_to_bytes(windows))], MODEL)
        self.end(job.id, 1)
        self.attributor.attribute_all()
        self.corrections = Corrections(self.history, self.time.clock)

    def write(self, text: str) -> None:
        """Give the segment another text."""
        filed = self.corrections.filed(self.recording_id)
        version = version_of(self.history, filed)
        self.corrections.correct(self.recording_id, version, 0, text=text, speaker=None, who="秘书")

    def said(self) -> list[tuple[str, str]]:
        """Return who says what."""
        filed = Recordings(self.history, self.time.clock).get(self.recording_id)
        assert filed is not None
        return [(each.speaker, each.text) for each in transcript_in_force(self.history, filed).segments]


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    """Return it."""
    made = Meeting(tmp_path)
    yield made
    made.close()


def test_it_is_cut_as_it_was_recognised(meeting: Meeting) -> None:
    """Before anybody corrects it."""
    assert meeting.said() == [("发言人1", FIRST), ("发言人2", SECOND)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("今天，讨论预算的事。", "我完全同意这样做！"),
        ("明天讨论决算的事", "我完全同意这样做"),
        ("今天讨论预算的事", "我绝对不同意这样做的"),
        ("今天我们要讨论2026年预算的事", "我同意"),
        ("讨论预算的事", "我完全同意"),
    ],
)
def test_words_stay_with_who_said_them(meeting: Meeting, first: str, second: str) -> None:
    """Whatever is put in, put right or taken out on either side."""
    meeting.write(first + second)
    assert meeting.said() == [("发言人1", first), ("发言人2", second)]
    meeting.time.pass_s(600)
    meeting.parts.deliverer.rewriter.rewrite_all()
    assert f"发言人2 00:00:02\n{second}" in meeting.text()


def test_a_speaker_given_by_hand_is_the_whole_segments(meeting: Meeting) -> None:
    """A person said so."""
    filed = meeting.corrections.filed(meeting.recording_id)
    version = version_of(meeting.history, filed)
    meeting.corrections.correct(meeting.recording_id, version, 0, text="好", speaker="林夏", who="秘书")
    assert meeting.said() == [("林夏", "好")]


def test_search_finds_the_part_by_its_speaker(meeting: Meeting) -> None:
    """With the words that stand there now."""
    meeting.write("今天讨论决算的事。我绝对同意这样做。")
    for speaker, words, count in (("发言人1", "决算", 1), ("发言人2", "决算", 0), ("发言人2", "绝对", 1)):
        found = places(meeting.history, match_terms(words), None, limit=5, speaker=speaker)
        assert len(found) == count, (speaker, words)


def test_read_without_words_it_is_the_same(meeting: Meeting) -> None:
    """Text, borders, speakers and marks, corrected or not; only the times of words are left out."""
    filed = meeting.corrections.filed(meeting.recording_id)
    for text in ("", "今天讨论决算的事。我绝对同意这样做。"):
        if text:
            meeting.write(text)
        whole = transcript_in_force(meeting.history, filed).segments
        read = read_in_force(meeting.history, filed)
        assert len(read) == 2
        assert [replace(each, tokens=()) for each in read] == [replace(each, tokens=()) for each in whole]
