"""Which folders are departments: who may make one chooses its name, and what it leads to."""

from __future__ import annotations

import os
import threading
from pathlib import Path  # noqa: TC003 (a function returns one)

import pytest

from asr_daemon.config import Config, load_config
from asr_daemon.errors import ConfigurationError
from asr_daemon.files import departments
from asr_daemon.files.departments import list_departments


@pytest.fixture
def inboxes(tmp_path: Path) -> Path:
    """Return the folder of the departments."""
    folder = tmp_path / "inboxes"
    folder.mkdir()
    return folder


def names(config: Config) -> list[str]:
    return [inbox.name for inbox in config.inbox]


def test_every_folder_is_an_inbox_by_its_name(
    inboxes: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a configuration file; files, and what a NAS keeps for itself, are none."""
    for name in ("财务", "人事 部", "@eaDir", "#recycle", ".hidden", "System Volume Information"):
        (inboxes / name).mkdir()
    (inboxes / "录音.wav").write_bytes(b"sound")
    monkeypatch.setenv("ASR_DAEMON_INBOXES", str(inboxes))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("ASR_DAEMON_MODELS", str(tmp_path / "models"))
    config = load_config(None)
    assert sorted(names(config)) == ["人事 部", "财务"]
    assert config.require_inbox("财务").path == inboxes / "财务"
    assert (config.state_dir, config.models_dir) == (tmp_path / "state", tmp_path / "models")
    assert names(load_config(None, finds_departments=False)) == []


@pytest.mark.parametrize(
    "name",
    [
        b"\xb2\xc6\xce\xf1",  # 财务 in GB 18030
        "a\u202etxt.exe".encode(),
        b"line\nbreak",
        b" led by a space",
        b"trailing ",
        b"*",
        b"---",
        "长".encode() * 65,
    ],
)
def test_names_that_would_deceive_are_refused_and_said(inboxes: Path, name: bytes) -> None:
    """What cannot be shown, or means something else, is no department; others are not held up."""
    os.mkdir(os.fsencode(inboxes) + b"/" + name)  # noqa: PTH102 (bytes)
    (inboxes / "财务").mkdir()
    found = list_departments(inboxes)
    assert list(found.inodes) == ["财务"]
    (told,) = found.refused
    assert told.isprintable()
    assert found.refused[told]


def test_links_are_no_departments_wherever_they_lead(inboxes: Path, tmp_path: Path) -> None:
    """Neither the state folder nor another department is reached by one."""
    (tmp_path / "elsewhere").mkdir()
    (inboxes / "link").symlink_to(tmp_path / "elsewhere")
    (inboxes / "财务").mkdir()
    (inboxes / "again").symlink_to("财务")
    found = list_departments(inboxes)
    assert list(found.inodes) == ["财务"]
    assert sorted(found.refused) == ["again", "link"]


def test_folder_that_is_not_there_or_does_not_answer_is_a_problem_in_words(
    inboxes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share whose server is away holds up nobody for long."""
    assert "No such file" in list_departments(inboxes / "nowhere").problem
    goes_on = threading.Event()

    def hangs(_folder: Path) -> departments.Listing:
        goes_on.wait()
        return departments.Listing()

    monkeypatch.setattr(departments, "_listed", hangs)
    before = threading.active_count()
    for _ in range(3):
        assert "does not answer" in list_departments(inboxes, within_s=0.05).problem
    assert threading.active_count() == before + 1
    goes_on.set()


def test_inbox_of_the_file_is_that_folders_own(inboxes: Path, tmp_path: Path) -> None:
    """A department with other settings is written down; one that cannot be beside it is left out."""
    for name in ("财务", "人事", "taken"):
        (inboxes / name).mkdir()
    (inboxes / "人事" / "sub").mkdir()
    path = tmp_path / "config.toml"
    path.write_text(
        f'[daemon]\nstate_dir = "state"\ninboxes = "inboxes"\n'
        f'[[inbox]]\nname = "财务"\npath = "inboxes/财务"\nformats = ["docx"]\n'
        f'[[inbox]]\nname = "inner"\npath = "inboxes/人事/sub"\n'
        f'[[inbox]]\nname = "taken"\npath = "{tmp_path}/other"\n',
        encoding="utf-8",
    )
    config = load_config(path)
    assert names(config) == ["财务", "inner", "taken"]
    assert config.require_inbox("财务").formats == ("docx",)
    assert "lie in one another" in config.stated.why_no_department("人事")
    assert "that name" in config.stated.why_no_department("taken")


def test_state_folder_among_the_departments_is_none(inboxes: Path, tmp_path: Path) -> None:
    """A volume that was mounted below another does not become an inbox."""
    for name in ("财务", "state"):
        (inboxes / name).mkdir()
    path = tmp_path / "config.toml"
    path.write_text('[daemon]\nstate_dir = "inboxes/state"\ninboxes = "inboxes"\n', encoding="utf-8")
    assert names(load_config(path)) == ["财务"]


def test_files_of_ours_are_found_below_the_folder_of_the_departments(inboxes: Path) -> None:
    """What is written there follows no link, not even one in the place of the department itself."""
    config = Config.model_validate({"daemon": {"state_dir": "/s", "inboxes": inboxes}})
    config = config.with_departments(["财务"])
    assert config.root_of_ours(inboxes / "财务" / "a.txt") == inboxes
    assert config.root_of_ours(inboxes / "a.txt") is None


def test_no_home_and_no_configuration_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without an entry in passwd, as in a container."""
    for name in ("HOME", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", _no_home)
    with pytest.raises(ConfigurationError, match=r"state_dir: this user has no home"):
        load_config(None)


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
