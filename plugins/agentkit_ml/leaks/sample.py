"""A small sample of the training rows, with each column as numbers: what the checks of columns look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.profiles import Profile, as_numbers, as_text, parse_dates

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit_ml.target import Target

FOLDS = 3

_MOST_ROWS = 2_000
_MOST_CELLS = 600_000


@dataclass(frozen=True)
class Sample:
    """Training rows. `values[c]` is (rows,) float64 with NaN for missing; categories are codes, `kinds[c]` tells.

    `labels`: class numbers from 0, or the target's numbers. `fold`: 0, 1 or 2, spread evenly over the target.
    `positions`: of the rows in the file.
    """

    values: dict[str, NDArray[Any]]
    kinds: dict[str, str]
    labels: NDArray[Any]
    classes: int
    fold: NDArray[Any]
    positions: NDArray[Any]

    @property
    def rows(self) -> int:
        return len(self.labels)


def take_sample(frame: DataFrame, target: Target, columns: dict[str, str], profile: Profile, train: Any) -> Sample:
    """At most 2,000 training rows, fewer for very wide tables; as many of each class as there are, up to its share.

    `train`: positions within `target.rows`. `columns`: column -> number, category, date or text (text is left out).
    """
    import numpy as np

    random = np.random.default_rng(0)
    wanted = min(_MOST_ROWS, max(200, _MOST_CELLS // max(1, len(columns))))
    chosen = _chosen(target, np.asarray(train), wanted, random)
    labels: NDArray[Any] = target.values[chosen]
    if target.classes:
        labels = np.unique(labels.astype(str), return_inverse=True)[1]
    part = frame.iloc[target.rows[chosen]]
    kinds = {name: kind for name, kind in columns.items() if kind != "text"}
    values = {name: numeric(part[name], kind, profile[name].date_format) for name, kind in kinds.items()}
    fold = np.empty(len(labels), dtype="int64")
    fold[np.argsort(labels.astype("float64"), kind="stable")] = np.arange(len(labels)) % FOLDS
    classes = len(np.unique(labels)) if target.classes else 0
    return Sample(values, kinds, labels.astype("float64"), classes, fold, target.rows[chosen])


def numeric(column: Series, kind: str, date_format: str | None) -> NDArray[Any]:
    """Numbers as they are, dates as days since 2000, categories as codes in order of the text; NaN where missing."""
    import numpy as np
    import pandas as pd

    if kind == "number":
        return as_numbers(column).to_numpy()
    if kind == "date":
        parsed = parse_dates(column, date_format or "")
        assert parsed is not None
        return ((parsed[0] - pd.Timestamp(2000, 1, 1)) / pd.Timedelta(days=1)).to_numpy(dtype="float64")
    codes = pd.factorize(as_text(column), sort=True)[0].astype("float64")
    return np.where(codes < 0, np.nan, codes)


def _chosen(target: Target, train: NDArray[Any], wanted: int, random: Any) -> NDArray[Any]:
    import numpy as np

    train = random.permutation(train)
    if len(train) <= wanted or not target.classes:
        return np.sort(train[:wanted])
    labels = target.values[train].astype(str)
    each = max(20, wanted // len(target.classes))
    # rare classes in full: a leak in a class of one in a hundred shows in few rows
    kept = [train[labels == label][:each] for label in np.unique(labels)]
    rest = np.setdiff1d(train, np.concatenate(kept), assume_unique=True)
    missing = max(0, wanted - sum(len(k) for k in kept))
    return np.sort(np.concatenate([*kept, random.permutation(rest)[:missing]]))
