"""The daemon in one line, as `systemctl status` shows it: ``会议.wav 42% · 3 waiting``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.estimate import percent
from asr_daemon.control.recogniser_status import recognisers_together
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.printable import valid_text

if TYPE_CHECKING:
    from asr_daemon.daemon import Parts


def status_line(parts: Parts) -> str:
    """Return one line for ``systemctl status``: ``会议.wav 42% · 3 waiting``."""
    told = [
        f"{work.name} {percent(work.recognised_ms, work.duration_ms) or 0}%"
        for work in parts.dispatcher.in_work[:2]
    ]
    for progress in filter(None, map(parts.intake.reader.progress, list(parts.intake.inboxes))):
        done = percent(progress.read_bytes, progress.size_bytes) or 0
        told.append(f"reading {valid_text(progress.path.name)} {done}%")
    together = recognisers_together(parts.dispatcher.serving)
    if together["state"] in (Phase.BLOCKED, Phase.PAUSED, Phase.YIELDING, Phase.LOADING):
        told.append(
            f"{together['state']}: {together['problem']}" if together["problem"] else together["state"]
        )
    if problem := parts.upkeep.state_problem:
        return problem
    told.append(f"{parts.jobs.count_queued()} waiting")  # not those that are done: there are thousands
    return " · ".join(told)
