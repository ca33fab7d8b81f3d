"""Who recognises: a session for each recogniser, each claiming for itself what is next.

Enters: the configuration's devices. Leaves: sessions that run. One that dies, hangs or loads takes nothing
from the others; they share the queue, whose claims are transactions, and nothing else.
"""

from __future__ import annotations

import collections
import functools
import math
import threading
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.claims import MOST_AT_ONCE
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.dispatch.live import LiveTable
from asr_daemon.dispatch.local_process import PROGRAM, RecogniserProcess
from asr_daemon.dispatch.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.config import Config
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
        self._is_running = False
        self.sessions: dict[str, Session] = {}
        self.live = LiveTable(self.sessions)
        self._arrange(config)

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Let every session work."""
        self._is_running = True
        for name in self.sessions:
            self._run(name)

    def stop(self) -> None:
        """End every session soon; what is in work goes back to the queue."""
        for session in self.sessions.values():
            session.stop()

    def join(self, until_s: float) -> None:
        """Wait for the sessions to end, until that moment of the monotonic clock."""
        for thread in self._threads.values():
            thread.join(max(0.1, until_s - time.monotonic()))

    def wake(self) -> None:
        """Look at the queue, now; from any thread."""
        for session in list(self.sessions.values()):
            session.wake.set()

    def unload(self) -> int:
        """Let each recogniser end once it has nothing in work; return how many are loaded.

        The next recording loads it again.
        """
        loaded = [session for session in list(self.sessions.values()) if session.state.pid is not None]
        for session in loaded:
            session.unload.set()
            session.wake.set()
        return len(loaded)

    def reload(self, config: Config) -> None:
        """Take up another configuration; recognisers come and go with ``engine.devices``."""
        self._config = config
        self._around.opener.config = config
        names = recogniser_names(config.engine.recognisers)
        for name in self.sessions.keys() - names.keys():
            session = self.sessions.pop(name)
            session.stop()
            if thread := self._threads.pop(name, None):
                thread.join(END_WITHIN_S)
            self._heartbeats.unwatch(_thread_name(name))
        self._arrange(config)

    def dead_threads(self) -> list[str]:
        """Return the names of sessions whose thread ended though nobody stopped it."""
        return [thread.name for thread in list(self._threads.values()) if not thread.is_alive()]

    def _arrange(self, config: Config) -> None:
        self.live.most = config.engine.live
        self._around.cards.reload(config)
        names = recogniser_names(config.engine.recognisers)
        for name, device in names.items():
            if name in self.sessions:
                self.sessions[name].reload(config.engine, len(names))
                continue
            beat = functools.partial(self._heartbeats.beat, _thread_name(name))
            self.sessions[name] = Session(
                name,
                device,
                config.engine,
                self._around,
                sharers=len(names),
                fair_share=self._fair_share,
                beat=beat,
            )
            if self._is_running:
                self._run(name)

    def _fair_share(self) -> int:
        """Return how many recordings at once are a recogniser's part: a few are spread over all."""
        if len(self.sessions) == 1:
            return MOST_AT_ONCE
        states = self.states
        able = [state for state in states if state.phase is not Phase.BLOCKED] or states
        wanted = self._around.jobs.turns.count_open() + sum(len(state.in_work) for state in states)
        return max(1, math.ceil(wanted / len(able)))

    def _run(self, name: str) -> None:
        thread = threading.Thread(target=self.sessions[name].run, name=_thread_name(name), daemon=True)
        self._heartbeats.watch(thread.name)
        self._threads[name] = thread
        thread.start()

    # ------------------------------------------------------------------ looking

    def look_at_cards(self) -> None:
        """Find out whether others use the cards; whoever waits for one is woken."""
        own: dict[str, set[int]] = collections.defaultdict(set)
        for session in list(self.sessions.values()):
            state = session.state
            own[session.device] |= {state.pid} if state.pid and state.device.startswith("cuda") else set()
        if self._around.cards.look(own):
            self.wake()
            self._around.on_progress()

    def away(self) -> list[str]:
        """Return the inboxes whose share was found gone of late."""
        return self._around.opener.away()

    @property
    def states(self) -> list[SessionState]:
        """How each recogniser stands."""
        return [session.state for session in list(self.sessions.values())]

    @property
    def is_blocked(self) -> bool:
        """Whether no recogniser works, and each says why."""
        return all(state.phase is Phase.BLOCKED for state in self.states)

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
