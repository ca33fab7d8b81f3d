"""Root runs a documented command on the service's folder, in which the service's user laid links.

Needs root. The folder belongs to "nobody"; what must stay as it was is root's, outside of it.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from model_folders import lay

from asr_daemon import cli
from asr_daemon.cli.context import _import_everything
from asr_daemon.history import open_history

if TYPE_CHECKING:
    from collections.abc import Iterator

_import_everything()  # once, and not in every child
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = pwd.getpwnam("nobody")


class Ended(NamedTuple):
    """How a command went."""

    code: int
    stdout: str
    stderr: str


class Place:
    """A state folder of nobody's, and a folder of root's beside it."""

    def __init__(self, folder: Path) -> None:
        """Lay both; every folder on the way may be passed by everybody."""
        for each in (folder, *folder.parents):
            if each.stat().st_uid == 0 and each != Path("/"):
                each.chmod(each.stat().st_mode | 0o011)
        self.state = folder / "state"
        self.state.mkdir(mode=0o750)
        self.roots = folder / "roots"
        self.roots.mkdir(mode=0o700)
        self.victim = self.roots / "shadow"
        self.victim.write_bytes(b"root:secret\n")
        self.model = lay(folder / "mine", "nice")
        self.config = folder / "config.toml"
        self.config.write_text(f'[daemon]\nstate_dir = "{self.state}"\n', encoding="utf-8")

    def own(self) -> None:
        """Give the state folder, and all in it, to nobody."""
        for each in (self.state, *self.state.rglob("*")):
            os.chown(each, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)

    def command(self, *arguments: str) -> Ended:
        """Run a command as root, in a process of its own (forked: a hundred are run here)."""
        out, err = self.config.with_name("out"), self.config.with_name("err")
        child = os.fork()
        if child == 0:
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            sys.argv = ["asr-daemon", *arguments, "-c", str(self.config)]
            code = 99
            try:
                cli.main()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 98
            except BaseException:  # noqa: BLE001 (told by its traceback)
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ended(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def check(self, ended: Ended) -> None:
        """Fail where anything of root's was touched, or anything in the state folder is root's."""
        assert ended.code in (0, 1), ended
        assert "Traceback" not in ended.stderr, ended.stderr
        assert self.victim.read_bytes() == b"root:secret\n"
        assert stat.S_IMODE(self.victim.stat().st_mode) == 0o644
        assert [(each.name, each.stat().st_uid) for each in self.roots.iterdir()] == [("shadow", 0)]
        assert self.roots.stat().st_uid == 0
        assert {each.lstat().st_uid for each in self.state.rglob("*")} <= {NOBODY.pw_uid}


@pytest.fixture
def place() -> Iterator[Place]:
    """Return the two folders, with a history; not below pytest's folder, which pytest closes to others."""
    with tempfile.TemporaryDirectory(prefix="asr-daemon-root-") as folder:
        made = Place(Path(folder))
        open_history(made.state / "history.db").close()
        made.own()
        yield made


COMMANDS = [
    ("pause",),
    ("status",),
    ("history",),
    ("search", "预算"),
    ("check",),
    ("retry", "--failed"),
    ("backup", "now"),
    ("backup", "list"),
    ("models", "list"),
    ("models", "verify"),
    ("--version",),
]
LINKS = [
    (".backup", "folder"),
    ("lock", "file"),
    ("lock", "nothing"),
    ("backups", "folder"),
    ("models", "folder"),
    ("models/.incoming", "folder"),
    ("models/.incoming/lock", "file"),
    ("models/.incoming/lock", "nothing"),
    ("history.db-wal", "nothing"),
    ("history.db-shm", "nothing"),
    ("history.db-journal", "file"),
    ("control.sock", "nothing"),
]


@pytest.mark.parametrize(("link", "to"), LINKS)
def test_no_link_in_the_state_folder_is_followed_with_roots_rights(place: Place, link: str, to: str) -> None:
    """Whatever it leads to: no file is emptied, given away or made, and root leaves nothing of its own."""
    path = place.state / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to({"folder": place.roots, "file": place.victim, "nothing": place.roots / "new"}[to])
    place.own()
    for command in (("pause",), ("backup", "now"), ("status",), ("models", "import", str(place.model))):
        place.check(place.command(*command))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_of_roots_leaves_the_folder_to_the_service(place: Place, command: tuple[str, ...]) -> None:
    """On a folder with a history, and on one that is still empty: what is made there is the service's."""
    place.check(place.command(*command))
    for each in place.state.iterdir():
        if each.is_file():
            each.unlink()
    ended = place.command(*command)
    place.check(ended)


def test_a_restore_and_an_import_read_what_root_names(place: Place) -> None:
    """A backup and a model that only root may read come into the service's folder as the service's own."""
    assert place.command("backup", "now").code == 0
    (made,) = (place.state / "backups").iterdir()
    mine = place.model.parent
    mine.chmod(0o700)
    backup = made.rename(mine / made.name)
    os.chown(backup, 0, 0)
    ended = place.command("backup", "restore", str(backup))
    assert ended.code == 0, ended.stderr
    place.check(ended)
    for command in (
        ("models", "import", str(place.model)),
        ("models", "adopt", "nice", "--force"),
        ("models", "export", "nice", str(mine / "nice.tar")),
        ("models", "import", str(mine / "nice.tar"), "--force"),
    ):
        ended = place.command(*command)
        assert ended.code == 0, ended.stderr
        place.check(ended)
    assert (mine / "nice.tar").stat().st_uid == 0


def test_a_backup_that_is_a_link_to_roots_file_is_not_read(place: Place) -> None:
    """Root names a file in the service's folder: it is opened with the service's rights."""
    link = place.state / "history-20260301T033000Z.db.gz"
    link.symlink_to(place.victim)
    place.own()
    ended = place.command("backup", "restore", str(link))
    assert ended.code == 1
    assert "Permission denied" in ended.stderr
    place.check(ended)


def test_what_root_left_of_old_is_named_with_its_remedy(place: Place) -> None:
    """A lock of root's, as earlier releases left it, locks the service out: the sentence says what to do."""
    (place.state / "lock").write_bytes(b"")
    (place.state / "lock").chmod(0o600)
    ended = place.command("pause")
    assert ended.code == 1
    assert f"chown -R nobody: {place.state}" in ended.stderr


def test_root_transcribes_a_file_that_only_root_may_read(place: Place) -> None:
    """With no daemon running the command becomes the service's user; the file was opened before."""
    sound = place.roots.with_name("sound")
    sound.mkdir(mode=0o700)
    closed = sound / "a.wav"
    closed.write_bytes(b"RIFF")
    closed.chmod(0o600)
    ended = place.command("transcribe", str(closed))
    place.check(ended)
    assert "Permission denied: 'a.wav'" not in ended.stderr
    assert "right to" not in ended.stderr


def test_a_folder_that_its_owner_cannot_reach_is_one_sentence(place: Place) -> None:
    """The way to it is closed to the service's user: no traceback."""
    place.state.parent.chmod(0o700)
    for command in (("status",), ("check",), ("history",), ("pause",)):
        ended = place.command(*command)
        assert ended.code == 1, ended
        assert "Traceback" not in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "user" in ended.stderr
