"""How a recogniser on another machine was lost: from what Ray says to a failure that has a name here.

Which it is decides whether an attempt of the recording is spent: a machine, a network or the head that is
gone is no recording's fault; a process that ended on a machine that lives may be, as locally.
"""

from __future__ import annotations

import concurrent.futures
import re
from typing import TYPE_CHECKING

import ray.exceptions as ray_errors

from asr_daemon.dispatch.protocol import Lost

if TYPE_CHECKING:
    from collections.abc import Callable

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NOT_INSTALLED = re.compile(r"No module named '?([\w.]+)")
_NODE_IS_GONE = ("node has died", "node was terminated", "node is dead", "preempted")
_OUT_OF_MEMORY = ("NODE_OUT_OF_MEMORY", "running low on memory")
_EVIDENCE_CHARACTERS = 3000


def lost(name: str, error: BaseException, node_lives: Callable[[], bool]) -> Lost:
    """Return what became of the recogniser on the machine of that name.

    ``node_lives`` tells whether Ray counts its node among the living; asked where that makes a difference.
    """
    said = _COLOURS.sub("", str(error))
    evidence = f"{type(error).__name__}: {said}"[:_EVIDENCE_CHARACTERS]
    code, message = "recogniser_crashed", f"On {name} the recogniser failed."
    if isinstance(error, concurrent.futures.TimeoutError):
        code, message = "machine_lost", f"{name} does not answer any more."
    elif "creation task" in said or "failed to import" in said:
        code, message = "cluster_away", _why_not_created(name, said)
    elif isinstance(error, ray_errors.OutOfMemoryError) or any(each in said for each in _OUT_OF_MEMORY):
        code, message = "killed_for_memory", f"On {name} Ray ended the recogniser for want of memory."
    elif "owner has died" in said:  # by its client, Ray's driver is on the head
        code, message = "cluster_away", "The head of the cluster is gone."
    elif _is_gone(error, said, node_lives):
        code, message = "machine_lost", f"{name} is gone, as Ray found."
    elif isinstance(error, ray_errors.ActorDiedError):
        message = f"On {name} the recogniser's process ended unexpectedly."
    elif not isinstance(error, ray_errors.RayTaskError):  # an error in our own code there
        code, message = "cluster_away", f"Ray cannot be reached any more: {first_line(said)}"
    return Lost(code, message, evidence)


def _is_gone(error: BaseException, said: str, node_lives: Callable[[], bool]) -> bool:
    if isinstance(error, ray_errors.ActorUnavailableError) or any(each in said for each in _NODE_IS_GONE):
        return True
    return isinstance(error, ray_errors.ActorDiedError) and not node_lives()


def _why_not_created(name: str, said: str) -> str:
    if missing := _NOT_INSTALLED.search(said):
        package = missing.group(1).split(".")[0]
        return (
            f"On {name} {package} is missing from the Python that Ray runs in: "
            "pip install 'asr-daemon[cluster]' there."
        )
    return f"On {name} the recogniser could not be made: {first_line(said)}"


def first_line(text: str) -> str:
    """Return the first line that says something, without Ray's ornaments."""
    lines = (line.strip() for line in _COLOURS.sub("", text).splitlines())
    return next((line for line in lines if line), "")[:300]
