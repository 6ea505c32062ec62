"""Planted changes are found and named; data of an unchanged distribution raise no alarm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from agentkit_drift.compare import compare
from agentkit_drift.result import DriftResult

from agentkit.results import BRIEF_LIMIT


def table(rows: int, seed: int) -> pd.DataFrame:
    """Numbers of several shapes, categories of few and many levels, gaps, dates."""
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "income": random.lognormal(3, 0.7, rows),
        "age": random.integers(18, 90, rows),
        "score": random.normal(size=rows),
        "wild": random.standard_cauchy(rows),
        "plan": random.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1]),
        "town": [f"town {n}" for n in random.integers(0, 80, rows)],
        "code": [f"code {min(n, 900)}" for n in random.zipf(1.7, rows)],
        "gaps": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
        "born": pd.Timestamp("1960-01-01") + pd.to_timedelta(random.integers(0, 10**9, rows), unit="s"),
    })  # fmt: skip


def changed(rows: int, seed: int, change: str) -> pd.DataFrame:
    frame = table(rows, seed)
    random = np.random.default_rng(seed + 1)
    if change == "mean":
        frame["score"] += 0.4
    elif change == "spread":
        frame["score"] *= 1.8
    elif change == "shares":
        frame["plan"] = random.choice(["basic", "plus", "pro"], rows, p=[0.35, 0.35, 0.3])
    elif change == "new level":
        frame.loc[random.random(rows) < 0.08, "plan"] = "family"
    elif change == "missing":
        frame.loc[random.random(rows) < 0.3, "age"] = np.nan
    elif change == "range":
        frame.loc[random.random(rows) < 0.03, "age"] = 900
    elif change == "unit":
        frame["income"] *= 100
    elif change == "constant":
        frame["score"] = 0.0
    return frame


CHANGES = {
    "mean": ("score", "mean"),
    "spread": ("score", "spread"),
    "shares": ("plan", "'basic' "),
    "new level": ("plan", "new levels 'family'"),
    "missing": ("age", "missing 0% -> "),
    "range": ("age", "outside of the former range 18 to 89"),
    "unit": ("income", "mean"),
    "constant": ("score", "is constant now"),
}


@pytest.mark.parametrize("rows", [500, 6_000])
@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_change_is_found_named_and_nothing_else(change: str, rows: int) -> None:
    made = compare(table(rows, 31), changed(rows, 42, change), multivariate=False)
    column, said = CHANGES[change]
    if (change, rows) == ("range", 500):
        # 3% of 500 rows are no more than a p-value of the distribution shows
        assert any(said in f for f in made.columns[column].findings)
        return
    assert made.drifted == [column]
    assert any(said in f for f in made.columns[column].findings)
    assert made.verdict in ("watch", "drift")
    assert repr(column) in made.recommendation
    assert next(iter(made.columns)) == column


def test_a_change_of_the_correlation_alone_is_found_by_the_columns_together() -> None:
    random = np.random.default_rng(0)
    before, after = (
        pd.DataFrame(random.multivariate_normal([0, 0], [[1, r], [r, 1]], 2_000), columns=["u", "v"])
        for r in (0.8, -0.2)
    )
    made = compare(before, after)
    assert made.drifted == []
    assert made.multivariate is not None
    assert made.multivariate.drifted
    assert set(made.multivariate.columns) == {"u", "v"}
    assert made.verdict == "drift"
    assert "no column changed alone" in made.recommendation


@pytest.mark.parametrize("rows", [60, 300, 1_001, 4_000])
def test_unchanged_data_raise_no_alarm(rows: int) -> None:
    made = [compare(table(rows, 2 * s), table(rows, 2 * s + 1), multivariate=s < 2) for s in range(25)]
    assert sum(m.verdict != "none" for m in made) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(400, 400), (5_000, 1_500)])
def test_at_most_5_percent_of_1000_unchanged_data_sets_raise_an_alarm(before: int, after: int) -> None:
    alarms = sum(
        compare(table(before, 2 * s), table(after, 2 * s + 1), multivariate=False).verdict != "none"
        for s in range(1_000)
    )
    print(f"{alarms} of 1,000 unchanged data sets ({before} and {after} rows) raised an alarm")
    assert alarms <= 50


def test_200000_unchanged_rows_raise_no_alarm_though_p_may_be_small() -> None:
    made = compare(table(200_000, 1), table(200_000, 2))
    assert made.verdict == "none"
    assert max(c.effect for c in made.columns.values()) < 0.6
    assert made.recommendation.startswith("nothing")


def test_a_tiny_shift_of_many_rows_is_significant_and_no_drift() -> None:
    random = np.random.default_rng(0)
    before, after = (pd.DataFrame({"x": random.normal(shift, 1, 200_000)}) for shift in (0.0, 0.03))
    column = compare(before, after, multivariate=False).columns["x"]
    assert column.p_value is not None
    assert column.p_value < 1e-6
    assert not column.drifted


def test_importance_weighs_the_data_sets_verdict() -> None:
    before, after = table(3_000, 1), changed(3_000, 2, "mean")
    others = [c for c in before if c != "score"]
    matters = compare(before, after, multivariate=False, importance={"score": 0.9, "age": 0.1})
    hardly = compare(before, after, multivariate=False, importance={"score": 0.01, **dict.fromkeys(others, 0.124)})
    assert (matters.verdict, hardly.verdict) == ("drift", "watch")
    assert matters.weighted_share == pytest.approx(0.9)
    assert "90% of what the model relies on" in matters.brief()
    assert matters.columns["score"].importance == 0.9


def test_the_worst_column_comes_first_and_the_brief_is_short() -> None:
    random = np.random.default_rng(0)
    before = pd.DataFrame({f"a_column_with_a_long_name_{i}": random.normal(size=2_000) for i in range(60)})
    after = before + np.linspace(0, 3, 60)
    made: DriftResult = compare(before, after, multivariate=False)
    effects = [c.effect for c in made.columns.values() if c.level == "strong"]
    assert effects == sorted(effects, reverse=True)
    assert next(iter(made.columns)) == "a_column_with_a_long_name_59"
    assert len(made.brief()) <= BRIEF_LIMIT
    assert made.verdict == "drift"


def test_small_samples_are_judged_by_corrected_p_values() -> None:
    random = np.random.default_rng(4)
    before, after = (pd.DataFrame(random.normal(size=(80, 40))).rename(columns=str) for _ in range(2))
    made = compare(before, after, multivariate=False)
    assert min(c.p_value or 1 for c in made.columns.values()) < 0.05
    assert made.verdict == "none"
    after["7"] += 1.5
    assert compare(before, after, multivariate=False).drifted == ["7"]
