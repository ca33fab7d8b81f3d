"""Tokens and times of a CTC head."""

from __future__ import annotations

import torch

from asr_daemon.recogniser.families.ctc import Run, align, runs


def test_repeats_are_one_token_and_blanks_part_two_of_a_kind() -> None:
    """Each token has the steps that it fills."""
    assert runs([0, 5, 5, 0, 5, 7, 0], blank=0) == [Run(5, 1, 3), Run(5, 4, 5), Run(7, 5, 6)]
    assert runs([], blank=0) == []


def heard(*best: int) -> torch.Tensor:
    """Return log-probabilities over ten tokens that favour these, one a step."""
    scores = torch.full((len(best), 10), -8.0)
    scores[torch.arange(len(best)), torch.tensor(best)] = 0.0
    return scores


def test_a_text_is_found_where_it_was_heard() -> None:
    """The path follows the scores, with any number for the blank, and two alike are kept apart."""
    assert align(heard(9, 4, 4, 9, 2, 9), [4, 2], blank=9) == [Run(4, 1, 3), Run(2, 4, 5)]
    assert align(heard(9, 4, 9, 4, 4), [4, 4], blank=9) == [Run(4, 1, 2), Run(4, 3, 5)]


def test_what_was_heard_otherwise_still_has_its_place() -> None:
    """A token that the head would not have written lies between its neighbours."""
    found = align(heard(9, 4, 9, 5, 9, 2), [4, 3, 2], blank=9)
    assert [run.token for run in found] == [4, 3, 2]
    assert found[0].end <= found[1].first < found[1].end <= found[2].first


def test_a_text_too_long_for_its_steps_has_no_times() -> None:
    """More tokens than steps, or no room between two alike: none, in place of invented ones."""
    assert align(heard(4, 2), [4, 2, 3], blank=9) == []
    assert align(heard(4, 4), [4, 4], blank=9) == []
    assert align(heard(4), [], blank=9) == []
