"""What the sessions of a daemon share: the parts that each of them works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.dispatch.cards import Cards

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.dispatch import protocol
    from asr_daemon.dispatch.keeper import Recogniser
    from asr_daemon.dispatch.loading import LoadGate
    from asr_daemon.dispatch.opening import Opener
    from asr_daemon.history.segments import Segments
    from asr_daemon.history.settings import Settings
    from asr_daemon.queue.inbox_profiles import InboxProfiles
    from asr_daemon.queue.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the sessions of a daemon share."""

    jobs: Jobs
    segments: Segments
    settings: Settings
    profiles: InboxProfiles
    opener: Opener
    deliverer: Deliverer
    clock: Clock
    gate: LoadGate
    start_recogniser: Callable[[protocol.Setup], Recogniser]
    find_ffmpeg: Callable[[str], str]
    describe: Callable[[int], str] = lambda _fd: ""
    on_progress: Callable[[], None] = lambda: None
    wake_all: Callable[[], None] = lambda: None  # every session looks at the queue, now
    cards: Cards = field(default_factory=Cards)
