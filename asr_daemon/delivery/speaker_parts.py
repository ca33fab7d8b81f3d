"""What a daemon has for telling speakers apart, and how it is put together around the deliverer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.delivery.attribution import Attributor
from asr_daemon.delivery.rewriting import Rewriter
from asr_daemon.history.enrolments import Enrolments
from asr_daemon.history.voices import Voices

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.history import History
    from asr_daemon.inboxes.share import Shares


@dataclass(frozen=True, slots=True)
class SpeakerParts:
    """The tables, the thread that attributes, and what writes transcripts anew."""

    enrolments: Enrolments
    voices: Voices
    attributor: Attributor
    rewriter: Rewriter


def speaker_parts(
    history: History, deliverer: Deliverer, shares: Shares, clock: Clock, beat: Callable[[], None]
) -> SpeakerParts:
    """Return them; from now on the deliverer leaves a job alone until its speakers are told apart."""
    enrolments = Enrolments(history, clock)
    attributor = Attributor(history, enrolments.people, deliverer.deliver_job, beat)
    deliverer.on_finished, deliverer.before_writing = attributor.wake, attributor.ensure_named
    return SpeakerParts(enrolments, Voices(history), attributor, Rewriter(deliverer, history, shares, clock))
