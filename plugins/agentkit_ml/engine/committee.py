"""What is kept in the end: one model, or a weighted mean of a few that do better together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from agentkit_ml.engine.families import FAMILIES, Data, Setting, Watch, fit, more_rounds, predicted
from agentkit_ml.engine.search import FITS, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.engine.folds import Folds

MEMBERS = 4
"""Models that are put together at most."""
_STEPS = 20
_LIBRARY = 12
_GAIN = 1e-4
"""What a committee must gain over the best single model, as a share of its score: less is not worth its fits."""


class Committee(BaseEstimator):  # type: ignore[misc]
    """Fitted models whose predictions are averaged; a classifier if there are `classes`, texts in their order.

    `encoders`: kind of encoding -> fitted encoder. `members`: (kind of encoding, fitted model, weight); weights add
    up to 1. Input: the frame that `columns_step` makes.
    """

    def __init__(self, encoders: dict[str, Any], members: list[tuple[str, Any, float]], classes: list[str]) -> None:
        self.encoders = encoders
        self.members = members
        self.classes = classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, frame: DataFrame, target: Any = None) -> Committee:
        return self

    @property
    def classes_(self) -> NDArray[Any]:
        import numpy as np

        return np.asarray(self.classes, dtype="object")

    @property
    def _estimator_type(self) -> str:
        return "classifier" if self.classes else "regressor"

    def predict(self, frame: DataFrame) -> NDArray[Any]:
        """Class labels, or numbers; shape (rows,)."""
        mean = self._mean(frame)
        return self.classes_[mean.argmax(axis=1)] if self.classes else mean

    @available_if(lambda self: bool(self.classes))  # type: ignore[untyped-decorator]
    def predict_proba(self, frame: DataFrame) -> NDArray[Any]:
        """Probabilities of the classes, shape (rows, classes); a model of numbers does not have this method."""
        return self._mean(frame)

    def _mean(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        encoded = {kind: encoder.transform(frame) for kind, encoder in self.encoders.items()}
        setting = Setting(len(self.classes), 0)
        total: Any = 0.0
        for kind, model, weight in self.members:
            total = total + weight * predicted(model, encoded[kind], setting)
        return np.asarray(total)


@dataclass(frozen=True)
class Choice:
    """Trials and their weights, and the mean score of the folds that they reach together."""

    members: list[tuple[Trial, float]]
    score: float


def choose(trials: Sequence[Trial], measure: Callable[[int, NDArray[Any]], float], room: float = math.inf) -> Choice:
    """Greedy selection with replacement from the trials' predictions of the folds (Caruana et al. 2004, ICML).

    It begins with the best trial: on the folds the choice is never worse than that. `room`: seconds for the last fits
    of all members.
    """
    library = sorted(trials, key=lambda t: -t.score)[:_LIBRARY]
    best = library[0]
    counts = {0: 1}
    sums = [p.copy() for p in best.predictions]
    score = best.score
    kept = Choice([(best, 1.0)], score)
    for _ in range(_STEPS if len(library) > 1 else 0):
        size = sum(counts.values())
        left = room / FITS - sum(library[i].refit for i in counts)
        fits = [i for i in range(len(library)) if len(counts) < MEMBERS and library[i].refit < left]
        open_to = [*counts, *(i for i in fits if i not in counts)]
        gains = {
            i: _mean([measure(f, (sums[f] + p) / (size + 1)) for f, p in enumerate(library[i].predictions)])
            for i in open_to
        }
        position = max(gains, key=lambda i: gains[i])
        if gains[position] <= score:
            break
        score = gains[position]
        counts[position] = counts.get(position, 0) + 1
        sums = [s + p for s, p in zip(sums, library[position].predictions, strict=True)]
        total = size + 1
        kept = Choice([(library[i], n / total) for i, n in counts.items()], score)
    return kept if kept.score - best.score > _GAIN * abs(best.score) else Choice([(best, 1.0)], best.score)


def fitted(
    choice: Choice, frame: DataFrame, values: NDArray[Any], folds: Folds, setting: Setting, classes: list[str]
) -> Committee:
    """The chosen settings, fitted on all these rows: boosted models with as many trees as were best on the folds."""
    kinds = list(dict.fromkeys(FAMILIES[t.algorithm].encoding for t, _ in choice.members))
    encoders = {kind: folds.encoder(kind) for kind in kinds}
    encoded = {kind: Data(encoder.fit_transform(frame, values), values) for kind, encoder in encoders.items()}
    fitted_rows = len(folds.pairs[-1][0])
    members = []
    for trial, weight in choice.members:
        kind = FAMILIES[trial.algorithm].encoding
        rounds = more_rounds(trial.rounds, fitted_rows, len(values)) if trial.rounds else None
        made = fit(trial.algorithm, trial.params, encoded[kind], setting, Watch(rounds=rounds))
        members.append((str(kind), made.model, weight))
    return Committee({str(k): e for k, e in encoders.items()}, members, classes)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
