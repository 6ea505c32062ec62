"""Fewer features, on request: those that say something about the target, judged on training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit_ml.features.association import correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 2_000
_MOST = 500
_LEVELS = 20
_CHANCE = 95  # percentile of what a shuffled target gives


class Selection(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep the best features of an encoded table; `get_feature_names_out` tells which.

    `method`: mutual_info (more than 95% of features have with a shuffled target), l1 (a weight in a sparse linear
    model), or recursive (the weakest fifth for 100 extremely randomised trees goes until half is left). `keep`: that
    many instead. At least one stays. Judged on at most 2,000 training rows, beyond 500 features on the 500 that go
    best with the target. scikit-learn's estimators; Kraskov et al. (2004) for mutual information.
    """

    def __init__(self, method: str, keep: int | None, regression: bool, seed: int) -> None:
        self.method = method
        self.keep = keep
        self.regression = regression
        self.seed = seed

    def fit(self, values: Any, target: Any) -> Selection:
        import numpy as np

        random = np.random.default_rng(self.seed)
        array, truth = _filled(values), np.asarray(target)
        rows = np.sort(random.permutation(len(array))[:_ROWS])
        array, truth = array[rows], truth[rows]
        likely = np.sort(np.argsort(-correlation(array, truth), kind="stable")[:_MOST])
        strength, least = self._strength(array[:, likely], truth, random)
        order = np.argsort(-strength, kind="stable")
        kept = order[: self.keep] if self.keep else order[strength[order] > least]
        self.kept_ = sorted(int(i) for i in likely[kept if len(kept) else order[:1]])
        return self

    def transform(self, values: Any) -> Any:
        return values.iloc[:, self.kept_] if hasattr(values, "iloc") else values[:, self.kept_]

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        return np.asarray(names, dtype="object")[self.kept_]

    def _strength(self, array: NDArray[Any], truth: NDArray[Any], random: Any) -> tuple[NDArray[Any], float]:
        """How much each feature says, and how much is no better than nothing."""
        import numpy as np

        if not self.regression and len(np.unique(truth)) < 2:
            return np.zeros(array.shape[1]), 0.0
        if self.method == "mutual_info":
            information = _information(array, truth, self.regression, self.seed)
            nothing = _information(array, random.permutation(truth), self.regression, self.seed)
            return information, float(np.percentile(nothing, _CHANCE))
        return (self._weights(array, truth), 0.0) if self.method == "l1" else (self._ranks(array, truth), 0.0)

    def _weights(self, array: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
        import warnings

        import numpy as np
        from sklearn.linear_model import LassoCV
        from sklearn.svm import LinearSVC, l1_min_c

        spread = array.std(axis=0)
        scaled = (array - array.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        if self.regression:
            model: Any = LassoCV(cv=3, alphas=30, random_state=self.seed)
        else:
            # ten times the weight at which the first feature enters
            model = LinearSVC(penalty="l1", dual=False, C=10 * l1_min_c(scaled, truth), random_state=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a path that has not converged still ranks
            model.fit(scaled, truth)
        return np.asarray(np.abs(np.atleast_2d(model.coef_)).max(axis=0))

    def _ranks(self, array: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
        import numpy as np
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
        from sklearn.feature_selection import RFE

        trees = ExtraTreesRegressor if self.regression else ExtraTreesClassifier
        wanted = min(array.shape[1], self.keep or max(1, array.shape[1] // 2))
        judge = RFE(trees(100, max_depth=12, random_state=self.seed), n_features_to_select=wanted, step=0.2)
        return np.asarray(judge.fit(array, truth).support_, dtype="float64")


def _information(array: NDArray[Any], truth: NDArray[Any], regression: bool, seed: int) -> NDArray[Any]:
    import numpy as np
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_regression if regression else mutual_info_classif
    array, few = array.copy(), np.zeros(array.shape[1], dtype=bool)
    for i, column in enumerate(array.T):
        levels, places = np.unique(column, return_inverse=True)
        if len(levels) <= _LEVELS:
            array[:, i], few[i] = places, True
    return np.asarray(measure(array, truth, discrete_features=few, random_state=seed))


def _filled(values: Any) -> NDArray[Any]:
    """Floats without gaps: categories as their codes, and the median for what is missing."""
    import numpy as np
    import pandas as pd

    if isinstance(values, pd.DataFrame):
        columns = [c.cat.codes if isinstance(c.dtype, pd.CategoricalDtype) else c for _, c in values.items()]
        values = np.column_stack([c.to_numpy(dtype="float64") for c in columns])
    array = np.asarray(values, dtype="float64")
    present = ~np.isnan(array)
    fill = np.asarray([np.median(c[p]) if p.any() else 0.0 for c, p in zip(array.T, present.T, strict=True)])
    return np.where(present, array, fill)
