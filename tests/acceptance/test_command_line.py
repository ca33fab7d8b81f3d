"""The command line, as a person or a script uses it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from asr_daemon.cli import cli
from asr_daemon.history.search import match_phrase
from support import SAMPLES, WITHOUT_RIGHTS, DaemonUnderTest, eventually, reference, run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    MakeDaemon = Callable[..., DaemonUnderTest]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonUnderTest]:
    """A running daemon that has transcribed one recording and refused another."""
    folder = tmp_path_factory.mktemp("past")
    shutil.copy(SAMPLES / "finance.hotwords.txt", folder / "words.txt")
    daemon = DaemonUnderTest(folder, inboxes={"财务": 'hotwords = "words.txt"'})
    shutil.copy(SAMPLES / "finance.m4a", folder / "财务" / "预算会议.m4a")
    (folder / "财务" / "坏.wav").write_bytes(b"rubbish" * 64)
    daemon.start()
    daemon.wait_for("财务/预算会议.srt")
    daemon.wait_for("财务/坏.转写失败.txt")
    eventually(lambda: {row["state"] for row in daemon.history()} == {"done", "failed"}, what="both rows")
    yield daemon
    daemon.kill()


def all_commands() -> dict[str, click.Command]:
    """Return the commands by name; each is there under the name that it calls itself."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    assert all(command is not None and command.name == name for name, command in found.items())
    return found  # type: ignore[return-value]


def test_every_command_has_help() -> None:
    """Each command, and each of its options, says what it does."""
    runner = CliRunner()
    commands = all_commands()
    groups = {name: command for name, command in commands.items() if hasattr(command, "commands")}
    names = [*commands, *(f"{group} {name}" for group in groups for name in groups[group].commands)]
    for name in names:
        shown = runner.invoke(cli, [*name.split(), "--help"])
        assert shown.exit_code == 0, name
    for command in commands.values():
        assert command.help, command.name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{command.name} {parameter.name}"  # type: ignore[attr-defined]


def test_designed_commands_are_all_there() -> None:
    """The commands of the design exist by these names."""
    designed = "run demo transcribe status history search show retry pause resume backup models check itn"
    assert set(designed.split()) <= set(all_commands())


def test_status_tells_people_and_scripts(past: DaemonUnderTest) -> None:
    """`status` shows inbox, model and queue; `--json` has a schema that scripts may rely on."""
    shown = past.command("status")
    assert shown.returncode == 0
    assert "财务" in shown.stdout
    assert "trying out only" in shown.stdout
    status = json.loads(past.command("status", "--json").stdout)
    assert status["schema"] == 1
    assert status["running"] is True
    assert status["queue"] == {"queued": 0, "running": 0, "done": 1, "failed": 1, "quarantined": 0}
    inbox = status["inboxes"][0]
    assert (inbox["done"], inbox["failed"], inbox["waiting"]) == (1, 1, 0)
    assert inbox["watch"]["mode"] in ("events", "polling")
    assert [error["code"] for error in status["errors"]] == ["not_decodable"]


def test_history_in_three_forms(past: DaemonUnderTest) -> None:
    """`history` is a table for people, JSON and CSV for scripts, and can be narrowed."""
    assert "预算会议.m4a" in past.command("history").stdout
    entries = json.loads(past.command("history", "--json").stdout)
    assert {entry["state"] for entry in entries} == {"done", "failed"}
    as_csv = past.command("history", "--csv").stdout
    assert as_csv.startswith("\ufeffid,"), "Excel needs the mark to see UTF-8"
    assert past.command("history", "--csv", "--no-bom").stdout.startswith("id,")
    rows = list(csv.DictReader(io.StringIO(as_csv[1:])))
    assert [row["name"] for row in rows] == [entry["name"] for entry in entries]
    words = {entry["name"]: entry["hotwords"] for entry in entries}
    assert {(hit["word"], hit["count"]) for hit in words["预算会议.m4a"]} >= {("顾清源", 1)}
    assert "顾清源 1x by model" in {row["name"]: row["hotwords"] for row in rows}["预算会议.m4a"]
    narrowed = json.loads(past.command("history", "--state", "failed", "--json").stdout)
    assert [entry["name"] for entry in narrowed] == ["坏.wav"]
    assert (
        json.loads(past.command("history", "--since", "2000-01-01", "--inbox", "none", "--json").stdout) == []
    )
    assert past.command("history", "--since", "yesterday").returncode == 2


