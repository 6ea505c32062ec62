"""Which rows are held back and which are learned from: at random, by time, or by whole groups.

Held back are a fifth of up to 50,000 rows, 15% of more, and never more than 200,000: a share of 0.15 of 50,000 rows
already gives a standard error of at most 0.006 for a share, so that further rows do more good in training. Candidates
are compared by cross-validation on the other rows: it uses each of them, where one validation part would use few.
"""

from __future__ import annotations

import math
import warnings
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
HELD_BACK_OF_MANY = 0.15
MOST_HELD_BACK = 200_000
_MANY_TO_HOLD_BACK = 50_000
_MANY_ROWS = 20_000


def held_back_rows(rows: int) -> int:
    """How many of `rows` are held back for the score."""
    share = HELD_BACK if rows <= _MANY_TO_HOLD_BACK else HELD_BACK_OF_MANY
    return min(math.ceil(share * rows), MOST_HELD_BACK)


class Splitter:
    """Splits the rows of a target. `order` sorts them by time; `groups` are their groups; `why` says what was done.

    What holds: train and test share no row and leave none out; by time, every test row is later than every training
    row; by group, no group is on both sides. Rows without a time count as the earliest, those without a group as one.
    Raises TrainingError if times or groups are too few.
    """

    def __init__(
        self, kind: Split, target: Target, seed: int, *, order: Series | None = None, groups: Series | None = None
    ) -> None:
        self.kind = kind
        self._target = target
        self._seed = seed
        self._order = None if order is None else _as_order(order)
        self._groups: Any = None if groups is None else as_text(groups).fillna("").to_numpy()
        if self._groups is not None and len(set(self._groups)) < 3:
            raise TrainingError(f"column {groups.name!r} has fewer than 3 groups. Use split=random.")  # type: ignore[union-attr]
        self.why = self._reason(order, groups)

    def hold_out(self) -> Pair:
        """Positions (within the target's rows) to train on, and those held back."""
        import numpy as np
        import pandas as pd
        from sklearn.model_selection import train_test_split

        rows = len(self._target.values)
        if self._order is not None:
            by_time = np.argsort(self._order, kind="stable")
            cut = self._snapped(self._order[by_time], rows - held_back_rows(rows))
            return self._checked(by_time[:cut], by_time[cut:])
        if self._groups is not None:
            parts = round(rows / held_back_rows(rows))
            train, test = next(iter(self._group_folds(np.arange(rows), parts)))
            return self._checked(np.sort(train), np.sort(test))
        held = max(held_back_rows(rows), len(self._target.classes))
        labels = pd.factorize(self._target.values, sort=True)[0] if self._target.classes else None
        train, test = train_test_split(np.arange(rows), test_size=held, random_state=self._seed, stratify=labels)
        return np.sort(train), np.sort(test)

    def folds(self, train: NDArray[Any]) -> list[Pair]:
        """Cross-validation folds of the training rows, as positions within `train`; never empty.

        5 folds up to 20,000 rows, 3 above. For two classes no more than the rarer one has rows.
        """
        import numpy as np
        import pandas as pd
        from sklearn.model_selection import KFold, StratifiedKFold

        most = 3 if len(train) > _MANY_ROWS else 5
        if self._order is not None:
            return self._learnable(self._time_folds(train, most), train)
        if self._groups is not None:
            return self._learnable(self._group_folds(train, most), train)
        if not self._target.classes:
            return list(KFold(min(most, len(train)), shuffle=True, random_state=self._seed).split(train))
        labels = pd.factorize(self._target.values[train], sort=True)[0]
        counts = np.bincount(labels)
        # one rare class of many may be absent from a fold; one of two may not
        parts = max(2, min(most, int(counts.min() if len(counts) == 2 else counts.max())))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            return list(StratifiedKFold(parts, shuffle=True, random_state=self._seed).split(train, labels))

    def _time_folds(self, train: NDArray[Any], most: int) -> list[Pair]:
        """Growing training parts, each tested on the stretch that follows; scikit-learn's TimeSeriesSplit, but for
        borders that would cut between rows of the same time."""
        import numpy as np
        from sklearn.model_selection import TimeSeriesSplit

        assert self._order is not None
        by_time = np.argsort(self._order[train], kind="stable")
        times = self._order[train][by_time]
        folds = []
        for before, after in TimeSeriesSplit(min(most, len(train) - 1)).split(train):
            start, end = (_border(times, cut) for cut in (len(before), len(before) + len(after)))
            if 0 < start < end:
                folds.append((by_time[:start], by_time[start:end]))
        if not folds:
            raise TrainingError("split by time: the training rows have too few different times. Use split=random.")
        return folds

    def _group_folds(self, rows: NDArray[Any], parts: int) -> list[Pair]:
        from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

        assert self._groups is not None
        groups, values = self._groups[rows], self._target.values[rows]
        count = max(2, min(parts, len(set(groups))))
        if self._target.classes:
            labels = values.astype(str)
            folds = StratifiedGroupKFold(count, shuffle=True, random_state=self._seed)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The least populated class", UserWarning)
                try:
                    return [(a, b) for a, b in folds.split(rows, labels, groups) if len(a) and len(b)]
                except ValueError:
                    pass  # every class has fewer rows than there are folds: plain groups then
        return list(GroupKFold(count, shuffle=True, random_state=self._seed).split(rows, values, groups))

    def _snapped(self, times: NDArray[Any], cut: int) -> int:
        snapped = _border(times, cut)
        if not cut // 2 < snapped < len(times):
            raise TrainingError("split by time: most rows have the same time. Name another time_column.")
        return snapped

    def _checked(self, train: NDArray[Any], test: NDArray[Any]) -> Pair:
        if self._target.classes and len(set(self._target.values[train])) < 2:
            raise TrainingError(
                f"split by {self.kind}: the training rows have one class of {self._target.name!r} only. "
                "Use split=random."
            )
        return train, test

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

    def _reason(self, order: Series | None, groups: Series | None) -> str:
        rows = len(self._target.values)
        share = f"{held_back_rows(rows) / rows:.0%} of {rows} rows"
        if order is not None and self._order is not None:
            first = int((self._order == -math.inf).sum())
            gaps = f" The {first} rows without a time count as the earliest." if first else ""
            return f"The newest {share} by {order.name!r} were held back: the model is tested on what came later.{gaps}"
        if groups is not None:
            without = int((self._groups == "").sum())
            gaps = f" The {without} rows without a value count as one group." if without else ""
            told = f"Whole groups of {groups.name!r} were held back, about {share}: the model is tested on groups"
            return f"{told} that it never met.{gaps}"
        evenly = ", each class in its share" if self._target.classes else ""
        return f"{share} were held back at random{evenly}: no time_column or group_column was named."


def make_splitter(
    wanted: Literal["auto", "random", "time", "group"],
    frame: DataFrame,
    target: Target,
    *,
    time_column: str | None,
    group_column: str | None,
    seed: int,
) -> Splitter:
    """The splitter that was asked for; auto follows the columns that were named. Raises TrainingError.

    Auto never changes to a split by time or group by itself: whether later rows or new groups will be predicted is
    the user's to know. `find_leaks` recommends it where the data speak for it (gates shuffled_time and
    repeated_entities).
    """
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


def _border(times: NDArray[Any], cut: int) -> int:
    """The place nearest to `cut` where the sorted times change; 0 or all if they never do."""
    import numpy as np

    if not 0 < cut < len(times):
        return cut
    low, high = (int(np.searchsorted(times, times[cut], side)) for side in ("left", "right"))
    if low == 0:
        return high
    return low if cut - low <= high - cut or high == len(times) else high


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
