"""The whole way as in a container on a NAS, in little: name spaces and bind mounts in place of an engine.

Process 1 of a tree of its own, a system that is read-only and has neither users nor time zones, no
configuration; a user without a name; folders that are mounted. What an engine adds (layers, its own init, its
health log) is not seen here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import SAMPLES, eventually, reference

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
CONTAINERFILE = CHECKOUT / "systemd/container/Containerfile"
USER, GROUP = 1026, 100  # as on a Synology; nobody here
NAME_SPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
MAY = (
    os.geteuid() == 0
    and not subprocess.run(
        [*NAME_SPACES, "sh", "-c", "mount -t tmpfs tmpfs /mnt && mount -t proc proc /proc"],
        capture_output=True,
        check=False,
    ).returncode
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MAY, reason="no name spaces with mounts of their own can be made here"),
]
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ssl", "/etc/ld.so.cache", "/etc/alternatives")
HIDDEN = ("/usr/share/zoneinfo",)


class Container:
    """A container without an engine."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.inboxes, self.state = folder / "inboxes", folder / "state"
        self.log = folder / "log"
        for path in (self.root, self.inboxes / "财务", self.state):
            path.mkdir(parents=True)
        for path in (self.inboxes, self.inboxes / "财务"):
            os.chown(path, USER, GROUP)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with the image's environment, and what a person says beside it."""
        environment = {**image_environment(), "PUID": str(USER), "PGID": str(GROUP), "TZ": "Asia/Shanghai"}
        environment["PYTHONPATH"] = str(CHECKOUT)
        inside = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        entered = [sys.executable, "-m", "asr_daemon", "container"]
        script = "\n".join(
            [*self._mounts(), f"exec chroot {shlex.quote(str(self.root))} {shlex.join([*inside, *entered])}"]
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*NAME_SPACES, "sh", "-ec", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _mounts(self) -> Iterator[str]:
        """Yield the commands that put the root together; it is closed at the end."""
        root = shlex.quote(str(self.root))
        yield f"mount -t tmpfs tmpfs {root}"
        yield f"cd {root} && mkdir tmp && mount -t tmpfs -o mode=1777 tmpfs tmp"  # a checkout may lie there
        libraries = {sys.prefix, sys.base_prefix, str(CHECKOUT), *map(os.path.realpath, SYSTEM)}
        libraries |= {path for path in site.getsitepackages() if Path(path).exists()}
        linked = [place for place in SYSTEM if Path(place).is_symlink()]
        for place in sorted({*(p for p in SYSTEM if p not in linked), *libraries}):
            if Path(place).exists():
                yield mounted(place, self.root, place)
        for place in linked:
            yield f"[ -e {root}{place} ] || ln -s {Path(place).readlink()} {root}{place}"
        for place in HIDDEN:
            yield f"[ ! -d {root}{place} ] || mount -t tmpfs tmpfs {root}{place}"
        yield mounted(str(self.inboxes), self.root, "/inboxes", "rw")
        yield mounted(str(self.state), self.root, "/state", "rw")
        yield f"cd {root} && mkdir -p models sockets proc dev root"
        for device in ("null", "urandom", "random", "zero"):
            yield f"touch {root}/dev/{device} && mount --bind /dev/{device} {root}/dev/{device}"
        yield "ln -s /proc/self/fd dev/fd"
        yield f"mount -t proc proc {root}/proc"
        yield f"cd / && mount -o remount,ro {root}"

    @property
    def first(self) -> int:
        """Return process 1's number, seen from here."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        found = eventually(lambda: children.read_text(encoding="ascii").split(), what="process 1")
        return int(found[0])

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does: by the image's user, root."""
        environment = {**image_environment(), "PYTHONPATH": str(CHECKOUT), "TZ": "Asia/Shanghai"}
        inside = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        entering = ["nsenter", "--target", str(self.first), "--mount", "--pid", "--root", "--wd=/"]
        return subprocess.run(
            [*entering, *inside, sys.executable, "-m", "asr_daemon", *command],
            capture_output=True,
            text=True,
            check=False,
        )

    def is_healthy(self) -> bool:
        """Ask it; an end of it fails the test."""
        assert self._process is not None
        assert self._process.poll() is None, self.log_text()[-3000:]
        return self.run("healthcheck").returncode == 0

    def log_text(self) -> str:
        """Return what it said."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        """End it as an engine does: SIGTERM to process 1."""
        assert self._process is not None
        os.kill(self.first, signal.SIGTERM)
        return self._process.wait(10)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def image_environment() -> dict[str, str]:
    """Return what the Containerfile sets."""
    text = CONTAINERFILE.read_text(encoding="utf-8")
    (said,) = re.findall(r"(?ms)^ENV (.*?[^\\])$", text)
    found = dict(pair.split("=", 1) for pair in shlex.split(said.replace("\\\n", " ")))
    return {**found, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


def mounted(source: str, root: Path, place: str, how: str = "ro") -> str:
    """Return the command that shows a file or folder in the root."""
    target = shlex.quote(f"{root}{place}")
    made = f"mkdir -p {target}"
    if Path(source).is_file():
        made = f'mkdir -p "$(dirname {target})" && touch {target}'
    return f"{made} && mount --bind {shlex.quote(source)} {target} && mount -o remount,bind,{how} {target}"


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    """Yield a container, started."""
    container = Container(tmp_path)
    container.start()
    yield container
    container.kill()


def states_of(inside: int) -> list[tuple[int, str]]:
    """Return user and state of every process in that tree."""
    space = Path(f"/proc/{inside}/ns/pid").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns/pid").readlink() == space:
                state = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                found.append((folder.stat().st_uid, state.split()[0]))
        except OSError:
            continue
    return found


def test_container_from_start_to_stop(container: Container) -> None:
    """Begun by root it is nobody's user; a recording in a folder gets its transcript; it ends on SIGTERM."""
    eventually(container.is_healthy, what="a healthy container")
    assert {(user, state == "Z") for user, state in states_of(container.first)} == {(USER, False)}

    checked = json.loads(container.run("check", "--json").stdout)
    assert [each for each in checked if each["level"] == "error"] == []
    (clock,) = [each for each in checked if each["key"] == "clock"]
    assert clock["text"].endswith("CST")  # the system has no time zones; the package has

    shutil.copy(SAMPLES / "finance.m4a", container.inboxes / "财务" / "预算会议.m4a")
    written = container.inboxes / "财务" / "预算会议.txt"
    eventually(written.exists, what="the transcript")
    assert reference("finance", "written")[:8] in "".join(written.read_text(encoding="utf-8").split())
    assert (written.stat().st_uid, written.stat().st_gid) == (USER, GROUP)

    (container.inboxes / "人事").mkdir()
    os.chown(container.inboxes / "人事", USER, GROUP)
    eventually(lambda: "event=department_found inbox=人事" in container.log_text(), what="the new department")
    shutil.rmtree(container.inboxes / "财务")
    eventually(lambda: not container.is_healthy(), what="the department's loss")
    assert "财务" in container.run("healthcheck").stdout

    assert container.stop() == 0
    assert "daemon_stopped" in container.log_text()
