"""Dates as numbers: how long ago, where in the year, the month, the week and the day, and how far apart."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_DAY = 86_400
_PERIODS = {"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60}
_PAIRED = 5


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Days since the first date in training, the calendar parts that vary there, and days between pairs of dates.

    Takes days since 2000-01-01. `cyclic`: sine and cosine of each part instead, so that December is next to January
    for a model that multiplies and adds. Pairs are made of the first 5 date columns.
    """

    def __init__(self, cyclic: bool = False) -> None:
        self.cyclic = cyclic

    def fit(self, frame: DataFrame, target: Any = None) -> DateParts:
        import numpy as np

        self.since_: dict[str, float] = {}
        self.parts_: dict[str, list[str]] = {}
        for name in frame.columns:
            days = frame[name].to_numpy(dtype="float64")
            present = days[~np.isnan(days)]
            self.since_[name] = float(present.min()) if len(present) else 0.0
            parts = _parts(present)
            self.parts_[name] = [part for part in _PERIODS if len(present) and np.ptp(parts[part]) > 0]
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        days = {name: frame[name].to_numpy(dtype="float64") for name in self.since_}
        made = []
        for name, wanted in self.parts_.items():
            made.append(days[name] - self.since_[name])
            parts = _parts(days[name])
            for part in wanted:
                angle = 2 * np.pi * parts[part] / _PERIODS[part]
                made.extend([np.sin(angle), np.cos(angle)] if self.cyclic else [parts[part]])
        made.extend(days[b] - days[a] for a, b in self._pairs())
        return np.column_stack(made)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        made = []
        for name, wanted in self.parts_.items():
            made.append(f"{name}.days")
            for part in wanted:
                made.extend([f"{name}.{part}.sin", f"{name}.{part}.cos"] if self.cyclic else [f"{name}.{part}"])
        made.extend(f"days from {a} to {b}" for a, b in self._pairs())
        return np.asarray(made, dtype="object")

    def _pairs(self) -> list[tuple[str, str]]:
        return list(combinations(list(self.since_)[:_PAIRED], 2))


def _parts(days: NDArray[Any]) -> dict[str, NDArray[Any]]:
    import numpy as np

    absent = np.isnan(days)
    # whole seconds first: 13:00 in days is a hair below 13 hours
    seconds = np.rint(np.where(absent, 0.0, days) * _DAY).astype("int64")
    whole, inside = seconds // _DAY, seconds % _DAY
    date = np.datetime64("2000-01-01", "D") + whole.astype("timedelta64[D]")
    month = date.astype("datetime64[M]")
    parts = {
        "month": month.astype("int64") % 12 + 1,
        "day": (date - month).astype("int64") + 1,
        "weekday": (whole + 5) % 7,
        "hour": inside // 3_600,
        "minute": inside % 3_600 // 60,
    }
    return {part: np.where(absent, np.nan, values) for part, values in parts.items()}
