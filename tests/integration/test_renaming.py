"""A rename is not a new recording: history and transcripts follow it, and nothing is recognised again."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from attack import FAILED, AttackedDaemon, check_transcript, drop, recording

from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = 'formats = ["txt", "srt"]\nhotwords = "words.txt"'


class Renaming(AttackedDaemon):
    """A daemon with two inboxes of one profile, and one of another."""

    def __init__(self, folder: Path) -> None:
        (folder / "words.txt").write_text("顾清源\n", encoding="utf-8")
        (folder / "others.txt").write_text("岳明远\n", encoding="utf-8")
        others = WORDS.replace("words.txt", "others.txt")
        super().__init__(folder, inboxes={"inbox": WORDS, "second": WORDS, "third": others})

    def lay(self, name: str, content: bytes) -> Path:
        """Drop a recording and wait for what is written beside it."""
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        before = len(self.events("transcript_written"))
        drop(path, content)
        eventually(lambda: len(self.events("transcript_written")) > before, what="the transcript")
        eventually(lambda: self.states()[name.rpartition("/")[2]] in ("done", "failed"), what="its row")
        return path

    def states(self) -> dict[str, str]:
        """Return the state of each recording, by name."""
        return dict(self.query("SELECT name, state FROM recordings WHERE state <> 'superseded'"))

    def paths(self) -> list[tuple[str, str, str]]:
        """Return inbox, path within the folder and state of every row."""
        rows = self.query("SELECT inbox, path, state FROM recordings ORDER BY path")
        return [(inbox, path.decode()[len(str(self.folder)) + 1 :], state) for inbox, path, state in rows]

    def wait_for_moves(self, count: int = 1) -> None:
        """Wait until that many recordings were found at another place."""
        eventually(lambda: len(self.events("recording_moved")) == count, what="the move")
        eventually(self.all_settled, what="its files")

    def files(self, folder: Path) -> set[str]:
        """Return what lies in a folder."""
        return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Renaming]:
    """Return it, running."""
    with Renaming(tmp_path) as daemon:
        yield daemon.start()  # type: ignore[misc]


def test_a_renamed_folder_takes_history_and_transcripts_along(daemon: Renaming) -> None:
    """Edited transcripts stay as they are, nothing is written beside them, whatever the hotwords are now."""
    content = recording(1)
    daemon.lay("会议/a.wav", content)
    daemon.lay("会议/b.wav", recording(2))
    (daemon.inbox / "会议" / "a.txt").write_text("改过的", encoding="utf-8")
    (daemon.folder / "words.txt").write_text("顾清源\n王敏\n", encoding="utf-8")
    target = (daemon.inbox / "会议").rename(daemon.inbox / "2025年会议")
    before = {path: path.stat().st_mtime_ns for path in target.iterdir()}
    daemon.wait_for_moves(2)
    assert {path: path.stat().st_mtime_ns for path in target.iterdir()} == before, "something was written"
    assert daemon.files(target) == {"a.wav", "a.txt", "a.srt", "b.wav", "b.txt", "b.srt"}
    assert (target / "a.txt").read_text(encoding="utf-8") == "改过的"
    assert daemon.paths() == [
        ("inbox", "inbox/2025年会议/a.wav", "done"),
        ("inbox", "inbox/2025年会议/b.wav", "done"),
    ]
    assert daemon.recognised().total() == 2
    outputs = [path.decode() for (path,) in daemon.query("SELECT path FROM outputs")]
    assert len(outputs) == 4
    assert all("2025年会议" in path for path in outputs)
    daemon.check_integrity()


def test_a_renamed_recording_takes_its_transcripts_along(daemon: Renaming) -> None:
    """What was left behind as it was written follows: the new name stands in it, the old files are gone."""
    content = recording(1)
    path = daemon.lay("a.wav", content)
    path.rename(daemon.inbox / "b.wav")
    daemon.wait_for_moves()
    eventually(lambda: daemon.files(daemon.inbox) == {"b.wav", "b.txt", "b.srt"}, what="b.txt")
    check_transcript(daemon.inbox / "b.txt", content)
    assert "b.wav" in (daemon.inbox / "b.txt").read_text(encoding="utf-8")
    (daemon.inbox / "sub").mkdir()
    (daemon.inbox / "b.wav").rename(daemon.inbox / "sub" / "c.wav")
    daemon.wait_for_moves(2)
    eventually(lambda: daemon.files(daemon.inbox) == set(), what="the old transcripts gone")
    assert daemon.files(daemon.inbox / "sub") == {"c.wav", "c.txt", "c.srt"}
    assert daemon.paths() == [("inbox", "inbox/sub/c.wav", "done")]
    assert daemon.recognised().total() == 1


def test_an_edited_transcript_that_is_left_behind_stays(daemon: Renaming) -> None:
    """It is a person's: it keeps its name and its neighbours, and none appears under the new name."""
    path = daemon.lay("a.wav", recording(1))
    (daemon.inbox / "a.txt").write_text("改过的", encoding="utf-8")
    path.rename(daemon.inbox / "b.wav")
    daemon.wait_for_moves()
    assert daemon.files(daemon.inbox) == {"b.wav", "a.txt", "a.srt"}
    assert (daemon.inbox / "a.txt").read_text(encoding="utf-8") == "改过的"
    assert daemon.paths() == [("inbox", "inbox/b.wav", "done")]


