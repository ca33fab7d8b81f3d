"""The machine as Ray calls it: which calls wait for one another, and sound out of Ray's object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ray

from asr_daemon.cluster.machine import Machine

if TYPE_CHECKING:
    from ray import ObjectRef

GROUPS = {"orders": 1, "sound": 1, "words": 1}  # threads of each: what is said first arrives first


class Actor:
    """:class:`~asr_daemon.cluster.machine.Machine` behind Ray."""

    def __init__(self) -> None:
        self._machine = Machine()

    @ray.method(concurrency_group="words")
    def about(self) -> bytes:
        """Return what machine this is."""
        return self._machine.about(ray.get_runtime_context().get_node_id())

    @ray.method(concurrency_group="words")
    def hear(self, lease: int, wants_words: bool) -> bytes:
        """Return what was said since the last time."""
        return self._machine.hear(lease, wants_words=wants_words)

    @ray.method(concurrency_group="orders")
    def start(self, hire_line: bytes, setup_line: bytes, key: bytes) -> None:
        """Begin the lease."""
        self._machine.start(hire_line, setup_line, key)

    @ray.method(concurrency_group="orders")
    def tell(self, lease: int, sealed: bytes) -> None:
        """Hand an order on."""
        self._machine.tell(lease, sealed)

    @ray.method(concurrency_group="sound")
    def take(self, lease: int, number: int, sealed: bytes) -> bool:
        """Expect a recording; return whether it is here already."""
        return bool(self._machine.take(lease, number, sealed))

    @ray.method(concurrency_group="sound")
    def sound(self, lease: int, order: int, offset: int, held: list[ObjectRef[Any]]) -> None:
        """Take a piece, which is fetched here: as an argument it would keep every later call waiting."""
        self._machine.sound(lease, order, offset, ray.get(held[0]))
