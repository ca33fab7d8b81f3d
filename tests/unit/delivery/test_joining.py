"""Parts of one recording as one transcript: when it is written, anew, taken away, and what stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from way import ENGINE, PROFILE, START, Way, make_config, segment

from asr_daemon.delivery.archiver import Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.delivery.joining import TOGETHER_S
from asr_daemon.errors import DiskFullError, NotDecodableError
from asr_daemon.history.corrections import Corrections
from asr_daemon.history.in_force import version_of
from asr_daemon.inboxes.candidate import look_at
from asr_daemon.queue.job import Result

if TYPE_CHECKING:
    from pathlib import Path

BEGAN_S = START.timestamp() - 100_000
LENGTH_S = 1800
WHOLE = "会_001（合并）.txt"


class Site:
    """An inbox that joins; its recordings are finished by hand, half an hour each."""

    def __init__(self, folder: Path, **inbox: object) -> None:
        (folder / "archive").mkdir()
        self.way = Way(folder, join=True, **inbox)
        self.inbox = self.way.inbox
        self.again()

    def again(self) -> None:
        """Begin anew, as after a restart."""
        way = self.way
        self.deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
        self.joiner = self.deliverer.joiner
        self.archiver = Archiver(
            way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None, self.joiner
        )

    def found(self, name: str, place: int, content: str | None = None) -> int:
        """Find a recording that ended with the n-th half hour."""
        path = self.inbox / name
        path.write_text(content or name)
        ended_s = BEGAN_S + place * LENGTH_S
        os.utime(path, (ended_s, ended_s))
        seen = look_at(path)
        assert seen is not None
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.way.arrivals.put("inbox", seen.look, sha256, PROFILE).recording

    def recognised(self, recording: int, *texts: str) -> int:
        """Finish the work of a recording, and write its files."""
        job = self.way.claim()
        self.way.segments.save(job.id, tuple(segment(number, text) for number, text in enumerate(texts)))
        self.way.jobs.finish(job.id, Result(len(texts), LENGTH_S * 1000), ENGINE)
        assert self.deliverer.deliver(recording)
        return recording

    def part(self, number: int, *texts: str, name: str = "") -> int:
        """Find and finish a part."""
        recording = self.found(name or f"会_{number:03}.wav", number)
        return self.recognised(recording, *(texts or (f"这是第{number}段",)))

    def joined(self) -> int:
        """Let time pass, and look after the parts; return how many families that were."""
        self.way.time.pass_s(60)
        return self.joiner.join_all()

    def names(self) -> set[str]:
        """Return what lies in the inbox besides recordings."""
        return {path.name for path in self.inbox.rglob("*") if path.is_file() and path.suffix != ".wav"}

    def text(self, name: str = WHOLE) -> str:
        """Return a file's text."""
        return (self.inbox / name).read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return an inbox that joins."""
    return Site(tmp_path)


def test_parts_are_one_transcript_with_running_times(site: Site) -> None:
    """Beside the first, under a name that says so; each keeps its own."""
    for number in (1, 2, 3):
        site.part(number)
    assert site.joined() == 1
    assert site.names() == {"会_001.txt", "会_002.txt", "会_003.txt", WHOLE}
    lines = site.text().splitlines()
    assert lines[0] == "录音：会_001.wav 等 3 个录音"
    assert "时长：01:30:00" in lines
    heading = lines.index("—— 第 2 部分：会_002.wav（从 00:30:00 起） ——")
    assert lines[heading + 2] == "[00:30:00] 这是第2段"
    assert lines[-1] == "[01:00:00] 这是第3段"


def test_parts_that_were_uploaded_follow_by_their_containers(site: Site) -> None:
    """Their files' times are those of the upload, and their lengths are no recorder's."""
    for number, (begin, length_s) in enumerate((("09:30:00", 437), ("09:37:18", 512), ("11:00:00", 61)), 1):
        path = site.inbox / f"会_{number:03}.wav"
        recording = site.found(path.name, number)
        site.way.history.db.execute("UPDATE recordings SET mtime_ns = ? WHERE id = ?", [number, recording])
        job = site.way.claim()
        site.way.segments.save(job.id, (segment(0, f"这是第{number}段"),))
        flags = ("level", f"created:2024-03-15T{begin}")
        site.way.jobs.finish(job.id, Result(1, length_s * 1000, flags), ENGINE)
        assert site.deliverer.deliver(recording)
    site.joined()
    assert "由 2 个录音" in site.text()
    assert "这是第3段" not in site.text()


def test_a_lone_recording_gets_no_second_file(site: Site) -> None:
    """Nor do recordings that only look alike."""
    site.part(1)
    site.part(5, name="会_002.wav")
    site.joined()
    assert site.names() == {"会_001.txt", "会_002.txt"}


def test_nothing_is_written_until_all_that_are_there_have_their_text(site: Site) -> None:
    """What waits in the queue is waited for."""
    one, two = site.found("会_001.wav", 1), site.found("会_002.wav", 2)
    site.recognised(one, "甲")
    site.joined()
    assert WHOLE not in site.names()
    site.recognised(two, "乙")
    site.joined()
    assert "乙" in site.text()


def test_nothing_is_written_again_without_a_reason(site: Site) -> None:
    """Neither at the next look, nor after a restart, nor where a part alone is written anew."""
    one = site.part(1)
    site.part(2)
    site.joined()
    before = (site.inbox / WHOLE).stat()
    site.joined()
    site.again()
    assert site.joined() == 0
    site.way.arrivals.retry(one)
    site.recognised(one, "这是第1段")
    site.joined()
    now = (site.inbox / WHOLE).stat()
    assert (now.st_ino, now.st_mtime_ns) != (before.st_ino, before.st_mtime_ns)  # it says when
    site.joined()
    assert (site.inbox / WHOLE).stat().st_ino == now.st_ino


def test_a_part_that_comes_late_is_taken_in(site: Site) -> None:
    """Behind, between, and before the others: the file is then called after the new first."""
    site.part(2)
    site.part(4)
    site.joined()
    assert site.names() == {"会_002.txt", "会_004.txt", "会_002（合并）.txt"}
    assert "请注意：缺少第 2 部分（会_003.wav），没有找到这个录音。" in site.text("会_002（合并）.txt")
    site.part(3)
    site.joined()
    assert "缺少" not in site.text("会_002（合并）.txt")
    site.part(1)
    site.joined()
    assert site.names() == {"会_001.txt", "会_002.txt", "会_003.txt", "会_004.txt", WHOLE}
    assert site.text().count("——") == 8


def test_an_edited_file_stays_and_one_taken_away_stays_away(site: Site) -> None:
    """Until somebody asks for it."""
    site.part(1)
    two = site.part(2)
    site.joined()
    (site.inbox / WHOLE).write_text("人改过", encoding="utf-8")
    site.part(3)
    site.joined()
    assert site.text() == "人改过"
    assert len(site.names()) == 4
    (site.inbox / WHOLE).unlink()
    site.part(4)
    site.joined()
    assert WHOLE not in site.names()
    assert site.deliverer.anew.write(two).written == ("会_002.txt", WHOLE)
    assert "这是第4段" in site.text()


def test_a_persons_file_of_that_name_stays(site: Site) -> None:
    """They made it before there was one; ours gets the next name."""
    (site.inbox / WHOLE).write_text("自己合并的", encoding="utf-8")
    site.part(1)
    site.part(2)
    site.joined()
    assert site.text() == "自己合并的"
    assert "这是第2段" in site.text("会_001（合并）.wav.txt")


def test_a_correction_is_in_the_whole(site: Site) -> None:
    """It says what is in force."""
    site.part(1)
    two = site.part(2)
    site.joined()
    corrections = Corrections(site.way.history, site.way.time.clock)
    seen = version_of(site.way.history, corrections.filed(two))
    corrections.correct(two, seen, 0, text="这是改过的", speaker=None, who="秘书")
    site.joined()
    assert "这是改过的" in site.text()


def test_a_part_that_fails_keeps_its_place(site: Site) -> None:
    """The reader is told; one without speech is told as ever."""
    site.part(1)
    failed = site.found("会_002.wav", 2)
    site.way.jobs.fail(site.way.claim().id, NotDecodableError())
    site.deliverer.deliver(failed)
    silent = site.found("会_003.wav", 3)
    site.recognised(silent)
    site.joined()
    lines = site.text().splitlines()
    at = lines.index("—— 第 2 部分：会_002.wav（从 00:30:00 起） ——")
    assert lines[at + 2].startswith("请注意：这一部分没有转写成功")
    assert lines[at + 4] == "—— 第 3 部分：会_003.wav（从 00:30:00 起） ——"
    assert lines[at + 6] == "（没有检测到语音）"


def test_a_copy_of_a_part_is_not_said_twice(site: Site) -> None:
    """It has its own transcript, as any file."""
    site.part(1)
    site.part(2)
    copy = site.found("会_003.wav", 3, content="会_002.wav")
    site.deliverer.deliver(copy)
    site.joined()
    assert site.text().count("这是第2段") == 1
    assert "会_003.txt" in site.names()


def test_a_forgotten_part_is_gone_from_the_whole_at_once(site: Site) -> None:
    """Also while another part waits; forgetting is finished then."""
    one = site.part(1)
    site.part(2)
    site.part(3)
    site.joined()
    site.found("会_004.wav", 4)
    site.joined()
    site.deliverer.forgetter.forget(one)
    assert "这是第1段" not in site.text()
    assert "请注意：这一部分的文字已按要求删除。" in site.text()
    assert site.way.history.all("half_forgotten") == []


def test_who_forgets_is_told_of_an_edited_whole(site: Site) -> None:
    """It holds the words still, and is that person's."""
    one = site.part(1)
    site.part(2)
    site.joined()
    (site.inbox / WHOLE).write_text("这是第1段，改过", encoding="utf-8")
    assert site.deliverer.forgetter.forget(one).kept == (WHOLE,)
    assert site.text() == "这是第1段，改过"


