"""The cluster as the daemon sees it: one bridge, what it offers, and the recognisers hired of it.

Enters: a bridge's line (:mod:`asr_daemon.control.cluster_door`) and its offers. Leaves: recognisers, each
under a lease of its own, to the sessions that ask. Fails with :class:`~asr_daemon.errors.ClusterAwayError`
where none can be had. A bridge that is gone takes all of its recognisers along, whatever it still says.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from asr_daemon.config_cluster import MOST_RECOGNISERS
from asr_daemon.dispatch.cluster_messages import Hello, Hire, Offer, encode
from asr_daemon.dispatch.remote_process import MOST_NAME, RemoteProcess
from asr_daemon.errors import ClusterAwayError
from asr_daemon.models import weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.protocol import Ready, Setup
    from asr_daemon.history.settings import Settings
    from asr_daemon.models.catalogue import ModelChoice

log = structlog.get_logger()

MOST_MACHINES = 1000
MOST_PROBLEM = 1000  # characters
NOT_CONNECTED = "No bridge to the cluster is connected: see `systemctl status asr-daemon-cluster`."
NOT_SAID = "The bridge to the cluster has not said yet what can be hired."
NO_CARD = "The cluster offers no card at present."


class Line(Protocol):
    """The line that a bridge is connected by."""

    def send(self, line: bytes, descriptor: int | None = None) -> None:
        """Send a line, with a descriptor; raises ``OSError``."""

    def hang_up(self) -> None:
        """End it; from any thread."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the cluster stands."""

    bridge: Hello | None  # None: none is connected
    since: str  # stamp; "" without one
    offer: Offer
    problem: str  # why nothing can be hired, with its Chinese; "" where it can


class Bridge:
    """One bridge, from its Hello to its end."""

    def __init__(self, hello: Hello, since: str, line: Line, machines: Machines) -> None:
        self.hello, self.since = hello, since
        self.offer: Offer | None = None
        self.is_over = threading.Event()
        self.why_over = ""
        self._line = line
        self._machines = machines
        self._hired: set[RemoteProcess] = set()
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def hire(self, lease: int, name: str, needed: tuple[weights.Weights, ...]) -> RemoteProcess:
        """Return a recogniser that is being hired; raises ``OSError`` where the line is over."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        recogniser = RemoteProcess(ours, lease, self)
        with theirs:
            with self._lock:
                self._hired.add(recogniser)
            try:
                with self._sending:
                    self._line.send(encode(Hire(lease, name, needed)), theirs.fileno())
            except OSError:
                recogniser.kill()
                raise
        if self.is_over.is_set():  # it went meanwhile, and may have gone before this one was among its own
            recogniser.cut()
        return recogniser

    def end(self, why: str) -> int:
        """End the line and what was hired by it; return how many recognisers that were."""
        with self._lock:
            hired = list(self._hired)
            self.why_over = self.why_over or why
            self.is_over.set()
        self._line.hang_up()
        for recogniser in hired:
            recogniser.cut()
        return len(hired)

    def ready(self, message: Ready) -> None:
        """Take down what a machine may be given."""
        self._machines.ready(message.machine[:MOST_NAME], max(0, message.most_bytes))

    def lost(self, machine: str) -> None:
        """Count a machine that was lost."""
        self._machines.count_loss(machine)

    def let_go(self, recogniser: RemoteProcess) -> None:
        """Forget one that has ended."""
        with self._lock:
            self._hired.discard(recogniser)


class Machines:
    """What is known of the machines, by name; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.most_bytes: dict[str, int] = {}  # that a recording may have there; 0: any size
        self.lost: Counter[str] = Counter()  # how often, since the start; "": before it had said its name

    def ready(self, name: str, most_bytes: int) -> None:
        """Take down what one may be given."""
        with self._lock:
            self.most_bytes = {**self.most_bytes, name: most_bytes}

    def keep(self, names: tuple[str, ...]) -> None:
        """Forget what the others may be given: they are not there any more."""
        with self._lock:
            self.most_bytes = {name: most for name, most in self.most_bytes.items() if name in names}

    def count_loss(self, name: str) -> None:
        """Count that one was lost; those of more names than there may be machines together."""
        with self._lock:
            is_one_more = name not in self.lost and len(self.lost) >= MOST_MACHINES
            self.lost["" if is_one_more else name] += 1


