"""Attributed: who says what, once a recording's text is there and before it is written.

Enters: jobs whose text is finished and whose profile asks who speaks. Leaves: turns, speakers and names in
the history; then the recording is written. A thread of its own: recognising goes on meanwhile. A job stays
due until that is committed, so that a killed daemon begins with it, without recognising anything. Where it
fails the text is written without speakers, and the log says so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import HistoryUnavailableError, WorkError
from asr_daemon.history.segments import segments_of
from asr_daemon.history.voices import FAILED, HandName, Name, Voices, speakers_of, turns_of
from asr_daemon.speakers.child import ask_about
from asr_daemon.speakers.enrolment import Person, best_match, of_model
from asr_daemon.speakers.naming import ranked
from asr_daemon.speakers.words import attributed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.history import History
    from asr_daemon.history.voices import Known
    from asr_daemon.speakers.grouped import Grouped

log = structlog.get_logger()

LOOK_S = 5.0


class Attributor:
    """Tells the speakers of finished jobs apart, one job at a time."""

    def __init__(
        self,
        history: History,
        people_of: Callable[[str], Sequence[Person]],
        deliver: Callable[[int], object],
        beat: Callable[[], None] = lambda: None,
        ask: Callable[..., Grouped] = ask_about,
    ) -> None:
        """``people_of`` says whom an inbox knows; ``deliver`` writes what waits for a job."""
        self._history = history
        self._voices = Voices(history)
        self._people_of = people_of
        self._deliver = deliver
        self._beat = beat
        self._ask = ask
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._one_at_a_time = threading.Lock()

    # ------------------------------------------------------------------ life

    def run(self) -> None:
        """Work until :meth:`stop`."""
        while not self._stopping.is_set():
            self._beat()
            self._wake.clear()
            try:
                self.attribute_all()
            except HistoryUnavailableError as error:  # it is said by whoever recognises
                log.warning("attribution_waits", error=error.code, problem=str(error))
            self._wake.wait(LOOK_S)

    def wake(self) -> None:
        """Look for work now; from any thread."""
        self._wake.set()

    def stop(self) -> None:
        """End the loop soon; what is not committed is done again at the next start."""
        self._stopping.set()
        self._wake.set()

    # ------------------------------------------------------------------ the work

    def attribute_all(self) -> int:
        """Do what is due; return how many jobs were served. Raises what the history raises."""
        jobs = self._voices.due()
        for number, job in enumerate(jobs):
            if self._stopping.is_set():
                return number
            self._beat()
            try:
                self.attribute(job)
            except HistoryUnavailableError:
                raise
            except Exception as error:  # the text does not depend on it
                known = isinstance(error, WorkError)
                evidence = error.evidence[-2000:] if isinstance(error, WorkError) else ""
                log.error(
                    "attribution_failed", job=job, problem=str(error), evidence=evidence, exc_info=not known
                )
                self._voices.settle(job, FAILED)
            self._deliver(job)
        return len(jobs)

    def attribute(self, job: int) -> None:
        """Tell a job's speakers apart, anew where that was done before; what people called them stays.

        Raises :class:`~asr_daemon.errors.InternalError` where the child fails.
        """
        with self._one_at_a_time:
            by_hand = self._voices.names_by_hand(job)
            asked = self._voices.asked(job)
            model, windows = next(iter(self._voices.models(job)), ("", 0))
            rows = self._voices.rows(job, model)
            grouped = self._ask(rows, windows, asked.speakers_expected, asked.max_speakers)
            said = attributed(segments_of(self._history, job), grouped.turns)
            speakers = ranked(said, grouped.voices)
            with self._history.transaction():
                self._voices.save(job, grouped.turns, speakers, model)
                for inbox in self._voices.inboxes(job):
                    self._name(job, inbox, by_hand)
            log.info("speakers_told_apart", job=job, windows=windows, speakers=len(speakers))

    def ensure_named(self, job: int, inbox: str) -> None:
        """Look for an inbox's people among a job's speakers, where that was not done yet."""
        if turns_of(self._history, job) and not self._voices.is_named(job, inbox):
            with self._history.transaction():
                self._name(job, inbox, ())

    def rename(self, job: int, inbox: str, one: Known, name: str) -> None:
        """Call a speaker so ("": as their voice, or their number, says)."""
        voice = one.voice.embedding if one.voice else None
        with self._history.transaction():
            self._voices.rename(job, inbox, Name(one.speaker, name, HandName(inbox, name, one.model, voice)))
            if not name:
                self._name(job, inbox, ())

    def _name(self, job: int, inbox: str, by_hand: Sequence[HandName]) -> None:
        """Look for an inbox's people; what a person called a speaker goes to the one voice most like it.

        Where nobody is like it now, it waits under a number that no speaker has: told apart otherwise, that
        one may be there again.
        """
        known = [one for one in speakers_of(self._history, job, inbox) if one.voice and not one.is_by_hand]
        people = self._people_of(inbox)
        names: dict[int, Name] = {}
        for one in known:
            assert one.voice is not None  # noqa: S101 (see above)
            if match := best_match(one.voice, of_model(people, one.model)):
                names[one.speaker] = Name(one.speaker, match.name)
        for absent, each in enumerate(by_hand, 1):
            if each.inbox == inbox:
                found = _most_alike(known, each)
                speaker = -absent if found is None else found
                names[speaker] = Name(speaker, each.name, each)
        self._voices.save_names(job, inbox, names.values())


def _most_alike(known: Sequence[Known], named: HandName) -> int | None:
    """Return the speaker who sounds like one that was named before; None where nobody does."""
    if named.voice is None:
        return None
    person = [Person(named.name, named.model, (named.voice,))]
    found = [
        (match.likeness, -one.number, one.speaker)
        for one in known
        if one.voice and one.model == named.model and (match := best_match(one.voice, person))
    ]
    return max(found)[2] if found else None


def find_speaker(known: Sequence[Known], called: str) -> Known | None:
    """Return the speaker of that name, or of that number ("2", "发言人2")."""
    for one in known:
        if called in (one.name, str(one.number), f"发言人{one.number}"):
            return one
    return None
