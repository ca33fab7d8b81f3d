"""Gradient descent with a warm-up and a cosine, for a number of minutes or of steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEPS_TRAINED = "steps_trained"
STEP_NOT_FINITE = "step_not_finite"
_REPORT_STEPS = 100
_MOST_GRADIENT = 5.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Budget:
    """How long to train, and how fast to learn at most."""

    minutes: float = math.inf
    steps: float = math.inf
    peak_rate: float = 1.2e-3
    warm_up_steps: int = 300

    def spent(self, steps: int, elapsed_s: float) -> float:
        """Return the share that is spent, 0 to 1 and above."""
        return max(steps / self.steps, elapsed_s / 60 / self.minutes)

    def rate(self, steps: int, spent: float) -> float:
        """Return the learning rate."""
        warm = min(1.0, (steps + 1) / self.warm_up_steps)
        return self.peak_rate * warm * (0.5 * (1 + math.cos(math.pi * min(1.0, spent))) + 0.01)


@dataclass(frozen=True)
class Curve:
    """Every step's total loss."""

    losses: tuple[float, ...]

    @property
    def first(self) -> float:
        """The mean of the first tenth."""
        return _mean(self.losses[: self._tenth])

    @property
    def last(self) -> float:
        """The mean of the last tenth."""
        return _mean(self.losses[-self._tenth :])

    @property
    def _tenth(self) -> int:
        return max(1, len(self.losses) // 10)


def descend(
    parameters: list[torch.nn.Parameter],
    next_loss: Callable[[float], tuple[torch.Tensor, Mapping[str, float]]],
    budget: Budget,
    *,
    step_name: str,
    clock: Callable[[], float] = time.monotonic,
) -> Curve:
    """Train until the budget is spent.

    ``next_loss`` is given the share spent and returns a batch's loss, with figures to be reported.
    """
    optimiser = torch.optim.AdamW(parameters, lr=budget.peak_rate, betas=(0.9, 0.98), weight_decay=1e-2)
    begun_s = clock()
    losses: list[float] = []
    while (spent := budget.spent(len(losses), clock() - begun_s)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = budget.rate(len(losses), spent)
        loss, figures = next_loss(spent)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        if not math.isfinite(losses[-1]):
            log.warning(STEP_NOT_FINITE, step=step_name, number=len(losses))
            continue
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, _MOST_GRADIENT)
        optimiser.step()
        if len(losses) % _REPORT_STEPS == 0:
            told = {name: round(value, 3) for name, value in figures.items()}
            recent = round(_mean(losses[-_REPORT_STEPS:]), 3)
            minutes = round((clock() - begun_s) / 60, 1)
            log.info(STEPS_TRAINED, step=step_name, number=len(losses), minutes=minutes, loss=recent, **told)
    return Curve(tuple(losses))


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return sum(values) / len(values)
