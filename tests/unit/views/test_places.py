"""Where a recording lies, for people: nothing is called gone that the caller may not see."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from way import make_config

from asr_daemon.history.reading import Entry
from asr_daemon.views.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that everybody may pass, with an inbox."""
    made = Path(tempfile.mkdtemp(prefix="asr-daemon-test-"))
    made.chmod(0o755)
    (made / "inbox").mkdir(mode=0o700)
    yield made
    shutil.rmtree(made)


def entry(path: Path) -> Entry:
    """Return a finished recording of the inbox."""
    told = ("done", "2026-03-15T07:30:00.000Z", None, 1000, "model", 1, None, None, "x", {})
    return Entry(1, "inbox", path.name, path, *told)  # type: ignore[arg-type]


def test_file_that_was_taken_away_is_gone_and_one_that_is_there_is_not(folder: Path) -> None:
    """As everybody sees it who may look."""
    places = Places(make_config(folder))
    (folder / "inbox" / "a.wav").touch()
    assert places.is_gone(entry(folder / "inbox" / "a.wav")) is False
    assert places.is_gone(entry(folder / "inbox" / "b.wav")) is True
    assert places.is_gone(entry(folder / "inbox" / "sub" / "c.wav")) is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_in_a_folder_that_is_closed_to_the_caller_nothing_is_called_gone(folder: Path) -> None:
    """The service's user outside its unit, say: it has not the departments' groups."""
    places = Places(make_config(folder))
    (folder / "inbox" / "a.wav").touch()
    os.seteuid(NOBODY)
    try:
        assert places.is_gone(entry(folder / "inbox" / "a.wav")) is None
    finally:
        os.seteuid(0)
