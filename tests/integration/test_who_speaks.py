"""Who says what, with the real models on a real call: from the file to names in every transcript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from voices import decoded, write_wave

from asr_daemon.history import open_history_read_only
from support import convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import DaemonUnderTest

SHARED = Path(__file__).parents[3] / "shared" / "audio"
CALL, OTHER_CALL = SHARED / "call_invoice.ogg", SHARED / "call_refund.mp3"
INBOX = 'speakers = true\nformats = ["txt", "srt", "vtt", "json"]'

pytestmark = pytest.mark.skipif(not CALL.exists(), reason="the shared recordings are not here")


def voices(daemon: DaemonUnderTest) -> list[tuple[Any, ...]]:
    """Return what the history has of the recordings' voices."""
    history = open_history_read_only(daemon.folder / "state" / "history.db")
    try:
        return [tuple(row) for row in history.db.execute("SELECT rowid, job_id, number, windows FROM voices")]
    finally:
        history.close()


def drop(daemon: DaemonUnderTest, source: Path, name: str) -> None:
    """Put a recording into the inbox, whole."""
    part = daemon.folder / "inbox" / f".{name}.part"
    part.write_bytes(source.read_bytes())
    part.rename(daemon.folder / "inbox" / name)


def transcript(daemon: DaemonUnderTest, name: str) -> dict[str, Any]:
    """Return the .json beside a recording, once it is there."""
    text = daemon.wait_for(f"inbox/{name}.json").read_text(encoding="utf-8")
    told: dict[str, Any] = json.loads(text)
    return told


def sample_of(voice: int, folder: Path) -> Path:
    """Return what one voice of the call says, as a file of its own."""
    samples = decoded(CALL)
    said = json.loads(CALL.with_suffix(".ref.json").read_text(encoding="utf-8"))
    parts = [samples[each["start_ms"] * 16 : each["end_ms"] * 16] for each in said if each["voice"] == voice]
    return write_wave(folder / f"sample{voice}.wav", np.concatenate(parts)[:, None])


@pytest.mark.slow
def test_a_call_is_told_apart_named_and_told_apart_anew(
    make_daemon: Callable[..., DaemonUnderTest], tmp_path: Path
) -> None:
    """Killed in between, it goes on; two voices; renamed, known again, forgotten; edited files stay."""
    daemon = make_daemon({"inbox": INBOX}, extra='[engine]\nmodel = "builtin"\nbatch_s = 12.0').start()
    drop(daemon, CALL, "来电.ogg")
    kept = eventually(lambda: voices(daemon), what="the first voices")
    daemon.kill()
    kept = voices(daemon)
    daemon.start()
    told = transcript(daemon, "来电")
    assert set(kept) <= set(voices(daemon)), "what was embedded before the kill is not embedded again"

    # everywhere it belongs
    assert [one["name"] for one in told["speakers"]] == ["发言人1", "发言人2"]
    assert all(one["speaking_ms"] > 10_000 for one in told["speakers"])
    assert {segment["speaker"] for segment in told["segments"]} == {"发言人1", "发言人2"}
    text, srt, vtt = (
        daemon.wait_for(f"inbox/来电.{kind}").read_text("utf-8") for kind in ("txt", "srt", "vtt")
    )
    assert "\n发言人1 00:00:0" in text
    assert "\n发言人2：" in srt
    assert "\n<v 发言人2>" in vtt
    assert "embedding" not in json.dumps(told)

    # by hand, in files that nobody edited
    edited = daemon.folder / "inbox" / "来电.srt"
    edited.write_text("改过了", encoding="utf-8")
    done = daemon.command("speakers", "rename", "1", "发言人2", "林夏")
    assert done.returncode == 0, done.stderr
    assert "林夏 00:" in daemon.wait_for("inbox/来电.txt").read_text(encoding="utf-8")
    assert edited.read_text(encoding="utf-8") == "改过了"
    assert "来电.srt: was edited" in done.stdout
    assert sorted(path.name for path in (daemon.folder / "inbox").glob("来电*")) == [
        "来电.json", "来电.ogg", "来电.srt", "来电.txt", "来电.vtt",
    ]  # fmt: skip
    assert "林夏：" in daemon.command("show", "1", "--format", "srt").stdout

    regroup(daemon)
    know_again(daemon, tmp_path)
    assert daemon.stop() == 0


def regroup(daemon: DaemonUnderTest) -> None:
    """Told apart anew, without recognising; the name stays with its voice."""
    done = daemon.command("speakers", "regroup", "1", "--speakers", "1")
    assert done.returncode == 0, done.stderr
    assert len(transcript(daemon, "来电")["speakers"]) == 1
    done = daemon.command("speakers", "regroup", "1", "--speakers", "2")
    assert {one["name"] for one in transcript(daemon, "来电")["speakers"]} == {"发言人1", "林夏"}
    assert len(daemon.events("recognition_finished")) == 1


def know_again(daemon: DaemonUnderTest, tmp_path: Path) -> None:
    """Enrolled, and known again in another call; a sample without speech is refused."""
    sample = sample_of(0, tmp_path)
    done = daemon.command("speakers", "enrol", "--inbox", "inbox", "顾清源", str(sample))
    assert done.returncode == 0, done.stderr
    drop(daemon, OTHER_CALL, "回电.mp3")
    names = [one["name"] for one in transcript(daemon, "回电")["speakers"]]
    assert "顾清源" in names
    assert len(names) == 2
    found = daemon.command("search", "的", "--speaker", "顾清源")
    assert found.returncode == 0
    assert all("顾清源：" in line for line in found.stdout.splitlines())
    done = daemon.command("speakers", "forget", "--inbox", "inbox", "顾清源")
    assert done.returncode == 0
    assert "Nobody is known" in daemon.command("speakers", "list").stdout

    quiet = write_wave(tmp_path / "静音.wav", np.zeros((48_000, 1), np.float32))
    done = daemon.command("speakers", "enrol", "--inbox", "inbox", "林夏", str(quiet))
    assert done.returncode == 1
    assert "静音.wav" in done.stderr
    assert "没有听到足够的说话声" in done.stderr


def test_transcribe_says_who_speaks(make_daemon: Callable[..., DaemonUnderTest], tmp_path: Path) -> None:
    """With no daemon running, for a file that lies nowhere; without --speakers as ever."""
    daemon = make_daemon({"inbox": ""}, extra='[engine]\nmodel = "builtin"')
    short = convert(CALL, tmp_path / "call.wav", "-t", "30", "-ar", "16000")
    done = daemon.command("transcribe", "--speakers", "--format", "srt", str(short))
    assert done.returncode == 0, done.stderr
    assert "发言人1：" in done.stdout
    assert "发言人2：" in done.stdout
    assert "发言人" not in daemon.command("transcribe", "--format", "srt", str(short)).stdout