def test_transcripts_that_a_person_renamed_too_stay_as_they_are(daemon: Renaming) -> None:
    """a.wav, a.txt and a.srt become b.wav, b.txt and b.srt by hand: nothing is left to do."""
    path = daemon.lay("a.wav", recording(1))
    for suffix in (".txt", ".srt"):
        path.with_suffix(suffix).rename(daemon.inbox / f"b{suffix}")
    text = (daemon.inbox / "b.txt").read_bytes()
    path.rename(daemon.inbox / "b.wav")
    daemon.wait_for_moves()
    assert daemon.files(daemon.inbox) == {"b.wav", "b.txt", "b.srt"}
    assert (daemon.inbox / "b.txt").read_bytes() == text


def test_where_the_old_one_lives_it_is_a_copy(daemon: Renaming) -> None:
    """Both have their transcripts, of one recognition."""
    path = daemon.lay("a.wav", recording(1))
    shutil.copyfile(path, daemon.inbox / ".copy")
    (daemon.inbox / ".copy").rename(daemon.inbox / "b.wav")
    daemon.wait_until_done(2)
    assert daemon.files(daemon.inbox) == {"a.wav", "a.txt", "a.srt", "b.wav", "b.txt", "b.srt"}
    assert daemon.events("recording_moved") == []
    assert daemon.recognised().total() == 1


def test_between_inboxes_the_profile_decides(daemon: Renaming) -> None:
    """Same profile: the same recording. Another: the other inbox's work, in place of the old text."""
    content = recording(1)
    daemon.lay("会议/a.wav", content)
    (daemon.inbox / "会议").rename(daemon.folder / "second" / "会议")
    daemon.wait_for_moves()
    assert daemon.paths() == [("second", "second/会议/a.wav", "done")]
    assert daemon.recognised().total() == 1
    (daemon.folder / "second" / "会议").rename(daemon.folder / "third" / "会议")
    daemon.wait_for_moves(2)
    eventually(lambda: daemon.recognised().total() == 2, what="the other inbox's work")
    eventually(lambda: ("third", "third/会议/a.wav", "done") in daemon.paths(), what="its transcript")
    assert daemon.files(daemon.folder / "third" / "会议") == {"a.wav", "a.txt", "a.srt"}
    check_transcript(daemon.folder / "third" / "会议" / "a.txt", content)


