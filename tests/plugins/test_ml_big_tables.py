"""Big tables: settings are compared on a part of the rows, features are made a part at a time, and it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml import last_fits
from agentkit_ml.engine.committee import Choice
from agentkit_ml.engine.search import Trial
from agentkit_ml.features import FAMILIES, chosen_columns, columns_step, encode, encode_step
from agentkit_ml.features.typed import Typed
from agentkit_ml.target import read_target

from agentkit import Agent
from agentkit.profiles import profile_frame

ROWS = 3_000


def table(rows: int = ROWS) -> pd.DataFrame:
    """Numbers with gaps, dates, categories of few and many levels, texts, and a target that most of them tell."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=rows), "b": random.integers(0, 50, rows)})
    frame["gap"] = np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows))
    frame["day"] = pd.Timestamp(2026, 1, 1) + pd.to_timedelta(random.integers(0, 300, rows), unit="D")
    frame["plan"] = random.choice(["free", "basic", "gold", "other"], rows)
    frame["town"] = [f"town {i}" for i in random.integers(0, 60, rows)]
    frame["note"] = [
        f"the {w} customer called us {i} times" for i, w in enumerate(random.choice(["kind", "loud"], rows))
    ]
    score = frame["a"] + (frame["plan"] == "gold") + frame["gap"].fillna(0) + random.normal(size=rows) / 2
    return frame.assign(y=np.where(score > 0.3, "yes", "no"))


def step_of(frame: pd.DataFrame, family: Any) -> tuple[Any, Any, Any]:
    profile = profile_frame(frame)
    used, _ = chosen_columns(profile, "y", {})
    numbers = (frame["y"] == "yes").to_numpy().astype("int64")
    return columns_step(profile, used), encode_step(profile, used, "binary", 1, family), numbers


def test_typed_columns_are_those_that_the_first_step_makes() -> None:
    frame = table()
    columns, _, _ = step_of(frame, "native")
    rows = np.arange(5, ROWS, 3)
    whole = columns.transform(frame.iloc[rows])
    typed = Typed(columns, frame, rows)
    assert len(typed) == len(whole)
    pd.testing.assert_frame_equal(typed.iloc[:], whole)
    pd.testing.assert_frame_equal(typed[["town", "a"]], whole[["a", "town"]])
    pd.testing.assert_frame_equal(typed.iloc[10:20][["a", "b"]], whole.iloc[10:20][["a", "b"]])


@pytest.mark.parametrize("family", FAMILIES)
def test_features_made_a_part_at_a_time_are_the_same(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table()
    columns, step, numbers = step_of(frame, family)
    whole = step.fit_transform(columns.transform(frame), numbers)
    monkeypatch.setattr(encode, "BIG_CELLS", 1_000)
    monkeypatch.setattr(encode, "_ROWS_AT_ONCE", 700)
    _, in_parts, _ = step_of(frame, family)
    made = in_parts.fit_transform(Typed(columns, frame, np.arange(ROWS)), numbers)
    assert made.shape == whole.shape
    if isinstance(whole, pd.DataFrame):
        assert [str(t) == "category" for t in made.dtypes] == [str(t) == "category" for t in whole.dtypes]
        made, whole = (f.apply(lambda c: c.cat.codes if str(c.dtype) == "category" else c) for f in (made, whole))
    np.testing.assert_allclose(np.asarray(made, dtype="float64"), np.asarray(whole, dtype="float64"), 1e-5, 1e-5)
    later = columns.transform(table(50))
    expected, later_made = (np.asarray(s.transform(later), dtype="float64") for s in (step, in_parts))
    np.testing.assert_allclose(later_made, expected, 1e-5, 1e-5)


def test_numbers_that_32_bits_cannot_tell_apart_keep_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "BIG_CELLS", 1_000)
    frame = table()
    frame["b"] = 1_700_000_000 + np.random.default_rng(1).permutation(ROWS)
    columns, step, numbers = step_of(frame, "native")
    made = step.fit_transform(columns.transform(frame), numbers)
    assert sorted(made["f1"]) == sorted(frame["b"])


def test_a_part_of_the_rows_holds_every_class_and_is_the_same_each_time() -> None:
    labels = pd.Series(["often"] * 9_000 + ["rarely"] * 900 + ["seldom"] * 100, name="y").sample(frac=1, random_state=1)
    target = read_target(labels, "auto")
    train = np.arange(0, 10_000, 2)
    assert last_fits.compared_rows(target, train, 10, 60, 3) is train
    part = last_fits.compared_rows(target, train, 2_000, 60, 3)
    assert len(part) < 1_000
    assert np.isin(part, train).all()
    assert (np.diff(part) > 0).all()
    assert (target.values[part] == "seldom").sum() == (target.values[train] == "seldom").sum()
    assert (last_fits.compared_rows(target, train, 2_000, 60, 3) == part).all()
    assert len(last_fits.compared_rows(target, train, 2_000, 200, 3)) > len(part)


def test_the_last_fit_takes_the_rows_that_the_time_allows() -> None:
    trial = Trial("lightgbm", {}, (0.9,), (np.zeros(1),), 100, refit=2.0)
    choice, train = Choice([(trial, 1.0)], 0.9), np.arange(100_000)
    sizes = [len(last_fits.last_rows(choice, train, 10_000, 10, room, 1)) for room in (1.0, 20.0, 40.0, float("inf"))]
    assert sizes[0] == 10_000
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3] == 100_000
    # beyond three times the rows the rounds are twice as many
    assert 30.0 < 1.3 * 2.0 * sizes[2] / 10_000 * 2 <= 40.0
    assert len(last_fits.last_rows(choice, train, 10_000, 1_000, float("inf"), 1)) == 40_000


@pytest.mark.parametrize("model", ["lightgbm", "hist_gradient_boosting", "xgboost", "linear", "random_forest"])
def test_a_big_table_trains_on_a_part_and_tells_it(model: str, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    table().drop(columns="note").to_csv("t.csv", index=False)
    small: Any = agent.call("train", dataset="t.csv", target="y", model=model, trials=2)
    monkeypatch.setattr(last_fits, "BIG_SEARCH", 5_000)
    monkeypatch.setattr(last_fits, "SEARCH_CELLS", (5_000, 5_000))
    monkeypatch.setattr(last_fits, "BIG_CELLS", 2_000)
    monkeypatch.setattr(encode, "BIG_CELLS", 2_000)
    made: Any = agent.call("train", dataset="t.csv", target="y", model=model, trials=2)
    told = "Settings were compared on 833 of 2400 training rows; what was chosen has learned from all of them."
    assert told in made.notes
    assert not any("Settings were compared" in n for n in small.notes)
    assert made.score > 0.8
    assert made.score == pytest.approx(small.score, abs=0.05)
    again: Any = agent.call("train", dataset="t.csv", target="y", model=model, trials=2)
    assert again.score == made.score
