"""Single steps of an installation: write a file, remove one, run a program. Each may be done, or only said.

Enters: what should be. Leaves: a record of what was done. Doing a step twice changes nothing the second time.
Fails with :class:`~asr_daemon.errors.OperatorError`.
"""

from __future__ import annotations

import contextlib
import enum
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMAND_TIMEOUT_S = 90


class Outcome(enum.Enum):
    """What became of a step."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    REMOVED = "removed"
    RAN = "ran"
    NOTED = "note"
    RESTART = "RESTART"


@dataclass(frozen=True)
class StepRecord:
    """One line of what the installation did."""

    outcome: Outcome
    what: str  # a path, a command line, a sentence


def run_program(command: Sequence[str]) -> None:
    """Run a program to its end. Raises :class:`OperatorError` with what it said where it fails."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=COMMAND_TIMEOUT_S
        )
    except FileNotFoundError:
        raise OperatorError(f"{command[0]} is not installed: this machine seems to have no systemd") from None
    except subprocess.TimeoutExpired:
        raise OperatorError(f"`{' '.join(command)}` did not end within {COMMAND_TIMEOUT_S} s") from None
    if ended.returncode:
        raise OperatorError(f"`{' '.join(command)}` failed: {(ended.stderr or ended.stdout).strip()}")


@dataclass
class Steps:
    """Does steps below ``root`` (or, in a dry run, only records them)."""

    root: Path
    dry_run: bool = False
    run: Callable[[Sequence[str]], None] = run_program
    records: list[StepRecord] = field(default_factory=list)

    def place(self, path: Path) -> Path:
        """Return where a path of the installed system lies."""
        return self.root / path.relative_to("/")

    def write(self, path: Path, text: str, *, keep: bool = False) -> None:
        """Write the file, atomically; ``keep`` leaves one that exists as it is."""
        target = self.place(path)
        try:
            if target.exists():
                if keep:
                    return self._record(Outcome.KEPT, str(path))
                if target.read_text(encoding="utf-8", errors="replace") == text:
                    return self._record(Outcome.UNCHANGED, str(path))
            if not self.dry_run:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(f".{target.name}.part")
                temporary.write_text(text, encoding="utf-8")
                temporary.chmod(0o644)
                temporary.replace(target)
        except OSError as error:
            raise OperatorError(f"{target}: cannot be written: {error.strerror}") from error
        return self._record(Outcome.WRITTEN, str(path))

    def remove(self, path: Path) -> None:
        """Remove a file, and its folder where that leaves it empty (a drop-in folder)."""
        target = self.place(path)
        if not target.exists() and not target.is_symlink():
            return
        try:
            if not self.dry_run:
                target.unlink()
                if target.parent.name.endswith(".service.d"):
                    with contextlib.suppress(OSError):  # an administrator's own drop-in stays
                        target.parent.rmdir()
        except OSError as error:
            raise OperatorError(f"{target}: cannot be removed: {error.strerror}") from error
        self._record(Outcome.REMOVED, str(path))

    def link(self, path: Path, program: str) -> None:
        """Let people call the program by its name; a file that is there already stays."""
        target = self.place(path)
        if not program.endswith(f"/{path.name}") or path == Path(program):
            return None
        if target.is_symlink() and str(target.readlink()) == program:
            return self._record(Outcome.UNCHANGED, str(path))
        if target.exists():
            return self._record(Outcome.KEPT, str(path))
        try:
            if not self.dry_run:
                target.unlink(missing_ok=True)  # a link that leads nowhere
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(program)
        except OSError as error:
            raise OperatorError(f"{target}: cannot be written: {error.strerror}") from error
        return self._record(Outcome.WRITTEN, f"{path} -> {program}")

    def unlink(self, path: Path, program: str) -> None:
        """Remove the link, if it leads to this program."""
        target = self.place(path)
        if target.is_symlink() and str(target.readlink()) == program:
            self.remove(path)

    def command(self, *words: str) -> None:
        """Run a program of the system; not in a dry run, and not for another root."""
        if self.root != Path("/"):
            return
        if not self.dry_run:
            self.run(words)
        self._record(Outcome.RAN, " ".join(words))

    def note(self, sentence: str) -> None:
        """Record a sentence for the administrator."""
        self._record(Outcome.NOTED, sentence)

    def restart_needed(self, sentence: str) -> None:
        """Record that the running service has to be started anew."""
        self._record(Outcome.RESTART, sentence)

    def require_root(self) -> None:
        """Raise :class:`OperatorError` where the steps could not be done for lack of rights."""
        if not self.dry_run and self.root == Path("/") and os.geteuid() != 0:
            raise OperatorError("a service is installed by root: use sudo (or see it with --dry-run)")

    def _record(self, outcome: Outcome, what: str) -> None:
        self.records.append(StepRecord(outcome, what))
