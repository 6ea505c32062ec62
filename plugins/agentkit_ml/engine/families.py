"""The families of models: defaults that do well on most tables, the range that a search looks at, and one fit."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentkit_ml.features import Family as Encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

Algorithm = Literal["dummy", "linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost"]
Params = dict[str, Any]

MOST_ROUNDS = 3_000
"""Trees of a boosted model at most; early stopping on the fold's other rows ends it long before."""
_PATIENCE = 40
_TREES = 25
MANY_TREES = 8
"""Trees of one round of boosting beyond which it is slow for what it gains."""
_LINEAR_ROWS = 100_000
_MOST_GROWTH = 3
_PROBE_ROWS, _PROBE_TREES, _USUAL_TREES = 10_000, 8, 120


@dataclass(frozen=True)
class Data:
    """Encoded rows and what is to be learned of them: class numbers from 0, or floats."""

    features: Any
    values: NDArray[Any]


@dataclass(frozen=True)
class Setting:
    """What all fits of one training share. `classes`: their number, 0 for numbers."""

    classes: int
    seed: int

    @property
    def trees(self) -> int:
        """Trees of one round of boosting."""
        return self.classes if self.classes > 2 else 1

    def paced(self, params: Params) -> Params:
        """2.5 times the learning rate where a round has many trees: as good, in half the time."""
        fast = {"learning_rate": 2.5 * params["learning_rate"]} if self.trees > MANY_TREES else {}
        return {**params, **fast}


@dataclass(frozen=True)
class Fit:
    """A fitted estimator. `rounds`: the trees of a boosted model that were best for the watched rows."""

    model: Any
    rounds: int | None = None


class OutOfTime(Exception):
    """A fit went beyond its deadline; what it did is thrown away."""


@dataclass(frozen=True)
class Watch:
    """`rows`: what early stopping watches, None to fit `rounds` trees.

    `check` raises OutOfTime, between two trees; `afford` does for a fit that will take so many seconds and cannot be
    stopped.
    """

    rows: Data | None = None
    rounds: int | None = None
    check: Callable[[], None] = lambda: None
    afford: Callable[[float], None] = lambda seconds: None


@dataclass(frozen=True)
class Work:
    """One fit."""

    params: Params
    data: Data
    setting: Setting
    watch: Watch


@dataclass(frozen=True)
class ModelFamily:
    """`defaults` is the first setting tried, `variants` are further ones known to differ from it and do well."""

    label: str
    encoding: Encoding
    fit: Callable[[Work], Fit]
    defaults: Callable[[int], Params]
    variants: tuple[Params, ...] = ()
    space: Callable[[Any], Params] | None = None


def _dummy(work: Work) -> Fit:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    model = DummyClassifier(strategy="prior") if work.setting.classes else DummyRegressor(strategy="mean")
    return Fit(model.fit(work.data.features, work.data.values))


def _linear(work: Work) -> Fit:
    from sklearn.linear_model import LogisticRegression, Ridge

    strength = work.params["C"]
    model = LogisticRegression(C=strength, max_iter=100) if work.setting.classes else Ridge(alpha=1 / strength)
    step = 1 + len(work.data.values) // _LINEAR_ROWS  # more rows do not change so few coefficients
    return Fit(model.fit(work.data.features[::step], work.data.values[::step]))


def _random_forest(work: Work) -> Fit:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return _grown(RandomForestClassifier if work.setting.classes else RandomForestRegressor, work)


def _extra_trees(work: Work) -> Fit:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    return _grown(ExtraTreesClassifier if work.setting.classes else ExtraTreesRegressor, work)


