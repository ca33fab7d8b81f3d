"""Who recognises: a session for each recogniser, each claiming for itself what is next.

Enters: the configuration's devices, and what a cluster offers. Leaves: sessions that run. One that dies,
hangs or loads takes nothing from the others; they share the queue, whose claims are transactions, and nothing
else. Those of other machines come and go with the cluster's cards; whoever speaks live is this machine's.
"""

from __future__ import annotations

import collections
import functools
import math
import threading
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch import remote_crew
from asr_daemon.dispatch.claims import MOST_AT_ONCE
from asr_daemon.dispatch.cluster import Cluster
from asr_daemon.dispatch.hiring import LocalHiring, RemoteHiring
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.dispatch.live import LiveTable
from asr_daemon.dispatch.local_process import PROGRAM, RecogniserProcess
from asr_daemon.dispatch.losses import Losses
from asr_daemon.dispatch.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.config import Config
    from asr_daemon.dispatch.hiring import Hiring
    from asr_daemon.dispatch.in_work import InWork, SessionState
    from asr_daemon.dispatch.protocol import Setup
    from asr_daemon.dispatch.surroundings import Surroundings
    from asr_daemon.service.heartbeats import Heartbeats

log = structlog.get_logger()

END_WITHIN_S = 8.0


class Dispatcher:
    """The recognisers of a daemon."""

    def __init__(self, config: Config, around: Surroundings, heartbeats: Heartbeats) -> None:
        self._around = around
        self._heartbeats = heartbeats
        self._config = config
        self._threads: dict[str, threading.Thread] = {}
        self._is_running = self._is_over = False
        self._arranging = threading.RLock()
        self._losses = Losses()
        self.local: dict[str, Session] = {}
        self.remote: dict[str, Session] = {}
        self.live = LiveTable(self.local)
        self.cluster = Cluster(around.settings, around.clock, self._on_offer, around.on_progress)
        self._arrange(config)

    @property
    def sessions(self) -> dict[str, Session]:
        """All of them, by name; this machine's first."""
        return {**self.local, **self.remote}

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Let every session work."""
        with self._arranging:
            self._is_running = True
            for session in self.sessions.values():
                self._run(session)

    def stop(self) -> None:
        """End every session soon; what is in work goes back to the queue."""
        with self._arranging:
            self._is_over = True
            for session in self.sessions.values():
                session.stop()

    def join(self, until_s: float) -> None:
        """Wait for the sessions to end, until that moment of the monotonic clock."""
        for thread in list(self._threads.values()):
            thread.join(max(0.1, until_s - time.monotonic()))

    def wake(self) -> None:
        """Look at the queue, now; from any thread."""
        for session in self.sessions.values():
            session.wake.set()

    def unload(self) -> int:
        """Let each recogniser end once it has nothing in work; return how many are loaded.

        The next recording loads it again.
        """
        loaded = [session for session in self.sessions.values() if session.state.is_loaded]
        for session in loaded:
            session.unload.set()
            session.wake.set()
        return len(loaded)

    def reload(self, config: Config) -> None:
        """Take up another configuration; recognisers come and go with its devices and its cluster."""
        with self._arranging:
            self._config = config
            self._around.opener.config = config
            names = recogniser_names(config.engine.recognisers)
            gone = [self.local.pop(name) for name in self.local.keys() - names.keys()]
            if config.cluster is None:
                gone += self.remote.values()
                self.remote.clear()
            threads = [self._threads.pop(session.state.name, None) for session in gone]
        for session in gone:
            session.stop()
        for session, thread in zip(gone, threads, strict=True):  # the lock is theirs, too, as they end
            if thread is not None:
                thread.join(END_WITHIN_S)
            self._heartbeats.unwatch(_thread_name(session.state.name))
        with self._arranging:
            self._arrange(config)

    def dead_threads(self) -> list[str]:
        """Return the names of sessions whose thread ended though nobody stopped it."""
        return [thread.name for thread in list(self._threads.values()) if not thread.is_alive()]

    def _arrange(self, config: Config) -> None:
        self.live.most = config.engine.live
        self._around.cards.reload(config)
        names = recogniser_names(config.engine.recognisers)
        section = config.cluster
        for name, device in names.items():
            cluster = None if section is None else self.cluster
            serves_queue = section is None or section.local
            hiring = LocalHiring(self._around, device, len(names), cluster, serves_queue)
            if name in self.local:
                self.local[name].reload(config.engine, hiring)
            else:
                self.local[name] = self._begin(name, hiring)
        for name, session in self.remote.items():
            session.reload(config.engine, self._hiring_elsewhere(name))
        self._arrange_remote()

    def _begin(self, name: str, hiring: Hiring) -> Session:
        session = Session(
            name,
            hiring,
            self._config.engine,
            self._around,
            self._losses,
            fair_share=self._fair_share,
            beat=functools.partial(self._heartbeats.beat, _thread_name(name)),
        )
        if self._is_running:
            self._run(session)
        return session

    # ------------------------------------------------------------------ other machines

    def _on_offer(self, is_more: bool) -> None:
        """The cluster offers something else than before, or nothing any more; from any thread."""
        with self._arranging:
            self._arrange_remote()
            sessions = list(self.remote.values())
        for session in sessions if is_more else ():
            session.unblock()

    def _arrange_remote(self) -> None:
        """Begin as many sessions as there are to be, or let go who has nothing in work."""
        if self._is_over:
            return
        count = remote_crew.wanted(self._config.cluster, self.cluster.cards)
        for session in remote_crew.too_many(self.remote, count):
            session.is_superfluous = True
            session.wake.set()
            if not self._is_running:
                del self.remote[session.state.name]
        for session in self.remote.values():
            if session.is_superfluous and self._count_staying() < count:
                session.is_superfluous = False
        for name in remote_crew.free_names(self.remote, count - self._count_staying()):
            self.remote[name] = self._begin(name, self._hiring_elsewhere(name))

    def _count_staying(self) -> int:
        return sum(not session.is_superfluous for session in self.remote.values())

    def _hiring_elsewhere(self, name: str) -> Hiring:
        section = self._config.cluster
        shares_paths = section is not None and section.shared_paths
        return RemoteHiring(name, self.cluster, self._around.opener, self._is_needed, shares_paths)

    def _is_needed(self, state: SessionState) -> bool:
        """Whether one more is to be loaded: a hundred machines need not load for one recording."""
        waiting = self._around.jobs.turns.count_open()
        with self._arranging:
            loading = sum(other.phase is Phase.LOADING for other in self.states if other is not state)
            if loading >= waiting:
                return False
            state.phase = Phase.LOADING
            return True

    # ------------------------------------------------------------------ running

    def _fair_share(self) -> int:
        """Return how many recordings at once are a recogniser's part: a few are spread over all."""
        states = self.serving
        if len(states) == 1:
            return MOST_AT_ONCE
        able = [state for state in states if state.phase is not Phase.BLOCKED] or states
        wanted = self._around.jobs.turns.count_open() + sum(len(state.in_work) for state in states)
        return max(1, math.ceil(wanted / len(able)))

    def _run(self, session: Session) -> None:
        name = session.state.name
        thread = threading.Thread(target=self._work, args=(session,), name=_thread_name(name), daemon=True)
        self._heartbeats.watch(thread.name)
        thread.start()
        self._threads[name] = thread  # not before: whoever looks would take it for one that ended

    def _work(self, session: Session) -> None:
        """Be a session's thread."""
        session.run()
        with self._arranging:
            name = session.state.name
            if session.is_stopping or self.remote.get(name) is not session:
                return
            del self.remote[name], self._threads[name]
            self._heartbeats.unwatch(_thread_name(name))
            self._arrange_remote()  # it may be wanted again since it made up its mind

    # ------------------------------------------------------------------ looking

    def look_at_cards(self) -> None:
        """Find out whether others use the cards; whoever waits for one is woken."""
        own: dict[str, set[int]] = collections.defaultdict(set)
        for session in list(self.local.values()):
            state = session.state
            own[session.hiring.device] |= (
                {state.pid} if state.pid and state.device.startswith("cuda") else set()
            )
        if self._around.cards.look(own):
            self.wake()
            self._around.on_progress()

    def away(self) -> list[str]:
        """Return the inboxes whose share was found gone of late."""
        return self._around.opener.away()

    @property
    def states(self) -> list[SessionState]:
        """How each recogniser stands."""
        return [session.state for session in self.sessions.values()]

    @property
    def serving(self) -> list[SessionState]:
        """How each stands that serves the queue, or has something of it in work all the same."""
        sessions = self.sessions.values()
        return [session.state for session in sessions if session.hiring.serves_queue or session.state.in_work]

    @property
    def is_blocked(self) -> bool:
        """Whether no recogniser works, and each says why."""
        return all(state.phase is Phase.BLOCKED for state in self.serving)

    @property
    def in_work(self) -> list[InWork]:
        """Every recording in work."""
        return [work for state in self.states for work in list(state.in_work.values())]


def recogniser_names(devices: Sequence[str]) -> dict[str, str]:
    """Return the device of each recogniser by its name: the device's, with a number where it stands twice."""
    count = collections.Counter(devices)
    seen: collections.Counter[str] = collections.Counter()
    names = {}
    for device in devices:
        seen[device] += 1
        names[f"{device}#{seen[device]}" if count[device] > 1 else device] = device
    return names


def start_local(setup: Setup, program: tuple[str, ...] = PROGRAM) -> RecogniserProcess:
    """Start a recogniser on this machine; what its libraries say on stderr goes to our log."""
    noise = log.bind(source="recogniser")
    return RecogniserProcess.spawn(
        setup, on_line=lambda line: noise.debug("recogniser_said", line=line), program=program
    )


def _thread_name(recogniser: str) -> str:
    return f"recogniser {recogniser}"
