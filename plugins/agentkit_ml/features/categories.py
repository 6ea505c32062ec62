"""Encodings of categories. Each learns its levels from training rows; what it never met counts as unknown."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit_ml.features.columns import as_levels
from agentkit_ml.features.plan import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

RARE = "(rare)"
"""Levels of one-hot encodings too rare to stand alone, and levels that training never saw."""

_MOST_RARE = 20
_RARE_SHARE = 0.005
_MOST_MEANS = 300
_FOLDS = 5


def rare_below(rows: int) -> int:
    """Levels with fewer rows than this are merged: 0.5% of the rows, at least 2 and at most 20."""
    return min(_MOST_RARE, max(2, round(_RARE_SHARE * rows)))


def _counts(column: Series) -> tuple[list[str], NDArray[Any], int]:
    """The levels that occur, sorted, with their rows; and the rows without a value."""
    import numpy as np

    values = _categorical(column)
    rows = np.bincount(values.codes[values.codes >= 0], minlength=len(values.categories))
    found = sorted((str(level), int(n)) for level, n in zip(values.categories, rows, strict=True) if n)
    return (
        [level for level, _ in found],
        np.asarray([n for _, n in found], dtype="int64"),
        len(values) - int(rows.sum()),
    )


def _categorical(column: Series) -> Any:
    import pandas as pd

    return column.array if isinstance(column.dtype, pd.CategoricalDtype) else as_levels(column)


def _places(column: Series, known: dict[str, int], unknown: int, missing: int) -> NDArray[Any]:
    """What `known` says of each row's level."""
    import numpy as np

    values = _categorical(column)
    found = [known.get(level, unknown) for level in values.categories]
    places: NDArray[Any] = np.asarray([*found, missing], dtype="int64")[values.codes]
    return places


def _numbered(levels: Sequence[str]) -> dict[str, int]:
    return {level: i for i, level in enumerate(levels)}