def test_what_was_joined_once_forgets_as_well(site: Site) -> None:
    """The inbox joins no more, and its share is away when somebody forgets."""
    one = site.part(1)
    site.part(2)
    site.joined()
    site.way.config = make_config(site.way.folder)
    site.again()
    away = site.inbox.rename(site.way.folder / "away")
    assert site.deliverer.forgetter.forget(one).problem
    away.rename(site.inbox)
    site.deliverer.forgetter.finish_all()
    site.joined()
    assert "这是第1段" not in site.text()
    assert "这是第2段" in site.text()


def test_when_all_is_forgotten_the_whole_goes(site: Site) -> None:
    """Nothing is left to say."""
    for recording in [site.part(1), site.part(2)]:
        site.joined()
        site.deliverer.forgetter.forget(recording)
    assert site.names() == set()


def test_a_part_that_is_deleted_stays_in_the_whole(site: Site) -> None:
    """Its text is kept, as that of any recording whose sound was deleted."""
    site.part(1)
    site.part(2)
    site.joined()
    (site.inbox / "会_001.wav").unlink()
    site.part(3)
    site.joined()
    assert "这是第1段" in site.text()
    assert "这是第3段" in site.text()


def test_a_part_that_is_replaced_is_read_anew(site: Site) -> None:
    """Another content lies at its path."""
    site.part(1)
    site.part(2)
    site.joined()
    other = site.found("会_001.wav", 1, content="other")
    site.recognised(other, "换过的")
    site.joined()
    assert "换过的" in site.text()
    assert "这是第1段" not in site.text()
    assert site.names() == {"会_001.txt", "会_002.txt", WHOLE}


