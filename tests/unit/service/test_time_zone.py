"""A time zone that nobody knows is said, not taken for UTC; the package's serve where the system has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr_daemon.service.time_zone import SYSTEM, packaged_zones, take_zones, zone_problem

NOWHERE = Path("/nowhere")


def environ(zone: str | None) -> dict[str, str]:
    return {} if zone is None else {"TZ": zone}


@pytest.mark.parametrize("zone", ["UTC", "CST-8", "<+08>-8", "", ":UTC"])
def test_zones_that_need_no_data(zone: str) -> None:
    """What the C library understands by itself."""
    assert zone_problem(environ(zone), NOWHERE, NOWHERE) == ""


@pytest.mark.parametrize("zone", ["Asia/Shangai", "Beijing", "/nowhere/Asia", ":Asia/Shangai"])
def test_zone_that_is_none_is_said(zone: str) -> None:
    """Before, everything was eight hours off without a word."""
    assert "times are UTC" in zone_problem(environ(zone), SYSTEM, NOWHERE)


def test_no_zone_at_all_is_said_where_the_system_has_none_either(tmp_path: Path) -> None:
    """A container's system knows no local time; one that does is believed."""
    assert "set TZ=Asia/Shanghai" in zone_problem({}, SYSTEM, NOWHERE)
    (tmp_path / "localtime").touch()
    assert zone_problem({}, SYSTEM, tmp_path / "localtime") == ""


def test_zones_of_the_package_serve_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process and those that it starts; with the system's own, nothing changes."""
    monkeypatch.setattr("time.tzset", lambda: None)
    small, usual = environ("Asia/Shanghai"), environ("Asia/Shanghai")
    take_zones(small, NOWHERE)
    assert small["TZDIR"] == str(packaged_zones())
    assert zone_problem(small, NOWHERE, NOWHERE) == ""
    take_zones(usual, packaged_zones() or NOWHERE)
    assert usual == {"TZ": "Asia/Shanghai"}
    unknown = environ("Asia/Shangai")
    take_zones(unknown, NOWHERE)
    assert "TZDIR" not in unknown


def test_process_itself_lives_in_the_packages_zone() -> None:
    """The C library had looked already, and taken UTC."""
    script = (
        "import os, time, pathlib; from asr_daemon.service.time_zone import take_zones\n"
        "os.environ.update(TZDIR='/nowhere', TZ='Asia/Shanghai'); time.tzset(); del os.environ['TZDIR']\n"
        "before = time.strftime('%z'); take_zones(system=pathlib.Path('/nowhere'))\n"
        "print(before, time.strftime('%z'))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["+0000", "+0800"]


@pytest.mark.parametrize(("zone", "hour"), [("Asia/Shanghai", 8), ("CST-8", 8), ("Asia/Shangai", 0)])
def test_backups_are_made_at_the_hour_that_the_zone_says(zone: str, hour: int) -> None:
    """Also for a zone that is no name; a name that is none no longer ends in a traceback."""
    script = (
        "from datetime import datetime, timezone; from asr_daemon.clock import next_time\n"
        "found = next_time('0 12 * * *', datetime(2026, 3, 15, tzinfo=timezone.utc))\n"
        "print(found.astimezone(timezone.utc).hour)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(told.stdout) == 12 - hour
