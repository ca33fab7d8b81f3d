"""Whose turn it is: whether hours mean what they look like, and whether others on the card can be seen."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.hours import Hours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asr_daemon.config import Config
    from asr_daemon.doctor.finding import Machine

FEW_H = 7.0  # a week
NAME = "%a %Y-%m-%d %H:%M"


def look_at_turns(config: Config, machine: Machine) -> Iterator[Finding]:
    """Say when each inbox is worked on, and what may not be meant."""
    now = machine.now().astimezone()
    with_hours = [inbox for inbox in config.inbox if inbox.hours]
    for inbox in with_hours:
        yield from _hours(f"inbox {inbox.name!r}: hours", Hours(inbox.hours), now)
    if with_hours and not now.utcoffset() and now.tzname() == "UTC":
        yield Finding(
            "warning",
            "hours",
            f"this machine's time zone is UTC ({now:%H:%M} now): hours are by its clock",
            "timedatectl set-timezone Asia/Shanghai, or TZ=Asia/Shanghai in the container's environment",
        )
    if config.engine.yield_to_others and importlib.util.find_spec("pynvml") is None:
        yield Finding(
            "warning",
            "engine.yield_to_others",
            "nobody can say who uses the card: the Python package nvidia-ml-py is missing",
            "pip install nvidia-ml-py, into the environment of asr-daemon",
        )


def _hours(key: str, hours: Hours, now: datetime) -> Iterator[Finding]:
    week_h, begins, ends = hours.week_h, hours.open_at(now), hours.close_at(now)
    if begins is None:
        text = f"{hours} does not come within the next week: nothing of this inbox is recognised"
        yield Finding("error", key, text, 'write longer hours, such as "22:00-07:00", or none: always')
        return
    if hours.are_open(now):
        told = f"open now, until {ends.astimezone():{NAME}}" if ends else "open always: it could be left out"
    else:
        told = f"closed now, until {begins.astimezone():{NAME}}"
    text = f"{hours}: {week_h:g} hours a week; {told}"
    if week_h < FEW_H:
        fix = "is that enough for what comes in? What does not fit waits for the next time"
        yield Finding("warning", key, text, fix)
    else:
        yield Finding("ok", key, text)
