"""The whole way of a recording, shown and checked: the real daemon on samples in a throw-away folder.

``stage`` builds the folder and starts the daemon, ``show`` prints what a person should see, ``verdict`` says
whether everything is as it should be, ``browser`` opens it to one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live

from asr_daemon.demo.browser import show_in_browser
from asr_daemon.demo.show import show_results
from asr_daemon.demo.stage import Stage
from asr_daemon.demo.verdict import verdict
from asr_daemon.errors import OperatorError
from asr_daemon.views.console import console as terminal
from asr_daemon.views.status import status_view

if TYPE_CHECKING:
    from rich.console import Console

INTRODUCTION = """\
[bold]asr-daemon demo[/bold]: four inboxes, the real daemon, everything on this machine.
The [bold]built-in model[/bold] is small and was trained on synthetic voices only: it is for trying out.
On real people it does badly; for work, put paraformer-zh into the models folder.
"""


def run_demo(keep: Path | None, *, opens_console: bool = False) -> int:
    """Run the demonstration, in ``keep`` or in a folder that is removed; return the exit code.

    ``opens_console``: once everything is as it should be, show it in a browser until Ctrl-C.
    """
    console = terminal()
    console.print(INTRODUCTION, markup=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise OperatorError(f"the folder {keep} is not empty: name another for --keep")
        code = _play(console, keep.resolve(), opens_console=opens_console)
        console.print(f"\nKept in {keep}; the daemon's log is {keep / 'daemon.log'}.")
        return code
    with tempfile.TemporaryDirectory(prefix="asr-daemon-demo-") as folder:
        return _play(console, Path(folder).resolve(), opens_console=opens_console)


def _play(console: Console, folder: Path, *, opens_console: bool) -> int:
    with Stage(folder) as stage:
        stage.wait_for_voice()
        stage.drop_recordings()
        with Live(console=console, transient=not console.is_terminal, refresh_per_second=4) as live:
            stage.wait(lambda status: live.update(status_view(status)))
        stage.recognise_without_hotwords()
    results = stage.results()
    show_results(console, results)
    complaints = verdict(results)
    console.rule()
    for complaint in complaints:
        console.print("[red]not as it should be:[/red]", end=" ", markup=True)
        console.print(complaint)
    if complaints:
        console.print(f"The daemon's last words:\n{stage.last_words()}", markup=False)
        return 1
    console.print("[green]Everything is as it should be.[/green]", markup=True)
    if opens_console:
        show_in_browser(console, stage)
    return 0
