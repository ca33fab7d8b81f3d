"""Numbers and names, and who is known again."""

from __future__ import annotations

import numpy as np

from asr_daemon.speakers.enrolment import (
    LEAST_SPEECH_MS,
    MOST_EMBEDDINGS,
    SAME_PERSON,
    Person,
    best_match,
    of_model,
    with_one_more,
)
from asr_daemon.speakers.grouped import Voice
from asr_daemon.speakers.naming import named
from asr_daemon.speakers.window import cosine, decoded, encoded
from asr_daemon.speakers.words import Said
from asr_daemon.transcripts.transcript import Segment

BASIS = np.eye(192)


def like(other: int, likeness: float) -> bytes:
    """Return an embedding with that cosine to person ``other``'s, which is axis ``other``."""
    return encoded((likeness * BASIS[other] + np.sqrt(1 - likeness**2) * BASIS[100 + other]).tolist())


def person(name: str, axis: int) -> Person:
    return Person(name, "campplus", (like(axis, 1.0),))


def said(speaker: int | None, at_s: int, text: str = "好") -> Said:
    return Said(Segment(at_s, at_s * 1000, at_s * 1000 + 900, text, text), speaker)


GU, LIN = person("顾清源", 0), person("林夏", 1)


def test_numbers_are_in_order_of_the_first_word() -> None:
    """Whatever clustering called them; who says no word has none."""
    speakers = named([said(7, 0, " "), said(4, 1), said(7, 2), said(4, 3), said(None, 4), said(0, 5)], (), ())
    assert [(one.speaker, one.number, one.name) for one in speakers] == [
        (4, 1, "发言人1"),
        (7, 2, "发言人2"),
        (0, 3, "发言人3"),
    ]
    assert [one.speech_ms for one in speakers] == [1800, 900, 900]


def test_an_enrolled_voice_gives_its_name_and_keeps_the_count() -> None:
    """The third to speak is 发言人3, also where the second is known."""
    voices = (Voice(0, 9000, like(5, 1.0)), Voice(1, 9000, like(0, 0.8)), Voice(2, 9000, like(6, 1.0)))
    speakers = named([said(0, 0), said(1, 1), said(2, 2)], voices, (GU, LIN))
    assert [one.name for one in speakers] == ["发言人1", "顾清源", "发言人3"]
    assert [one.is_enrolled for one in speakers] == [False, True, False]


def test_below_the_threshold_there_is_no_name() -> None:
    """A number, never a wrong name."""
    assert best_match(Voice(0, 9000, like(0, SAME_PERSON - 0.02)), (GU, LIN)) is None
    match = best_match(Voice(0, 9000, like(0, SAME_PERSON + 0.02)), (LIN, GU))
    assert match is not None
    assert match.name == "顾清源"


def test_of_two_that_pass_the_best_wins() -> None:
    """And of one person's embeddings the best one counts."""
    numbers = 0.75 * BASIS[0] + 0.65 * BASIS[1]
    match = best_match(Voice(0, 9000, encoded(numbers.tolist())), (LIN, GU))
    assert match is not None
    assert match.name == "顾清源"
    of_two_rooms = Person("林夏", "campplus", (like(3, 1.0), like(1, 1.0)))
    match = best_match(Voice(0, 9000, like(1, 0.9)), (of_two_rooms,))
    assert match is not None
    assert 0.88 < match.likeness < 0.92


def test_who_hardly_says_anything_is_not_named() -> None:
    """A voice made of one word is as likely to be somebody else's."""
    assert best_match(Voice(0, LEAST_SPEECH_MS - 1, like(0, 1.0)), (GU,)) is None


def test_nobody_enrolled_is_nobody_known() -> None:
    """And a person whose embeddings were forgotten is nobody."""
    voice = Voice(0, 9000, like(0, 1.0))
    assert best_match(voice, ()) is None
    assert best_match(voice, (Person("顾清源", "campplus", ()),)) is None


def test_another_models_embeddings_are_not_compared() -> None:
    """They are numbers of another meaning."""
    old = Person("林夏", "older", (like(1, 1.0),))
    assert of_model((GU, old), "campplus") == (GU,)


def test_five_embeddings_are_kept_and_they_differ() -> None:
    """The sixth pushes out the older of the two that are most alike."""
    one = Person("顾清源", "campplus", ())
    for axis in range(MOST_EMBEDDINGS):
        one = with_one_more(one, like(axis, 1.0))
    assert len(one.embeddings) == MOST_EMBEDDINGS
    again = with_one_more(one, like(2, 0.99))
    assert len(again.embeddings) == MOST_EMBEDDINGS
    assert like(2, 1.0) not in again.embeddings
    assert like(2, 0.99) in again.embeddings
    assert max(cosine(decoded(each), decoded(like(0, 1.0))) for each in again.embeddings) > 0.99
