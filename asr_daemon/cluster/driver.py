"""The connection to Ray: what the cluster offers, and a process on one of its machines for each hire.

Enters: ``[cluster]``. Leaves: counts of cards, and :class:`RemoteMachine`. Fails with
:class:`~asr_daemon.errors.ClusterAwayError`, one sentence for whoever has to mend it. Ray is imported when
the connection is made: what it reads from the environment has to be there before.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asr_daemon.cluster.asking import why_not_reached
from asr_daemon.cluster.guard import require_guard, set_environment
from asr_daemon.dispatch.cluster_messages import Offer
from asr_daemon.errors import ClusterAwayError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.dispatch.protocol import Lost

REACHED_WITHIN_S = 5.0
NAMESPACE = "asr-daemon"
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


class RemoteMachine:
    """One process on some machine, as long as it lives (:class:`~asr_daemon.cluster.machine.Machine`).

    Every call returns at once; its future fails with Ray's errors.
    """

    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray = ray
        self._handle = handle

    def about(self) -> Future[bytes]:
        """Ask what machine that is."""
        return _future(self._handle.about.remote())

    def start(self, hire_line: bytes, setup_line: bytes, key: bytes) -> None:
        """Begin the lease; what fails is heard."""
        self._handle.start.remote(hire_line, setup_line, key)

    def hear(self, lease: int, *, wants_words: bool) -> Future[bytes]:
        """Renew the lease, and ask what was said."""
        return _future(self._handle.hear.remote(lease, wants_words))

    def tell(self, lease: int, sealed: bytes) -> None:
        """Say an order."""
        self._handle.tell.remote(lease, sealed)

    def take(self, lease: int, number: int, sealed: bytes) -> Future[bool]:
        """Announce a recording; whether the machine has it already."""
        return _future(self._handle.take.remote(lease, number, sealed))

    def sound(self, lease: int, order: int, offset: int, sealed: bytes) -> Future[None]:
        """Send a piece of a recording through the object store; Ray lets go of it once it was taken."""
        held = self._ray.put(sealed)
        return _future(self._handle.sound.remote(lease, order, offset, [held]))

    def kill(self) -> None:
        """End it at once, wherever it is; returns before that, as Ray may not answer."""
        threading.Thread(target=self._kill, name="kill", daemon=True).start()

    def _kill(self) -> None:
        with contextlib.suppress(Exception):  # it is gone, or Ray is
            self._ray.kill(self._handle)


def _future(reference: Any) -> Future[Any]:
    future: Future[Any] = reference.future()
    return future


@dataclass(frozen=True, slots=True)
class Node:
    """A living machine of the cluster."""

    id: str
    name: str
    cards: int


class Driver:
    """One connection to a cluster."""

    def __init__(self, section: ClusterSection) -> None:
        self._section = section
        self._ray: Any = None
        self.nodes: tuple[Node, ...] = ()  # as they were when last looked at

    def connect(self) -> None:
        """Connect; raises :class:`~asr_daemon.errors.ClusterAwayError`."""
        set_environment(self._section)
        self._require_reached()
        require_guard(self._section)
        ray = importlib.import_module("ray")
        try:
            ray.init(self._section.address, namespace=NAMESPACE, log_to_driver=False, logging_level="warning")
        except Exception as error:
            with contextlib.suppress(Exception):
                ray.shutdown()
            raise ClusterAwayError(_why_not_connected(self._section.address, error)) from error
        self._ray = ray

    @property
    def is_connected(self) -> bool:
        """Whether Ray thinks so."""
        try:
            return self._ray is not None and bool(self._ray.is_initialized())
        except Exception:  # noqa: BLE001 (its client raises over a closed channel)
            return False

    def look(self) -> Offer:
        """Return what the cluster offers now; may take as long as it likes where the head is gone."""
        self.nodes = tuple(
            Node(node["NodeID"], _name(node), int(node["Resources"]["GPU"]))
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("GPU", 0) >= 1
        )
        names = tuple(sorted(node.name for node in self.nodes))
        if not self.nodes:
            return Offer(0, (), "No machine of the cluster has a card (GPU): see `ray status` on its head.")
        return Offer(sum(node.cards for node in self.nodes), names)

    def hire(self) -> RemoteMachine:
        """Return a process on some machine with a free card; it is there as soon as one is free."""
        from asr_daemon.cluster.actor import GROUPS, Actor  # noqa: PLC0415 (Ray comes with it)

        make = self._ray.remote(
            num_gpus=1, num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups=GROUPS
        )
        return RemoteMachine(self._ray, make(Actor).remote())

    def name_of(self, node_id: str, otherwise: str) -> str:
        """Return what people call the machine of that number."""
        return next((node.name for node in self.nodes if node.id == node_id), otherwise)

    def lost(self, name: str, node_id: str, error: BaseException) -> Lost:
        """Return what an error of a call to the machine of that name and number means."""
        from asr_daemon.cluster.losses import lost  # noqa: PLC0415 (Ray comes with it)

        return lost(name, error, lambda: self._lives(node_id))

    def _lives(self, node_id: str) -> bool:
        try:
            return any(node["NodeID"] == node_id and node["Alive"] for node in self._ray.nodes())
        except Exception:  # noqa: BLE001 (Ray raises whatever it likes)
            return False

    def disconnect(self) -> None:
        """Let go; every process that was hired ends."""
        if self._ray is not None:
            with contextlib.suppress(Exception):  # it is gone already
                self._ray.shutdown()

    def _require_reached(self) -> None:
        """Ask the port before Ray does, which takes a minute and may end this process."""
        endpoint = self._section.endpoint
        if why := why_not_reached(endpoint, REACHED_WITHIN_S):
            raise ClusterAwayError(f"Nothing answers at {endpoint} ({why}): is Ray's head up?")


def _name(node: dict[str, Any]) -> str:
    """Return what the machine's administrator called it, else its host name."""
    name, address = str(node["NodeName"]), str(node["NodeManagerAddress"])
    return name if name and name != address else str(node["NodeManagerHostname"])


def _why_not_connected(address: str, error: Exception) -> str:
    said = str(error)
    versions = _VERSIONS.findall(said)
    if len(versions) == 2:  # noqa: PLR2004 (there and here)
        (their_ray, their_python), (our_ray, our_python) = versions
        return (
            f"The cluster at {address} has Ray {their_ray} on Python {their_python}, "
            f"this machine has Ray {our_ray} on Python {our_python}: install the same on all of them."
        )
    if "AuthenticationError" in type(error).__name__ or "UNAUTHENTICATED" in said:
        return (
            f"The cluster at {address} refuses our token: is cluster.token_file the one it was started with?"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    ends = lines if len(lines) == 1 else [lines[0], lines[-1]]  # of a traceback, the last one tells
    return f"Ray at {address} cannot be used: {' '.join(ends)[:300]}"
