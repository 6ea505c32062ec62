"""Would more rows help: the best setting, fitted on growing parts of the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from agentkit_ml.engine.families import FAMILIES, Data, Setting, Watch, fit, predicted
from agentkit_ml.engine.search import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.engine.folds import Folds

PARTS = (0.1, 0.25, 0.5, 1.0)
_FEWEST = 20
LONGEST = 2.0
"""Seconds of one fit beyond which no curve is drawn: it is a picture, not worth a search's time."""


def learning_points(
    trial: Trial, folds: Folds, setting: Setting, score: Callable[[NDArray[Any], NDArray[Any]], float]
) -> list[tuple[int, float, float]]:
    """(rows learned from, score on them, score on the fold's other rows) for parts of the last fold's rows.

    `score(values, predictions)` takes class numbers or floats. Empty if a fit takes long, or if a part has too few rows
    of a class to be scored.
    """
    if trial.refit > LONGEST:
        return []
    train, other = folds.get(len(folds) - 1, FAMILIES[trial.algorithm].encoding)
    order = np.random.default_rng(setting.seed).permutation(len(train.values))
    points = []
    for part in PARTS:
        rows = np.sort(order[: int(part * len(order))])
        seen = Data(_take(train.features, rows), train.values[rows])
        if len(rows) < _FEWEST or (setting.classes and len(np.unique(seen.values)) < setting.classes):
            continue
        made = fit(trial.algorithm, trial.params, seen, setting, Watch(rounds=trial.rounds))
        on_seen = score(seen.values, predicted(made.model, seen.features, setting))
        points.append((len(rows), on_seen, score(other.values, predicted(made.model, other.features, setting))))
    return points if len(points) > 1 else []


def _take(features: Any, rows: NDArray[Any]) -> Any:
    return features.iloc[rows] if hasattr(features, "iloc") else features[rows]
