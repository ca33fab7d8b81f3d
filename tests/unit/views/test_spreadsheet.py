"""The history as a spreadsheet opens it."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

import pytest

from asr_daemon.history import open_history
from asr_daemon.history.reading import PAGE, Which, each
from asr_daemon.printable import harmless_cell, printable
from asr_daemon.views.spreadsheet import csv_chunks

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("id", "name", "found_at", "written_at")


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"id": 1, "name": name, "found_at": "2026-03-15T07:30:00.000Z", "written_at": None, **values}


@pytest.mark.parametrize(
    "name",
    [
        "=1+1.wav",
        "+1.wav",
        "-1.wav",
        "@SUM(A1).wav",
        "\t=1.wav",
        "\r=1.wav",
        " =1.wav",
        "＝1.wav",
        "=cmd|' /C calc'!A0",
    ],
)
def test_no_cell_is_calculated(name: str) -> None:
    """Whoever names a recording must not run anything in the spreadsheet of who reads the list."""
    data = b"".join(csv_chunks(FIELDS, [row(name)], ("found_at",), with_mark=False)).decode()
    (read,) = csv.DictReader(io.StringIO(data, newline=""))
    assert read["name"] in (f"'{name}", printable(name, lines=True))  # what is no cell's is escaped


def test_ordinary_cells_stay() -> None:
    """Names with such signs inside, figures and nothing."""
    assert [harmless_cell(value) for value in ("a=b.wav", "预算-1.m4a", "", -3.5, None, 7)] == [
        "a=b.wav", "预算-1.m4a", "", -3.5, None, 7,
    ]  # fmt: skip


def test_excel_knows_it_for_utf8() -> None:
    """One byte order mark at the very beginning, with rows and without; none where it is not wanted."""
    for rows in ([], [row("预算.m4a")], [row("预算.m4a"), row("会议.m4a")]):
        data = b"".join(csv_chunks(FIELDS, rows, (), with_mark=True))
        assert data.startswith("\ufeffid,name,".encode())
        assert data.decode().count("\ufeff") == 1
        assert [
            each["name"] for each in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        ] == [each["name"] for each in rows]
    assert b"".join(csv_chunks(FIELDS, [], (), with_mark=False)).startswith(b"id,")


def test_times_are_local_with_their_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the clock on the wall showed; summer and winter are told apart by the offset."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        data = b"".join(csv_chunks(FIELDS, [row("a")], ("found_at", "written_at"), with_mark=False)).decode()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert data.splitlines()[1] == "1,a,2026-03-15 15:30:00+08:00,"


@pytest.mark.parametrize("limit", [None, 3, PAGE, PAGE + 7])
def test_nothing_is_left_out(tmp_path: Path, limit: int | None) -> None:
    """All the recordings are listed, newest first, each once, or as many as were asked for."""
    history = open_history(tmp_path / "history.db")
    count = PAGE + 20
    with history.transaction():
        for number in range(count):
            history.db.execute(
                "INSERT INTO recordings"
                " (inbox, path, name, size_bytes, mtime_ns, inode, device, state, found_at)"
                " VALUES ('财务', ?, ?, 1, 1, 1, 1, 'waiting', '2026-03-15T07:30:00.000Z')",
                [f"/{number}.wav".encode(), f"{number}.wav"],
            )
    found = [entry.id for entry in each(history, Which(inboxes=["财务"]), limit)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found) == min(count, limit or count)
    history.close()
