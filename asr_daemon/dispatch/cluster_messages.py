"""What daemon and bridge say to each other: one JSON object a line over a Unix stream socket of the daemon's.

The bridge connects and says :class:`Hello`, then :class:`Offer` at once, whenever something changed, and
every ``OFFER_EVERY_S`` at least: who says nothing for ``SILENT_FOR_S`` is gone. The daemon answers with
:class:`Hire` whenever it wants a recogniser, and with each comes one end of a socket pair. On that the bridge
speaks for the recogniser as a child would (:mod:`asr_daemon.dispatch.protocol`), from ``Setup`` on; where it
is lost, ``Lost`` says how, and the end is closed. Closing the daemon's end dismisses the recogniser.

A lease is one hire: its number is never used twice in the life of a history. Whatever is said between bridge
and machine carries it, and what comes under another than the one in force is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from asr_daemon.lines import Lines
from asr_daemon.models.weights import Weights  # noqa: TC001 (pydantic reads the annotations)

OFFER_EVERY_S = 5.0
SILENT_FOR_S = 20.0


@dataclass(frozen=True, slots=True)
class Hello:
    """The bridge is there."""

    release: str  # asr_daemon.__version__
    versions: str  # of Python and Ray, as a person reads them


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cluster offers at present."""

    cards: int  # in the whole cluster, those that are hired among them
    machines: tuple[str, ...] = ()  # names of those that have cards and are alive
    problem: str = ""  # why nothing can be hired: one sentence for the administrator; "" where it can


@dataclass(frozen=True, slots=True)
class Refused:
    """The daemon does not want this bridge; it closes the line."""

    message: str


@dataclass(frozen=True, slots=True)
class Hire:
    """The daemon wants a recogniser; its end of the channel comes along."""

    lease: int
    recogniser: str  # the name that status and journal give it
    weights: tuple[Weights, ...]


Message = Hello | Offer | Refused | Hire
_LINES: Lines[Message] = Lines(get_args(Message), "message")
encode, decode = _LINES.encode, _LINES.decode
