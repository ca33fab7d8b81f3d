"""The whole way with the real daemon and the built-in model: what people drop, and what they find."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from support import SAMPLES, DaemonUnderTest, convert, eventually, reference, run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeDaemon = Callable[..., DaemonUnderTest]

HOTWORDS = 'hotwords = "words.txt"\nformats = ["txt", "srt", "vtt", "json"]'


def spoken(path: Path) -> str:
    return "".join(s["raw_text"] for s in json.loads(path.read_text(encoding="utf-8"))["segments"])


def written(path: Path) -> str:
    return "".join(s["text"] for s in json.loads(path.read_text(encoding="utf-8"))["segments"])


def test_recording_gets_its_transcripts_in_every_format(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """A dropped recording finds txt, srt, vtt and json beside it, every character right."""
    shutil.copy(SAMPLES / "finance.hotwords.txt", tmp_path / "words.txt")
    daemon = make_daemon({"财务": HOTWORDS}).start()
    shutil.copy(SAMPLES / "finance.m4a", tmp_path / "财务" / "预算会议.m4a")
    document = daemon.wait_for("财务/预算会议.json")
    assert spoken(document) == reference("finance", "ref")
    assert written(document) == reference("finance")
    text = daemon.wait_for("财务/预算会议.txt").read_text(encoding="utf-8")
    assert "2025年3月15日下午3点半召开年度预算会议" in text
    assert "试用" in text  # the small model says so at the top
    assert "-->" in daemon.wait_for("财务/预算会议.srt").read_text(encoding="utf-8")
    assert daemon.wait_for("财务/预算会议.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert daemon.stop() == 0


FORMATS = {
    "mp3": (),
    "m4a": ("-ar", "44100", "-ac", "2"),
    "aac": (),
    "flac": ("-ar", "48000"),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "amr": ("-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1"),
    "wma": (),
    "webm": ("-c:a", "libopus"),
    "mov": (),
    "mkv": ("-filter_complex", "[0:a]channelmap=0|0|0|0|0|0:5.1"),
    "mp4": ("-f", "lavfi", "-i", "color=black:s=64x64:r=5", "-shortest", "-pix_fmt", "yuv420p"),
}


@pytest.mark.slow
def test_every_format_that_people_have_is_transcribed(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Sound and video files of every usual kind, any rate, any channel count, end with the same words."""
    made = {}
    for suffix, arguments in FORMATS.items():
        target = tmp_path / f"recording-{suffix}.{suffix}"
        try:
            made[suffix] = convert(SAMPLES / "lecture.wav", target, *arguments)
        except Exception:  # noqa: BLE001 (an ffmpeg without that encoder cannot make the test file)
            target.unlink(missing_ok=True)
    assert len(made) >= 9, f"this ffmpeg could make only {sorted(made)}"
    daemon = make_daemon({"inbox": 'formats = ["json"]'}).start()
    for path in made.values():
        shutil.move(path, tmp_path / "inbox" / path.name)
    wanted = reference("lecture", "ref")
    for suffix in made:
        got = spoken(daemon.wait_for(f"inbox/recording-{suffix}.json"))
        if suffix == "amr":  # telephone quality: the model stumbles, the words are there
            assert len(got) > len(wanted) // 2, suffix
        else:
            wrong = sum(a != b for a, b in zip(got, wanted, strict=False)) + abs(len(got) - len(wanted))
            assert wrong <= 3, (suffix, got)


@pytest.mark.slow
def test_same_content_is_not_recognised_twice(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """A copy under another name gets the finished transcript at once; only one attempt was made."""
    daemon = make_daemon().start()
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "inbox" / "公开课.wav")
    first = daemon.wait_for("inbox/公开课.srt")
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "inbox" / "公开课 (2).wav")
    twin = daemon.wait_for("inbox/公开课 (2).srt")
    assert twin.read_bytes() == first.read_bytes()
    assert len(daemon.events("recognition_started")) == 1
    assert len({row["sha256"] for row in daemon.history()}) == 1


