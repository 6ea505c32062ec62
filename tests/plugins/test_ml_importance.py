"""Shuffling a column: the same answers whether only what reads the column is encoded again or everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.assess.shuffling import shuffler
from agentkit_ml.engine.committee import Committee
from agentkit_ml.features import chosen_columns, columns_step, encode_step
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from agentkit.profiles import profile_frame


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(11)
    words = np.array(["good", "bad", "late", "early", "price", "service", "broken", "kind"])
    made = pd.DataFrame({"x": random.normal(size=600), "gap": random.normal(size=600)})
    made.loc[random.random(600) < 0.2, "gap"] = np.nan
    made["plan"] = random.choice(["a", "b", "c"], 600)
    made["town"] = [f"town {i}" for i in random.integers(0, 40, 600)]
    made["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 400, 600), unit="D")
    made["said"] = [" ".join(random.choice(words, 6)) for _ in range(600)]
    made["told"] = [" ".join(random.choice(words, 9)) for _ in range(600)]
    made["left"] = np.where(made["x"] + made["said"].str.contains("broken") > 0.5, "yes", "no")
    return made


def committee(table: pd.DataFrame) -> Pipeline:
    """A linear and a boosted model together, as `train` puts them together."""
    profile = profile_frame(table, "table", "digest")
    used, _ = chosen_columns(profile, "left", {})
    columns = columns_step(profile, used)
    typed, values = columns.transform(table), (table["left"] == "yes").to_numpy().astype(int)
    encoders: dict[str, Any] = {k: encode_step(profile, used, "binary", 1, k) for k in ("linear", "native")}
    features = {kind: encoder.fit_transform(typed, values) for kind, encoder in encoders.items()}
    linear = LogisticRegression().fit(features["linear"], values)
    boosted = HistGradientBoostingClassifier(max_iter=20, random_state=1).fit(features["native"], values)
    members = [("linear", linear, 0.4), ("native", boosted, 0.6)]
    return Pipeline([("columns", columns), ("model", Committee(encoders, members, ["no", "yes"]))])


@pytest.mark.parametrize("column", ["x", "gap", "plan", "town", "day", "said", "told"])
def test_a_shuffled_column_gives_the_answers_of_the_whole_pipeline(column: str, table: pd.DataFrame) -> None:
    pipeline = committee(table)
    frame = table.drop(columns="left")
    order = np.random.default_rng(2).permutation(len(frame))
    estimator, rows = shuffler(pipeline, frame)(column, order)
    moved = frame.assign(**{column: frame[column].to_numpy()[order]})
    assert np.allclose(estimator.predict_proba(rows), pipeline.predict_proba(moved), atol=1e-6)
    assert not np.allclose(estimator.predict_proba(rows), pipeline.predict_proba(frame), atol=1e-6)


def test_any_other_pipeline_gets_the_shuffled_frame(table: pd.DataFrame) -> None:
    frame = table[["x"]]
    pipeline = make_pipeline(LogisticRegression()).fit(frame, table["left"])
    order = np.arange(len(frame))[::-1]
    estimator, rows = shuffler(pipeline, frame)("x", order)
    assert estimator is pipeline
    assert rows["x"].tolist() == frame["x"].tolist()[::-1]
