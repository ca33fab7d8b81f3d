"""How often the kernel ended a process for want of memory: tells that from a SIGKILL by a person.

Enters: two readings, one from before. Leaves: what can be said of a SIGKILL in between. Nothing raises: a
kernel or a sandbox that does not show its counters makes no difference but that less can be told.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from asr_daemon.files.control_group import group_folders


class Verdict(enum.Enum):
    """Why a process was ended by SIGKILL, in words for the evidence."""

    FOR_MEMORY = "the kernel ended it for want of memory, as its control group's counter says"
    PROBABLY_FOR_MEMORY = "the kernel ended a process on this machine for want of memory at that time"
    NOT_FOR_MEMORY = "a person or another program ended it; the kernel's out-of-memory counters did not move"
    UNKNOWN = "the kernel for want of memory, or a person: the kernel's counters cannot be read here"

    @property
    def is_for_memory(self) -> bool:
        """Whether want of memory is the most likely cause."""
        return self in (Verdict.FOR_MEMORY, Verdict.PROBABLY_FOR_MEMORY)


@dataclass(frozen=True, slots=True)
class KernelKills:
    """The counters at one moment; None where there is none to read."""

    in_group: int | None  # in the control group of this process, its children included
    on_machine: int | None

    @classmethod
    def read(cls, root: Path = Path("/")) -> KernelKills:
        """Return the counters of now, of the system below ``root``."""
        return cls(_in_group(root), _counter(root / "proc/vmstat"))

    def since(self, before: KernelKills) -> Verdict:
        """Return what ended a process of ours by SIGKILL since ``before``."""
        if self.in_group is not None and before.in_group is not None:
            return Verdict.FOR_MEMORY if self.in_group > before.in_group else Verdict.NOT_FOR_MEMORY
        if self.on_machine is None or before.on_machine is None:
            return Verdict.UNKNOWN
        if self.on_machine > before.on_machine:
            return Verdict.PROBABLY_FOR_MEMORY
        return Verdict.NOT_FOR_MEMORY


def _in_group(root: Path) -> int | None:
    """Return the counter of the nearest control group that has one (version 2, else version 1)."""
    for folder in group_folders("memory", root):
        for name in ("memory.events", "memory.oom_control"):
            if (found := _counter(folder / name)) is not None:
                return found
    return None


def _counter(file: Path) -> int | None:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines]
    return next((int(words[1]) for words in found if words[:1] == ["oom_kill"] and len(words) > 1), None)