@pytest.mark.slow
def test_two_recordings_that_want_one_name_both_get_theirs(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """a.wav and a.mp3 do not overwrite each other, and a text that somebody wrote stays as it is."""
    daemon = make_daemon()
    inbox = tmp_path / "inbox"
    (inbox / "笔记.txt").write_text("我自己写的", encoding="utf-8")
    shutil.copy(SAMPLES / "lecture.wav", inbox / "笔记.wav")
    shutil.copy(SAMPLES / "lecture.wav", inbox / "a.wav")
    shutil.copy(SAMPLES / "support.mp3", inbox / "a.mp3")
    daemon.start()
    daemon.wait_for("inbox/笔记.wav.txt")
    eventually(lambda: len(list(inbox.glob("a*.txt"))) == 2, what="two transcripts")
    assert (inbox / "笔记.txt").read_text(encoding="utf-8") == "我自己写的"
    texts = [path.read_text(encoding="utf-8") for path in sorted(inbox.glob("a*.txt"))]
    assert sum("同学们今天我们来学习" in text for text in texts) == 1
    assert sum("物流" in text for text in texts) == 1


@pytest.mark.slow
def test_longer_version_over_a_finished_recording_is_transcribed_again(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    """The new content replaces the transcript; the old version stays in the history."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}).start()
    target = tmp_path / "inbox" / "会议.wav"
    convert(SAMPLES / "lecture.wav", target, "-t", "4.8")
    short = written(daemon.wait_for("inbox/会议.json"))
    shutil.copy(SAMPLES / "lecture.wav", target)
    document = tmp_path / "inbox" / "会议.json"
    eventually(lambda: len(written(document)) > len(short), what="the longer transcript")
    assert written(document) == reference("lecture")
    # the file is there a moment before the history says that it is
    both = ["done", "superseded"]
    eventually(lambda: [row["state"] for row in daemon.history()] == both, what="the end of the second")
    assert list((tmp_path / "inbox").glob("*.json")) == [document]


@pytest.mark.slow
def test_hotword_file_is_taken_up_by_the_next_recording(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """A changed hotword file needs no restart."""
    (tmp_path / "words.txt").write_text("# 还没有\n", encoding="utf-8")
    daemon = make_daemon({"inbox": HOTWORDS + "\nphonetic_correction = false"}).start()
    shutil.copy(SAMPLES / "support.mp3", tmp_path / "inbox" / "one.mp3")
    assert "岳明远" not in spoken(daemon.wait_for("inbox/one.json"))
    words = ["岳明远", "龘靐公司", "Kubernetes", "张三、李四"]
    (tmp_path / "words.txt").write_text("\n".join(words), encoding="gb18030")
    shutil.copy(SAMPLES / "support.mp3", tmp_path / "inbox" / "two.mp3")
    assert "岳明远" in spoken(daemon.wait_for("inbox/two.json"))
    # nobody's list is in the log: it says how many words do nothing, and which lines are wrong
    assert [event["count"] for event in daemon.events("hotwords_unknown_to_model")] == [2]
    assert "words.txt line 4" in daemon.events("hotwords_problem")[0]["problem"]
    log = daemon.log_text()
    assert not [word for word in words if word in log or json.dumps(word)[1:-1] in log]


@pytest.mark.slow
def test_recordings_with_changed_hotwords_are_put_back(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """`retry --hotwords-changed` transcribes again exactly what was recognised with another list."""
    (tmp_path / "words.txt").write_text("物流异常\n", encoding="utf-8")
    daemon = make_daemon({"inbox": 'hotwords = "words.txt"\nformats = ["json"]', "other": ""}).start()
    shutil.copy(SAMPLES / "support.mp3", tmp_path / "inbox" / "one.mp3")
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "other" / "two.wav")
    document = daemon.wait_for("inbox/one.json")
    assert "岳明远" not in written(document)
    daemon.wait_for("other/two.txt")
    assert json.loads(daemon.command("retry", "--inbox", "inbox", "--hotwords-changed", "--json").stdout) == {
        "count": 0
    }
    (tmp_path / "words.txt").unlink()  # a list that cannot be read is no empty list
    refused = daemon.command("retry", "--inbox", "inbox", "--hotwords-changed")
    assert (refused.returncode, "words.txt: does not exist" in refused.stderr) == (2, True), refused.stderr
    shutil.copy(SAMPLES / "support.hotwords.txt", tmp_path / "words.txt")
    again = daemon.command("retry", "--inbox", "inbox", "--hotwords-changed")
    assert again.stdout.startswith("1 recordings"), again.stderr
    eventually(lambda: "岳明远" in written(document), what="the new transcript")
    assert [path.name for path in (tmp_path / "inbox").glob("*.json")] == ["one.json"]
    newest = daemon.history()[0]
    assert "岳明远 1x by" in daemon.command("show", str(newest["id"])).stderr
    assert daemon.command("retry", "--inbox", "inbox").returncode == 2


@pytest.mark.slow
def test_killed_daemon_goes_on_where_it_was(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """After SIGKILL in the middle of the work every recording still gets exactly one whole transcript."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}).start()
    for number in range(4):
        convert(SAMPLES / "lecture.wav", tmp_path / "inbox" / f"{number}.wav", "-ss", str(number / 10))
    eventually(lambda: daemon.events("recognition_started"), what="the first recognition")
    daemon.kill()
    daemon.start()
    for number in range(4):
        assert len(spoken(daemon.wait_for(f"inbox/{number}.json"))) > 40
    assert sorted(path.suffix for path in (tmp_path / "inbox").iterdir()) == [".json"] * 4 + [".wav"] * 4
    assert daemon.stop() == 0


@pytest.mark.slow
def test_killed_recogniser_is_started_again(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """Killing the recogniser, as the kernel does when memory is short, costs nothing but time."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}).start()
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "inbox" / "a.wav")
    daemon.wait_for("inbox/a.json")
    pid = daemon.live()["recogniser"]["pid"]
    os.kill(pid, signal.SIGKILL)
    shutil.copy(SAMPLES / "support.mp3", tmp_path / "inbox" / "b.mp3")
    assert "物流" in spoken(daemon.wait_for("inbox/b.json"))


@pytest.mark.slow
def test_stops_within_ten_seconds_during_work(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """SIGTERM while a recording is in work ends cleanly, and the recording is done after the next start."""
    daemon = make_daemon({"inbox": 'formats = ["json"]'}).start()
    convert(SAMPLES / "lecture.wav", tmp_path / "inbox" / "long.wav", "-filter_complex", "aloop=20:220000")
    eventually(lambda: daemon.events("recognition_started"), what="the recognition")
    assert daemon.stop() == 0
    assert not (tmp_path / "inbox" / "long.json").exists()
    daemon.start()
    assert spoken(daemon.wait_for("inbox/long.json"))


@pytest.mark.slow
def test_reload_takes_up_a_new_inbox_and_refuses_a_broken_file(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    """SIGHUP: a good file takes effect; a bad one leaves the running configuration in force, and says so."""
    daemon = make_daemon({"one": ""}).start()
    daemon.config_path.write_text("[daemon]\nstate_dri = 1\n", encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    refused = eventually(lambda: daemon.events("configuration_refused"), what="the refusal")
    assert "did you mean state_dir?" in refused[0]["problem"]
    daemon.configure(inboxes={"one": "", "two": ""})
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.events("configuration_reloaded"), what="the reload")
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "two" / "b.wav")
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "one" / "a.wav")
    daemon.wait_for("two/b.txt")
    daemon.wait_for("one/a.txt")


def test_second_daemon_says_who_holds_the_state_folder(make_daemon: MakeDaemon) -> None:
    """A second daemon ends with 75 and one sentence that names the first."""
    daemon = make_daemon().start()
    second = daemon.command("run")
    assert second.returncode == 75
    assert second.stderr.count("\n") == 1
    assert str(daemon.live()["pid"]) in second.stderr


def test_demo_runs_and_judges_itself() -> None:
    """The demonstration ends with 0 and shows transcripts, hotwords, the share, subtitles and the history."""
    shown = run_command("demo", COLUMNS="200")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for expected in (
        "2025年3月15日",
        "13800138000",
        "岳明远",
        "会议纪要.转写失败.txt",
        "00:00:0",
        "superseded",
    ):
        assert (expected in shown.stdout) == (expected != "superseded"), expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-rf.wav", "新\n行.wav", "会议 100%.wav"])
def test_awkward_names_get_their_transcripts(make_daemon: MakeDaemon, tmp_path: Path, name: str) -> None:
    """Names that trouble shells and logs are names like any other."""
    daemon = make_daemon().start()
    shutil.copy(SAMPLES / "lecture.wav", tmp_path / "inbox" / name)
    assert "同学们" in daemon.wait_for(f"inbox/{name.removesuffix('.wav')}.txt").read_text(encoding="utf-8")
