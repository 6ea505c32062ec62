"""What came before: lags and rolling means along time, on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pandas import DataFrame

Past = tuple["NDArray[Any]", "NDArray[Any]"]


class LagFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add `NAME lag K`, the value K rows before, and `NAME mean of W before`, the mean of the W rows before.

    Before means at a strictly earlier `time` in the same `group`: rows of the same moment do not see each other, and
    no row sees a later one, whatever the order of the frame. A frame that goes on after training finds its past in
    itself and in the last training rows of the group, which are kept; without a past a feature is missing.

    `columns`: numbers whose past is known when predicting. `time`: a number, or a date in days.
    """

    def __init__(
        self, time: str, columns: list[str], lags: list[int], windows: list[int], group: str | None = None
    ) -> None:
        self.time = time
        self.columns = columns
        self.lags = lags
        self.windows = windows
        self.group = group

    def fit(self, frame: DataFrame, target: Any = None) -> LagFeatures:
        deepest = max([*self.lags, *self.windows])
        self.names_ = [str(c) for c in frame.columns]
        self.past_: dict[str, Past] = {}
        for key, rows in self._groups(frame):
            times, values = self._sorted(frame, rows)
            # one more moment than the deepest look, with all its rows: later rows may share the last moment
            first = times.searchsorted(times[-1], side="left") - deepest if len(times) else 0
            self.past_[key] = (times[max(0, first) :].copy(), values[max(0, first) :].copy())
        return self

    def fit_transform(self, frame: DataFrame, target: Any = None, **params: Any) -> DataFrame:
        return self.fit(frame).transform(frame)

    def transform(self, frame: DataFrame) -> DataFrame:
        import numpy as np
        import pandas as pd

        names = list(self.names_of(self.columns, self.lags, self.windows))
        made = np.full((len(frame), len(names)), np.nan)
        moments = frame[self.time].to_numpy(dtype="float64")
        for key, rows in self._groups(frame):
            times, values = self._with_past(key, *self._sorted(frame, rows))
            known = rows[~np.isnan(moments[rows])]
            if len(known):
                made[known] = self._looked_back(values, times.searchsorted(moments[known], side="left"))
        return pd.concat([frame, pd.DataFrame(made, index=frame.index, columns=names)], axis=1)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        return np.asarray([*self.names_, *self.names_of(self.columns, self.lags, self.windows)], dtype="object")

    @staticmethod
    def names_of(columns: list[str], lags: list[int], windows: list[int]) -> Iterator[str]:
        """The features that are added, in order."""
        for name in columns:
            yield from (f"{name} lag {k}" for k in lags)
            yield from (f"{name} mean of {w} before" for w in windows)

    def _groups(self, frame: DataFrame) -> Iterator[tuple[str, NDArray[Any]]]:
        """The key and the row positions of each group."""
        import numpy as np

        if self.group is None:
            yield "", np.arange(len(frame))
            return
        for key, rows in frame.groupby(frame[self.group].astype("str"), observed=True).indices.items():
            yield str(key), np.asarray(rows)

    def _sorted(self, frame: DataFrame, rows: NDArray[Any]) -> Past:
        import numpy as np

        times = frame[self.time].to_numpy(dtype="float64")[rows]
        values = frame[self.columns].to_numpy(dtype="float64")[rows]
        order = np.argsort(times, kind="stable")[: int((~np.isnan(times)).sum())]
        return times[order], values[order]

    def _with_past(self, key: str, times: NDArray[Any], values: NDArray[Any]) -> Past:
        """The group's rows after those of training that are earlier than all of them."""
        import numpy as np

        if key not in self.past_ or not len(times):
            return times, values
        earlier, old = self.past_[key]
        before = earlier < times[0]
        return np.concatenate([earlier[before], times]), np.concatenate([old[before], values])

    def _looked_back(self, values: NDArray[Any], at: NDArray[Any]) -> NDArray[Any]:
        """For each row the lags and means of the rows before position `at`."""
        import numpy as np

        present = ~np.isnan(values)
        zero = np.zeros((1, values.shape[1]))
        sums = np.concatenate([zero, np.cumsum(np.where(present, values, 0.0), axis=0)])
        counts = np.concatenate([zero, np.cumsum(present, axis=0)])
        padded = np.concatenate([values, np.full((1, values.shape[1]), np.nan)])
        made = [padded[np.where(at >= k, at - k, len(values))] for k in self.lags]
        for w in self.windows:
            start = np.maximum(at - w, 0)
            number = counts[at] - counts[start]
            made.append(np.where(number > 0, (sums[at] - sums[start]) / np.maximum(number, 1), np.nan))
        return np.stack(made, axis=2).reshape(len(at), -1)
