"""Encodings of columns: what each becomes, fitted on training rows only, and steady when the data are not."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.features import (
    FAMILIES,
    Family,
    FeatureOptions,
    chosen_columns,
    columns_step,
    complete_rows,
    decisions,
    encode_step,
)
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from agentkit.errors import BadInput
from agentkit.profiles import profile_frame

ROWS = 600


def _frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Every kind of column, most with gaps."""
    random = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame(
        {
            "income": random.lognormal(3, 1, rows),
            "balance": random.normal(0, 100, rows),
            "plan": random.choice(["basic", "family", "student"], rows),
            "town": random.choice([f"town {i}" for i in range(40)], rows),
            "size": random.choice(["S", "M", "L", "XL"], rows),
            "member": random.choice(["yes", "no"], rows),
            "joined": start + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
            "seen": start + pd.to_timedelta(random.integers(0, 9_000, rows), unit="h"),
            "note": [" ".join(random.choice(["late", "paid", "call", "broken", "fine"], 6)) for _ in range(rows)],
        }
    )
    for column, step in (("income", 7), ("town", 11), ("joined", 13), ("note", 17), ("member", 5)):
        frame.loc[::step, column] = None
    return frame


def _labels(rows: int = ROWS, seed: int = 1) -> NDArray[Any]:
    return np.random.default_rng(seed).choice(np.asarray(["left", "stayed"], dtype="object"), rows)


def _pipeline(
    frame: pd.DataFrame, task: str = "binary", family: Family = "trees", seed: int = 3, **options: Any
) -> Pipeline:
    profile = profile_frame(frame)
    used, _ = chosen_columns(profile, "", {})
    encode = encode_step(profile, used, task, seed, family, FeatureOptions(**options))
    return Pipeline([("columns", columns_step(profile, used)), ("encode", encode)])


def _named(pipeline: Pipeline, values: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, dtype="float64"), columns=pipeline[-1].get_feature_names_out())


def _told(frame: pd.DataFrame, family: Family = "trees", **options: Any) -> list[str]:
    profile = profile_frame(frame)
    return decisions(profile, chosen_columns(profile, "", {})[0], FeatureOptions(**options), family)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    name: Family = request.param
    return name


def test_every_feature_has_a_name_of_its_own(family: Family) -> None:
    pipeline = _pipeline(_frame(), family=family)
    made = pipeline.fit_transform(_frame(), _labels())
    names = list(pipeline[-1].get_feature_names_out())
    assert len(names) == len(set(names)) == made.shape[1]
    assert {"income", "balance", "member=yes"} <= set(names)


def test_reordered_and_additional_columns_change_nothing(family: Family) -> None:
    frame = _frame()
    pipeline = _pipeline(frame, family=family)
    pipeline.fit_transform(frame, _labels())
    other = frame[list(frame.columns[::-1])].assign(unheard_of=1)
    pd.testing.assert_frame_equal(
        _named(pipeline, pipeline.transform(frame)), _named(pipeline, pipeline.transform(other))
    )


def test_what_training_never_saw_is_encoded_without_a_word(family: Family) -> None:
    frame = _frame().assign(plan=lambda f: f["plan"].astype("object"))
    pipeline = _pipeline(frame, family=family)
    width = pipeline.fit_transform(frame, _labels()).shape[1]
    odd = frame.head(6).astype("object")
    odd["plan"] = ["nothing known", None, "basic", 7, True, 2.5]
    odd["income"] = [np.inf, -np.inf, "n/a", "12.5", None, 1e308]
    odd["joined"] = ["not a date", None, "2031-05-05", 20310505, pd.Timestamp("1850-01-01"), ""]
    odd["note"] = [None, "", "words never met", 5, float("nan"), "late " * 5_000]
    made = np.asarray(pipeline.transform(odd), dtype="float64")
    assert made.shape == (6, width)
    assert not np.isinf(made).any()
    for shown in (odd.head(1), odd.head(0)):
        assert np.asarray(pipeline.transform(shown)).shape == (len(shown), width)


def test_columns_without_a_value_at_prediction_are_missing_or_filled(family: Family) -> None:
    frame = _frame()
    pipeline = _pipeline(frame, family=family)
    pipeline.fit_transform(frame, _labels())
    nothing = np.asarray(pipeline.transform(frame[[]].head(2)), dtype="float64")
    assert np.isnan(nothing).any() == (family in ("trees", "native"))


