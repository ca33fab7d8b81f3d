"""Departments come and go while the daemon runs: taken up, renamed, let go, or missed."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from way import OpenDaemon

from asr_daemon.config import Config, load_config
from asr_daemon.control.status import collect
from asr_daemon.doctor.running import look_at_running
from asr_daemon.files import departments as files
from asr_daemon.history import History
from asr_daemon.service.configuration import Configuration
from asr_daemon.service.departments import Departments

if TYPE_CHECKING:
    from pathlib import Path


class Past(History):
    """A history that knows which inboxes had recordings, and nothing else."""

    def __init__(self, inboxes: set[str]) -> None:
        self._inboxes = inboxes

    def all(self, query: str, **_values: object) -> list[Any]:
        """Return the counts."""
        assert query == "inbox_counts"
        return [{"inbox": name, "state": "done", "recordings": 1} for name in self._inboxes]


class Office:
    """A folder of departments, and what a daemon would know of it."""

    def __init__(self, folder: Path) -> None:
        self.inboxes = folder / "inboxes"
        (self.inboxes / "财务").mkdir(parents=True)
        self.path = folder / "config.toml"
        self.path.write_text('[daemon]\nstate_dir = "state"\ninboxes = "inboxes"\n', encoding="utf-8")
        self.with_recordings = {"财务"}
        self.taken: list[list[str]] = []
        self.configuration = Configuration(load_config(self.path), self.path)
        self.departments = Departments(self.configuration, Past(self.with_recordings), self.take_up)

    def take_up(self, seen: Config, config: Config) -> bool:
        """Go on with that."""
        assert self.configuration.now is seen
        self.configuration.now = config
        self.taken.append(self.names)
        return True

    @property
    def names(self) -> list[str]:
        """What is watched."""
        return [inbox.name for inbox in self.configuration.now.inbox]

    def look(self, times: int = 2) -> list[str]:
        """Look so many times; return the events."""
        with capture_logs() as logs:
            for _ in range(times):
                self.departments.look()
        return [entry["event"] for entry in logs]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return an office with one department."""
    office = Office(tmp_path)
    office.look()
    return office


def test_new_folder_is_taken_up_once(office: Office) -> None:
    """At the second look: its name may still be the one that the file manager gave it."""
    (office.inboxes / "人事").mkdir()
    assert office.look(1) == []
    assert office.look(1) == ["department_found"]
    assert office.names == ["财务", "人事"]
    assert office.look(3) == []
    assert len(office.taken) == 1


def test_name_given_a_moment_later_is_the_one_that_counts(office: Office) -> None:
    """A folder called new is made first, then renamed."""
    (office.inboxes / "新建文件夹").mkdir()
    office.look(1)
    (office.inboxes / "新建文件夹").rename(office.inboxes / "人事")
    office.look(2)
    assert office.names == ["财务", "人事"]


def test_renamed_folder_is_another_department_and_the_old_one_is_not_missed(office: Office) -> None:
    """Whoever renames a department is not told for ever that it is gone."""
    (office.inboxes / "财务").rename(office.inboxes / "财务部")
    assert "department_left" in office.look(2)
    assert office.names == ["财务部"]


def test_department_with_recordings_that_goes_is_missed(office: Office) -> None:
    """It stays an inbox, whose own problem `status` and `healthcheck` tell; one without goes quietly."""
    (office.inboxes / "empty").mkdir()
    office.look(2)
    shutil.rmtree(office.inboxes / "财务")
    (office.inboxes / "empty").rmdir()
    assert office.look(2) == ["department_left"]
    assert office.names == ["财务"]
    (office.inboxes / "财务").mkdir()
    office.look(2)
    assert office.names == ["财务"]


def test_link_in_the_place_of_a_department_is_none(office: Office, tmp_path: Path) -> None:
    """Also where it had recordings: nothing is read or written through it."""
    shutil.rmtree(office.inboxes / "财务")
    (office.inboxes / "财务").symlink_to(tmp_path)
    assert set(office.look(2)) == {"department_left", "department_refused"}
    assert office.names == []


def test_folder_that_cannot_be_looked_into_takes_nothing_away(office: Office) -> None:
    """An unmounted volume is a problem, said once, and no reason to forget its departments."""
    away = office.inboxes.rename(office.inboxes.with_name("away"))
    assert office.look(3) == ["departments_not_seen"]
    assert "No such file" in office.configuration.departments_problem
    assert office.names == ["财务"]
    assert [inbox.name for inbox in office.configuration.read_anew().inbox] == ["财务"]  # nor by a reload
    away.rename(office.inboxes)
    assert office.look() == ["departments_seen_again"]
    assert office.configuration.departments_problem == ""


def test_thousands_of_folders_are_not_all_departments(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are known stay; of the others so many that each can be watched, and the rest is said."""
    monkeypatch.setattr("asr_daemon.service.departments.MOST_DEPARTMENTS", 5)
    assert files.MOST_DEPARTMENTS > 5
    for number in range(100):
        (office.inboxes / f"0{number:03}").mkdir()
    events = office.look(2)
    assert office.names == ["财务", "0000", "0001", "0002", "0003"]
    assert 0 < events.count("department_refused") < 50
    assert office.look(3) == []


def test_departments_do_not_make_a_file_look_changed(office: Office) -> None:
    """`status` says that the file differs from what is in force only where somebody edited it."""
    (office.inboxes / "人事").mkdir()
    office.look(2)
    assert not office.configuration.look().is_pending
    office.path.write_text(office.path.read_text(encoding="utf-8") + "rescan_s = 7\n", encoding="utf-8")
    assert office.configuration.look().is_pending


def test_status_and_check_show_the_department_that_is_missed(tmp_path: Path) -> None:
    """A person who asks looks into the folder anew, and would not find it there."""
    folder = tmp_path / "offices" / "财务"
    folder.mkdir(parents=True)
    site = OpenDaemon(tmp_path)
    changed = site.config.daemon.model_copy(update={"inboxes": folder.parent})
    asked = site.config.model_copy(update={"daemon": changed})
    site.parts.reload(asked.with_departments(["财务"]))
    folder.rmdir()
    for _ in range(2):
        site.parts.intake.wake("财务", None)
        site.parts.intake.step(0.0)
    with contextlib.closing(site.serve()):
        shown = {each["name"]: each["problem"] for each in collect(asked)["inboxes"]}
        found = [each for each in look_at_running(asked, None) if each.level == "error"]
    site.close()
    assert "is not there" in shown["财务"]
    assert [each.key for each in found] == ["inbox '财务': path"]
