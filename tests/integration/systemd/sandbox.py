"""A real systemd and journald in namespaces of their own."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]
TOOL = Path(os.environ.get("ASR_SYSTEMD_SANDBOX") or CHECKOUT.parent / "shared" / "tools" / "systemd-sandbox")
PROGRAM = str(Path(sys.prefix) / "bin" / "asr-daemon")
CONFIG = "/etc/asr-daemon/config.toml"
INBOX = "/srv/share/财务 部"
NOT_POSSIBLE = 77  # the tool's exit code where a machine cannot do it
PATIENCE_S = 120.0  # a bound for a machine that is busy; nothing waits that long in earnest
EMPTIED_AT_BOOT = (Path("/tmp"), Path("/var/tmp"), Path("/run"))  # noqa: S108

# Shows a folder of this machine inside the sandbox: open_tree(2), setns(2), move_mount(2).
GRAFT = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
OPEN_TREE, MOVE_MOUNT, AT_FDCWD, CLONE_NEWNS = 428, 429, -100, 0x20000
CLONE_RECURSIVE_CLOEXEC, EMPTY_PATH = 1 | 0x8000 | os.O_CLOEXEC, 4
pid, folder = sys.argv[1:]
tree = check(libc.syscall(OPEN_TREE, AT_FDCWD, folder.encode(), CLONE_RECURSIVE_CLOEXEC))
check(libc.setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY), CLONE_NEWNS))
os.makedirs(folder, exist_ok=True)
check(libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, folder.encode(), EMPTY_PATH))
"""


class Sandbox:
    """The booted system; every write in it is gone when it stops, ``share`` excepted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.share = folder / "share"

    def boot(self) -> None:
        """Start it, or skip the test with the tool's reason."""
        started = subprocess.run(
            [str(TOOL), "start", str(self._folder)], capture_output=True, text=True, check=False
        )
        if started.returncode == NOT_POSSIBLE:
            pytest.skip(f"no systemd sandbox here: {started.stderr.strip()}")
        if started.returncode:  # the tool waits ten seconds at most
            self.run("timeout", f"{PATIENCE_S:.0f}", "systemctl", "is-system-running", "--wait", check=False)
            assert self.run("systemctl", "is-active", "basic.target", check=False) == "active\n", (
                started.stderr
            )
        for folder in (Path(sys.prefix), Path(sys.base_prefix), CHECKOUT):
            if any(place in folder.parents for place in EMPTIED_AT_BOOT):
                pid = (self._folder / "pid").read_text().strip()
                subprocess.run([sys.executable, "-c", GRAFT, pid, str(folder)], check=True)

    def stop(self) -> None:
        """Shut it down."""
        subprocess.run([str(TOOL), "stop", str(self._folder)], check=False, capture_output=True)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside; return what it printed."""
        ended = subprocess.run(
            [str(TOOL), "exec", "-d", str(self._folder), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert ended.returncode == 0 or not check, f"{command}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        (self.share / "written").write_text(text, encoding="utf-8")
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cp /run/share/written "$1"', "sh", path)

    def put(self, source: Path, path: str) -> None:
        """Copy a file of this machine to a path inside, as another program's finished file."""
        shutil.copyfile(source, self.share / "put")
        self.run("sh", "-c", 'cp /run/share/put "$1.part" && mv "$1.part" "$1"', "sh", path)

    def show(self, *properties: str) -> dict[str, str]:
        """Return properties of the service."""
        printed = self.run("systemctl", "show", "asr-daemon", *(f"--property={name}" for name in properties))
        return dict(line.split("=", 1) for line in printed.splitlines())

    # ------------------------------------------------------------------ the journal

    # `--after-cursor=` together with matches loses the first match (systemd 252): times are compared here.

    def journal(self, *matches: str, after_us: int = 0) -> list[dict[str, Any]]:
        """Return the service's records that match, as journalctl gives them."""
        self.run("journalctl", "--sync")
        printed = self.run("journalctl", "-u", "asr-daemon", "-o", "json", "--all", *matches, check=False)
        records = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        return [record for record in records if _received_us(record) > after_us]

    def await_record(self, *matches: str, after_us: int = 0) -> dict[str, Any]:
        """Return the first record that matches, as soon as it is there."""
        command = ["journalctl", "-u", "asr-daemon", "-f", "-n", "all", "-o", "json", "--all", *matches]
        reader = subprocess.Popen(
            [str(TOOL), "exec", "-d", str(self._folder), *command], stdout=subprocess.PIPE
        )
        assert reader.stdout is not None
        deadline_s = time.monotonic() + PATIENCE_S
        try:
            while line := _read_line(reader.stdout.fileno(), deadline_s):
                record: dict[str, Any] = json.loads(line)
                if _received_us(record) > after_us:
                    return record
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()
        last = "\n".join(str(record.get("MESSAGE")) for record in self.journal()[-20:])
        raise AssertionError(f"no record {matches} within {PATIENCE_S:.0f} s; the last:\n{last}")


def main_pid(service: Sandbox) -> str:
    """Return the daemon's process number."""
    return service.show("MainPID")["MainPID"]


def exists(service: Sandbox, path: str) -> bool:
    """Whether a path is there inside."""
    return service.run("sh", "-c", 'test -e "$1" && echo yes || true', "sh", path) == "yes\n"


def now_us() -> int:
    """Return the time by which the journal stamps what it receives."""
    return time.time_ns() // 1000


def _received_us(record: dict[str, Any]) -> int:
    return int(record["__REALTIME_TIMESTAMP"])


def _read_line(fd: int, deadline_s: float) -> bytes:
    """Return the next line; nothing when there is none in time, or no more."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline_s - time.monotonic()))
        if not ready or not (read := os.read(fd, 1)):
            return b""
        line += read
    return line