def test_search_finds_two_characters(past: DaemonUnderTest) -> None:
    """Two-character Chinese words are found, with recording and time; what is not there ends with 1."""
    found = past.command("search", "预算")
    assert found.returncode == 0
    assert "预算会议.m4a" in found.stdout
    assert "年度预算会议" in found.stdout
    places = json.loads(past.command("search", "王敏", "--json").stdout)
    assert [place["name"] for place in places] == ["预算会议.m4a"]
    missing = past.command("search", "天气")
    assert (missing.returncode, missing.stdout, missing.stderr) == (1, "", "nothing found\n")
    assert "预算会议.m4a" in past.command("search", "會議 預算").stdout
    assert "more" in past.command("history", "--limit", "1").stderr
    assert past.command("history", "--limit", "2").stderr == ""
    assert past.command("search", '"*').returncode == 2
    assert past.command("search", " ".join(map(str, range(30)))).returncode == 2


def test_search_phrase_cannot_be_broken_out_of() -> None:
    """Quotes and operators in a search are words, not FTS5 syntax."""
    assert match_phrase('预算" OR "x') == '"预 算 OR x"'


def test_show_prints_transcript_or_reason(past: DaemonUnderTest) -> None:
    """`show` prints a finished transcript in any format, and what happened to a failed recording."""
    by_name = {row["name"]: str(row["id"]) for row in past.history()}
    assert "顾清源" in past.command("show", by_name["预算会议.m4a"]).stdout
    document = json.loads(past.command("show", by_name["预算会议.m4a"], "--format", "json").stdout)
    assert "".join(s["raw_text"] for s in document["segments"]) == reference("finance", "ref")
    failed = past.command("show", by_name["坏.wav"])
    assert failed.returncode == 1
    assert "attempt 1" in failed.stderr
    assert past.command("show", "999").returncode == 1


def test_retry_pause_and_resume(past: DaemonUnderTest) -> None:
    """A paused queue begins nothing; a retried recording is tried again after `resume`."""
    tried = len(past.events("recognition_started"))
    bad = next(str(row["id"]) for row in past.history() if row["name"] == "坏.wav")
    assert past.command("pause").returncode == 0
    assert past.command("retry", bad).returncode == 0
    assert json.loads(past.command("status", "--json").stdout)["paused"] is True
    assert json.loads(past.command("status", "--json").stdout)["queue"]["queued"] == 1
    assert past.command("resume").returncode == 0
    eventually(lambda: len(past.events("recognition_started")) == tried + 1, what="the second try")
    eventually(lambda: past.rows("queue_counts") and past.history()[0], what="an answer")
    answer = past.command("retry", "--class", "not_decodable", "--json")
    assert answer.returncode == 0
    assert past.command("retry").returncode == 2
    assert past.command("retry", "999").returncode == 1


def test_backup_is_taken_listed_verified_and_not_restored_under_a_running_daemon(
    past: DaemonUnderTest,
) -> None:
    """Backups work beside the running daemon; a restore is refused, naming who holds the folder."""
    made = json.loads(past.command("backup", "now", "--json").stdout)
    listed = json.loads(past.command("backup", "list", "--json").stdout)
    assert made["path"] in [each["path"] for each in listed]
    assert "recordings" in past.command("backup", "verify", made["path"]).stdout
    refused = past.command("backup", "restore", made["path"])
    assert refused.returncode == 75
    assert "stop it first" in refused.stderr


def test_transcribe_asks_the_running_daemon(past: DaemonUnderTest, tmp_path: Path) -> None:
    """`transcribe` beside a running daemon is served by it, under an inbox's profile, and leaves no files."""
    recording = shutil.copy(SAMPLES / "finance.m4a", tmp_path / "x.m4a")
    done = past.command("transcribe", os.fspath(recording), "--inbox", "财务", "--format", "srt")
    assert done.returncode == 0, done.stderr
    assert "顾清源" in done.stdout
    assert "-->" in done.stdout
    assert list(tmp_path.iterdir()) == [recording]
    unknown = past.command("transcribe", os.fspath(recording), "--inbox", "nobody")
    assert unknown.returncode == 2
    assert "configured are: 财务" in unknown.stderr


