"""Leaks that were planted are found, and clean tables are not blamed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.features import chosen_columns
from agentkit_ml.leaks.checks import find_leaks
from agentkit_ml.leaks.columns import column_score, roc_auc, single_scores
from agentkit_ml.leaks.sample import take_sample
from agentkit_ml.record import Finding
from agentkit_ml.splits import make_splitter
from agentkit_ml.target import read_target

from agentkit.profiles import profile_frame

Frame = pd.DataFrame
CLEAN = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def leaks(
    frame: Frame,
    target: str = "y",
    time_column: str | None = None,
    group_column: str | None = None,
    split: Any = "auto",
) -> list[Finding]:
    """What `find_leaks` says of the split that training would make."""
    wanted = read_target(frame[target], "auto")
    splitter = make_splitter(split, frame, wanted, time_column=time_column, group_column=group_column, seed=20)
    profile = profile_frame(frame)
    columns, _ = chosen_columns(profile, target, {})
    if split == "random":
        time_column = group_column = None
    train, test = splitter.hold_out()
    return find_leaks(frame, wanted, columns, profile, train, test, time_column=time_column, group_column=group_column)


def raised(found: list[Finding]) -> dict[str, str]:
    """Gate -> level of the findings that are not `ok`."""
    return {f.gate: f.level for f in found if f.level != "ok"}


def numbers(rows: int = 600, columns: int = 6, seed: int = 0) -> Frame:
    """Normal numbers, the target `y` a noisy sum of two of them."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, columns))).add_prefix("x")
    return frame.assign(y=frame["x0"] + frame["x1"] + random.normal(size=rows))


def classes(rows: int = 600, columns: int = 6, seed: int = 0) -> Frame:
    """The same with two classes."""
    frame = numbers(rows, columns, seed)
    return frame.assign(y=np.where(frame["y"] > 0, "yes", "no"))


def _noise(frame: Frame, size: float) -> np.ndarray[Any, Any]:
    return np.random.default_rng(7).normal(scale=size, size=len(frame))


