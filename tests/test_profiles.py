"""What a column holds is told by its content."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agentkit.profiles import GRID, Profile, as_text, parse_dates, profile_column, profile_frame

ROWS = 60


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([i / 3 for i in range(ROWS)], "number"),
        ([i % 7 for i in range(ROWS)], "number"),
        ([str(i % 7) for i in range(ROWS)], "number"),
        ([None, *[1.5, 2.5] * 29, None], "number"),
        (list(range(100, 100 + ROWS)), "id"),
        ([f"u-{i:04}" for i in range(ROWS)], "id"),
        (["red", "green", "blue"] * 20, "category"),
        ([True, False] * 30, "category"),
        ([True, None] * 30, "constant"),
        (["2026-01-02", "2026-02-03", None] * 20, "date"),
        (["13.01.2026", "02.02.2026"] * 30, "date"),
        (["Jan 13 2026", "Feb 02 2026"] * 30, "date"),
        (pd.date_range("2026-01-01", periods=ROWS, tz="UTC"), "date"),
        ([f"the patient said number {i} today" for i in range(ROWS)], "text"),
        ([7] * ROWS, "constant"),
        ([None] * ROWS, "empty"),
        ([1, "a"] * 30, "category"),
        ([*range(0, 110, 2), *["unknown"] * 5], "number"),
        ([*range(0, 60, 2), *["unknown"] * 30], "text"),
        ([*[1, 2] * 27, *["unknown"] * 6], "category"),
        (["2026-01-02", "2026-02-03"] * 28 + ["soon"] * 4, "date"),
        (["2026-01-02", "02.03.2026"] * 30, "category"),
        (["03/13/2026"] * 10 + ["01/02/2026"] * 50, "date"),
        (["a ", "a", " b"] * 20, "category"),
        ([10**30 * (i % 7) for i in range(ROWS)], "number"),
        ([[1, 2], [3]] * 30, "category"),
    ],
)
def test_the_kind_of_a_column(values: list[object], kind: str) -> None:
    assert profile_column(pd.Series(values, name="column")).kind == kind


def test_whole_numbers_that_all_differ_are_ids_only_if_named_so() -> None:
    shuffled = np.random.default_rng(0).permutation(ROWS) * 13
    assert profile_column(pd.Series(shuffled, name="customer_id")).kind == "id"
    assert profile_column(pd.Series(shuffled, name="price")).kind == "number"


def test_ids_of_repeated_rows_are_ids_and_those_of_a_few_things_are_not() -> None:
    numbers = np.random.default_rng(0).permutation(ROWS) * 13
    for values in (numbers, np.asarray([f"u{n}" for n in numbers])):
        repeated = pd.Series([*values, *values[:10]], name="customer_id")
        assert profile_column(repeated).kind == "id"
        assert profile_column(pd.Series([*values[:15]] * 4, name="customer_id")).kind != "id"


def test_numbers_are_summarised_without_the_missing_ones() -> None:
    column = profile_column(pd.Series([1.0, 2.0, 3.0, 4.0, None, np.inf], name="dose"))
    assert (column.count, column.missing, column.distinct) == (6, 2, 4)
    assert (column.minimum, column.median, column.mean, column.maximum) == (1.0, 2.5, 2.5, 4.0)
    assert column.quantiles is not None
    assert len(column.quantiles) == GRID


def test_dates_and_categories_are_summarised() -> None:
    dates = profile_column(pd.Series(["31/12/2025", "01/02/2026"] * 10, name="day"))
    assert (dates.minimum, dates.maximum, dates.date_format) == (
        "2025-12-31T00:00:00",
        "2026-02-01T00:00:00",
        "%d/%m/%Y",
    )
    colours = profile_column(pd.Series(["red"] * 5 + ["blue"] * 3 + [None] * 2, name="colour"))
    assert (colours.top, colours.missing) == ([("red", 5), ("blue", 3)], 2)


def test_a_profile_survives_being_stored() -> None:
    frame = pd.DataFrame({"a": range(9), "b": list("xyzxyzxyz"), "c": [0.1] * 8 + [None]})
    profile = profile_frame(frame, "a.csv", "ab12")
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
    assert profile["b"].distinct == 3


def test_one_label_however_it_was_written() -> None:
    for written in ([1, 0], [1.0, 0.0], ["1", "0"], [1.0, 0.0, None], pd.Categorical(["1", "0"])):
        assert as_text(pd.Series(written)).dropna().tolist() == ["1", "0"]


def test_what_cannot_be_read_counts_as_missing_and_is_counted() -> None:
    numbers = profile_column(pd.Series([*range(0, 110, 2), *["unknown"] * 3, np.inf, None], dtype="object"))
    assert (numbers.count, numbers.missing, numbers.unread) == (60, 5, 4)
    dates = profile_column(pd.Series(["2026-01-02", "2026-02-03"] * 28 + ["soon"] * 3 + [None]))
    assert (dates.count, dates.missing, dates.unread) == (60, 4, 3)


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=1_001).round(1)
    column = profile_column(pd.Series(values, name="x"))
    assert column.quantiles == pytest.approx(np.quantile(values, np.linspace(0, 1, GRID)).tolist())
    assert column.distinct == len(set(values))


def test_numbers_too_large_for_a_mean_have_none() -> None:
    column = profile_column(pd.Series([1.5e308, 1.6e308, -1.5e308, 1.7e308] * 9))
    assert (column.kind, column.mean, column.std, column.maximum) == ("number", None, None, 1.7e308)


def test_spaces_at_the_ends_make_no_level_of_their_own() -> None:
    column = profile_column(pd.Series(["red ", "red", " blue", "blue", None] * 4))
    assert (column.distinct, column.missing) == (2, 4)
    text = as_text(pd.Series([" a", None, "a"], index=[4, 4, 7], name="t"))
    assert (text.tolist()[0], text.isna().tolist(), text.index.tolist()) == ("a", [False, True, False], [4, 4, 7])


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_dates_are_read_in_place_with_what_is_no_date_missing(kind: str) -> None:
    days = pd.Series(["2026-01-02", None, "2026-01-03T04:05:06+01:00", "soon", "2026-01-02"], index=[3, 3, 5, 6, 7])
    read = parse_dates(days.astype(kind), "ISO8601")  # type: ignore[call-overload]
    assert read is not None
    expected = [
        pd.Timestamp("2026-01-02"),
        pd.NaT,
        pd.Timestamp("2026-01-03T03:05:06"),
        pd.NaT,
        pd.Timestamp("2026-01-02"),
    ]
    assert read[0].fillna(pd.Timestamp(0)).tolist() == pd.Series(expected).fillna(pd.Timestamp(0)).tolist()
    assert read[0].index.tolist() == [3, 3, 5, 6, 7]
    nothing = parse_dates(pd.Series([None, None], dtype="object"), "%d.%m.%Y")
    assert nothing is not None and nothing[0].isna().all()


def test_a_column_of_few_levels_is_judged_as_its_rows_are() -> None:
    """The share of numbers and of dates counts rows, not different values."""
    mostly_numbers = pd.Series([*["17"] * 900, *map(str, range(90)), *["none"] * 10], name="size")
    assert profile_column(mostly_numbers).kind == "number"
    few_words = pd.Series([*["one two three four five"] * 30, *["six"] * 970], name="note")
    assert profile_column(few_words).kind == "category"
    rare_dates = pd.Series([*["soon"] * 900, *[f"2026-01-{d:02}" for d in range(1, 29)]], name="day")
    assert profile_column(rare_dates).kind == "category"


def test_equally_frequent_levels_stand_in_order_of_appearance() -> None:
    assert profile_column(pd.Series(["b", "a ", "c", "a", "b", "c"], name="x")).top == [("b", 2), ("a", 2), ("c", 2)]


def test_a_profile_is_asked_by_name() -> None:
    profile = profile_frame(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert profile["b"].name == "b"
    with pytest.raises(KeyError, match="missing"):
        profile["missing"]
