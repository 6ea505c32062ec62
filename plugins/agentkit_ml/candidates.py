"""The estimators that training compares, each with defaults that do well on most tables."""

from __future__ import annotations

from typing import Any, Literal

from agentkit_ml.metrics import Task

Algorithm = Literal["dummy", "linear", "random_forest", "hist_gradient_boosting"]

ALGORITHMS: tuple[Algorithm, ...] = ("dummy", "linear", "hist_gradient_boosting", "random_forest")
"""In the order in which they are tried: the baseline first, then from cheap to dear."""

LABELS: dict[str, str] = {
    "dummy": "baseline",
    "linear": "linear model",
    "random_forest": "random forest",
    "hist_gradient_boosting": "gradient boosting",
}


def estimator(algorithm: Algorithm, task: Task, rows: int, seed: int) -> Any:
    """An unfitted estimator for encoded columns, which may hold NaN."""
    make = {"dummy": _dummy, "linear": _linear, "random_forest": _forest, "hist_gradient_boosting": _boosting}
    return make[algorithm](task == "regression", rows, seed)


def _dummy(regression: bool, rows: int, seed: int) -> Any:  # noqa: ARG001
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyRegressor(strategy="mean") if regression else DummyClassifier(strategy="prior")


def _linear(regression: bool, rows: int, seed: int) -> Any:  # noqa: ARG001
    import numpy as np
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    last = RidgeCV(np.logspace(-3, 3, 7)) if regression else LogisticRegression(max_iter=500, random_state=seed)
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler(), last
    )


def _forest(regression: bool, rows: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    # a forest grown to single rows on many rows is a file of hundreds of megabytes and no better
    leaf = 1 + rows // 10_000
    kind = RandomForestRegressor if regression else RandomForestClassifier
    features = 1 / 3 if regression else "sqrt"
    return kind(n_estimators=200, min_samples_leaf=leaf, max_features=features, random_state=seed)


def _boosting(regression: bool, rows: int, seed: int) -> Any:  # noqa: ARG001
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(random_state=seed)
