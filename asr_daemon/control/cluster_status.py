"""The cluster's part of the status: what its bridge says that it offers, and what was lost of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts


def cluster_there(parts: Parts) -> dict[str, Any] | None:
    """Return what the running daemon knows of it; None where none is configured."""
    section, cluster = parts.config.cluster, parts.dispatcher.cluster
    if section is None:
        return None
    standing = cluster.standing
    bridge = standing.bridge
    return {
        "address": section.address,
        "problem": standing.problem,
        "bridge": bridge and {"versions": bridge.versions, "since": standing.since},
        "cards": standing.offer.cards,
        "machines": list(standing.offer.machines),
        "lost": cluster.machines.lost.total(),
    }


def cluster_status(config: Config, live: Answer) -> dict[str, Any] | None:
    """Return the same, a daemon running or not."""
    if live:
        told: dict[str, Any] | None = live.get("cluster")
        return told
    if config.cluster is None:
        return None
    return {
        "address": config.cluster.address,
        "problem": None,
        "bridge": None,
        "cards": 0,
        "machines": [],
        "lost": 0,
    }
