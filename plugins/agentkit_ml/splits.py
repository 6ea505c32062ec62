"""Which rows are held back and which are learned from: at random, by time, or by whole groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import TrainingError
from agentkit.profiles import as_numbers, as_text, parse_dates

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit_ml.target import Target

Split = Literal["random", "time", "group"]
Pair = tuple["NDArray[Any]", "NDArray[Any]"]

HELD_BACK = 0.2
_MANY_ROWS = 20_000


class Splitter:
    """Splits the rows of a target. `order` sorts them by time; `groups` are their groups."""

    def __init__(
        self, kind: Split, target: Target, seed: int, *, order: Series | None = None, groups: Series | None = None
    ) -> None:
        self.kind = kind
        self._target = target
        self._seed = seed
        self._order = None if order is None else _as_order(order)
        self._groups = None if groups is None else as_text(groups).fillna("").to_numpy()
        if self._groups is not None and len(set(self._groups)) < 3:
            raise TrainingError(f"column {groups.name!r} has fewer than 3 groups. Use split=random.")  # type: ignore[union-attr]

    def hold_out(self) -> Pair:
        """Positions (within the target's rows) to train on, and a fifth of them held back."""
        import numpy as np
        from sklearn.model_selection import train_test_split

        rows = len(self._target.values)
        if self._order is not None:
            by_time = np.argsort(self._order, kind="stable")
            cut = rows - math.ceil(HELD_BACK * rows)
            return by_time[:cut], by_time[cut:]
        if self._groups is not None:
            train, test = next(iter(self._group_folds(np.arange(rows))))
            return np.sort(train), np.sort(test)
        held = max(math.ceil(HELD_BACK * rows), len(self._target.classes))
        labels = self._target.values.astype(str) if self._target.classes else None
        train, test = train_test_split(np.arange(rows), test_size=held, random_state=self._seed, stratify=labels)
        return np.sort(train), np.sort(test)

    def folds(self, train: NDArray[Any]) -> list[Pair]:
        """Cross-validation folds of the training rows, as positions within `train`; never empty."""
        import numpy as np
        from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

        most = 3 if len(train) > _MANY_ROWS else 5
        if self._order is not None:
            return self._learnable(list(TimeSeriesSplit(min(most, len(train) - 1)).split(train)), train)
        if self._groups is not None:
            return self._learnable(self._group_folds(train), train)
        labels = self._target.values[train]
        if not self._target.classes:
            return list(KFold(min(most, len(train)), shuffle=True, random_state=self._seed).split(train))
        labels = labels.astype(str)
        rarest = int(np.unique(labels, return_counts=True)[1].min())
        folds = StratifiedKFold(max(2, min(most, rarest)), shuffle=True, random_state=self._seed)
        return list(folds.split(train, labels))

    def _group_folds(self, rows: NDArray[Any]) -> list[Pair]:
        from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

        assert self._groups is not None
        groups, values = self._groups[rows], self._target.values[rows]
        count = min(5, len(set(groups)))
        if not self._target.classes:
            return list(GroupKFold(count, shuffle=True, random_state=self._seed).split(rows, values, groups))
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=self._seed)
        return list(folds.split(rows, values.astype(str), groups))

    def _learnable(self, folds: list[Pair], train: NDArray[Any]) -> list[Pair]:
        """Folds with at least two classes on both sides."""
        if not self._target.classes:
            return folds
        labels = self._target.values[train].astype(str)
        kept = [(a, b) for a, b in folds if len(set(labels[a])) > 1 and len(set(labels[b])) > 1]
        if not kept:
            raise TrainingError(
                f"split by {self.kind}: no fold has two classes of {self._target.name!r}. Use split=random."
            )
        return kept


def make_splitter(
    wanted: Literal["auto", "random", "time", "group"],
    frame: DataFrame,
    target: Target,
    *,
    time_column: str | None,
    group_column: str | None,
    seed: int,
) -> Splitter:
    """The splitter that was asked for; auto follows the columns that were named. Raises TrainingError."""
    kind: Split = wanted if wanted != "auto" else "time" if time_column else "group" if group_column else "random"
    if kind == "time" and not time_column:
        raise TrainingError("split 'time' needs time_column: the column to sort the rows by.")
    if kind == "group" and not group_column:
        raise TrainingError("split 'group' needs group_column: the column whose values stay together.")
    rows = frame.iloc[target.rows]
    return Splitter(
        kind, target, seed,
        order=rows[time_column] if kind == "time" else None,
        groups=rows[group_column] if kind == "group" else None,
    )  # fmt: skip


def _as_order(column: Series) -> NDArray[Any]:
    """Seconds or numbers to sort by; rows without a value come first."""
    import pandas as pd

    parsed = parse_dates(column.dropna(), None)
    values = as_numbers(column)
    if parsed is not None:
        values = (parsed[0] - pd.Timestamp(2000, 1, 1)).dt.total_seconds().reindex(column.index)
    if values.isna().all():
        raise TrainingError(f"column {column.name!r} holds neither dates nor numbers. Name another time_column.")
    order: NDArray[Any] = values.fillna(float("-inf")).to_numpy()
    return order