def test_hotwords_are_checked_line_by_line(tmp_path: Path) -> None:
    """`hotwords check` says what each line does, with its number, and ends with 1 where one does nothing."""
    words = tmp_path / "words.txt"
    words.write_text("# 部门\n顾清源\n好\n故清源=>顾清源\n=>\n", encoding="gb18030")
    checked = run_command("hotwords", "check", os.fspath(words), XDG_STATE_HOME=os.fspath(tmp_path))
    assert checked.returncode == 1, checked.stderr
    assert "顾清源  [顾 清 源]" in checked.stdout
    assert "One character alone" in checked.stdout
    assert "4 lines" in checked.stdout
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[inbox]]\nname = "财务"\npath = "{tmp_path}"\nhotwords = "words.txt"\n'
        "phonetic_correction = false\n",
        encoding="utf-8",
    )
    of_inbox = run_command("hotwords", "check", "--inbox", "财务", "-c", os.fspath(config))
    assert "Correction by sound is off" in of_inbox.stdout, of_inbox.stderr
    assert "顾清源  [顾 清 源]" in of_inbox.stdout
    assert run_command("hotwords", "check", "-c", os.fspath(config)).returncode == 2
    missing = run_command("hotwords", "check", os.fspath(tmp_path / "none.txt"))
    assert missing.returncode in {1, 2}
    assert "Traceback" not in missing.stderr


def test_hotwords_are_tried_on_a_recording(past: DaemonUnderTest) -> None:
    """`hotwords try` shows what a list changes in a recording."""
    tried = past.command(
        "hotwords", "try", os.fspath(SAMPLES / "support.hotwords.txt"), os.fspath(SAMPLES / "support.mp3")
    )
    assert tried.returncode == 0, tried.stderr
    assert "→ 岳明远]" in tried.stdout
    assert "hotwords are in the text: " in tried.stdout


@pytest.mark.slow
def test_transcribe_works_for_anyone(tmp_path: Path) -> None:
    """Without a configuration and without a daemon the command does it itself and remembers it."""
    state = {"XDG_STATE_HOME": os.fspath(tmp_path), "ASR_DAEMON_CONFIG": ""}
    (tmp_path / "文.wav").write_text("rubbish", encoding="utf-8")
    first = run_command(
        "transcribe", os.fspath(SAMPLES / "lecture.wav"), os.fspath(tmp_path / "文.wav"), **state
    )
    assert first.returncode == 1
    assert "80%" in first.stdout
    assert "文.wav" in first.stderr
    assert "Traceback" not in first.stderr
    missing = run_command("transcribe", os.fspath(tmp_path / "none.wav"), **state)
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    remembered = run_command("history", "--json", **state)
    assert {entry["state"] for entry in json.loads(remembered.stdout)} == {"done", "failed"}


