"""Names out of a share, shown on a terminal, in the journal, in a spreadsheet: they steer none of them."""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from model_folders import lay
from rich.table import Table

from asr_daemon.cli import cli
from asr_daemon.history import open_history
from asr_daemon.printable import json_text, printable
from asr_daemon.service.sd_notify import Notifier
from asr_daemon.telemetry import journal, log
from asr_daemon.transcripts.profile import Profile
from asr_daemon.views.console import console

if TYPE_CHECKING:
    from pathlib import Path

# Clears the screen, sets the title, moves up, in eight bits too; forges a line; turns the direction; hides.
EVIL = (
    "a\x1b[2J\x1b]0;x\x07\x9b2A\nID 7 all is well\r\x85\u2028b\u202egpj\u2066\u200f\u200b\ufeff\U000e0041.wav"
)
HARMLESS_CONTROL = {"\n"}


def check_harmless(text: str) -> None:
    """Fail where anything in the text would steer a terminal, or begins a line of its own."""
    for char in text:
        kind = unicodedata.category(char)
        assert char in HARMLESS_CONTROL or kind not in ("Cc", "Cf", "Zl", "Zp", "Cs"), f"{char!r} in {text!r}"
    assert not any(line.startswith("ID 7") for line in text.splitlines()), text


@pytest.mark.parametrize("name", ["[/x]", "[red]a[/red]", ":smile:", "[link=http://127.0.0.1]a[/link]"])
def test_a_name_is_shown_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons in a name are neither markup nor the end of `status`."""
    table = Table("recording")
    table.add_row(name)
    console().print(table)
    assert name in capsys.readouterr().out


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration whose history and models folder are full of such names."""
    state = tmp_path / "state"
    open_history(state / "history.db").close()
    path = os.fsencode(tmp_path / "inbox") + b"/" + EVIL.encode() + b"\xff"
    with closing(sqlite3.connect(state / "history.db")) as database, database:
        database.execute(
            "INSERT INTO profiles (digest, profile, created_at) VALUES ('p', ?, '')",
            [Profile("model@1").to_json()],
        )
        for job, (state_of, error) in enumerate([("failed", EVIL), ("done", None)], 1):
            database.execute(
                "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at, error_code, error_message)"
                " VALUES (?, ?, 'p', ?, '2026-03-15T07:30:00.000Z', ?, ?)",
                [job, f"{job:064}", state_of, error, error],
            )
            database.execute(
                "INSERT INTO recordings (id, inbox, path, name, size_bytes, mtime_ns, inode, device, job_id,"
                " state, found_at, problem) VALUES (?, ?, ?, ?, 1, 1, 1, 1, ?, ?, ?, ?)",
                [job, EVIL, path + b"%d" % job, EVIL, job, state_of, "2026-03-15T07:30:00.000Z", EVIL],
            )
        database.execute(
            "INSERT INTO attempts (job_id, number, segments, started_at, error_message, evidence)"
            " VALUES (1, 1, 0, '2026', ?, ?)",
            [EVIL, EVIL],
        )
        database.execute(
            "INSERT INTO segments (id, job_id, number, start_ms, end_ms, raw_text, text)"
            " VALUES (1, 2, 0, 0, 9, 'x', ?)",
            [f"预算{EVIL}"],
        )
        database.execute("INSERT INTO segments_fts (rowid, body) VALUES (1, '预 算')")
        database.execute("INSERT INTO settings VALUES ('backup_error', ?)", [f"2026-03-15 {EVIL}"])
    lay(state / "models", EVIL.replace("\n", "\n\n"), more={"config.yaml": b"model: \x1b[2J\n"})
    written = tmp_path / "config.toml"
    written.write_text(f'[daemon]\nstate_dir = "{state}"\n[engine]\nffmpeg = "/bin/true"\n', encoding="utf-8")
    return written


COMMANDS = (
    "status",
    "history",
    "search 预算",
    "show 1",
    "models list",
    "models verify",
    "check",
    "--version",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_for_people_prints_a_harmful_name(config: Path, command: str) -> None:
    """Neither on stdout nor on stderr; what they say is there, escaped."""
    ended = CliRunner().invoke(cli, [*command.split(), "-c", str(config)], terminal_width=400)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    check_harmless(ended.output + ended.stderr)
    if command.startswith(("status", "history", "search", "show")):
        assert r"\x1b[2J" in (ended.output + ended.stderr).replace("\n", "")


@pytest.mark.parametrize(
    "command", ["status --json", "history --json", "search 预算 --json", "models list --json"]
)
def test_json_is_harmless_and_says_the_same(config: Path, command: str) -> None:
    """A script gets every character of a name, a terminal none that steers it."""
    ended = CliRunner().invoke(cli, [*command.split(), "-c", str(config)])
    check_harmless(ended.output)
    texts = _texts(json.loads(ended.output))
    assert any("\x1b[2J" in text and "\u202e" in text for text in texts)


def _texts(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [text for each in inner for text in _texts(each)]


def test_a_spreadsheet_gets_no_control_characters_and_no_formulas(config: Path) -> None:
    """Line breaks stay within their cell."""
    ended = CliRunner().invoke(cli, ["history", "--csv", "--no-bom", "-c", str(config)])
    assert "\x1b" not in ended.output
    assert r"\x1b[2J" in ended.output


def test_the_journal_shows_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    """MESSAGE is shown by journalctl (it hides what it takes for binary); the field keeps the name."""
    record = journal.fields({"event": "recording_queued", "inbox": "x", "file": EVIL, "level": "info"})
    assert "\n" not in record["MESSAGE"]
    check_harmless(record["MESSAGE"])
    assert record["ASR_FILE"] == EVIL
    for style in ("console", "auto"):
        log.configure(style, "info")  # type: ignore[arg-type]
        log.get_logger().info("recording_queued", file=EVIL, names=[EVIL])
    check_harmless(capsys.readouterr().err)


def test_systemd_hears_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of a file's name becomes a message of its own."""
    sent: list[str] = []
    monkeypatch.setattr(Notifier, "_send", lambda _self, text: sent.append(text))
    Notifier("/nowhere").status("x\nMAINPID=1\x85STOPPING=1\u2028WATCHDOG=1.wav")
    assert sent == ["STATUS=x MAINPID=1 STOPPING=1 WATCHDOG=1.wav"]


def test_printable_keeps_what_people_write() -> None:
    """Chinese, emoji with joiners, accents and blanks stay; JSON gives back every character."""
    for text in ("预算会议 2026（终稿）.m4a", "👩‍👩‍👧.wav", "café – ångström", "ไทย", "हिन्दी"):
        assert printable(text) == text
    assert json.loads(json_text({EVIL: [EVIL]}, indent=2)) == {EVIL: [EVIL]}
    assert printable("a\udcff") == r"a\xff"
