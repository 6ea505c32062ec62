"""Numbers for models that multiply and add: no gaps, comparable scales, no long tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit_ml.features.association import correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKEWED = 1.0
"""Beyond this skewness, `auto` takes the logarithm or a power: the usual mark of a highly skewed sample."""

_BIG = 1e100  # cubes still fit a float
_FAR = 1e6  # in standard deviations; keeps a wild value at prediction finite
_POWERS = 200
_POWER_ROWS = 2_000
_DONORS = 2_000


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scale each column, then fill what is missing.

    `scaling`: none, standard, minmax, log (of columns without negative values; standard for others), power
    (Yeo-Johnson; of the 200 most skewed), all but minmax followed by standardising. auto: standard; for a skewness
    beyond 1 log, or power where values are negative, unless that weakens the correlation with the target.
    `missing`: keep (NaN), mean, median, knn (5 nearest of at most 2,000 training rows), or indicator: the median, and
    a feature that says so for every column with gaps in training.
    """

    def __init__(self, missing: str = "indicator", scaling: str = "auto") -> None:
        self.missing = missing
        self.scaling = scaling

    def fit(self, values: Any, target: Any = None) -> Numbers:
        import numpy as np

        array = _array(values)
        self.names_ = [str(c) for c in getattr(values, "columns", range(array.shape[1]))]
        absent = np.isnan(array)
        array[:, absent.all(axis=0)] = 0.0  # without a value there is nothing to measure
        with np.errstate(all="ignore"):
            self._fit_scaling(array, target)
            scaled = self._scaled(array)
            self._fit_missing(scaled, absent)
        return self

    def transform(self, values: Any) -> NDArray[Any]:
        import numpy as np

        array = _array(values)
        absent = np.isnan(array)
        with np.errstate(all="ignore"):
            made = self._scaled(array)
        if self.missing == "keep":
            return made
        if self.missing == "knn" and absent.any():
            made = self.neighbours_.transform(made)
        made = np.where(np.isnan(made), self.fill_, made)
        return np.hstack([made, absent[:, self.gaps_].astype("float64")]) if len(self.gaps_) else made

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        own = [str(n) for n in (self.names_ if names is None else names)]
        return np.asarray([*own, *(f"{own[i]} is missing" for i in self.gaps_)], dtype="object")

    def _fit_scaling(self, array: NDArray[Any], target: Any) -> None:
        import numpy as np

        self.kinds_ = self._kinds(array)
        self.low_, self.high_ = np.nanmin(array, axis=0), np.nanmax(array, axis=0)
        self._fit_shapes(array)
        if self.scaling == "auto" and target is not None:
            shaped = np.flatnonzero(self.kinds_ != "standard")
            before, after = (correlation(a[:, shaped], target) for a in (array, self._scaled(array)))
            self.kinds_[shaped[after < before]] = "standard"
        scaled = self._scaled(array)
        minmax = self.kinds_ == "minmax"
        centre = np.where(minmax, np.nanmin(scaled, axis=0), np.nanmean(scaled, axis=0))
        spread = np.where(minmax, np.nanmax(scaled, axis=0) - centre, np.nanstd(scaled, axis=0))
        plain = self.kinds_ == "none"
        self.centre_ = np.where(plain, 0.0, centre)
        self.spread_ = np.where(plain | (spread < 1e-12 * (1 + np.abs(centre))), 1.0, spread)

    def _fit_shapes(self, array: NDArray[Any]) -> None:
        import numpy as np

        self.unit_ = np.ones(array.shape[1])
        for i in np.flatnonzero(self.kinds_ == "log"):
            positive = array[array[:, i] > 0, i]
            self.unit_[i] = np.median(positive) if len(positive) else 1.0
        self.powers_ = np.ones(array.shape[1])
        for i in np.flatnonzero(self.kinds_ == "power"):
            self.powers_[i] = _power(array[:, i])
        self.centre_, self.spread_ = np.zeros(array.shape[1]), np.ones(array.shape[1])

    def _kinds(self, array: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        chosen = np.full(array.shape[1], "standard" if self.scaling == "auto" else self.scaling, dtype="U8")
        negative = np.nanmin(array, axis=0) < 0
        if self.scaling == "log":
            chosen[negative] = "standard"
        if self.scaling == "power":
            chosen[np.argsort(-np.abs(_skewness(array)), kind="stable")[_POWERS:]] = "standard"
        if self.scaling == "auto":
            skewed = np.abs(_skewness(array)) > SKEWED
            # of two values one is always rarer: that is no tail
            skewed[skewed] = [len(np.unique(c[~np.isnan(c)])) > 2 for c in array[:, skewed].T]
            chosen[skewed & ~negative & (_skewness(array) > 0)] = "log"
            left = np.flatnonzero(skewed & (chosen == "standard"))
            chosen[left[:_POWERS]] = "power"
        return chosen

    def _scaled(self, array: NDArray[Any]) -> NDArray[Any]:
        import numpy as np
        from scipy.stats import yeojohnson

        made = array.copy()
        logs, powers = self.kinds_ == "log", np.flatnonzero(self.kinds_ == "power")
        if logs.any():
            made[:, logs] = np.log1p(np.maximum(array[:, logs], 0) / self.unit_[logs])
        for i in powers:
            # a power far outside of what it was fitted on can be anything
            made[:, i] = yeojohnson(np.clip(array[:, i], self.low_[i], self.high_[i]), self.powers_[i])
        made = (made - self.centre_) / self.spread_
        return made if self.scaling == "none" else np.clip(made, -_FAR, _FAR)

    def _fit_missing(self, scaled: NDArray[Any], absent: NDArray[Any]) -> None:
        import numpy as np

        self.gaps_: list[int] = []
        if self.missing == "indicator":
            # parts of one date are missing together: one indicator is enough
            first: dict[bytes, int] = {}
            for i in np.flatnonzero(absent.any(axis=0)):
                first.setdefault(np.packbits(absent[:, i]).tobytes(), int(i))
            self.gaps_ = sorted(first.values())
        middle = np.nanmean if self.missing == "mean" else np.nanmedian
        self.fill_ = middle(scaled, axis=0)
        if self.missing == "knn":
            from sklearn.impute import KNNImputer

            step = -(-len(scaled) // _DONORS)
            self.neighbours_ = KNNImputer(keep_empty_features=True).fit(scaled[::step])


def _array(values: Any) -> NDArray[Any]:
    import numpy as np

    array = np.array(values, dtype="float64")
    array[np.isinf(array)] = np.nan
    clipped: NDArray[Any] = np.clip(array, -_BIG, _BIG)
    return clipped


def _skewness(array: NDArray[Any]) -> NDArray[Any]:
    """The third standardised moment of each column, 0 where it does not vary."""
    import numpy as np

    spread = np.nanstd(array, axis=0)
    centred = (array - np.nanmean(array, axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, np.nanmean(centred**3, axis=0), 0.0)


def _power(column: NDArray[Any]) -> float:
    """Yeo-Johnson's exponent by maximum likelihood, on at most 2,000 rows."""
    import numpy as np
    from scipy.stats import yeojohnson_normmax

    present = column[~np.isnan(column)]
    power = float(yeojohnson_normmax(present[:: -(-len(present) // _POWER_ROWS)]))
    return power if np.isfinite(power) else 1.0
