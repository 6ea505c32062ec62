"""What would have to be different for another answer: the nearest change of one column, or of two.

Counterfactual explanations (Wachter, Mittelstadt and Russell 2018), by trying. It is what the model would say, not
what would happen.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit.profiles import ColumnProfile, Profile, as_text
from agentkit_ml.reasons.background import choices, rank

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.reasons.response import Response

_MOST_COLUMNS = 40
_PAIRED = 5
_TOLD = 3
_CATEGORY = 0.5
"""The distance between two categories or to a missing value; between numbers it is the share of rows between them."""


class WhatIf(BaseModel):
    """With `changes` (column -> other value) the model would say `answer`, with `chance` for a class.

    `distance`: the shares of training rows between old and new numbers, and 0.5 for another category, added up.
    """

    model_config = ConfigDict(frozen=True)

    changes: dict[str, str]
    answer: str
    chance: float | None
    distance: float

    def line(self, was: dict[str, str]) -> str:
        """'visits 22 instead of 3'."""
        return " and ".join(f"{column} {value} instead of {was[column]}" for column, value in self.changes.items())


def other_answers(response: Response, row: DataFrame, profile: Profile, important: list[str]) -> list[WhatIf]:
    """For classes: up to 3 nearest changes that change the predicted class, of one column, or else of two; empty if
    there are none. For numbers: the changes of one column that make the answer least and most.

    `important`: columns to change, the most important first; the first 40 are tried alone, the first 5 in pairs.
    """
    training = response.training
    columns = training.columns
    tried = {c: _others(profile[c], columns[c], row[c].iloc[0]) for c in important[:_MOST_COLUMNS]}
    single = [{c: value} for c, values in tried.items() for value in values]
    if not training.classes:
        return _extremes(response, row, profile, single)
    found = _flips(response, row, profile, single)
    if not found:
        pairs = itertools.combinations([c for c in important if tried.get(c)][:_PAIRED], 2)
        double = [{a: x, b: y} for a, b in pairs for x in tried[a] for y in tried[b]]
        found = _flips(response, row, profile, double)
    best: dict[tuple[str, ...], WhatIf] = {}
    for change in sorted(found, key=lambda w: w.distance):
        best.setdefault(tuple(change.changes), change)
    return list(best.values())[:_TOLD]


def cell_text(value: Any) -> str:
    """A cell as people read it."""
    if value is None or value != value:  # noqa: PLR0124
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]


def _others(column: ColumnProfile, kind: str, now: Any) -> list[Any]:
    """Values to try instead of the present one."""
    import pandas as pd

    own = as_text(pd.Series([now], dtype="object")).iloc[0]
    return [v for v in choices(column, kind, 17 if kind == "number" else 12) if cell_text(v) != cell_text(own)]


def _flips(response: Response, row: DataFrame, profile: Profile, changes: list[dict[str, Any]]) -> list[WhatIf]:
    classes = response.training.classes
    if not changes:
        return []
    now = int(response.probabilities(row).argmax())
    chances = response.probabilities(_changed(row, changes))
    said = chances.argmax(axis=1)
    return [
        _what_if(response, row, profile, change, classes[s], float(c[s]))
        for change, s, c in zip(changes, said, chances, strict=True)
        if s != now
    ]


def _extremes(response: Response, row: DataFrame, profile: Profile, changes: list[dict[str, Any]]) -> list[WhatIf]:
    if not changes:
        return []
    said = response(_changed(row, changes))
    ends = dict.fromkeys([int(said.argmin()), int(said.argmax())])
    return [_what_if(response, row, profile, changes[i], f"{said[i]:.6g}", None) for i in ends]


def _changed(row: DataFrame, changes: list[dict[str, Any]]) -> DataFrame:
    import pandas as pd

    made: dict[str, Any] = {}
    for name in row.columns:
        cell = row[name].to_numpy(dtype="object")[0]
        made[name] = pd.Series([change.get(name, cell) for change in changes], dtype="object")
    return pd.DataFrame(made)


def _what_if(
    response: Response, row: DataFrame, profile: Profile, change: dict[str, Any], answer: str, chance: float | None
) -> WhatIf:
    kinds = response.training.columns
    distance = sum(_distance(profile[c], kinds[c], row[c], value) for c, value in change.items())
    told = {c: cell_text(v) for c, v in change.items()}
    return WhatIf(changes=told, answer=answer, chance=chance, distance=distance)


def _distance(column: ColumnProfile, kind: str, now: Any, value: Any) -> float:
    from agentkit.profiles import as_numbers

    if kind != "number":
        return _CATEGORY
    numbers: NDArray[Any] = as_numbers(now).to_numpy()
    missing = numbers[0] != numbers[0]
    return _CATEGORY if missing else abs(rank(column, float(numbers[0])) - rank(column, float(value)))
