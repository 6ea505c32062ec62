"""Bad and odd input gives a finding or a clear error, never a wrong number."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agentkit_drift.compare import compare, profile
from agentkit_drift.profile_file import merged_profile
from agentkit_drift.result import DriftResult
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import BadInput, DatasetError

NUMBERS = [float(n) for n in range(1, 41)]
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.dates().map(str),
    st.datetimes(), st.lists(st.integers(), max_size=2), st.sampled_from(["1", "nan", "inf", "", " a ", "2026-01-01"]),
)  # fmt: skip


def one(before: Any, after: Any, **options: Any) -> Any:
    """The only column of two data sets."""
    frames = pd.DataFrame({"x": before}), pd.DataFrame({"x": after})
    return compare(*frames, multivariate=False, **options).columns["x"]


def assert_finite(made: DriftResult) -> None:
    """Every figure is one, and the result can be written."""
    column = made.columns["x"]
    figures = (column.ks, column.psi, column.js, column.wasserstein, column.p_value, column.chi2, column.effect)
    assert all(value is None or math.isfinite(value) for value in figures)
    assert 0 <= column.missing_current <= 1
    assert made.model_dump_json()


ODD: dict[str, tuple[Any, Any, bool, str]] = {
    "all missing now": (NUMBERS, [None] * 40, True, "has no values any more"),
    "missing before": ([None] * 40, NUMBERS, True, "was empty, has values now"),
    "missing on both sides": ([None] * 40, [None] * 30, False, ""),
    "infinite now": (NUMBERS, [math.inf] * 40, True, "infinite 0% -> 100%"),
    "the same constant": ([3.0] * 40, [3.0] * 40, False, ""),
    "another constant": ([3.0] * 40, [4.0] * 40, True, "has another constant value"),
    "no constant any more": ([3.0] * 40, NUMBERS, True, "was constant"),
    "constant now": (NUMBERS, [3.0] * 40, True, "is constant now"),
    "codes as texts": ([1, 2, 3, 4] * 10, ["1", "2", "3", "4"] * 10, False, "was stored as number"),
    "texts as codes": (["1", "2", "x", "4"] * 10, [1, 2, 3, 4] * 10, True, "new levels '3'"),
    "numbers to words": (NUMBERS, ["low", "high"] * 20, True, "was number, is category now"),
    "truth and 0 and 1": ([True, False] * 20, [1, 0] * 20, False, "was stored as truth value"),
    "0 and 1 and truth": ([1, 0] * 20, ["True", "False"] * 20, False, "was stored as number"),
    "spaces and '.0'": (["a ", "b"] * 20, ["a", " b"] * 20, False, ""),
    "mixed cells": ([1, "a", None, 2.0] * 10, [1, "a", None, 2] * 10, False, ""),
    "huge numbers": ([1e308, -1e308] * 20, [1e308, -1e308] * 20, False, ""),
    "dates to words": (pd.date_range("2026-01-01", periods=40), ["soon"] * 40, True, "was date, is category now"),
    "dates as texts": (pd.date_range("2026-01-01", periods=40), [f"2026-01-{d:02}" for d in range(1, 31)], False, ""),
}


@pytest.mark.parametrize("method", ["exact", "profile"])
@pytest.mark.parametrize("case", ODD)
def test_odd_columns_are_told_as_what_they_are(case: str, method: Any) -> None:
    before, after, drifted, said = ODD[case]
    made = one(before, after, method=method)
    assert made.drifted is drifted, made
    assert said in "; ".join(made.findings)


@settings(max_examples=80, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=30), st.lists(CELLS, min_size=1, max_size=30))
def test_whatever_the_cells_hold_a_result_comes_out_and_every_figure_in_it_is_finite(
    before: list[Any], after: list[Any]
) -> None:
    frames = [pd.DataFrame({"x": pd.Series(side, dtype="object")}) for side in (before, after)]
    exact, counted = (compare(*frames, method=method, multivariate=False) for method in ("exact", "profile"))
    for made in (exact, counted, compare(*(profile(f) for f in frames))):
        assert_finite(made)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=60), st.lists(st.floats(), min_size=1, max_size=60))
def test_numbers_as_large_as_there_are_give_finite_figures_or_none(before: list[float], after: list[float]) -> None:
    frames = [pd.DataFrame({"x": side}) for side in (before, after)]
    profiles = [profile(f) for f in frames]
    for made in (
        compare(*frames, multivariate=False),
        compare(*profiles),
        compare(merged_profile(profiles), frames[1]),
    ):
        assert_finite(made)


def test_one_row_is_compared_and_said_to_be_little() -> None:
    made = compare(pd.DataFrame({"x": NUMBERS}), pd.DataFrame({"x": [20.0]}), multivariate=False)
    assert made.verdict == "none"
    assert any("Only 1 rows on one side" in f for f in made.findings)


def test_one_row_without_a_value_is_no_drift_of_a_column_with_gaps() -> None:
    made = one([*NUMBERS, None, None, None, None, None], [None])
    assert not made.drifted
    assert "has no values any more" in made.findings


def test_no_rows_are_an_error() -> None:
    with pytest.raises(DatasetError, match=r"\(current data\) has no rows"):
        compare(pd.DataFrame({"x": NUMBERS}), pd.DataFrame({"x": []}))


def test_no_common_column_is_an_error() -> None:
    with pytest.raises(DatasetError, match="shares no column"):
        compare(pd.DataFrame({"x": NUMBERS}), pd.DataFrame({"y": NUMBERS}))


def test_a_column_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(DatasetError, match=r"no column 'incom'\. The nearest name is 'income'"):
        compare(pd.DataFrame({"income": NUMBERS}), pd.DataFrame({"income": NUMBERS}), columns=["incom"])


def test_what_is_no_data_set_is_an_error() -> None:
    with pytest.raises(BadInput, match="list is no data set"):
        compare([1, 2], pd.DataFrame({"x": NUMBERS}))  # type: ignore[arg-type]


def test_columns_gone_new_renamed_and_reordered_are_findings() -> None:
    before = pd.DataFrame({"Customer ID": NUMBERS, "age": NUMBERS, "gone": NUMBERS})
    after = pd.DataFrame({"new": NUMBERS, "AGE": NUMBERS, "customer_id": NUMBERS})
    made = compare(before, after, multivariate=False)
    assert made.renamed == {"Customer ID": "customer_id", "age": "AGE"}
    assert (made.missing_columns, made.added_columns) == (["gone"], ["new"])
    assert made.verdict == "watch"
    assert "find out why 'gone' is gone" in made.recommendation
    ordered = compare(before, before[["gone", "age", "Customer ID"]], multivariate=False)
    assert ordered.verdict == "none"
    assert ordered.findings == ["The columns are in another order."]


def test_a_name_that_could_be_two_columns_is_not_guessed() -> None:
    before = pd.DataFrame({"age": NUMBERS, "x": NUMBERS})
    made = compare(before, pd.DataFrame({"Age": NUMBERS, "AGE": NUMBERS, "x": NUMBERS}), multivariate=False)
    assert made.renamed == {}
    assert made.missing_columns == ["age"]


def test_two_columns_of_one_name_are_an_error() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(DatasetError, match="'x' more than once"):
        compare(twice, twice)


def test_time_zones_are_compared_in_utc_and_told() -> None:
    times = pd.Series(pd.date_range("2026-01-01", periods=400, freq="h"))
    made = one(times.dt.tz_localize("UTC"), times.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    assert made.ks == 0
    told = one(times, times.dt.tz_localize("UTC"))
    assert "had no time zone, has one now" in told.findings


def test_dates_that_go_on_are_no_drift_and_dates_that_jump_back_are() -> None:
    before, later = (pd.Series(pd.date_range(day, periods=500, freq="h")) for day in ("2026-01-01", "2026-02-01"))
    made = one(before, later)
    assert not made.drifted
    assert any("begins" in f for f in made.findings)
    assert any("rows a day" in f for f in made.findings)
    back = one(before, pd.Series(pd.date_range("1970-01-01", periods=500, freq="h")))
    assert back.drifted


def test_ids_are_not_compared() -> None:
    before, after = (
        pd.DataFrame({"customer_id": range(a, a + 500), "x": NUMBERS * 12 + NUMBERS[:20]}) for a in (0, 900)
    )
    made = compare(before, after, multivariate=False)
    assert made.columns["customer_id"].kind == "id"
    assert made.verdict == "none"


def test_a_short_run_of_whole_numbers_is_no_id() -> None:
    made = one(range(50), range(25, 75))
    assert (made.kind, made.ks, made.drifted) == ("number", 0.5, True)


def test_every_type_of_arrow_can_be_read_from_memory_from_a_file_and_in_chunks(workspace: Path) -> None:
    values = [int(n) for n in np.random.default_rng(0).integers(0, 9, 60)]
    days = [datetime(2026, 1, 1 + v) for v in values]
    times = [time(v, 3) for v in values]
    table = pa.table({
        "half": pa.array(values, pa.float16()), "big": pa.array([2**64 - 1 - v for v in values], pa.uint64()),
        "decimal": pa.array([Decimal(v) / 10 for v in values]), "time32": pa.array(times, pa.time32("s")),
        "time64": pa.array(times, pa.time64("us")), "duration": pa.array([timedelta(hours=v) for v in values]),
        "day": pa.array(days, pa.date64()), "zoned": pa.array(days, pa.timestamp("ns", "Asia/Tokyo")),
        "text": pa.array([f"a{v}" for v in values], pa.large_string()),
        "bytes": pa.array([b"\xff%d" % v for v in values]),
        "list": pa.array([[v] for v in values]), "record": pa.array([{"a": v} for v in values]),
        "codes": pa.array([f"a{v}" for v in values]).dictionary_encode(), "nothing": pa.nulls(60),
        "truth": pa.array([None if v > 7 else v > 4 for v in values]), "with.dot": pa.array(values),
        "slice": pa.array([None, *values]).slice(1),
    })  # fmt: skip
    pq.write_table(table, "types.parquet")
    file = workspace / "types.parquet"
    for made in (compare(table, file, multivariate=False), compare(file, file, method="profile", multivariate=False)):  # type: ignore[arg-type]
        assert made.verdict == "none"
        assert {c.ks for c in made.columns.values()} <= {0.0, None}
        assert {c.js for c in made.columns.values()} <= {0.0, None}
        assert [c.name for c in made.columns.values() if c.kind == "empty"] == ["nothing"]
        assert made.columns["truth"].missing_current == sum(v > 7 for v in values) / 60


def test_text_is_compared_by_length_and_vocabulary() -> None:
    random = np.random.default_rng(0)
    words = [f"word{n}" for n in range(400)]
    foreign = [f"mot{n}" for n in range(400)]

    def texts(known: list[str], size: int) -> list[str]:
        return [" ".join(random.choice(known, size + random.integers(0, 4))) for _ in range(1_500)]

    same, other, longer = (
        one(texts(words, 6), texts(words, 6)),
        *(one(texts(words, 6), t) for t in (texts(foreign, 6), texts(words, 25))),
    )
    assert (same.kind, same.drifted) == ("text", False)
    assert other.drifted
    assert any("of the words are new" in f for f in other.findings)
    assert longer.drifted
    assert any(f.startswith("length:") for f in longer.findings)


def test_5000_columns_are_compared(workspace: Path) -> None:
    random = np.random.default_rng(0)
    for name, shift in (("before", 0.0), ("after", 0.0)):
        values = random.normal(shift, 1, (5_000, 60))
        if name == "after":
            values[17] += 4
        pq.write_table(pa.table({f"c{i}": values[i] for i in range(5_000)}), f"{name}.parquet")
    made = compare(workspace / "before.parquet", workspace / "after.parquet", multivariate=False)
    assert len(made.columns) == 5_000
    assert made.drifted == ["c17"]


def test_a_csv_that_is_too_large_for_memory_is_the_same_as_in_memory(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    for name in ("before", "after"):
        pd.DataFrame({
            "x": random.normal(size=25_000), "zip": [f"{n:05}" for n in random.integers(0, 900, 25_000)],
            "late": [None] * 20_000 + ["a"] * 5_000, "mixed": [str(n) for n in range(20_000)] + ["n/k"] * 5_000,
        }).to_csv(f"{name}.csv", index=False)  # fmt: skip
    whole = compare(workspace / "before.csv", workspace / "after.csv", multivariate=False)
    monkeypatch.setattr("agentkit_drift.sources._IN_MEMORY", 0)
    monkeypatch.setattr("agentkit_drift.sources._BATCH_CELLS", 1)
    spooled = compare(workspace / "before.csv", workspace / "after.csv", multivariate=False)
    apart = {"seconds"}
    assert spooled.model_dump(exclude=apart) == whole.model_dump(exclude=apart)


@pytest.mark.parametrize("method", ["exact", "profile"])
def test_a_parquet_file_that_breaks_off_is_an_error(workspace: Path, method: Any) -> None:
    pd.DataFrame({"x": NUMBERS}).to_parquet("good.parquet")
    (workspace / "bad.parquet").write_bytes((workspace / "good.parquet").read_bytes()[:-40])
    with pytest.raises(DatasetError, match=r"bad\.parquet"):
        compare(workspace / "good.parquet", workspace / "bad.parquet", method=method)


def test_the_tool_takes_queries(tool: Callable[..., Any], workspace: Path) -> None:
    pd.DataFrame({"x": NUMBERS * 10, "month": [1, 2] * 200}).to_csv("sales.csv", index=False)
    made = tool(
        "detect_drift", reference="sql:SELECT x FROM sales WHERE month = 1", current="sql:SELECT x * 5 AS x FROM sales"
    )
    assert made.drifted == ["x"]
