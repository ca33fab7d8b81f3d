"""The units of a cluster as people read them: reasons, ports, and names that README relies on."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asr_daemon.install.cluster import BRIDGE, RAY_FOLDER, RAY_GROUP

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
HEAD, WORKER = (UNITS / "cluster" / f"asr-daemon-ray-{name}.service" for name in ("head", "worker"))
OWN = UNITS / BRIDGE.unit.name
EXPOSURE_MAX = {OWN: 15, HEAD: 15, WORKER: 15}  # tenths


def settings(unit: Path) -> list[str]:
    """Return the lines of a unit that are settings, continued ones whole."""
    text = unit.read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in text.splitlines() if re.match(r"[A-Z]\w+=", line)]


@pytest.mark.parametrize("unit", [OWN, HEAD, WORKER], ids=lambda path: path.stem)
def test_every_loosened_setting_has_its_reason(unit: Path) -> None:
    """Who reads a unit finds above each `=no` why; above `ProcSubset=all`, too."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.fullmatch(r"[A-Z]\w+=no|ProcSubset=all", line):
            above = itertools.takewhile(lambda text: text.startswith("#"), reversed(lines[:number]))
            assert any(text.startswith("# Loosened: ") for text in above), line


@pytest.mark.parametrize("unit", [HEAD, WORKER], ids=lambda path: path.stem)
def test_machines_ask_for_a_token_and_write_to_memory_alone(unit: Path) -> None:
    """Ray's folders lie in /run, temporary ones on a tmpfs; neither swap nor core dumps; no dashboard."""
    lines = settings(unit)
    assert any(line.startswith("Environment=RAY_AUTH_MODE=token ") for line in lines)
    for line in (
        "MemorySwapMax=0",
        "LimitCORE=0",
        "ProtectSystem=strict",
        f"User={RAY_GROUP}",
        "PrivateTmp=no",
    ):
        assert line in lines
    assert not any(
        line.startswith(("StateDirectory=", "ReadWritePaths=", "CacheDirectory=")) for line in lines
    )
    (temporary,) = (line for line in lines if line.startswith("TemporaryFileSystem="))
    assert "/tmp:" in temporary  # noqa: S108
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    for option in ("--temp-dir", "--object-spilling-directory"):
        assert re.search(rf"{option}={RAY_FOLDER}/\w+ ", start)
    if unit == HEAD:
        assert r"{\"automatic_object_spilling_enabled\":false}" in start
        assert "--include-dashboard=false" in start


def test_head_and_worker_differ_in_what_they_start_alone() -> None:
    """What is loosened or closed in one is in the other: two files, since each is read where it lies."""

    def closed(unit: Path) -> list[str]:
        return [line for line in settings(unit) if not line.startswith(("ExecStart=", "Description="))]

    assert closed(HEAD) == closed(WORKER)


def test_readme_names_the_ports_that_the_units_open() -> None:
    """In both languages; and the units' own comments."""
    opened: set[int] = set()
    for unit in (HEAD, WORKER):
        (start,) = (line for line in settings(unit) if line.startswith("ExecStart="))
        opened |= {int(port) for port in re.findall(r"-port=(\d+)", start)}
    english, chinese = (ROOT / "README.md").read_text(encoding="utf-8").split("# 中文说明")
    for text in (english, chinese, *(unit.read_text(encoding="utf-8") for unit in (HEAD, WORKER))):
        (named,) = re.findall(r"6379.{0,40}?10001.{0,60}?(\d+)-(\d+).{0,5}?(\d+)-(\d+)", flat(text))
        first, last, low, high = map(int, named)
        assert {6379, 10001, *range(first, last + 1), low, high} == opened


def flat(text: str) -> str:
    """Return a text on one line, without comment signs."""
    return re.sub(r"\s*\n[# ]*", " ", text)


def test_readme_installs_what_is_shipped() -> None:
    """Each file below systemd/cluster that its commands name is there, and each that is there is named."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"(?s)## Several machines.*?```sh\n(.*?)```", readme)
    for path in (UNITS / "cluster").iterdir():
        named = path.name if path.suffix != ".service" else "asr-daemon-ray-*.service"
        assert named in commands
    assert "share/asr-daemon/systemd/cluster" in commands
    assert "systemd/cluster/*" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", [HEAD, WORKER], ids=lambda path: path.stem)
def test_systemd_accepts_the_machines_units_and_they_are_closed(unit: Path, tmp_path: Path) -> None:
    """Valid as systemd reads them; exposure at most 1.5."""
    copy = tmp_path / unit.name
    text = unit.read_text(encoding="utf-8").replace("/opt/asr-daemon/bin/ray", "/bin/true")
    copy.write_text(text, encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={EXPOSURE_MAX[unit]}",
        str(copy),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