def _grown(kind: Any, work: Work) -> Fit:
    """A forest grown some trees at a time, so that it can be stopped; the trees are those of a forest grown at once."""
    # a tree's leaf holds a number for each class: a forest of many classes is a file of hundreds of megabytes
    trees = work.params["n_estimators"] // (2 if work.setting.trees > MANY_TREES else 1)
    model = kind(**work.params, random_state=work.setting.seed, warm_start=True)
    for grown in range(_TREES, trees + _TREES, _TREES):
        work.watch.check()
        model.set_params(n_estimators=min(grown, trees)).fit(work.data.features, work.data.values)
    return Fit(model)


def _hist_gradient_boosting(work: Work) -> Fit:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    data, watch = work.data, work.watch
    kind = HistGradientBoostingClassifier if work.setting.classes else HistGradientBoostingRegressor
    model = kind(
        **work.params, max_iter=watch.rounds or 500, early_stopping=watch.rows is not None,
        n_iter_no_change=_PATIENCE // 2, random_state=work.setting.seed,
    )  # fmt: skip
    if watch.rows is None:
        return Fit(model.fit(data.features, data.values))
    if len(data.values) > _PROBE_ROWS:
        began = time.perf_counter()
        kind(**work.params, max_iter=_PROBE_TREES, early_stopping=False).fit(data.features, data.values)
        watch.afford((time.perf_counter() - began) * _USUAL_TREES / _PROBE_TREES)
    model.fit(data.features, data.values, X_val=watch.rows.features, y_val=watch.rows.values)
    return Fit(model, max(1, int(model.validation_score_.argmax())))


def _lightgbm(work: Work) -> Fit:
    from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping

    data, watch = work.data, work.watch
    kind = LGBMClassifier if work.setting.classes else LGBMRegressor
    # columns at a time: sums are then the same with any number of threads
    params = work.setting.paced(work.params)
    model = kind(
        **params, n_estimators=watch.rounds or MOST_ROUNDS, random_state=work.setting.seed, verbosity=-1,
        n_jobs=_threads(), deterministic=True, force_col_wise=True, subsample_freq=1,
    )  # fmt: skip
    check = [lambda _env: watch.check()]
    if watch.rows is None:
        return Fit(model.fit(data.features, data.values, callbacks=check))
    model.fit(
        data.features, data.values, eval_X=(watch.rows.features,), eval_y=(watch.rows.values,),
        callbacks=[early_stopping(_PATIENCE, verbose=False), *check],
    )  # fmt: skip
    return Fit(model, max(1, int(model.best_iteration_ or 1)))


def _xgboost(work: Work) -> Fit:
    from xgboost import XGBClassifier, XGBRegressor
    from xgboost.callback import TrainingCallback

    class Check(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            work.watch.check()
            return False

    data, rows = work.data, work.watch.rows
    kind = XGBClassifier if work.setting.classes else XGBRegressor
    params = work.setting.paced(work.params)
    model = kind(
        **params, n_estimators=work.watch.rounds or MOST_ROUNDS, random_state=work.setting.seed,
        n_jobs=_threads(), tree_method="hist", enable_categorical=True,
        early_stopping_rounds=_PATIENCE if rows else None, callbacks=[Check()],
    )  # fmt: skip
    watched = [(rows.features, rows.values)] if rows else None
    model.fit(data.features, data.values, eval_set=watched, verbose=False)
    model.set_params(callbacks=None)  # they hold on to the search, and cannot be stored
    return Fit(model, int(model.best_iteration) + 1 if rows else None)


def _threads() -> int:
    """The threads that `runtime.fitting_threads` allows."""
    from joblib.parallel import get_active_backend

    return max(1, int(get_active_backend()[1] or 1))


def _forest_defaults(rows: int) -> Params:
    # a forest grown to single rows on many rows is a file of hundreds of megabytes and no better
    return {"n_estimators": 200, "min_samples_leaf": 1 + rows // 20_000, "max_features": "sqrt"}


def _forest_space(trial: Any) -> Params:
    return {
        "n_estimators": 200,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 30, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


def _linear_space(trial: Any) -> Params:
    return {"C": trial.suggest_float("C", 1e-3, 1e2, log=True)}


def _hist_space(trial: Any) -> Params:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 8, 128, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 100, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-6, 10, log=True),
        "max_features": trial.suggest_float("max_features", 0.4, 1.0),
    }


def _lightgbm_space(trial: Any) -> Params:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 8, 160, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 3, 100, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-4, 20, log=True),
        "extra_trees": trial.suggest_categorical("extra_trees", [False, True]),
    }


