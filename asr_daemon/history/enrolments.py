"""Whom each inbox knows by voice: up to five embeddings a person, and where they came from.

The embeddings are biometric: they leave this module for comparing alone. Fails as the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.speakers.enrolment import Person, with_one_more

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.clock import Clock
    from asr_daemon.history.connection import History


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One voice of one person."""

    id: int
    inbox: str
    name: str
    model: str
    source: str  # for people
    sample: str  # of a sample in the inbox's folder: its name and look
    created_at: str  # stamp
    voice: bytes = field(repr=False)


class Enrolments:
    """The table of known voices."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    def all(self, inbox: str | None = None) -> list[Enrolment]:
        """Return the voices that an inbox knows, or all."""
        return [
            Enrolment(
                row["id"],
                row["inbox"],
                row["name"],
                row["model"],
                row["source"],
                row["sample"],
                row["created_at"],
                row["voice"],
            )
            for row in self._history.all("enrolments", inbox=inbox)
        ]

    def people(self, inbox: str) -> list[Person]:
        """Return whom an inbox knows; somebody with voices of two models is there twice."""
        return _people(self.all(inbox))

    def add(self, inbox: str, name: str, model: str, voice: bytes, source: str, sample: str = "") -> None:
        """Remember a voice; of a sixth, one of the two that are most alike goes."""
        with self._history.transaction() as history:
            mine = [one for one in self.all(inbox) if (one.name, one.model) == (name, model)]
            again = [one for one in mine if (one.voice, one.sample) == (voice, sample)]
            others = tuple(one.voice for one in mine if one not in again)
            kept = with_one_more(Person(name, model, others), voice).embeddings
            for one in mine:
                if one in again or one.voice not in kept:
                    history.run("delete_enrolment", id=one.id)
            history.run(
                "insert_enrolment",
                inbox=inbox,
                name=name,
                model=model,
                voice=voice,
                source=source,
                sample=sample,
                now=self._clock.stamp(),
            )

    def remove(self, enrolments: Sequence[Enrolment]) -> None:
        """Forget single voices."""
        with self._history.transaction() as history:
            for one in enrolments:
                history.run("delete_enrolment", id=one.id)

    def forget(self, inbox: str, name: str) -> int:
        """Forget a person; return how many voices that were."""
        with self._history.transaction() as history:
            return history.run("delete_person", inbox=inbox, name=name).rowcount


def _people(every: Sequence[Enrolment]) -> list[Person]:
    found: dict[tuple[str, str], list[bytes]] = {}
    for one in every:
        found.setdefault((one.name, one.model), []).append(one.voice)
    return [Person(name, model, tuple(voices)) for (name, model), voices in found.items()]
