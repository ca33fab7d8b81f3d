"""One cluster for the tests of a module: it takes ten seconds to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ray")

from clustered import PlayedDaemon, RayCluster
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A head and two machines with a card each."""
    cluster = RayCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def make_daemon(cluster: RayCluster, tmp_path: Path) -> Iterator[Callable[..., PlayedDaemon]]:
    """Return a maker of daemons whose bridge has found the cluster."""
    made: list[PlayedDaemon] = []

    def make(address: str = "", extra: str = "insecure = true", cards: int = 2) -> PlayedDaemon:
        daemon = PlayedDaemon(tmp_path / str(len(made)), address or cluster.address, extra)
        made.append(daemon)
        daemon.start_bridge()
        eventually(lambda: daemon.offers and daemon.offers[-1].cards == cards, what="an offer")
        return daemon

    yield make
    for daemon in made:
        daemon.close()