def test_what_cannot_be_written_now_is_written_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full; a restart comes between."""
    site.part(1)
    site.part(2)

    def refuse(*_: object, **__: object) -> None:
        raise DiskFullError

    with monkeypatch.context() as patch:
        patch.setattr("asr_daemon.delivery.outputs.publish", refuse)
        assert site.joined() == 0
    assert WHOLE not in site.names()
    site.again()
    site.joined()
    assert "这是第2段" in site.text()


def test_a_kill_between_a_file_and_its_row_leaves_one_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken for ours, also where what is to be written changed meanwhile."""
    site.part(1)
    site.part(2)
    with monkeypatch.context() as patch:
        patch.setattr("asr_daemon.delivery.outputs.Outputs.confirm", lambda *_: 1 / 0)
        assert site.joined() == 0
    assert WHOLE in site.names()
    site.again()
    site.part(3)
    site.joined()
    assert site.names() == {"会_001.txt", "会_002.txt", "会_003.txt", WHOLE}
    assert "这是第3段" in site.text()


def test_every_format_says_where_a_part_begins(tmp_path: Path) -> None:
    """Subtitles of the whole, too."""
    site = Site(tmp_path, formats=("txt", "srt", "vtt", "json", "md", "docx"))
    site.part(1)
    site.part(3)
    site.joined()
    stem = "会_001（合并）"
    assert "NOTE 第 3 部分：会_003.wav（从 00:30:00 起）" in site.text(f"{stem}.vtt")
    assert "00:30:00.000 --> " in site.text(f"{stem}.vtt")
    assert "00:30:00,000 --> " in site.text(f"{stem}.srt")
    assert "## 第 3 部分" in site.text(f"{stem}.md")
    told = json.loads(site.text(f"{stem}.json"))
    assert [(each["number"], each["name"], each["problem"]) for each in told["parts"]] == [
        (1, "会_001.wav", None),
        (2, "会_002.wav", "missing"),
        (3, "会_003.wav", None),
    ]
    assert [each["start_ms"] for each in told["segments"]] == [0, 1_800_000]
    assert told["segments"][1]["tokens"][0]["start_ms"] == 1_800_000
    assert (site.inbox / f"{stem}.docx").read_bytes().startswith(b"PK")


