"""What is read from the target column: the task, the rows that count, and what is said of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.target import Target, hints, labels_of, read_target

from agentkit.errors import TrainingError
from agentkit.profiles import profile_frame


def _read(values: Any, wanted: Any = "auto") -> Target:
    return read_target(pd.Series(values, name="y"), wanted)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["yes", "no"] * 20, "binary", ("no", "yes")),
        ([True, False] * 20, "binary", ("False", "True")),
        (["true", "FALSE"] * 20, "binary", ("FALSE", "true")),
        ([0, 1] * 20, "binary", ("0", "1")),
        ([0.0, 1.0] * 20, "binary", ("0", "1")),
        ([1, 2, 3] * 20, "multiclass", ("1", "2", "3")),
        (list("abc") * 20, "multiclass", ("a", "b", "c")),
        ([i / 7 for i in range(40)], "regression", ()),
        ([str(i / 7) for i in range(40)], "regression", ()),
        (range(40), "regression", ()),
        ([10**30 * i for i in range(40)], "regression", ()),
        (["ja", "nein", "\u00fcber"] * 20, "multiclass", ("ja", "nein", "\u00fcber")),
    ],
)
def test_the_task_is_told_by_the_values(values: Any, task: str, classes: tuple[str, ...]) -> None:
    found = _read(values)
    assert (found.task, found.classes) == (task, classes)


def test_rows_without_a_value_are_dropped_and_counted() -> None:
    found = _read(["yes", "no"] * 20 + [None] * 5 + [" "])
    assert (len(found.rows), found.notes) == (40, ("6 rows without a value of 'y' were left out.",))


def test_values_that_are_no_finite_numbers_are_dropped_and_shown() -> None:
    found = _read([*(i / 7 for i in range(50)), np.inf, -np.inf, None])
    assert found.values.tolist() == [i / 7 for i in range(50)]
    assert found.notes == (
        "1 rows without a value of 'y' were left out.",
        "2 rows whose 'y' is no finite number, such as 'inf', were left out.",
    )
    mixed = _read([*(str(i / 7) for i in range(50)), "n.b.", "soon"])
    assert mixed.task == "regression"
    assert "2 rows whose 'y' is no finite number, such as 'n.b.'" in mixed.notes[0]


def test_a_class_of_one_row_of_many_classes_is_dropped_and_told() -> None:
    found = _read(list("abc") * 20 + ["d"])
    assert (found.classes, len(found.rows)) == (("a", "b", "c"), 60)
    assert found.notes == ("1 rows of 'y' were left out: fewer than 3 rows have the class 'd'.",)
    two = _read(list("ab") * 30 + ["c", "d"])
    assert (two.task, two.classes) == ("binary", ("a", "b"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["yes"] * 39 + ["no"], "fewer than 3 rows have the class 'no'. Add rows of it"),
        (["a"] * 20 + ["b"] * 20 + list("cdef"), "fewer than 3 rows have the class 'c', 'd', 'e' and 1 more"),
        (["same"] * 40, "the same value in every row"),
        ([" same", "same "] * 20, "the same value in every row"),
        ([None] * 40, "every row is missing"),
        (["yes", "no"], "2 rows have a value of 'y': at least 10 are needed"),
        ([f"n{i // 2}" for i in range(60)], "30 different texts in 60 rows: too many to be classes"),
        (pd.date_range("2026-01-01", periods=40), "holds dates"),
    ],
)
def test_a_target_that_cannot_be_learned_says_what_to_do(values: Any, told: str) -> None:
    with pytest.raises(TrainingError) as raised:
        _read(values)
    assert told in str(raised.value)


def test_spaces_at_the_ends_are_no_classes_and_capitals_are_told() -> None:
    found = _read(["yes", "no", "yes ", " no"] * 10)
    assert found.classes == ("no", "yes")
    assert found.notes == ("Labels of 'y' that differ only in spaces at their ends were joined.",)
    assert labels_of(pd.Series(["yes ", None, " no"])).tolist() == ["yes", None, "no"]
    capitals = _read(["yes", "Yes", "no"] * 10)
    assert len(capitals.classes) == 3
    assert "'Yes', 'yes' of 'y' are classes of their own" in capitals.notes[0]


def test_graded_rows_of_queries_look_like_ranking() -> None:
    frame = pd.DataFrame({"qid": np.arange(200) // 10, "x": np.random.default_rng(0).normal(size=200)})
    frame["y"] = np.arange(200) % 5
    told = hints(frame, read_target(frame["y"], "auto"), profile_frame(frame))
    assert len(told) == 1
    assert "looks like ranking" in told[0] and "group_column=qid" in told[0]
    frame["y"] = frame["x"]
    assert hints(frame, read_target(frame["y"], "auto"), profile_frame(frame)) == []


def test_one_row_for_each_day_looks_like_forecasting() -> None:
    frame = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=100), "y": np.sin(np.arange(100.0))})
    told = hints(frame, read_target(frame["y"], "auto"), profile_frame(frame))
    assert len(told) == 1
    assert "looks like forecasting" in told[0] and "time_column=day" in told[0]
    frame["day"] = frame["day"].iloc[np.arange(100) // 2].to_numpy()
    assert hints(frame, read_target(frame["y"], "auto"), profile_frame(frame)) == []