@pytest.mark.parametrize("missing", ["auto", "keep", "mean", "median", "knn", "indicator", "drop"])
@pytest.mark.parametrize("scaling", ["auto", "none", "standard", "minmax", "log", "power"])
def test_a_linear_model_meets_neither_gaps_nor_infinity(missing: str, scaling: str) -> None:
    frame = _frame(300).assign(same_but_one=lambda f: [1.0] * 299 + [1e300], small=lambda f: f["balance"] * 1e-300)
    frame.loc[3, "balance"] = np.inf
    pipeline = _pipeline(frame, family="linear", missing=missing, scaling=scaling, interactions=True)
    made = pipeline.fit_transform(frame, _labels(300))
    assert np.isfinite(made).all()
    wild = frame.head(2).assign(income=[1e308, -1e308], balance=[-np.inf, 1e300], same_but_one=[-1e300, None])
    assert np.isfinite(pipeline.transform(wild)).all()
    assert np.isfinite(pipeline.transform(frame[[]].head(1))).all()


def test_the_same_seed_gives_the_same_features_and_saving_changes_nothing(family: Family) -> None:
    frame, labels = _frame(), _labels()
    first, again = (_pipeline(frame, family=family, selection="mutual_info") for _ in range(2))
    made, remade = first.fit_transform(frame, labels), again.fit_transform(frame, labels)
    np.testing.assert_array_equal(np.asarray(made, dtype="float64"), np.asarray(remade, dtype="float64"))
    loaded = pickle.loads(pickle.dumps(first))
    pd.testing.assert_frame_equal(_named(first, first.transform(frame)), _named(loaded, loaded.transform(frame)))


@pytest.mark.parametrize("family", ["trees", "linear"])
def test_a_pipeline_goes_into_a_skops_file_and_back(family: Family) -> None:
    skops_io = pytest.importorskip("skops.io")
    frame = _frame(200)
    pipeline = _pipeline(
        frame, family=family, missing="knn", interactions=True, selection="l1", lags=(1,), time="joined"
    )
    pipeline.fit_transform(frame, _labels(200))
    data = skops_io.dumps(pipeline)
    kinds = skops_io.get_untrusted_types(data=data)
    foreign = {k for k in kinds if not k.startswith("agentkit_ml.features.")}
    assert foreign <= {"numpy.dtype", "sklearn.model_selection._split.StratifiedKFold"}
    loaded = skops_io.loads(data, trusted=kinds)
    np.testing.assert_array_equal(pipeline.transform(frame), loaded.transform(frame))


def test_only_training_rows_are_learned_from() -> None:
    frame = _frame()
    frame.loc[500:, "balance"] = 1e9
    frame.loc[500:, "plan"] = "only later"
    train = frame.head(500)
    pipeline = _pipeline(frame, family="linear")
    pipeline.fit_transform(train, _labels()[:500])
    alone = _pipeline(frame, family="linear")
    alone.fit_transform(train.copy(), _labels()[:500])
    names = pipeline[-1].get_feature_names_out()
    assert not any("only later" in n for n in names)
    np.testing.assert_array_equal(pipeline.transform(frame), alone.transform(frame))
    numbers = _named(pipeline, pipeline.transform(train))
    assert abs(numbers["balance"].mean()) < 1e-9  # the later rows' 1e9 moved nothing


def test_a_category_that_is_noise_does_not_flatter_training() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"ticket": random.choice([f"t{i}" for i in range(400)], 1_000), "x": random.normal(size=1_000)}
    )
    labels = _labels(1_000)
    pipeline = _pipeline(frame, family="linear")
    made = pipeline.fit_transform(frame, labels)
    truth = labels == "stayed"
    fitted = LogisticRegression().fit(made, truth)
    assert roc_auc_score(truth, fitted.predict_proba(made)[:, 1]) < 0.6
    # the same rows encoded as later rows are: each level's mean has its own row in it
    leaky = pipeline.transform(frame)
    assert roc_auc_score(truth, LogisticRegression().fit(leaky, truth).predict_proba(leaky)[:, 1]) > 0.75


