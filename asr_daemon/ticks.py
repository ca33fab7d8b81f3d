"""What a running daemon does again and again, each in a thread of its own: who is called, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.conditions import Conditions
from asr_daemon.control.kept_uploads import KeptUploads
from asr_daemon.control.voice_samples import VoiceSamples
from asr_daemon.service.departments import Departments

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.config import Config
    from asr_daemon.daemon import Parts
    from asr_daemon.service.schedule import Schedule
    from asr_daemon.telemetry.exposition import Exposition

TICK_S = 5.0
DELIVER_AGAIN_S = 15.0
ARCHIVE_S = 2.0
UPKEEP_S, FIRST_UPKEEP_S = 3600.0, 120.0
METRICS_S = 15.0
UPLOADS_S = 300.0
REWRITE_S = 1.0
JOIN_S = 2.0
VOICES_S = 5.0
CARDS_S = 5.0


def schedule_ticks(
    schedule: Schedule, parts: Parts, exposition: Exposition, find_status_line: Callable[[], None]
) -> None:
    """Put them on the schedule."""
    schedule.every(TICK_S, "rescan", parts.intake.tick)
    schedule.every(TICK_S, "status line", find_status_line)
    schedule.every(DELIVER_AGAIN_S, "deliver", parts.deliverer.deliver_all)
    schedule.every(REWRITE_S, "rewrite", parts.deliverer.rewriter.rewrite_all)
    schedule.every(JOIN_S, "join", parts.deliverer.joiner.join_all)
    schedule.every(DELIVER_AGAIN_S, "forget", parts.deliverer.forgetter.finish_all)
    schedule.every(ARCHIVE_S, "archive", parts.archiver.archive_all)
    for name, look_after in (
        ("backups", parts.upkeep.look_after_backups),
        ("retention", parts.upkeep.look_after_history),
    ):
        schedule.every(UPKEEP_S, name, look_after, first_after_s=FIRST_UPKEEP_S)
    schedule.every(UPLOADS_S, "uploads", KeptUploads(parts).sweep)
    schedule.every(VOICES_S, "voice samples", VoiceSamples(parts).look)
    schedule.every(CARDS_S, "cards", parts.dispatcher.look_at_cards)
    schedule.every(TICK_S, "conditions", Conditions(parts).look)
    schedule.every(TICK_S, "state folder", parts.upkeep.look_after_state_folder)
    schedule.every(METRICS_S, "metrics", exposition.show)
    schedule.every(METRICS_S, "configuration", parts.configuration.look)


def schedule_departments(schedule: Schedule, parts: Parts, take_up: Callable[[Config, Config], bool]) -> None:
    """Put the look into the folder of the departments on it; ``take_up`` is given others."""
    departments = Departments(parts.configuration, parts.history, take_up)
    schedule.every(TICK_S, "departments", departments.look)
