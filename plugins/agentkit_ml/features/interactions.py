"""Products and ratios of numbers, on request: trees need many splits for them, linear models cannot make them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit_ml.features.association import correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


class Interactions(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The product and the ratio of each pair of the `top` numbers that go best with the target, by their ranks.

    6 numbers give 30 features. A value divided by 0, or missing, is missing.
    """

    def __init__(self, top: int = 6) -> None:
        self.top = top

    def fit(self, frame: DataFrame, target: Any) -> Interactions:
        import numpy as np

        strength = correlation(frame.rank().to_numpy(), target)
        best = sorted(np.argsort(-strength, kind="stable")[: self.top])
        self.pairs_ = [(str(frame.columns[a]), str(frame.columns[b])) for a, b in combinations(best, 2)]
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        made = np.empty((len(frame), 2 * len(self.pairs_)))
        values = {name: frame[name].to_numpy(dtype="float64") for pair in self.pairs_ for name in pair}
        with np.errstate(all="ignore"):
            for i, (a, b) in enumerate(self.pairs_):
                made[:, 2 * i] = values[a] * values[b]
                made[:, 2 * i + 1] = values[a] / values[b]
        made[~np.isfinite(made)] = np.nan
        return made

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        return np.asarray([f"{a} {sign} {b}" for a, b in self.pairs_ for sign in "*/"], dtype="object")
