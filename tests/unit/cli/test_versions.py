"""`--version`: what a report of a fault should name, as it would really be used."""

from __future__ import annotations

import platform
import re
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from asr_daemon import __version__
from asr_daemon.cli.versions import versions
from asr_daemon.config import Config
from asr_daemon.models.catalogue import BUILTIN_NAME
from support import run_command

if TYPE_CHECKING:
    from pathlib import Path


def fake_ffmpeg(folder: Path, said: str) -> Path:
    """Lay a program that answers every question with that line."""
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    return program


def test_every_part_is_named() -> None:
    """Program, Python, packages, ffmpeg, SQLite and the model, by the versions that are installed."""
    found = versions(Config())
    assert list(found) == [
        "asr-daemon",
        "python",
        "torch",
        "funasr",
        "silero-vad",
        "ffmpeg",
        "sqlite",
        "model",
    ]
    assert found["asr-daemon"] == __version__
    assert found["python"] == platform.python_version()
    assert (found["torch"], found["funasr"]) == (version("torch"), version("funasr"))
    assert found["sqlite"] == sqlite3.sqlite_version
    assert re.fullmatch(r"\S*\d\S* \(/.+\)", found["ffmpeg"])


def test_ffmpeg_and_model_are_those_of_the_configuration(tmp_path: Path) -> None:
    """The configured ffmpeg is asked, and a model folder is named with the digest that transcripts carry."""
    program = fake_ffmpeg(tmp_path, "ffmpeg version 4.2.7-own Copyright (c) 2000-2022")
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    (model / "config.yaml").write_text("model: SeacoParaformer\n")
    (model / "model.pt").write_bytes(b"weights")
    found = versions(
        Config.model_validate(
            {
                "engine": {"ffmpeg": str(program), "model": "mine"},
                "models": {"dir": tmp_path / "models"},
            }
        )
    )
    assert found["ffmpeg"] == f"4.2.7-own ({program})"
    assert re.fullmatch(r"mine@[0-9a-f]{16}", found["model"])


def test_what_is_broken_is_said_in_its_line(tmp_path: Path) -> None:
    """Neither a missing model nor an ffmpeg that fails keeps the rest from being told."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    found = versions(
        Config.model_validate({"engine": {"ffmpeg": str(program), "model": str(tmp_path / "none")}})
    )
    assert found["ffmpeg"].startswith("does not run: ")
    assert "does not exist" in found["model"]
    assert found["asr-daemon"] == __version__


def test_the_option_reads_the_configuration_wherever_it_stands(tmp_path: Path) -> None:
    """`-c FILE` counts before and behind `--version`; a broken file is named, and the rest is told."""
    config = tmp_path / "config.toml"
    config.write_text(f'[engine]\nmodel = "{tmp_path}/absent"\n')
    for arguments in (("--version", "-c", str(config)), ("-c", str(config), "--version")):
        shown = run_command(*arguments)
        assert shown.returncode == 0
        assert f"model none: The model folder {tmp_path}/absent does not exist." in shown.stdout
    config.write_text("unknown = 1\n")
    shown = run_command("--version", "-c", str(config))
    assert shown.returncode == 0
    assert "unknown" in shown.stderr
    assert f"model {BUILTIN_NAME}@" in shown.stdout


def test_neither_torch_nor_funasr_is_loaded_for_it() -> None:
    """They take seconds to import; their versions are read from their metadata."""
    code = (
        "import sys, atexit; heavy = {'torch', 'funasr'};"
        "atexit.register(lambda: print('loaded:', *(heavy & {*sys.modules})));"
        "sys.argv = ['asr-daemon', '--version']; from asr_daemon.cli import main; main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"asr-daemon {__version__}" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "loaded:"
