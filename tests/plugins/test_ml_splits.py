"""What a split promises holds for any data; where scikit-learn splits, the rows are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.splits import MOST_HELD_BACK, Pair, Split, Splitter, held_back_rows, make_splitter
from agentkit_ml.target import Target
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import model_selection

from agentkit.errors import TrainingError


def _target(values: Any) -> Target:
    values = np.asarray(values)
    if values.dtype.kind == "f":
        return Target("y", "regression", np.arange(len(values)), values)
    labels = values.astype(str).astype("object")
    found = tuple(sorted(set(labels)))
    return Target("y", "binary" if len(found) == 2 else "multiclass", np.arange(len(labels)), labels, found)


def _splitter(kind: Split, values: Any, by: Any = None) -> Splitter:
    frame = pd.DataFrame({"by": np.zeros(len(values)) if by is None else by})
    column = None if by is None else "by"
    return make_splitter(
        kind, frame, _target(values), time_column=column if kind == "time" else None,
        group_column=column if kind == "group" else None, seed=20,
    )  # fmt: skip


def _pairs(splitter: Splitter) -> list[Pair]:
    """The hold-out split and every fold, as positions within the target's rows."""
    train, test = splitter.hold_out()
    return [(train, test), *((train[a], train[b]) for a, b in splitter.folds(train))]


def _apart(pair: Pair) -> None:
    train, test = pair
    assert len(train) and len(test)
    assert not set(train) & set(test)
    assert len(set(train)) == len(train) and len(set(test)) == len(test)


classes = st.lists(st.sampled_from("abc"), min_size=20, max_size=80).filter(
    lambda labels: len(set(labels)) > 1 and min(labels.count(c) for c in set(labels)) >= 3
)


@settings(deadline=None, max_examples=60)
@given(labels=classes)
def test_each_class_is_on_both_sides_in_its_share(labels: list[str]) -> None:
    splitter = _splitter("random", labels)
    for pair in _pairs(splitter):
        _apart(pair)
    train, test = splitter.hold_out()
    assert sorted([*train, *test]) == list(range(len(labels)))
    values = np.asarray(labels)
    for label in set(labels):
        assert abs((values[test] == label).sum() - len(test) * (values == label).mean()) <= 1
    tested = np.concatenate([b for _, b in splitter.folds(train)])
    assert sorted(tested) == list(range(len(train)))


@settings(deadline=None, max_examples=100)
@given(times=st.lists(st.integers(0, 30) | st.none(), min_size=20, max_size=80), seed=st.integers(0, 9))
def test_by_time_every_test_row_is_later_than_every_training_row(times: list[int | None], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=len(times))
    moments = np.asarray([-1 if t is None else t for t in times])
    try:
        splitter = _splitter("time", values, times)
        pairs = _pairs(splitter)
    except TrainingError as error:
        repeated = max(np.unique(moments, return_counts=True)[1]) >= 0.2 * len(times)
        assert repeated or "neither dates nor numbers" in str(error)
        return
    for train, test in pairs:
        _apart((train, test))
        assert moments[train].max() < moments[test].min()
    train, test = pairs[0]
    assert sorted([*train, *test]) == list(range(len(times)))


@settings(deadline=None, max_examples=100)
@given(
    groups=st.lists(st.sampled_from("pqrstuvw") | st.none(), min_size=20, max_size=80),
    numbers=st.booleans(),
    seed=st.integers(0, 9),
)
def test_no_group_is_ever_on_both_sides(groups: list[str | None], numbers: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=len(groups)) if numbers else random.choice(["yes", "no"], len(groups))
    try:
        pairs = _pairs(_splitter("group", values, groups))
    except TrainingError as error:
        assert any(word in str(error) for word in ("fewer than 3 groups", "one class", "no fold"))
        return
    column = np.asarray([str(g) for g in groups])
    for train, test in pairs:
        _apart((train, test))
        assert not set(column[train]) & set(column[test])


def test_at_random_the_rows_are_those_of_scikit_learn() -> None:
    labels = np.random.default_rng(0).choice(list("aab"), 500)
    train, test = _splitter("random", labels).hold_out()
    theirs = model_selection.train_test_split(np.arange(500), test_size=100, random_state=20, stratify=labels)
    assert (train.tolist(), test.tolist()) == (sorted(theirs[0]), sorted(theirs[1]))
    folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=20).split(train, labels[train])
    assert _lists(_splitter("random", labels).folds(train)) == _lists(folds)
    numbers = np.random.default_rng(0).normal(size=500)
    folds = model_selection.KFold(5, shuffle=True, random_state=20).split(train)
    assert _lists(_splitter("random", numbers).folds(train)) == _lists(folds)


