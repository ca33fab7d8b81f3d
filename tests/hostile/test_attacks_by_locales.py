"""Locales of old: under GB18030, Latin-1 or none at all names are the same bytes, and commands answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop

from asr_daemon.install.shipped import shipped_text
from support import eventually

if TYPE_CHECKING:
    from pathlib import Path

NAME = "预算会议.wav"
LOCALES = {"gb18030": ("zh_CN", "GB18030"), "latin1": ("en_US", "ISO-8859-1"), "posix": None}


def environment(folder: Path, name: str) -> dict[str, str]:
    """Return the environment of that locale, which is compiled for the test."""
    described = LOCALES[name]
    if described is None:
        return {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here")
    language, charmap = described
    made = subprocess.run(
        ["localedef", "-i", language, "-f", charmap, folder / f"{language}.{charmap}"],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("the locale cannot be compiled here")
    return {"LC_ALL": f"{language}.{charmap}", "LOCPATH": os.fspath(folder), "PYTHONUTF8": "0"}


@pytest.mark.parametrize("name", LOCALES)
def test_names_and_words_are_utf8_whatever_the_locale(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files beside a recording have its name; every command answers, in UTF-8."""
    around = environment(tmp_path, name)
    for key, value in around.items():
        monkeypatch.setenv(key, value)
    daemon = AttackedDaemon(tmp_path, inboxes={"财务": 'formats = ["txt"]'})
    daemon.program = ("-m", "asr_daemon")
    inbox = tmp_path / "财务"
    with daemon:
        daemon.start()
        drop(inbox / NAME, b"rubbish" * 64)
        failed = inbox / "预算会议.转写失败.txt"
        eventually(failed.exists, what="the failure file")
        assert NAME in failed.read_text(encoding="utf-8")
        listed = sorted(os.listdir(os.fsencode(inbox)))  # noqa: PTH208 (as bytes)
        assert listed == sorted([NAME.encode(), failed.name.encode()])
        ended = daemon.command("show", "1")
        assert "Traceback" not in ended.stderr, ended.stderr
        assert "财务" in ended.stderr
        assert json.loads(daemon.command("history", "--json").stdout)[0]["name"] == NAME


def test_the_unit_says_it_too() -> None:
    """The service needs no second start for it."""
    assert "Environment=PYTHONUTF8=1" in shipped_text("systemd/asr-daemon.service")
