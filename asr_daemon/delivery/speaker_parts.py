"""What a daemon has for telling speakers apart, and how it is put together around the deliverer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.delivery.attribution import Attributor
from asr_daemon.history.enrolments import Enrolments
from asr_daemon.history.voices import Voices

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.history import History


@dataclass(frozen=True, slots=True)
class SpeakerParts:
    """The tables, and the thread that attributes."""

    enrolments: Enrolments
    voices: Voices
    attributor: Attributor


def speaker_parts(
    history: History, deliverer: Deliverer, clock: Clock, beat: Callable[[], None]
) -> SpeakerParts:
    """Return them; from now on the deliverer leaves a job alone until its speakers are told apart."""
    enrolments = Enrolments(history, clock)
    attributor = Attributor(history, enrolments.people, deliverer.deliver_job, beat)
    deliverer.on_finished, deliverer.before_writing = attributor.wake, attributor.ensure_named
    return SpeakerParts(enrolments, Voices(history), attributor)