class Cluster:
    """The bridge that is connected, if one is; any thread may ask."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_offer: Callable[[bool], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_offer`` is told of every offer and end, and whether more may be hired than before.

        ``on_change`` is called where how it stands is another than before.
        """
        self.machines = Machines()
        self._on_offer = on_offer
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._bridge: Bridge | None = None
        self._cards = 0  # offered last, also by a bridge that has gone since
        self._refused = ""  # why the last one was not let in, if none was since
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ the bridge

    def connect(self, hello: Hello, line: Line) -> Bridge:
        """Take a bridge in the place of whichever there was."""
        bridge = Bridge(hello, self._clock.stamp(), line, self.machines)
        with self._lock:
            before, self._bridge, self._refused = self._bridge, bridge, ""
        log.info("bridge_connected", release=hello.release, versions=hello.versions)
        if before is not None:
            self._end(before, "another bridge took its place")
        return bridge

    def refuse(self, why: str) -> bool:
        """A bridge was not let in, though it may come again and again; return whether that is news."""
        before, self._refused = self._refused, why
        return why != before

    def take(self, bridge: Bridge, offer: Offer) -> None:
        """Hear what is offered now."""
        offer = _within_bounds(offer)
        with self._lock:
            if bridge is not self._bridge:
                return
            before, bridge.offer = bridge.offer, offer
            if not offer.problem:
                self._cards = offer.cards
                self.machines.keep(offer.machines)
        if before is None or _kind(offer) != _kind(before):
            told = {"problem": offer.problem} if offer.problem else {}
            say = log.warning if offer.problem else log.info
            say("cluster_offered", cards=offer.cards, machines=offer.machines, **told)
        self._on_offer(_is_more(before, offer))
        if offer != before:
            self._on_change()

    def disconnect(self, bridge: Bridge, why: str) -> None:
        """Let a bridge go that has ended, or must."""
        with self._lock:
            if bridge is self._bridge:
                self._bridge, self._refused = None, ""
        self._end(bridge, why)
        self._on_offer(False)
        self._on_change()

    def _end(self, bridge: Bridge, why: str) -> None:
        if bridge.is_over.is_set():
            return
        count = bridge.end(f"The bridge to the cluster is gone: {why}.")
        log.warning("bridge_lost", problem=why, recognisers=count)

    # ------------------------------------------------------------------ hiring

    def hire(self, name: str, model: ModelChoice, setup: Setup) -> RemoteProcess:
        """Return a recogniser for the session of that name, which was told the setup.

        Raises :class:`~asr_daemon.errors.ClusterAwayError` where there is none to be had,
        :class:`~asr_daemon.errors.ModelMissingError` where the daemon's own model cannot be read.
        """
        bridge = self._able()
        needed = weights.describe(model)
        lease = self._settings.next_lease()
        try:
            recogniser = bridge.hire(lease, name, needed)
        except OSError as error:
            self.disconnect(bridge, f"it takes no orders any more ({error.strerror or 'time-out'})")
            raise ClusterAwayError(bridge.why_over) from None
        try:
            recogniser.send(setup)
        except BaseException:
            recogniser.kill()
            raise
        return recogniser

    def require(self) -> None:
        """Raise :class:`~asr_daemon.errors.ClusterAwayError` where nothing can be hired, and why."""
        self._able()

    def _able(self) -> Bridge:
        with self._lock:
            bridge = self._bridge
            if bridge is None:
                raise ClusterAwayError(self._refused or NOT_CONNECTED)
            if bridge.offer is None:
                raise ClusterAwayError(NOT_SAID)
            if bridge.offer.problem or not bridge.offer.cards:
                raise ClusterAwayError(bridge.offer.problem or NO_CARD)
            return bridge

    # ------------------------------------------------------------------ looking

    @property
    def cards(self) -> int:
        """How many were offered last by a cluster that was well."""
        return self._cards

    @property
    def most_bytes(self) -> int | None:
        """How large a recording may be for the machine that takes the largest; None: any, or not known."""
        known = list(self.machines.most_bytes.values())
        return max(known) if known and all(known) else None

    @property
    def may_take_bytes(self) -> int | None:
        """The same, for one that is to be hired: any, while some machine's bound is not known."""
        with self._lock:
            offer = None if self._bridge is None else self._bridge.offer
        is_known = offer is None or set(offer.machines) <= set(self.machines.most_bytes)
        return self.most_bytes if is_known else None

    @property
    def standing(self) -> Standing:
        """How it stands."""
        problem = ""
        try:
            self._able()
        except ClusterAwayError as error:
            problem = error.sentence
        with self._lock:
            if self._bridge is None:
                return Standing(None, "", Offer(0), problem)
            return Standing(self._bridge.hello, self._bridge.since, self._bridge.offer or Offer(0), problem)


def _within_bounds(offer: Offer) -> Offer:
    """Return an offer that costs the daemon no more than a real one may."""
    return replace(
        offer,
        cards=min(max(0, offer.cards), MOST_RECOGNISERS),
        machines=tuple(name[:MOST_NAME] for name in offer.machines[:MOST_MACHINES]),
        problem=offer.problem[:MOST_PROBLEM],
    )


def _kind(offer: Offer) -> tuple[int, tuple[str, ...], bool]:
    """Return what makes an offer news to the journal: a problem's words may tell how long it lasts."""
    return offer.cards, offer.machines, bool(offer.problem)


def _is_more(before: Offer | None, now: Offer) -> bool:
    """Whether who could hire nothing might be able to, by what is offered now."""
    if now.problem or not now.cards:
        return False
    if before is None or before.problem:
        return True
    return now.cards > before.cards or not set(now.machines) <= set(before.machines)