@pytest.mark.slow
def test_restore_on_a_stopped_daemon_keeps_what_it_replaced(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """After a restore the history is the backup's; the replaced one is still there."""
    daemon = make_daemon()
    (tmp_path / "inbox" / "坏.wav").write_bytes(b"rubbish" * 64)
    daemon.start()
    daemon.wait_for("inbox/坏.转写失败.txt")
    daemon.stop()
    made = json.loads(daemon.command("backup", "now", "--json").stdout)
    kept_rows = daemon.history()
    assert daemon.command("retry", str(kept_rows[0]["id"])).returncode == 0
    restored = daemon.command("backup", "restore", made["path"])
    assert restored.returncode == 0, restored.stderr
    assert daemon.history() == kept_rows
    assert len(list((tmp_path / "state").glob("history*"))) >= 2


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("[daemon]\nlogg = 1", 2, "daemon.logg: no such key; did you mean log"),
        ('[[inbox]]\nname = "a"\npath = "missing"', 1, "is not there"),
        ('[[inbox]]\nname = "a"\npath = "inbox"\nhotwords = "none.txt"', 1, "none.txt"),
        ('[engine]\nmodel = "whisper"', 1, "whisper"),
    ],
)
def test_check_names_problem_key_and_fix(tmp_path: Path, text: str, code: int, sentence: str) -> None:
    """`check` finds what is wrong before the service does, in words and in JSON."""
    path = tmp_path / "config.toml"
    path.write_text(f'{text}\n[models]\ndir = "m"\n' if "engine" in text else text, encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    state = {"XDG_STATE_HOME": os.fspath(tmp_path)}
    checked = run_command("check", "-c", os.fspath(path), **state)
    assert checked.returncode == code, checked.stdout
    assert sentence in checked.stdout
    findings = json.loads(run_command("check", "--json", "-c", os.fspath(path), **state).stdout)
    assert any(finding["level"] == "error" and sentence in finding["text"] for finding in findings)


def test_check_is_content_with_a_sound_configuration(tmp_path: Path) -> None:
    """A sound configuration ends with 0."""
    path = tmp_path / "config.toml"
    path.write_text('[[inbox]]\nname = "a"\npath = "inbox"\n', encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    checked = run_command("check", "-c", os.fspath(path), XDG_STATE_HOME=os.fspath(tmp_path / "state"))
    assert checked.returncode == 0, checked.stdout


def test_unknown_key_stops_run_with_one_sentence(tmp_path: Path) -> None:
    """`run` with a wrong configuration ends with 2 and names the key, without a traceback."""
    path = tmp_path / "config.toml"
    path.write_text("[engine]\ndevcie = 1\n", encoding="utf-8")
    run = run_command("run", "-c", os.fspath(path))
    assert run.returncode == 2
    assert "engine.devcie: no such key; did you mean device?" in run.stderr
    assert "Traceback" not in run.stderr


# Runs a command on a machine whose system-wide configuration lies there.
WITH_SYSTEM_CONFIG = """
import sys
from pathlib import Path
from asr_daemon import cli, config
config.SYSTEM_CONFIG = Path(sys.argv.pop(1))
sys.exit(cli.main())
"""


def test_configuration_that_is_closed_to_who_asks_is_one_sentence(tmp_path: Path) -> None:
    """The installed configuration is for root and the service: others are told so, and shown no defaults."""
    closed = tmp_path / "etc"
    closed.mkdir()
    (closed / "config.toml").write_text("", encoding="utf-8")
    closed.chmod(0)
    asked = subprocess.run(
        [
            *(WITHOUT_RIGHTS if os.geteuid() == 0 else ()),
            *(sys.executable, "-c", WITH_SYSTEM_CONFIG, str(closed / "config.toml"), "status"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    closed.chmod(0o700)
    assert asked.returncode == 2
    assert asked.stderr.strip() == (
        f"asr-daemon: {closed / 'config.toml'}: you may not read it: use sudo, or name a file with -c"
    )


def test_itn_normalises_arguments_and_lines() -> None:
    """`itn` writes spoken numbers the way people write them."""
    shown = CliRunner().invoke(cli, ["itn", "二零二五年三月十五号", "一千二百三十四元"])
    assert shown.output.splitlines() == ["2025年3月15日", "1234元"]
    piped = CliRunner().invoke(cli, ["itn"], input="\ufeff百分之八十\r\n十分感谢\n")
    assert piped.output.splitlines() == ["80%", "十分感谢"]
    explained = CliRunner().invoke(cli, ["itn", "--explain", "三点一四"])
    assert "三点一四" in explained.output
    assert "3.14" in explained.output


def test_itn_refuses_what_is_no_utf8() -> None:
    """A file in GB18030 is named as such; its bytes are not passed off as normalised text."""
    odd = "三百五\n".encode() + "测试三百五\n".encode("gb18030")
    for arguments, named in (([os.fsdecode("测试".encode("gb18030"))], "TEXT"), ([], "line 2 of the input")):
        asked = subprocess.run(
            [sys.executable, "-m", "asr_daemon", "itn", *arguments],
            input=odd,
            capture_output=True,
            check=False,
        )
        assert asked.returncode == 1
        assert asked.stderr.decode().count("\n") == 1
        assert f"{named} is not UTF-8" in asked.stderr.decode()


def test_version_names_every_part() -> None:
    """`--version` tells what a report of a fault should name."""
    shown = CliRunner().invoke(cli, ["--version"]).output
    for part in ("asr-daemon", "torch", "funasr", "sqlite"):
        assert part in shown