def test_rows_with_gaps_are_dropped_only_if_they_are_few() -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "town": ["a", "b"] * 50, "y": np.arange(100.0) % 7})
    profile = profile_frame(frame)
    columns = columns_step(profile, {"x": "number", "town": "category"})
    frame.loc[[3], "x"] = np.nan
    frame.loc[[4], "town"] = None
    assert np.flatnonzero(~complete_rows(columns.transform(frame))).tolist() == [3, 4]
    frame.loc[10:14, "x"] = np.inf
    assert complete_rows(columns.transform(frame)).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"missing": "medain"}, "missing 'medain' is not known.*median"),
        ({"scaling": "robust"}, "scaling 'robust' is not known"),
        ({"selection": "mi"}, "selection 'mi' is not known"),
        ({"keep": 0}, "keep 0 leaves no feature"),
        ({"lags": (0,), "time": "joined"}, "whole numbers from 1"),
        ({"lags": (1,)}, "need `time`"),
        ({"lags": (1,), "time": "joind"}, "time 'joind' is not among the columns.*'joined'"),
        ({"lags": (1,), "time": "plan"}, "'plan' holds neither dates nor numbers"),
        ({"lags": (1,), "time": "joined", "lag_columns": ("town",)}, "'town' is not a number"),
    ],
)
def test_options_that_cannot_be_say_what_can(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        _pipeline(_frame(50), **options)


def test_what_is_done_is_told_column_by_column() -> None:
    told = _told(_frame())
    assert "'plan' (3 levels): one-hot; levels with fewer than 3 rows share one feature with unknown ones." in told
    assert "'town' (41 levels): the target's mean per level, from other training rows than the own." in told
    assert "'size': ordinal, S < M < L < XL." in told
    assert "'member': 0 or 1." in told
    assert any(t.startswith("'note': length and TF-IDF") for t in told)
    assert "A missing number stays missing, which these models read." in told
    assert "A missing number becomes the median, with a feature that says so." in _told(_frame(), "linear")
    assert any("as categories" in t for t in _told(_frame(), "native"))


def test_two_thousand_columns_are_told_in_a_few_lines() -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame(random.normal(size=(20, 1_000))).add_prefix("n")
    words = pd.DataFrame(random.choice(["low", "mid", "high"], (20, 200))).add_prefix("w")
    told = _told(pd.concat([wide, words], axis=1))
    assert len(told) < 15
    assert sum(map(len, told)) < 2_000
    assert "'n0', 'n1', 'n2', 'n3', 'n4' and 995 more: numbers as they are." in told


def test_many_columns_and_many_levels_take_seconds(family: Family) -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame(random.lognormal(size=(1_000, 1_900))).add_prefix("n")
    wide[wide > 5] = np.nan
    towns = {f"town{i}": random.choice([f"t{j}" for j in range(15)], 1_000) for i in range(100)}
    frame = pd.concat([wide, pd.DataFrame(towns)], axis=1)
    assert _seconds(frame, family) < 10
    levels = pd.DataFrame(
        {"code": [f"c{i}" for i in random.integers(0, 10_000, 20_000)], "x": random.normal(size=20_000)}
    )
    assert _seconds(levels, family) < 3


def _seconds(frame: pd.DataFrame, family: Family) -> float:
    """CPU time of encoding, the profile not counted."""
    pipeline = _pipeline(frame, family=family)
    labels = _labels(len(frame))
    began = time.process_time()
    pipeline.fit_transform(frame, labels)
    return time.process_time() - began


@pytest.mark.parametrize("library", ["hist_gradient_boosting", "lightgbm", "xgboost"])
def test_models_split_native_categories_whatever_the_columns_are_called(library: str) -> None:
    frame = _frame(300).rename(columns={"plan": 'plan[a]<b>:{"c"}, d', "income": "f0", "size": "größe"})
    labels = _labels(300)
    labels[frame['plan[a]<b>:{"c"}, d'] == "student"] = "stayed"
    pipeline = _pipeline(frame, family="native")
    made = pipeline.fit_transform(frame, labels)
    model = _boosting(library).fit(made, labels == "stayed")
    guessed = model.predict_proba(pipeline.transform(frame))[:, 1]
    assert guessed[labels == "stayed"].mean() > guessed[labels == "left"].mean() + 0.2
    odd = frame.head(2).assign(**{'plan[a]<b>:{"c"}, d': ["never met", None]})
    assert np.isfinite(model.predict_proba(pipeline.transform(odd))).all()
    assert np.isfinite(model.predict_proba(pipeline.transform(frame[[]].head(1)))).all()


def _boosting(library: str) -> Any:
    if library == "lightgbm":
        return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=20, verbose=-1)
    if library == "xgboost":
        return pytest.importorskip("xgboost").XGBClassifier(n_estimators=20, enable_categorical=True)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=20)


def test_types_of_a_file_do_not_matter_to_what_is_learned() -> None:
    frame = _frame(60)
    other = frame.astype({"plan": "category", "town": "category", "size": "object", "income": "Float64"})
    other["joined"] = frame["joined"].dt.tz_localize("UTC")
    other["seen"] = frame["seen"].dt.strftime("%Y-%m-%d %H:%M:%S")
    pipeline = _pipeline(frame)
    pipeline.fit_transform(frame, _labels(60))
    np.testing.assert_allclose(pipeline.transform(other), pipeline.transform(frame))


def test_the_example_of_the_page_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ml-features.md").read_text(encoding="utf-8")
    code, shown = (page.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "text"))
    exec(compile(code, "docs/ml-features.md", "exec"), {})
    assert capsys.readouterr().out == shown
