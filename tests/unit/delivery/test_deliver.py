"""Delivery: which names, what is never overwritten, what waits, and what the row says when."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

import pytest
from way import PROFILE, RECOGNISER, Way

from asr_daemon.config import Config
from asr_daemon.delivery import outputs as outputs_module
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.delivery.outputs import Outputs
from asr_daemon.errors import DiskFullError, NotDecodableError, WriteFailedError
from asr_daemon.files.publish import publish
from asr_daemon.inboxes.presence import InboxPresence, check_presence

if TYPE_CHECKING:
    from pathlib import Path

FAILED = ".转写失败.txt"


class Desk:
    """A queue whose jobs are finished by hand, and the deliverer."""

    def __init__(self, folder: Path, **inbox: object) -> None:
        self.way = Way(folder, **inbox)  # type: ignore[arg-type]
        self.gone: list[str] = []
        self.again()

    def again(self) -> None:
        """Begin anew, as after a restart of the daemon."""
        self.deliverer = Deliverer(
            self.way.config,
            self.way.history,
            self.way.arrivals,
            self.way.shares,
            self.way.time.clock,
            lambda _, path: self.gone.append(path.name),
        )
        self.deliverer.recover()

    def finished(self, name: str, content: bytes | None = None) -> int:
        """Queue a file and finish its work, unless that was done; return its recording."""
        recording = self.way.put(name, content or os.fsencode(name))
        if (job := self.way.jobs.claim(RECOGNISER, fresh_only=False)) is not None:
            self.way.finish(job.id, f"内容{len(os.fsencode(name))}")
        return recording

    def failed(self, name: str) -> int:
        """Queue a file that cannot be decoded."""
        recording = self.way.put(name, name.encode())
        self.way.jobs.fail(self.way.claim().id, NotDecodableError())
        return recording

    def files(self) -> set[str]:
        """Return what lies in the inbox."""
        return {path.name for path in self.way.inbox.iterdir()}

    def state(self, recording: int) -> object:
        """Return a recording's state."""
        return self.way.recording(recording)["state"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with an empty inbox."""
    return Desk(tmp_path)


def test_transcript_is_written_and_then_recorded(desk: Desk) -> None:
    """The file lies there, and its row says when."""
    recording = desk.finished("a.wav")
    assert desk.deliverer.deliver(recording)
    assert "内容" in (desk.way.inbox / "a.txt").read_text(encoding="utf-8")
    assert desk.way.recording(recording)["written_at"]
    assert desk.state(recording) == "done"


def test_every_recording_gets_a_file_of_its_own(desk: Desk) -> None:
    """One stem in formats, cases and compositions, undecodable bytes, 255 bytes: N in, N out."""
    names = [
        *("a.wav", "a.mp3", "A.wav", "a.WAV", "-rf.wav", "新\n行.wav", "空 格.m4a"),
        *(unicodedata.normalize(form, "Müller é.wav") for form in ("NFC", "NFD")),
        os.fsdecode(b"\xff\xfe.wav"),
        "长" * 83 + ".wav",
        "长" * 83 + ".mp3",
    ]
    for name in names:
        desk.finished(name)
    assert desk.deliverer.deliver_all() == len(names)
    texts = desk.files() - set(names)
    assert len(texts) == len(names)
    folded = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()) for text in texts}
    assert len(folded) == len(names), "Windows or macOS would take two of them for one"


def test_text_that_somebody_wrote_stays(desk: Desk) -> None:
    """A file of that name that is not ours is not replaced."""
    (desk.way.inbox / "a.txt").write_text("我自己写的", encoding="utf-8")
    assert desk.deliverer.deliver(desk.finished("a.wav"))
    assert (desk.way.inbox / "a.txt").read_text(encoding="utf-8") == "我自己写的"
    assert "内容" in (desk.way.inbox / "a.wav.txt").read_text(encoding="utf-8")


def test_name_taken_between_look_and_rename_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's file stays whole; the transcript takes the next name."""
    taken = desk.way.inbox / "a.txt"

    def publish_late(path: Path, data: bytes, **options: object) -> None:
        if path == taken and not taken.exists():
            taken.write_text("这一刻写的", encoding="utf-8")
        publish(path, data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs_module, "publish", publish_late)
    assert desk.deliverer.deliver(desk.finished("a.wav"))
    assert taken.read_text(encoding="utf-8") == "这一刻写的"
    assert (desk.way.inbox / "a.wav.txt").exists()
    assert [row["path"] for row in desk.way.history.all("recording_outputs", recording=1)] == [
        os.fsencode(desk.way.inbox / "a.wav.txt")
    ]


def test_crash_between_rename_and_commit_does_not_double(desk: Desk) -> None:
    """Planned, written, then killed: the next round finds its own file and keeps that name."""
    recording = desk.finished("a.wav")
    desk.deliverer.deliver(recording)
    desk.way.history.db.execute("UPDATE outputs SET written_at = NULL")
    desk.way.history.db.execute("UPDATE recordings SET state = 'waiting'")
    assert desk.deliverer.deliver(recording)
    assert desk.files() == {"a.wav", "a.txt"}


def test_crash_between_plan_and_write_leaves_a_strangers_file_alone(desk: Desk) -> None:
    """Planned and killed; meanwhile somebody wrote a file of that name: it is not ours."""
    recording = desk.finished("a.wav")
    desk.deliverer.deliver(recording)
    desk.way.history.db.execute("UPDATE outputs SET written_at = NULL")
    desk.way.history.db.execute("UPDATE recordings SET state = 'waiting'")
    (desk.way.inbox / "a.txt").write_text("别人的", encoding="utf-8")
    assert desk.deliverer.deliver(recording)
    assert (desk.way.inbox / "a.txt").read_text(encoding="utf-8") == "别人的"
    assert (desk.way.inbox / "a.wav.txt").exists()


@pytest.mark.parametrize("error", [DiskFullError("full"), WriteFailedError("input/output error")])
def test_what_cannot_be_written_waits_and_says_why(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A full disk or an I/O error: still waiting, with the problem; written by a later round, once."""
    first, second = desk.finished("a.wav"), desk.finished("b.wav")
    asked = []

    def refuse(path: Path, data: bytes, **options: object) -> None:
        asked.append(path.name)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(outputs_module, "publish", refuse)
        assert desk.deliverer.deliver_all() == 0
    assert len(asked) == (1 if isinstance(error, DiskFullError) else 2), "a full disk is asked once a round"
    assert desk.state(first) == desk.state(second) == "waiting"
    assert desk.way.recording(first)["problem"] == str(error)
    assert desk.deliverer.deliver_all() == 2
    assert desk.files() == {"a.wav", "a.txt", "b.wav", "b.txt"}
    assert desk.way.recording(first)["problem"] is None


def test_trouble_of_one_recording_does_not_stop_those_behind_it(desk: Desk) -> None:
    """A row that cannot be rendered is said and passed over."""
    broken, well = desk.finished("a.wav"), desk.finished("b.wav")
    desk.way.history.db.execute("UPDATE segments SET tokens = 'no json' WHERE job_id = 1")
    assert desk.deliverer.deliver_all() == 1
    assert (desk.state(broken), desk.state(well)) == ("waiting", "done")
    assert desk.way.recording(broken)["problem"]


def test_failure_file_comes_and_goes(desk: Desk) -> None:
    """It says why; the transcript of a later try takes its place."""
    recording = desk.failed("a.wav")
    assert desk.deliverer.deliver(recording)
    assert "not_decodable" in (desk.way.inbox / f"a{FAILED}").read_text(encoding="utf-8")
    assert desk.state(recording) == "failed"
    desk.way.arrivals.retry(recording)
    desk.way.finish(desk.way.claim().id, "你好")
    assert desk.deliverer.deliver(recording)
    assert desk.files() == {"a.wav", "a.txt"}


def test_recording_that_was_taken_away_is_gone(desk: Desk) -> None:
    """No transcript without its recording; whoever scans is told, so that its return is noticed."""
    recording = desk.finished("a.wav")
    (desk.way.inbox / "a.wav").unlink()
    assert desk.deliverer.deliver(recording)
    assert (desk.state(recording), desk.files(), desk.gone) == ("gone", set(), ["a.wav"])


def test_nothing_is_gone_while_the_share_is_not_mounted(desk: Desk) -> None:
    """An empty mount point is not an inbox whose recordings were deleted."""
    recording = desk.finished("a.wav")
    here = check_presence(desk.way.inbox)
    share = InboxPresence(
        mount_point=str(desk.way.inbox),
        fs_type="cifs",
        source="//nas/finance",
        has_marker=False,
        device=here.device + 1,
        inode=here.inode + 1,
    )
    desk.way.settings.set(f"presence:{desk.way.inbox}", share.to_json())
    (desk.way.inbox / "a.wav").unlink()
    assert not desk.deliverer.deliver(recording)
    assert desk.state(recording) == "waiting"
    assert "not mounted" in str(desk.way.recording(recording)["problem"])


def test_inbox_that_is_configured_no_more_keeps_its_recordings_waiting(desk: Desk) -> None:
    """They are not called done without a transcript."""
    recording = desk.finished("a.wav")
    desk.deliverer.config = Config()
    desk.deliverer.deliver_all()
    assert desk.state(recording) == "waiting"
    desk.deliverer.config = desk.way.config
    desk.deliverer.deliver_all()
    assert desk.files() == {"a.wav", "a.txt"}


def test_changed_recording_replaces_its_own_transcript(desk: Desk) -> None:
    """The new version owns the old one's file; no second one appears."""
    desk.deliverer.deliver(desk.finished("a.wav", b"short"))
    before = (desk.way.inbox / "a.txt").read_bytes()
    new = desk.way.put("a.wav", b"a longer one")
    desk.way.finish(desk.way.claim().id, "更长", "的内容")
    assert desk.deliverer.deliver(new)
    assert desk.files() == {"a.wav", "a.txt"}
    assert (desk.way.inbox / "a.txt").read_bytes() != before


def again(desk: Desk, text: str) -> int:
    """Copy another version over a.wav and finish its work; return its recording."""
    new = desk.way.put("a.wav", text.encode())
    desk.way.finish(desk.way.claim().id, text)
    return new


def test_formats_of_a_recording_keep_one_stem(tmp_path: Path) -> None:
    """Where a.srt is somebody's own, neither format is called a.*; both lie together under the next stem."""
    desk = Desk(tmp_path, formats=("txt", "srt"))
    (desk.way.inbox / "a.srt").write_text("我自己写的", encoding="utf-8")
    assert desk.deliverer.deliver(desk.finished("a.wav"))
    assert desk.files() == {"a.wav", "a.srt", "a.wav.txt", "a.wav.srt"}
    assert (desk.way.inbox / "a.srt").read_text(encoding="utf-8") == "我自己写的"


def test_edited_transcript_is_never_overwritten(tmp_path: Path) -> None:
    """Transcribed again, it stays as the person left it; the new one lies beside it, all formats together."""
    desk = Desk(tmp_path, formats=("txt", "srt"))
    desk.deliverer.deliver(desk.finished("a.wav", b"short"))
    edited = desk.way.inbox / "a.txt"
    edited.write_text(edited.read_text(encoding="utf-8") + "会后补记", encoding="utf-8")
    kept = edited.read_bytes()
    for text in ("更长的内容", "再长一点的内容"):
        assert desk.deliverer.deliver(again(desk, text))
        assert desk.files() == {"a.wav", "a.txt", "a.wav.txt", "a.wav.srt"}, "a.srt was ours, and is stale"
        assert edited.read_bytes() == kept
        assert text in (desk.way.inbox / "a.wav.txt").read_text(encoding="utf-8")
        assert text in (desk.way.inbox / "a.wav.srt").read_text(encoding="utf-8")


def test_transcript_of_an_older_release_counts_as_edited(desk: Desk) -> None:
    """What was in it is not known: it is kept."""
    desk.deliverer.deliver(desk.finished("a.wav", b"short"))
    desk.way.history.db.execute("UPDATE outputs SET planned_sha256 = NULL, written_sha256 = NULL")
    assert desk.deliverer.deliver(again(desk, "更长的内容"))
    assert desk.files() == {"a.wav", "a.txt", "a.wav.txt"}


def test_crash_between_write_and_withdrawal_leaves_one_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the new set lay there and the old was not yet taken away: the next round does that."""
    desk = Desk(tmp_path, formats=("txt", "srt"))
    desk.deliverer.deliver(desk.finished("a.wav", b"short"))
    (desk.way.inbox / "a.txt").write_text("会后补记", encoding="utf-8")
    new = again(desk, "更长的内容")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Outputs, "withdraw", die)
        with pytest.raises(KeyboardInterrupt):
            desk.deliverer.deliver(new)
    assert {"a.srt", "a.wav.txt", "a.wav.srt"} <= desk.files()
    assert desk.deliverer.deliver(new)
    assert desk.files() == {"a.wav", "a.txt", "a.wav.txt", "a.wav.srt"}


def test_transcript_that_a_restored_history_does_not_know_is_taken_up(desk: Desk) -> None:
    """A backup older than the transcript: it is the same one, and no second is written."""
    recording = desk.finished("a.wav")
    desk.deliverer.deliver(recording)
    desk.way.history.db.execute("DELETE FROM outputs")
    desk.way.history.db.execute("UPDATE recordings SET state = 'waiting'")
    assert desk.deliverer.deliver(recording)
    assert desk.files() == {"a.wav", "a.txt"}


def lose_history(desk: Desk) -> None:
    """Forget everything, as after a lost state folder; what was written stays in the share."""
    desk.way.history.db.conn.executescript("DELETE FROM outputs; DELETE FROM recordings; DELETE FROM jobs;")
    desk.way.history.db.conn.executescript("DELETE FROM segments;")
    desk.way.time.pass_s(86_400 * 3)
    desk.again()


def test_after_a_lost_history_nothing_is_doubled(tmp_path: Path) -> None:
    """The same texts of another day take the places of those that lie there; an edited one stays."""
    desk = Desk(tmp_path, formats=("txt", "srt", "json"))
    for name in ("a.wav", "b.wav"):
        desk.deliverer.deliver(desk.finished(name))
    edited = desk.way.inbox / "b.txt"
    edited.write_text(edited.read_text(encoding="utf-8").replace("内容", "内客"), encoding="utf-8")
    before, kept = desk.files(), edited.read_bytes()
    first = (desk.way.inbox / "a.txt").read_bytes()
    lose_history(desk)
    for name in ("a.wav", "b.wav"):
        assert desk.deliverer.deliver(desk.finished(name))
    assert desk.files() == before | {"b.wav.txt", "b.wav.srt", "b.wav.json"}
    assert edited.read_bytes() == kept
    assert (desk.way.inbox / "a.txt").read_bytes() != first, "it says when it was made now"


def test_after_a_lost_history_no_failure_file_is_doubled_or_stays(desk: Desk) -> None:
    """One that fails again has one file that says so; one that is well again has none."""
    for name in ("a.wav", "b.wav"):
        desk.deliverer.deliver(desk.failed(name))
    other = desk.way.inbox / f"c{FAILED}"
    other.write_text("我自己写的", encoding="utf-8")
    assert desk.files() == {"a.wav", "b.wav", f"a{FAILED}", f"b{FAILED}", other.name}
    lose_history(desk)
    desk.deliverer.deliver(desk.failed("a.wav"))
    assert desk.deliverer.deliver(desk.finished("b.wav"))
    assert desk.deliverer.deliver(desk.finished("c.wav"))
    assert desk.files() == {"a.wav", "b.wav", "c.wav", f"a{FAILED}", "b.txt", "c.txt", other.name}


def test_link_in_the_way_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    """A folder of the inbox that was swapped for a link out of it gets no transcript."""
    (desk.way.inbox / "sub").mkdir()
    recording = desk.finished("sub/a.wav")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.wav").write_bytes(b"x")
    (desk.way.inbox / "sub" / "a.wav").unlink()
    (desk.way.inbox / "sub").rmdir()
    (desk.way.inbox / "sub").symlink_to(tmp_path / "elsewhere")
    assert not desk.deliverer.deliver(recording)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["a.wav"]


def test_command_line_recording_needs_no_file(desk: Desk) -> None:
    """What is named on the command line is done when its work is."""
    queued = desk.way.arrivals.put("", desk.way.candidate("a.wav").look, "a" * 64, PROFILE)
    assert desk.deliverer.deliver(queued.recording)
    assert desk.state(queued.recording) == "waiting"
    desk.way.finish(desk.way.claim().id, "你好")
    assert desk.deliverer.deliver(queued.recording)
    assert (desk.state(queued.recording), desk.files()) == ("done", {"a.wav"})