def _xgboost_space(trial: Any) -> Params:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 30, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 20, log=True),
    }


FAMILIES: dict[Algorithm, ModelFamily] = {
    "dummy": ModelFamily("baseline", "trees", _dummy, lambda rows: {}),
    "linear": ModelFamily("linear model", "linear", _linear, lambda rows: {"C": 1.0}, ({"C": 0.05},), _linear_space),
    "lightgbm": ModelFamily(
        "LightGBM", "native", _lightgbm,
        lambda rows: {"learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8},
        (
            {"learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 5.0},
            {"learning_rate": 0.04, "num_leaves": 96, "colsample_bytree": 0.8, "min_child_samples": 4},
            {"learning_rate": 0.05, "extra_trees": True},
        ),
        _lightgbm_space,
    ),
    "hist_gradient_boosting": ModelFamily(
        "gradient boosting", "native", _hist_gradient_boosting, lambda rows: {},
        ({"learning_rate": 0.05, "max_leaf_nodes": 63, "max_features": 0.6},), _hist_space,
    ),
    "xgboost": ModelFamily(
        "XGBoost", "native", _xgboost, lambda rows: {"learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8},
        (
            {"learning_rate": 0.05, "min_child_weight": 3, "subsample": 0.8, "colsample_bytree": 0.6},
            {"learning_rate": 0.05, "max_depth": 8, "min_child_weight": 3, "subsample": 0.8, "colsample_bytree": 0.6},
        ),
        _xgboost_space,
    ),
    "random_forest": ModelFamily(
        "random forest", "forest", _random_forest, _forest_defaults, ({"n_estimators": 200, "max_features": 0.5},),
        _forest_space,
    ),
    "extra_trees": ModelFamily("extra trees", "forest", _extra_trees, _forest_defaults, (), _forest_space),
}  # fmt: skip
"""In the order in which their defaults are tried: the baseline first, then what is best for its time on most tables."""


def label(algorithm: str) -> str:
    """What people call it; the name itself for one that a newer version brought."""
    known = {str(name): family.label for name, family in FAMILIES.items()}
    return known.get(algorithm, algorithm)


def fit(algorithm: Algorithm, params: Params, data: Data, setting: Setting, watch: Watch) -> Fit:
    """Fit one model. Raises OutOfTime if `watch.check` does."""
    with warnings.catch_warnings():
        # that an optimiser could do more steps, or that a fold lacks a class, is in the score
        warnings.simplefilter("ignore")
        return FAMILIES[algorithm].fit(Work(params, data, setting, watch))


def predicted(model: Any, features: Any, setting: Setting) -> NDArray[Any]:
    """Probabilities of all classes, shape (rows, classes), 0 for one that the model never met; or numbers, (rows,)."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not setting.classes:
            return np.asarray(model.predict(features), dtype="float64")
        chances = np.asarray(model.predict_proba(features), dtype="float64")
        if chances.shape[1] == setting.classes:
            return chances
        known = np.zeros((len(chances), setting.classes))
        known[:, np.asarray(model.classes_, dtype=int)] = chances
        return known


def more_rounds(rounds: int, fitted_rows: int, rows: int) -> int:
    """Rounds of a boosted model for `rows`, where `rounds` were best for `fitted_rows`."""
    return math.ceil(rounds * growth(rows / fitted_rows))


def growth(times: float) -> float:
    """How many times the rounds, for so many times the rows: half as many more, up to three times the rows."""
    return 1 + 0.5 * (min(max(1.0, times), _MOST_GROWTH) - 1)