def test_a_failed_recording_is_not_tried_again_for_its_new_name(daemon: Renaming) -> None:
    """The failure file goes with it, by the person's hand or by ours."""
    (daemon.inbox / "会议").mkdir()
    drop(daemon.inbox / "会议" / "a.wav", b"no recording")
    eventually((daemon.inbox / "会议" / f"a{FAILED}").exists, what="the failure file")
    eventually(lambda: daemon.states() == {"a.wav": "failed"}, what="its row")
    (daemon.folder / "words.txt").write_text("王敏\n", encoding="utf-8")
    target = (daemon.inbox / "会议").rename(daemon.inbox / "2025")
    daemon.wait_for_moves()
    assert daemon.files(target) == {"a.wav", f"a{FAILED}"}
    (target / "a.wav").rename(target / "b.wav")
    daemon.wait_for_moves(2)
    eventually(lambda: daemon.files(target) == {"b.wav", f"b{FAILED}"}, what="the new failure file")
    assert daemon.paths() == [("inbox", "inbox/2025/b.wav", "failed")]
    assert daemon.query("SELECT count(*) FROM attempts") == [(1,)]


@pytest.mark.parametrize("segments", [1, 12])
def test_a_rename_in_work_or_in_the_queue_recognises_nothing_twice(daemon: Renaming, segments: int) -> None:
    """The long one is renamed in mid-work, the one behind it in the queue."""
    long, short = recording("long", segments=12, ms=300), recording("short", segments=segments)
    drop(daemon.inbox / "long.wav", long)
    eventually(lambda: daemon.recognised().total() > 2, what="the long one's beginning")
    drop(daemon.inbox / "short.wav", short)
    eventually(lambda: "short.wav" in daemon.states(), what="the short one in the queue")
    (daemon.inbox / "long.wav").rename(daemon.inbox / "l.wav")
    (daemon.inbox / "short.wav").rename(daemon.inbox / "s.wav")
    daemon.wait_until_done(2)
    for name, content in (("l", long), ("s", short)):
        check_transcript(daemon.inbox / f"{name}.txt", content)
    counted = daemon.recognised()
    assert set(counted) == {
        f"{hashlib.sha256(content).hexdigest()} {number}"
        for content, count in ((long, 12), (short, segments))
        for number in range(count)
    }
    assert counted.total() <= 12 + segments + 1, "at most the segment in hand is said again"
    assert daemon.files(daemon.inbox) == {"l.wav", "l.txt", "l.srt", "s.wav", "s.txt", "s.srt"}


def test_both_taken_away_and_the_recording_brought_back_elsewhere(daemon: Renaming) -> None:
    """Its transcript is due again; the history has it."""
    content = recording(1)
    path = daemon.lay("a.wav", content)
    for each in (path, path.with_suffix(".txt"), path.with_suffix(".srt")):
        each.unlink()
    drop(daemon.inbox / "again.wav", content)
    daemon.wait_for_moves()
    check_transcript(daemon.wait_for("inbox/again.txt"), content)
    assert daemon.recognised().total() == 1


def test_lists_show_the_path_within_the_inbox_and_what_is_gone(daemon: Renaming) -> None:
    """`history` and `search` tell two a.wav apart; a row whose file is gone says so, and so does `retry`."""
    daemon.lay("会议/a.wav", recording(1))
    path = daemon.lay("周会/a.wav", recording(2))
    path.unlink()
    listed = daemon.command("history").stdout
    assert "会议/a.wav" in listed
    (line,) = (line for line in listed.splitlines() if "周会/a.wav" in line)
    assert "done, file gone" in line
    entries = {entry["shown"]: entry for entry in json.loads(daemon.command("history", "--json").stdout)}
    assert {shown: entry["file_gone"] for shown, entry in entries.items()} == {
        "会议/a.wav": False,
        "周会/a.wav": True,
    }
    assert {entry["name"] for entry in entries.values()} == {"a.wav"}
    assert "inbox/会议/a.wav: 第0段" in daemon.command("search", "第0段").stdout
    (found, _) = json.loads(daemon.command("search", "第0段", "--json").stdout)
    assert (found["name"], found["shown"]) == ("a.wav", "周会/a.wav")
    told = daemon.command("retry", str(entries["周会/a.wav"]["id"]))
    assert told.returncode == 1
    assert "is gone" in told.stderr
    assert daemon.command("retry", str(entries["会议/a.wav"]["id"])).returncode == 0
