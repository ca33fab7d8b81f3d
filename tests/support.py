"""What the tests share: a real daemon in a folder of its own, and sample recordings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asr_daemon.config import load_config
from asr_daemon.control.socket import NotRunningError, ask
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.history import open_history_read_only

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SAMPLES = Path(__file__).parents[1] / "asr_daemon" / "demo" / "audio"
PATIENCE_S = 90.0  # a bound for a machine that is busy; nothing waits that long in earnest
LOOK_AGAIN_S = 0.05
# root, but bound by the rights of files as everybody is
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def eventually(look: Callable[[], T], *, within_s: float = PATIENCE_S, what: str = "it") -> T:
    """Return the first true value of ``look()``; fail when there is none within the time."""
    deadline_s = time.monotonic() + within_s
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{what} did not come about within {within_s:.0f} s (last: {value!r})")
        time.sleep(LOOK_AGAIN_S)


def reference(name: str, kind: str = "written") -> str:
    """Return what a sample says, without line ends: "ref" (as spoken) or "written"."""
    return "".join((SAMPLES / f"{name}.{kind}.txt").read_text(encoding="utf-8").split())


def convert(source: Path, target: Path, *arguments: str) -> Path:
    """Make another recording of one with ffmpeg."""
    command = [os.fspath(find_ffmpeg("")), "-v", "error", "-y", "-i", os.fspath(source), *arguments]
    subprocess.run([*command, os.fspath(target)], check=True)
    return target


class DaemonUnderTest:
    """``asr-daemon run`` in a process of its own, with a configuration below a folder."""

    def __init__(self, folder: Path, *, inboxes: dict[str, str], extra: str = "") -> None:
        """Take the folder and, for each inbox, further lines of its section."""
        self.folder = folder
        self.config_path = folder / "config.toml"
        self.log_path = folder / "daemon.log"
        self.without_rights = False  # bound by the rights of files even as root (needs setpriv)
        self.prefix: tuple[str, ...] = ()  # what it runs under: strace, say
        self.program: tuple[str, ...] = ("-m", "asr_daemon")
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(inboxes=inboxes, extra=extra)

    def configure(self, *, inboxes: dict[str, str], extra: str = "") -> None:
        """Write the configuration."""
        text = f'[daemon]\nstate_dir = "state"\nlog = "json"\nrescan_s = 2\nretry_after_s = 0.2\n{extra}\n'
        for name, lines in inboxes.items():
            (self.folder / name).mkdir(exist_ok=True)
            text += f'[[inbox]]\nname = "{name}"\npath = "{name}"\nsettle_s = 0.3\n{lines}\n'
        self.config_path.write_text(text, encoding="utf-8")

    # ------------------------------------------------------------------ the process

    def start(self) -> DaemonUnderTest:
        """Start it and wait until it answers."""
        self.launch()
        eventually(self._answers, what="the daemon's start")
        return self

    def launch(self) -> None:
        """Start it, without waiting."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(WITHOUT_RIGHTS if self.without_rights else ()),
                    *self.prefix,
                    *(sys.executable, *self.program, "run", "-c", os.fspath(self.config_path)),
                ],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=bool(self.prefix),
            )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(
                f"the daemon ended with {self._process.returncode}:\n{self.log_text()[-3000:]}"
            )
        try:
            return bool(self.live())
        except NotRunningError:
            return False

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it as systemd does; return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(10)
        self._process = None
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            if self.prefix:  # what it runs under must not leave it behind
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        self._process = None

    # ------------------------------------------------------------------ looking

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask the daemon as a command does; raises ``OperatorError`` where it refuses."""
        return ask(load_config(self.config_path).socket_path, command, silent_for_s=PATIENCE_S, **arguments)

    def live(self) -> dict[str, Any]:
        """Return what only the running daemon knows."""
        return ask(load_config(self.config_path).socket_path, "status")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log records of that event, oldest first."""
        records = [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]
        return [record for record in records if record.get("event") == name]

    def log_text(self) -> str:
        """Return everything that it logged."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query of the history."""
        history = open_history_read_only(self.folder / "state" / "history.db")
        try:
            return [dict(row) for row in history.all(query, **values)]
        finally:
            history.close()

    def history(self) -> list[dict[str, Any]]:
        """Return every recording, newest first."""
        return self.rows("history", inboxes=None, state=None, since=None, limit=10_000)

    def wait_for(self, path: str) -> Path:
        """Return a file below the folder once it is there."""
        wanted = self.folder / path
        eventually(wanted.exists, what=path)
        return wanted

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line with this configuration."""
        return run_command(*arguments, "-c", os.fspath(self.config_path))


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``asr-daemon`` with these arguments; what it prints comes back."""
    return subprocess.run(
        [sys.executable, "-m", "asr_daemon", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=PATIENCE_S,
        check=False,
    )
