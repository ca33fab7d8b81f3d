"""Names out of a share, shown on a terminal."""

from __future__ import annotations

import pytest
from rich.table import Table

from asr_daemon.views.console import console


@pytest.mark.parametrize("name", ["[/x]", "[red]a[/red]", ":smile:", "[link=http://127.0.0.1]a[/link]"])
def test_a_name_is_shown_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons in a name are neither markup nor the end of `status`."""
    table = Table("recording")
    table.add_row(name)
    console().print(table)
    assert name in capsys.readouterr().out