class OneHot(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A feature per level, 0 or 1; `(missing)` is a level, rare levels share one, and unknown levels count as rare.

    With no rare level in training, an unknown one is 0 everywhere, as in scikit-learn's OneHotEncoder.
    """

    def fit(self, frame: DataFrame, target: Any = None) -> OneHot:
        self.levels_: dict[str, list[str]] = {}
        self.places_: dict[str, dict[str, int]] = {}
        for name in frame.columns:
            levels, rows, missing = _counts(frame[name])
            common = [level for level, n in zip(levels, rows, strict=True) if n >= rare_below(len(frame))]
            self.levels_[name] = common + [RARE] * (len(common) < len(levels)) + [MISSING] * (missing > 0)
            self.places_[name] = dict.fromkeys(levels, len(common)) | _numbered(common)
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        rows = np.arange(len(frame))
        made = np.zeros((len(frame), sum(map(len, self.levels_.values())) + 1))
        nowhere, start = made.shape[1] - 1, 0  # the last column takes what has no feature
        for name, shown in self.levels_.items():
            unknown = start + shown.index(RARE) if RARE in shown else nowhere
            missing = start + shown.index(MISSING) if MISSING in shown else unknown
            known = {level: start + place for level, place in self.places_[name].items()}
            made[rows, _places(frame[name], known, unknown, missing)] = 1
            start += len(shown)
        return made[:, :-1]

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        return _names(f"{name}={level}" for name, levels in self.levels_.items() for level in levels)


class Ordered(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The place of the level in a known order, from 0; NaN for missing and unknown. `orders`: column -> levels."""

    def __init__(self, orders: dict[str, list[str]]) -> None:
        self.orders = orders

    def fit(self, frame: DataFrame, target: Any = None) -> Ordered:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        made = np.empty((len(frame), len(self.orders)))
        for i, (name, levels) in enumerate(self.orders.items()):
            made[:, i] = _places(frame[name], _numbered(levels), -1, -1)
        made[made < 0] = np.nan
        return made

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        return _names(f"{n}={levels[1]}" if len(levels) == 2 else n for n, levels in self.orders.items())


class Codes(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A whole number per level for models that split categories themselves; missing, unknown and rare are NaN."""

    def fit(self, frame: DataFrame, target: Any = None) -> Codes:
        self.levels_: dict[str, list[str]] = {}
        for name in frame.columns:
            levels, rows, _ = _counts(frame[name])
            common = [level for level, n in zip(levels, rows, strict=True) if n >= rare_below(len(frame))]
            self.levels_[name] = common or levels
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        return Ordered(self.levels_).transform(frame)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        return _names(self.levels_)


class TargetMeans(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The target's mean per level, by scikit-learn's TargetEncoder: shrunk to the overall mean, and cross-fitted.

    Training rows get the mean over other rows (`fit_transform`), so a level of one row tells nothing about itself.
    Unknown levels get the overall mean. Several classes give one feature each, the most frequent ones if there are
    too many. Micci-Barreca (2001), https://doi.org/10.1145/507533.507538.
    """

    def __init__(self, regression: bool, seed: int) -> None:
        self.regression = regression
        self.seed = seed

    def fit(self, frame: DataFrame, target: Any) -> TargetMeans:
        self.fit_transform(frame, target)
        return self

    def fit_transform(self, frame: DataFrame, target: Any, **params: Any) -> NDArray[Any]:
        import numpy as np

        self.places_ = {name: _numbered(_counts(frame[name])[0]) for name in frame.columns}
        values = np.asarray(target)
        codes = self._codes(frame)
        self.encoder_ = self._encoder(values)
        if self.encoder_ is None:  # one class or one row: there is no mean to tell apart
            self.kept_: list[int] = list(range(codes.shape[1]))
            return np.zeros(codes.shape)
        with warnings.catch_warnings():
            # a class of fewer rows than folds is missing from some: its means are rougher there
            warnings.filterwarnings("ignore", message="The least populated class")
            made = self.encoder_.fit_transform(codes, values)
        self.kept_ = self._kept(values, made.shape[1])
        return np.asarray(made[:, self.kept_])

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        codes = self._codes(frame)
        return np.zeros(codes.shape) if self.encoder_ is None else self.encoder_.transform(codes)[:, self.kept_]

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        several = self.encoder_ is not None and self.encoder_.target_type_ == "multiclass"
        classes = [f" of {c}" for c in self.encoder_.classes_] if several else [""]
        every = [f"{name} (target mean{of})" for name in self.places_ for of in classes]
        return _names(every[i] for i in self.kept_)

    def _codes(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        return np.column_stack([_places(frame[name], known, -2, -1) for name, known in self.places_.items()])

    def _encoder(self, values: NDArray[Any]) -> Any:
        import numpy as np
        from sklearn.model_selection import KFold, StratifiedKFold
        from sklearn.preprocessing import TargetEncoder

        rows = [len(values)] if self.regression else np.unique(values, return_counts=True)[1].tolist()
        most = max(rows)
        if most < 2 or (not self.regression and len(rows) < 2):
            return None
        folds = KFold if self.regression else StratifiedKFold
        kind = "continuous" if self.regression else "binary" if len(rows) == 2 else "multiclass"
        return TargetEncoder(target_type=kind, cv=folds(min(_FOLDS, most), shuffle=True, random_state=self.seed))

    def _kept(self, values: NDArray[Any], width: int) -> list[int]:
        import numpy as np

        if width <= _MOST_MEANS or self.encoder_.target_type_ != "multiclass":
            return list(range(width))
        columns = len(self.places_)
        classes, rows = np.unique(values, return_counts=True)
        frequent = np.sort(np.argsort(-rows, kind="stable")[: max(1, _MOST_MEANS // columns)])
        return [column * len(classes) + int(i) for column in range(columns) for i in frequent]


def _names(names: Any) -> NDArray[Any]:
    import numpy as np

    return np.asarray(list(names), dtype="object")