def test_by_group_the_folds_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    groups, labels, numbers = random.integers(0, 40, 400), random.choice(["y", "n"], 400), random.normal(size=400)
    rows, texts = np.arange(400), groups.astype(str)
    theirs = model_selection.StratifiedGroupKFold(5, shuffle=True, random_state=20).split(rows, labels, texts)
    assert _lists(_splitter("group", labels, groups).folds(rows)) == _lists(theirs)
    theirs = model_selection.GroupKFold(5, shuffle=True, random_state=20).split(rows, numbers, texts)
    assert _lists(_splitter("group", numbers, groups).folds(rows)) == _lists(theirs)


def test_by_time_the_folds_are_those_of_scikit_learn_where_no_times_are_equal() -> None:
    times = np.random.default_rng(0).permutation(300)
    splitter = _splitter("time", times * 0.5, times)
    train, test = splitter.hold_out()
    assert times[train].tolist() == list(range(240))
    assert times[test].tolist() == list(range(240, 300))
    assert _lists(splitter.folds(train)) == _lists(model_selection.TimeSeriesSplit(5).split(train))


def _lists(folds: Any) -> list[tuple[list[int], list[int]]]:
    return [(a.tolist(), b.tolist()) for a, b in folds]


@pytest.mark.parametrize(
    ("times", "test"), [([1] * 50 + [2] * 50, 50), ([1] * 78 + [2] * 22, 22), ([1] * 81 + [2] * 19, 19),
                        (list(range(75)) + [99] * 25, 25), ([1] * 95 + [2] * 5, 5)]
)  # fmt: skip
def test_rows_of_the_same_time_stay_together(times: list[int], test: int) -> None:
    held = _splitter("time", np.arange(100.0), times).hold_out()[1]
    assert len(held) == test


def test_the_share_that_is_held_back_falls_with_the_rows() -> None:
    shares = [(100, 20), (50_000, 10_000), (100_000, 15_000), (5_000_000, MOST_HELD_BACK)]
    assert [(rows, held_back_rows(rows)) for rows, _ in shares] == shares


def test_a_rare_class_of_many_costs_no_folds_and_one_of_two_does() -> None:
    many = ["a"] * 60 + ["b"] * 60 + ["c"] * 3
    splitter = _splitter("random", many)
    assert len(splitter.folds(splitter.hold_out()[0])) == 5
    two = ["a"] * 60 + ["b"] * 4
    splitter = _splitter("random", two)
    train = splitter.hold_out()[0]
    folds = splitter.folds(train)
    assert len(folds) == 3
    assert all(set(np.asarray(two)[train][b]) == {"a", "b"} for _, b in folds)


@pytest.mark.parametrize(
    ("kind", "by", "told"),
    [
        ("random", None, "20% of 60 rows were held back at random, each class in its share"),
        ("time", [*range(58), None, None], "The newest 20% of 60 rows by 'by' were held back"),
        ("time", [*range(58), None, None], "The 2 rows without a time count as the earliest"),
        ("group", list("abcdef") * 10, "Whole groups of 'by' were held back"),
        ("group", [*list("abcdef") * 9, *[None] * 6], "The 6 rows without a value count as one group"),
    ],
)
def test_a_split_says_why(kind: Split, by: Any, told: str) -> None:
    assert told in _splitter(kind, ["yes", "no"] * 30, by).why


@pytest.mark.parametrize(
    ("kind", "values", "by", "told"),
    [
        ("time", np.arange(30.0), [5] * 30, "most rows have the same time"),
        ("time", ["a"] * 24 + ["b"] * 6, list(range(30)), "the training rows have one class of 'y' only"),
        ("time", np.arange(30.0), [1] * 20 + [2] * 10, "too few different times"),
        ("group", ["a", "b"] * 15, [1, 2] * 15, "fewer than 3 groups"),
    ],
)
def test_a_split_that_cannot_be_made_says_what_to_do(kind: Split, values: Any, by: Any, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        _pairs(_splitter(kind, values, by))