def test_parts_lie_together_in_the_archive(tmp_path: Path) -> None:
    """They wait for each other, then go with the whole; a part that comes later joins them there."""
    site = Site(tmp_path, archive=tmp_path / "archive")
    site.way.time.wall = datetime.now(timezone.utc)
    site.part(1)
    two = site.found("会_002.wav", 2)
    site.joined()
    site.way.time.pass_s(TOGETHER_S)
    assert site.archiver.archive_all() == 0
    site.recognised(two, "乙")
    assert site.archiver.archive_all() == 0
    site.joined()
    assert site.archiver.archive_all() == 0
    site.way.time.pass_s(TOGETHER_S)
    site.joined()
    assert site.archiver.archive_all() == 2
    assert site.names() == set()
    (folder,) = {path.parent for path in (tmp_path / "archive").rglob("*.wav")}
    whole = folder / WHOLE
    assert {path.name for path in folder.iterdir()} == {
        "会_001.wav", "会_001.txt", "会_002.wav", "会_002.txt", WHOLE,
    }  # fmt: skip
    before = whole.stat().st_ino
    site.joined()
    assert whole.stat().st_ino == before
    site.part(3)
    site.joined()
    assert "这是第3段" in whole.read_text(encoding="utf-8")
    site.way.time.pass_s(40 * 24 * 3600)
    site.joined()
    assert site.archiver.archive_all() == 1
    assert (folder / "会_003.wav").exists()
    assert site.names() == set()


def test_the_archive_waits_no_longer_than_a_day(tmp_path: Path) -> None:
    """A part may wait for a queue that is paused."""
    site = Site(tmp_path, archive=tmp_path / "archive")
    site.part(1)
    site.found("会_002.wav", 2)
    site.joined()
    site.way.time.pass_s(23 * 3600)
    site.joined()
    assert site.archiver.archive_all() == 0
    site.way.time.pass_s(3600)
    site.joined()
    assert site.archiver.archive_all() == 1


def test_an_inbox_that_does_not_join_is_left_alone(tmp_path: Path) -> None:
    """Nothing is noted, and the archive waits for nothing."""
    (tmp_path / "elsewhere").mkdir()
    site = Site(tmp_path / "elsewhere", archive=tmp_path / "elsewhere" / "archive")
    site.way.config = make_config(site.way.folder, archive=site.way.folder / "archive")
    site.again()
    site.part(1)
    site.part(2)
    site.joined()
    assert site.names() == {"会_001.txt", "会_002.txt"}
    assert site.archiver.archive_all() == 2


def test_parts_in_two_folders_are_two_recordings(site: Site) -> None:
    """Each department's recorder counts from 1."""
    (site.inbox / "甲").mkdir()
    (site.inbox / "乙").mkdir()
    site.part(1, name="甲/会_001.wav")
    site.part(2, name="乙/会_002.wav")
    site.joined()
    assert site.names() == {"会_001.txt", "会_002.txt"}


def test_a_folder_that_is_gone_is_not_made_again(site: Site) -> None:
    """And the rest is looked after."""
    (site.inbox / "甲").mkdir()
    site.part(1, name="甲/会_001.wav")
    site.part(2, name="甲/会_002.wav")
    shutil.rmtree(site.inbox / "甲")
    site.part(1)
    site.part(2)
    site.joined()
    assert "这是第2段" in site.text()
    assert not (site.inbox / "甲").exists()


def test_nameless_speakers_of_two_parts_are_not_one_person() -> None:
    """Who has a name is."""
    from asr_daemon.transcripts.joined import joined  # noqa: PLC0415
    from asr_daemon.transcripts.transcript import Segment, Speaker, Transcript  # noqa: PLC0415
    from asr_daemon.transcripts.writers.document import Part  # noqa: PLC0415

    def said(*names: str) -> Transcript:
        segments = tuple(Segment(n, n, n + 1, "字", "字", speaker=name) for n, name in enumerate(names))
        speakers = tuple(Speaker(n, name, 10) for n, name in enumerate(names, 1))
        return Transcript(1000, segments, "m", model_is_builtin=False, speakers=speakers)

    whole, _ = joined(
        [Part(1, "a", "", 0, said("发言人1", "顾清源")), Part(2, "b", "", 0, said("顾清源", "发言人2"))]
    )
    assert [(each.name, each.speech_ms) for each in whole.speakers] == [
        ("发言人1（第1部分）", 10),
        ("顾清源", 20),
        ("发言人2（第2部分）", 10),
    ]
    assert [each.speaker for each in whole.segments] == [
        "发言人1（第1部分）", "顾清源", "顾清源", "发言人2（第2部分）",
    ]  # fmt: skip