PLANTED: dict[str, tuple[Callable[[], Frame], Callable[[Frame], Any], dict[str, str]]] = {
    "the classes in other words": (
        classes, lambda f: f["y"].map({"yes": "left", "no": "stayed"}), {"target_copy": "block"},
    ),
    "the classes as numbers": (classes, lambda f: (f["y"] == "yes") * 1, {"target_copy": "block"}),
    "the classes inverted": (classes, lambda f: (f["y"] != "yes") * 1, {"target_copy": "block"}),
    "the classes with gaps": (
        classes, lambda f: f["y"].where(_noise(f, 1) > -1).map({"yes": "a", "no": "b"}), {"target_copy": "block"},
    ),
    "three classes recoded": (
        lambda: numbers().assign(y=lambda f: pd.cut(f["y"], [-9, -1, 1, 9], labels=list("abc")).astype(str)),
        lambda f: f["y"].map({"a": 30, "b": 10, "c": 20}), {"target_copy": "block"},
    ),
    "the number itself": (numbers, lambda f: f["y"], {"target_copy": "block"}),
    "the number shifted and scaled": (numbers, lambda f: 32 + 1.8 * f["y"], {"target_copy": "block"}),
    "the number inverted": (numbers, lambda f: -f["y"], {"target_copy": "block"}),
    "a growing function of the number": (numbers, lambda f: np.exp(f["y"]), {"target_copy": "block"}),
    "the number rounded": (numbers, lambda f: f["y"].round(1), {"single_column": "block"}),
    "the number with a little noise": (numbers, lambda f: f["y"] + _noise(f, 0.1), {"single_column": "warn"}),
    "the number behind the classes": (
        lambda: classes().assign(y=lambda f: np.where(f["x5"] > 1, "yes", "no")).drop(columns="x5"),
        lambda f: (f["y"] == "yes") + np.random.default_rng(1).uniform(0, 0.9, len(f)), {"single_column": "block"},
    ),
    "classes with two in a hundred wrong": (
        classes, lambda f: np.where(f.index % 50 == 0, "yes", f["y"]), {"single_column": "warn"},
    ),
    "a date that is there for one class": (
        classes,
        lambda f: pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(f.index, unit="h")).where(f["y"] == "yes"),
        {"single_column": "block"},
    ),
    "many codes, each of one class": (
        lambda: classes(2_000), lambda f: f["y"] + (f.index % 40).astype(str), {"single_column": "block"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_a_column_that_holds_the_answer_is_found(what: str) -> None:
    make, plant, expected = PLANTED[what]
    frame = make()
    found = leaks(frame.assign(planted=plant(frame)))
    assert raised(found) == expected
    assert found[0].columns == ["planted"]
    assert "'planted'" in found[0].text
    assert "rain without" in found[0].text
    assert found[0].value is not None


def test_a_leak_of_a_class_of_one_in_a_hundred_is_found() -> None:
    frame = numbers(5_000)
    frame["y"] = np.where(frame["y"] > frame["y"].quantile(0.99), "rare", "usual")
    frame["planted"] = np.where(frame["y"] == "rare", "x", "y")
    assert raised(leaks(frame)) == {"target_copy": "block"}


def test_numbers_that_add_up_to_the_target_are_found() -> None:
    frame = numbers()
    frame["y"] = 3 * frame["x1"] + frame["x4"]
    found = leaks(frame)
    assert raised(found) == {"target_sum": "warn"}
    assert found[0].columns == ["x1", "x4"]


def test_a_leak_among_2000_columns_is_found_in_time() -> None:
    frame = classes(800, 2_000)
    frame["planted"] = (frame["y"] == "yes") + _noise(frame, 0.1)
    began = time.process_time()
    found = leaks(frame)
    assert raised(found) == {"single_column": "block", "rows_enough": "warn"}
    assert found[0].columns == ["planted"]
    assert time.process_time() - began < 15


def test_clean_tables_raise_nothing() -> None:
    for seed in range(8):
        assert raised(leaks(numbers(seed=seed))) == {}
        assert raised(leaks(classes(seed=seed))) == {}


@pytest.mark.parametrize("name", CLEAN)
def test_the_known_sets_of_scikit_learn_raise_nothing(name: str) -> None:
    from sklearn import datasets

    assert raised(leaks(getattr(datasets, f"load_{name}")(as_frame=True).frame, "target")) in (
        {},
        {"rows_enough": "warn"},
    )


def test_texts_that_tell_the_outcome_are_found_and_others_are_not() -> None:
    random = np.random.default_rng(0)
    words = [f"word{i}" for i in range(300)]
    frame = classes(600)
    frame["note"] = [" ".join(random.choice(words, 8)) for _ in range(600)]
    assert raised(leaks(frame)) == {}
    frame["note"] += np.where(frame["y"] == "yes", " wants to leave", "")
    found = leaks(frame)
    assert raised(found) == {"telling_text": "warn"}
    assert found[0].columns == ["note"]


def test_rows_that_were_copied_are_found_and_how_many() -> None:
    frame = pd.concat([classes(500)] * 2, ignore_index=True)
    found = leaks(frame)
    assert raised(found) == {"rows_on_both_sides": "block"}
    assert found[0].value == pytest.approx(0.8, abs=0.08)
    assert "100% of them with the same 'y'" in found[0].text
    assert "or set group_column." in found[0].text
    named = pd.concat([classes(500).assign(case_id=[f"c{i}" for i in range(500)])] * 2, ignore_index=True)
    assert "or set group_column=case_id." in leaks(named.iloc[:950])[0].text
    some = pd.concat([classes(500), classes(500).head(50)], ignore_index=True)
    assert raised(leaks(some)) == {"rows_on_both_sides": "warn"}


def test_rows_that_repeat_with_another_answer_do_not_block() -> None:
    frame = pd.concat([classes(500)] * 2, ignore_index=True)
    frame.loc[500:, "y"] = frame["y"].iloc[500:].map({"yes": "no", "no": "yes"})
    found = leaks(frame)
    assert raised(found) == {"rows_on_both_sides": "warn"}
    assert "(0% of them with the same 'y')" in found[0].text


def test_twins_are_counted_exactly() -> None:
    frame = classes(400).round(0)
    found = next(f for f in leaks(frame) if f.gate == "rows_on_both_sides")
    wanted = read_target(frame["y"], "auto")
    train, test = make_splitter("auto", frame, wanted, time_column=None, group_column=None, seed=20).hold_out()
    known = set(map(tuple, frame.drop(columns="y").iloc[train].to_numpy()))
    expected = np.mean([tuple(row) in known for row in frame.drop(columns="y").iloc[test].to_numpy()])
    assert found.value == pytest.approx(expected, abs=1e-4)


def test_rows_of_few_levels_repeat_by_chance_and_are_not_blamed() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.choice(list("abc"), (600, 3)), columns=["p", "q", "r"])
    frame["y"] = random.choice(["yes", "no"], 600)
    found = next(f for f in leaks(frame) if f.gate == "rows_on_both_sides")
    assert found.level == "ok"
    assert found.value == 1


def test_an_id_that_was_given_by_the_outcome_is_found() -> None:
    frame = classes().sort_values("y", ignore_index=True)
    frame["case_id"] = [f"case-{i:05}" for i in range(600)]
    found = leaks(frame)
    assert raised(found) == {"predicting_id": "warn"}
    assert found[0].columns == ["case_id"]
    shuffled = classes().assign(case_id=[f"case-{i:05}" for i in range(600)])
    assert raised(leaks(shuffled)) == {}


def test_a_date_after_the_event_is_found_with_and_without_a_time_column() -> None:
    random = np.random.default_rng(0)
    frame = classes()
    frame["ordered_at"] = pd.date_range("2026-01-01", periods=600, freq="h")
    frame["delivered"] = frame["ordered_at"] + pd.to_timedelta(random.integers(1, 9, 600), unit="D")
    frame["due_on"] = frame["ordered_at"] + pd.to_timedelta(random.integers(1, 9, 600), unit="D")
    found = leaks(frame, time_column="ordered_at")
    assert raised(found) == {"future_time": "block"}
    assert (found[0].columns, found[0].value) == (["delivered"], 1.0)
    named = leaks(frame.rename(columns={"delivered": "updated_at"}))
    assert raised(named) == {"future_time": "warn"}
    assert named[0].columns == ["updated_at"]
    assert raised(leaks(frame.drop(columns="delivered"), time_column="ordered_at")) == {}


@pytest.mark.parametrize("kind", ["drift", "memory"])
def test_shuffled_rows_of_a_target_that_changes_in_time_are_found(kind: str) -> None:
    frame = numbers()
    frame["day"] = pd.date_range("2026-01-01", periods=600, freq="h").astype(str)
    assert raised(leaks(frame)) == {}
    change = np.arange(600) / 200 if kind == "drift" else 2 * np.sin(np.arange(600) / 3)
    frame["y"] += change
    shuffled = frame.sample(frac=1, random_state=0, ignore_index=True)
    found = leaks(shuffled)
    assert raised(found) == {"shuffled_time": "warn"}
    assert found[0].columns == ["day"]
    assert "split=time, time_column=day" in found[0].text
    assert "shuffled_time" not in raised(leaks(shuffled, time_column="day"))


def test_an_id_that_repeats_over_rows_that_agree_is_found() -> None:
    frame = numbers(800)
    frame["patient"] = [f"p{i}" for i in np.arange(800) // 8]
    assert raised(leaks(frame)) == {}
    frame["y"] += np.random.default_rng(3).normal(size=100).repeat(8)
    found = leaks(frame)
    assert raised(found) == {"repeated_entities": "warn"}
    assert "split=group, group_column=patient" in found[0].text
    grouped = leaks(frame, group_column="patient")
    assert raised(grouped) == {}
    assert next(f for f in grouped if f.gate == "groups_on_both_sides").value == 0


def test_test_rows_of_another_kind_are_found() -> None:
    frame = numbers(800).assign(day=pd.date_range("2026-01-01", periods=800))
    frame.loc[640:, "x3"] += 4
    found = leaks(frame, time_column="day")
    assert raised(found) == {"test_rows_differ": "warn"}
    assert found[0].columns == ["x3"]
    assert (found[0].value or 0) > 0.9


def test_few_rows_few_of_a_class_and_many_levels_are_told() -> None:
    assert raised(leaks(classes(60))) == {"rows_enough": "warn"}
    frame = numbers(1_000)
    frame["y"] = np.where(frame["y"] > frame["y"].quantile(0.98), "rare", "usual")
    assert raised(leaks(frame)) == {"rows_enough": "warn"}
    assert "Only 4 test rows have the class 'rare'" in leaks(frame)[0].text
    wide = classes(1_000).assign(town=[f"t{i % 300}" for i in range(1_000)])
    found = leaks(wide)
    assert raised(found) == {"many_levels": "warn"}
    assert found[0].columns == ["town"]


def test_every_check_leaves_a_finding_and_the_worst_come_first() -> None:
    frame = classes(300)
    found = leaks(frame.assign(copy=frame["y"] == "yes"))
    assert {f.gate for f in found} == {
        "target_copy", "single_column", "target_sum", "rows_on_both_sides", "rows_enough", "many_levels",
        "test_rows_differ", "values_read", "predicting_id", "future_time", "repeated_entities", "shuffled_time",
    }  # fmt: skip
    assert [f.level for f in found] == sorted((f.level for f in found), key=("block", "warn", "ok").index)


def test_gaps_infinite_values_and_empty_columns_break_nothing() -> None:
    frame = numbers(200)
    frame.loc[::3, "x0"] = None
    frame.loc[::7, "x1"] = np.inf
    frame["words"] = [None if i % 2 else f"a text of several words {i}" for i in range(200)]
    frame["town"] = [None if i % 5 else "a" for i in range(200)]
    found = leaks(frame)
    assert raised(found) == {"values_read": "warn"}
    assert "29 values in 'x1' are no finite numbers, such as 'inf'" in found[0].text


def test_columns_that_mix_are_told() -> None:
    frame = classes(200)
    frame["age"] = [str(i % 40) if i % 20 else "unknown" for i in range(200)]
    frame["size"] = [str(i % 10) if i % 2 else "large" for i in range(200)]
    frame["day"] = ["2026-01-02", "02.03.2026"] * 100
    found = leaks(frame)
    assert raised(found) == {"values_read": "warn"}
    assert sorted(found[0].columns) == ["age", "day", "size"]
    assert "10 values in 'age' are no finite numbers, such as 'unknown'" in found[0].text
    assert "'size' mix numbers and texts" in found[0].text
    assert "'day' look like dates of several formats" in found[0].text
    assert raised(leaks(classes(200))) == {}


def test_numbers_and_ranges_of_numbers_are_no_mixture() -> None:
    for levels in (["0", "1-5", "6-10", "11+"], ["1", "2", "3", "4 or more"], ["1", "2", "3-4", "5-10"]):
        assert raised(leaks(classes(200).assign(size=levels * 50))) == {}


def test_the_score_of_a_column_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    truth, guessed = random.random(300) < 0.3, random.integers(0, 20, 300)
    assert roc_auc(truth, guessed) == pytest.approx(roc_auc_score(truth, guessed))


def test_noise_scores_as_chance_in_many_levels_too() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"town": random.choice([f"t{i}" for i in range(300)], 2_000), "x": random.normal(size=2_000)})
    frame["y"] = random.choice(["a", "b"], 2_000)
    wanted, profile = read_target(frame["y"], "auto"), profile_frame(frame)
    sample = take_sample(frame, wanted, {"town": "category", "x": "number"}, profile, np.arange(2_000))
    assert list(single_scores(sample).values()) == pytest.approx([0.5, 0.5], abs=0.05)
    assert column_score(sample, np.ones(sample.rows), "number") == 0.5


def test_fifty_columns_of_10_000_rows_take_about_a_second() -> None:
    frame = classes(10_000, 50)
    wanted, profile = read_target(frame["y"], "auto"), profile_frame(frame)
    columns, _ = chosen_columns(profile, "y", {})
    train, test = make_splitter("auto", frame, wanted, time_column=None, group_column=None, seed=20).hold_out()
    find_leaks(frame, wanted, columns, profile, train, test)
    began = time.process_time()
    find_leaks(frame, wanted, columns, profile, train, test)
    assert time.process_time() - began < 2
