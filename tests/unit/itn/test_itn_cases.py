"""The cases of the house style, and our own, half of which must stay as they are spoken."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from asr_daemon.itn import Normaliser
from asr_daemon.itn.characters import RUN, fold
from asr_daemon.itn.protected import ProtectedWords
from asr_daemon.itn.reading import Seen
from asr_daemon.itn.staying import mask_staying
from asr_daemon.itn.tagger import RULES

HERE = Path(__file__).parent
NORMALISER = Normaliser()


def read(name: str) -> list[tuple[str, ...]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if line.strip() and not line.startswith("#")]


def to_text(raw: str) -> str:
    return NORMALISER.normalise(raw).text


HOUSE, OWN, FAULTS = read("house_cases.tsv"), read("own_cases.tsv"), read("faults.tsv")
FIELD = read("field_cases.tsv")  # logistics, medicine, courts, railways and the like
# Each set was written by somebody who had not seen the rules.
BLIND = [case for file in sorted(HERE.glob("blind_cases*.tsv")) for case in read(file.name)]
# Every kind and its neighbours, each set written before the rules were asked.
WIDE = [case for file in sorted(HERE.glob("wide_cases*.tsv")) for case in read(file.name)]


@pytest.mark.parametrize(("category", "raw", "expected"), HOUSE, ids=[raw for _, raw, _ in HOUSE])
def test_house_case(category: str, raw: str, expected: str) -> None:
    """A case of the house style is written as the style says."""
    assert to_text(raw) in expected.split("|"), category


@pytest.mark.parametrize("category", sorted({category for category, _, _ in OWN}))
def test_own_cases(category: str) -> None:
    """The cases of our own are written as the style says."""
    cases = [(raw, expected.split("|")) for each, raw, expected in OWN if each == category]
    assert [(raw, to_text(raw), to) for raw, to in cases if to_text(raw) not in to] == []


@pytest.mark.parametrize("category", sorted({category for category, _, _ in FIELD}))
def test_sentences_of_the_fields(category: str) -> None:
    """Sentences of trades and offices are written as the style says."""
    cases = [(raw, expected.split("|")) for each, raw, expected in FIELD if each == category]
    assert [(raw, to_text(raw), to) for raw, to in cases if to_text(raw) not in to] == []


@pytest.mark.parametrize("category", sorted({category for category, _, _ in FAULTS}))
def test_what_once_came_out_wrong(category: str) -> None:
    """Amounts, hours, holidays and names that were once silently changed are right, each kind as a whole."""
    cases = [(raw, expected.split("|")) for each, raw, expected in FAULTS if each == category]
    assert [(raw, to_text(raw), to) for raw, to in cases if to_text(raw) not in to] == []


@pytest.mark.parametrize("category", sorted({category for category, _, _ in BLIND}))
def test_sentences_of_another_hand(category: str) -> None:
    """Sentences whose author had not seen the rules are written as the style says."""
    cases = [(raw, expected.split("|")) for each, raw, expected in BLIND if each == category]
    assert [(raw, to_text(raw), to) for raw, to in cases if to_text(raw) not in to] == []


@pytest.mark.parametrize("category", sorted({category for category, _, _ in WIDE}))
def test_sentences_of_every_kind(category: str) -> None:
    """Sentences from meetings, calls, schools, courts and streets are written as the style says."""
    cases = [(raw, expected.split("|")) for each, raw, expected in WIDE if each == category]
    assert [(raw, to_text(raw), to) for raw, to in cases if to_text(raw) not in to] == []


def test_a_case_is_normalised_once() -> None:
    """What is written already does not change in a second pass."""
    written = [to_text(raw) for _, raw, _ in HOUSE + OWN + FIELD + FAULTS + BLIND + WIDE]
    assert [once for once in written if to_text(once) != once] == []


def test_a_rule_reads_only_before_its_followers() -> None:
    """A rule that is not asked, for what follows the numerals, would have read nothing there."""
    words = ProtectedWords()
    unasked = []
    for _, raw, _ in HOUSE + OWN + FIELD + FAULTS + BLIND + WIDE:
        folded = fold(raw)
        seen = Seen(folded, mask_staying(folded, words))
        for run in RUN.finditer(seen.masked):
            follower = seen.masked[run.end() : run.end() + 1]
            unasked += [
                (raw, rule.__name__)
                for rule, after in RULES
                if after and (not follower or follower not in after) and rule(seen, *run.span())
            ]
    assert unasked == []


def test_half_of_our_cases_stay() -> None:
    """Our own cases are many, distinct, and guard what must stay as much as what is written."""
    stays = sum(raw == expected for _, raw, expected in OWN)
    assert len(OWN) >= 300
    assert stays * 2 >= len(OWN)
    assert not [raw for raw, count in Counter(raw for _, raw, _ in OWN).items() if count > 1]
