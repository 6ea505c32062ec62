"""What mistakes cost: the user's own matrix, checked, and what a model's decisions come to under it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit.errors import BadInput
from agentkit.profiles import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.assess.statistics import Statistic
    from agentkit_ml.metrics import Outcome

OTHERS = "*"
"""The key for the cost of every mistake that has no key of its own."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost of predicting `classes[j]` where `classes[i]` is true: `matrix[i][j]`, in the user's own unit."""

    classes: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]

    def array(self) -> NDArray[Any]:
        import numpy as np

        return np.asarray(self.matrix)


class CostResult(BaseModel):
    """Mean cost a row, in the user's unit, with 95% intervals: of the model's predictions as they are (`now`), of
    deciding for the least expected cost from its probabilities (`best`), and of the cheapest single answer without a
    model (`baseline`, which is `baseline_class` for every row)."""

    model_config = ConfigDict(frozen=True)

    now: float
    now_interval: tuple[float, float]
    best: float
    best_interval: tuple[float, float]
    baseline: float
    baseline_class: str


def read_costs(given: Mapping[str, Any] | str, classes: Sequence[str]) -> Costs:
    """Check a matrix such as `{"yes>no": 10, "no>yes": 1}` (true>predicted) or the same as JSON text.

    What is predicted right costs 0 unless said otherwise; a negative cost is a gain; the key `*` stands for every
    mistake without a key. Raises BadInput that names what is wrong.
    """
    example = f"Write, for example, {json.dumps({f'{classes[0]}>{classes[-1]}': 5, f'{classes[-1]}>{classes[0]}': 1})}."
    pairs = _parsed(given, example)
    values = {key: _cost(key, value) for key, value in pairs.items()}
    matrix = [[0.0 if t == p else values.get(OTHERS, math.nan) for p in classes] for t in classes]
    for key, value in values.items():
        if key != OTHERS:
            true, predicted = _pair(key, classes, example)
            matrix[true][predicted] = value
    missing = [f"{t}>{p}" for i, t in enumerate(classes) for j, p in enumerate(classes) if math.isnan(matrix[i][j])]
    if missing:
        raise BadInput(f"costs: no cost is given for {listed(missing)}. Add it, or a cost for '*': all others.")
    if not any(cost for row in matrix for cost in row):
        raise BadInput(f"costs: every cost is 0, so any answer is as good as another. {example}")
    return Costs(tuple(classes), tuple(tuple(row) for row in matrix))


def _parsed(given: Mapping[str, Any] | str, example: str) -> Mapping[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise BadInput(f"costs is not JSON: {error}. {example}") from error
    if not isinstance(given, Mapping) or not given:
        raise BadInput(f"costs must name at least one pair of classes and its cost. {example}")
    return given


def _cost(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInput(f"costs: {key!r} has the cost {value!r}, which is not a number.")
    return float(value)


def _pair(key: str, classes: Sequence[str], example: str) -> tuple[int, int]:
    """Positions of the true and the predicted class; class names may themselves hold '>'."""
    known = {c: i for i, c in enumerate(classes)}
    for at in (i for i, character in enumerate(key) if character == ">"):
        true, predicted = key[:at].strip(), key[at + 1 :].strip()
        if true in known and predicted in known:
            return known[true], known[predicted]
    raise BadInput(f"costs: {key!r} is not 'TRUE>PREDICTED' of the classes {listed(classes, 8)}. {example}")


def row_costs(costs: Costs, outcome: Outcome, decided: NDArray[Any]) -> NDArray[Any]:
    """The cost of each row for these decisions (class positions)."""
    import numpy as np

    known = {c: i for i, c in enumerate(costs.classes)}
    true = np.array([known[t] for t in outcome.truth])
    return np.asarray(costs.array()[true, decided])


def cheapest(costs: Costs, probabilities: NDArray[Any]) -> NDArray[Any]:
    """For each row the class position of the least expected cost (Elkan 2001)."""
    decided: NDArray[Any] = (probabilities @ costs.array()).argmin(axis=1)
    return decided


def cost_result(costs: Costs, seen: Outcome, baseline: Outcome, resamples: int, seed: int) -> CostResult:
    """What the decisions come to. Rows of classes that the model does not know must have been left out."""
    import numpy as np

    from agentkit_ml.assess.intervals import bootstrap, percentile, strata
    from agentkit_ml.assess.statistics import mean

    assert seen.probabilities is not None
    assert baseline.probabilities is not None
    known = {c: i for i, c in enumerate(costs.classes)}
    now = row_costs(costs, seen, np.array([known[p] for p in seen.predicted]))
    best = row_costs(costs, seen, cheapest(costs, seen.probabilities))
    constant = cheapest(costs, baseline.probabilities)

    def statistics(rows: NDArray[Any]) -> dict[str, Statistic]:
        return {"now": mean(now[rows]), "best": mean(best[rows])}

    drawn = bootstrap(statistics, len(now), strata=strata(seen), resamples=resamples, seed=seed).drawn
    return CostResult(
        now=float(now.mean()), now_interval=percentile(drawn["now"]), best=float(best.mean()),
        best_interval=percentile(drawn["best"]), baseline=float(row_costs(costs, seen, constant).mean()),
        baseline_class=costs.classes[int(constant[0])],
    )  # fmt: skip
