"""The way of a recording, read from top to bottom: its parts, and how they are put together.

Found, settled and hashed (:mod:`asr_daemon.inboxes`), queued and claimed (:mod:`asr_daemon.queue`), decoded,
segmented and recognised (:mod:`asr_daemon.dispatch` and its children, :mod:`asr_daemon.recogniser`),
attributed, written and archived (:mod:`asr_daemon.speakers`, :mod:`asr_daemon.transcripts`,
:mod:`asr_daemon.delivery`), recorded (:mod:`asr_daemon.history`), backed up (:mod:`asr_daemon.backup`). Their
life from start to stop is :mod:`asr_daemon.life`.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.control.changes import Changes
from asr_daemon.delivery.archiver import Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.delivery.following import Follower
from asr_daemon.delivery.speaker_parts import SpeakerParts, speaker_parts
from asr_daemon.dispatch.dispatcher import Dispatcher, start_local
from asr_daemon.dispatch.loading import LoadGate
from asr_daemon.dispatch.local_process import PROGRAM
from asr_daemon.dispatch.opening import Opener
from asr_daemon.dispatch.precision_memory import PrecisionMemory
from asr_daemon.dispatch.surroundings import Surroundings
from asr_daemon.ffmpeg import describe, find_ffmpeg
from asr_daemon.history.segments import Segments
from asr_daemon.history.settings import Settings
from asr_daemon.inboxes.handed import HandedFiles
from asr_daemon.inboxes.intake import Intake
from asr_daemon.inboxes.share import Shares
from asr_daemon.queue.arrivals import Arrivals
from asr_daemon.queue.inbox_profiles import InboxProfiles
from asr_daemon.queue.jobs import Jobs
from asr_daemon.service.heartbeats import Heartbeats
from asr_daemon.service.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.history import History
    from asr_daemon.inboxes.watched import WatchedInbox
    from asr_daemon.service.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Parts:
    """What a daemon consists of, in the order of a recording's way."""

    configuration: Configuration
    clock: Clock
    heartbeats: Heartbeats
    changes: Changes
    history: History
    settings: Settings
    shares: Shares
    profiles: InboxProfiles
    intake: Intake  # found, settled, hashed
    arrivals: Arrivals  # queued
    jobs: Jobs  # claimed
    dispatcher: Dispatcher  # recognised
    speakers: SpeakerParts  # attributed
    deliverer: Deliverer  # written
    archiver: Archiver  # archived
    upkeep: Upkeep  # backed up

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.configuration.now

    def inbox_problem(self, watched: WatchedInbox) -> str:
        """Return why an inbox cannot be watched, read, found or written; "" where it can."""
        return watched.problem or self.deliverer.held.problem(watched.section.name)

    def reload(self, config: Config) -> None:
        """Hand another configuration to every part; what is in work goes on."""
        self.configuration.now = config
        self.profiles.reload(config)
        self.jobs.reload(config)
        self.deliverer.reload(config)
        self.archiver.reload(config)
        self.upkeep.reload(config)
        self.dispatcher.reload(config)
        self.intake.reload(config)


def assemble(
    configuration: Configuration,
    history: History,
    clock: Clock,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    recogniser_program: tuple[str, ...] = PROGRAM,
) -> Parts:
    """Put a daemon together on that history; nothing runs yet.

    ``recogniser_program`` is what Python runs as the recogniser.
    """
    config = configuration.now
    heartbeats = Heartbeats(clock)
    changes = Changes()
    history.on_commit = changes.happened
    settings = Settings(history)
    shares = Shares(settings, handed=HandedFiles(config.state_dir))
    profiles = InboxProfiles(config, shares)
    jobs = Jobs(config, history, clock)
    arrivals = Arrivals(history, jobs, clock)

    def on_gone(inbox: str, path: Path) -> None:
        intake.forget(inbox, path)

    def on_change() -> None:
        dispatcher.wake()

    deliverer = Deliverer(config, history, arrivals, shares, clock, on_gone, heartbeats.beat)
    intake = Intake(
        config,
        history,
        settings,
        shares,
        profiles,
        arrivals,
        deliverer,
        Follower(history, arrivals, deliverer, shares, profiles, clock),
        clock,
        on_change,
        functools.partial(heartbeats.beat, "intake"),
    )
    around = Surroundings(
        jobs=jobs,
        segments=Segments(history),
        settings=settings,
        profiles=profiles,
        opener=Opener(config, arrivals, profiles, shares, clock),
        deliverer=deliverer,
        clock=clock,
        gate=LoadGate(clock, PrecisionMemory(config.state_dir)),
        start_recogniser=lambda setup: start_local(setup, recogniser_program),
        find_ffmpeg=lambda configured: os.fspath(find_ffmpeg(configured)),
        describe=lambda fd: describe(fd, configuration.now.engine.ffmpeg),
        on_progress=changes.happened,
        wake_all=on_change,
    )
    dispatcher = Dispatcher(config, around, heartbeats)
    archiver = Archiver(config, history, clock, shares, on_gone, deliverer.joiner)
    upkeep = Upkeep(config, history, settings, clock, is_stopping, heartbeats.beat_for_all)
    return Parts(
        configuration,
        clock,
        heartbeats,
        changes,
        history,
        settings,
        shares,
        profiles,
        intake,
        arrivals,
        jobs,
        dispatcher,
        speaker_parts(history, deliverer, clock, heartbeats.beat),
        deliverer,
        archiver,
        upkeep,
    )
