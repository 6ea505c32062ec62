"""Each transformer of the features against scikit-learn's, pandas' or scipy's own result."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.features.categories import RARE, Codes, OneHot, Ordered, TargetMeans
from agentkit_ml.features.columns import Columns, as_levels
from agentkit_ml.features.dates import DateParts
from agentkit_ml.features.interactions import Interactions
from agentkit_ml.features.numbers import Numbers
from agentkit_ml.features.selection import Selection
from agentkit_ml.features.text import TextParts
from numpy.typing import NDArray


def _levels(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({name: as_levels(pd.Series(values)) for name, values in columns.items()})


def _numbers(rows: int = 300) -> NDArray[Any]:
    random = np.random.default_rng(0)
    made = np.column_stack([random.normal(5, 2, rows), random.lognormal(2, 1, rows), -random.lognormal(2, 1, rows)])
    made[random.random(made.shape) < 0.1] = np.nan
    return made


def _days(*texts: str) -> pd.DataFrame:
    return Columns({"at": "date"}, {"at": ""}).transform(pd.DataFrame({"at": pd.to_datetime(list(texts))}))


# numbers


def test_standardising_and_min_max_are_scikit_learns() -> None:
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    values = _numbers()
    for scaling, scaler in (("standard", StandardScaler()), ("minmax", MinMaxScaler())):
        np.testing.assert_allclose(Numbers("keep", scaling).fit_transform(values), scaler.fit_transform(values))


def test_powers_are_scikit_learns_yeo_johnson() -> None:
    from sklearn.preprocessing import PowerTransformer

    values = _numbers()
    made = Numbers("keep", "power").fit_transform(values)
    np.testing.assert_allclose(made, PowerTransformer().fit_transform(values), atol=1e-6)


@pytest.mark.parametrize("missing", ["mean", "median"])
def test_gaps_are_filled_as_by_scikit_learn(missing: str) -> None:
    from sklearn.impute import SimpleImputer

    values = _numbers()
    made = Numbers(missing, "none").fit_transform(values)
    np.testing.assert_allclose(made, SimpleImputer(strategy=missing).fit_transform(values))


def test_neighbours_are_scikit_learns_on_standardised_columns() -> None:
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import StandardScaler

    values = _numbers()
    made = Numbers("knn", "standard").fit_transform(values)
    np.testing.assert_allclose(made, KNNImputer().fit_transform(StandardScaler().fit_transform(values)))


def test_an_indicator_stands_for_each_pattern_of_gaps_in_training() -> None:
    values = pd.DataFrame(
        {"a": [1.0, np.nan, 3], "same_gaps": [4.0, np.nan, 6], "b": [np.nan, 1, 2], "full": [1.0, 2, 3]}
    )
    numbers = Numbers("indicator", "none").fit(values)
    names = ["a", "same_gaps", "b", "full", "a is missing", "b is missing"]
    assert list(numbers.get_feature_names_out()) == names
    assert numbers.transform(values)[:, 4:].tolist() == [[0, 1], [1, 0], [0, 0]]


def test_skewed_numbers_get_a_logarithm_or_a_power_only_if_the_target_agrees() -> None:
    random = np.random.default_rng(0)
    skewed = random.lognormal(2, 1, 500)
    values = np.column_stack([random.normal(size=500), skewed, -skewed])
    assert Numbers().fit(values).kinds_.tolist() == ["standard", "log", "power"]
    assert Numbers().fit(values, np.log(skewed)).kinds_.tolist() == ["standard", "log", "power"]
    assert Numbers().fit(values, skewed).kinds_.tolist() == ["standard"] * 3
    rare = (random.random((500, 1)) < 0.01).astype(float)
    assert Numbers().fit(rare).kinds_.tolist() == ["standard"]


# categories


def test_one_hot_is_scikit_learns_when_nothing_is_rare_or_missing() -> None:
    from sklearn.preprocessing import OneHotEncoder

    random = np.random.default_rng(0)
    plain = pd.DataFrame({"a": random.choice(list("xyz"), 200), "b": random.choice(list("pq"), 200)})
    mine = OneHot().fit(_levels(a=plain["a"], b=plain["b"]))
    theirs = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(plain)
    other = pd.DataFrame({"a": ["z", "new", "x"], "b": ["q", "q", "p"]})
    np.testing.assert_array_equal(mine.transform(_levels(a=other["a"], b=other["b"])), theirs.transform(other))
    assert list(mine.get_feature_names_out()) == ["a=x", "a=y", "a=z", "b=p", "b=q"]


def test_rare_levels_share_a_feature_with_unknown_ones() -> None:
    one_hot = OneHot().fit(_levels(a=["x"] * 50 + ["y"] * 47 + ["once", "twice", None]))
    assert list(one_hot.get_feature_names_out()) == ["a=x", "a=y", f"a={RARE}", "a=(missing)"]
    made = one_hot.transform(_levels(a=["y", "once", "never met", None]))
    assert made.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_codes_leave_rare_unknown_and_missing_levels_missing() -> None:
    codes = Codes().fit(_levels(a=["x"] * 50 + ["y"] * 47 + ["once"]))
    made = codes.transform(_levels(a=["y", "once", "never met", None, "x"]))
    np.testing.assert_array_equal(made, [[1], [np.nan], [np.nan], [np.nan], [0]])


def test_an_order_counts_from_zero_and_knows_nothing_else() -> None:
    made = Ordered({"a": ["low", "mid", "high"]}).fit_transform(_levels(a=["high", "low", None, "higher"]))
    np.testing.assert_array_equal(made, [[2], [0], [np.nan], [np.nan]])


@pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
def test_target_means_are_scikit_learns(task: str) -> None:
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    random = np.random.default_rng(0)
    towns = pd.DataFrame(
        {"town": random.choice([f"t{i}" for i in range(30)], 400), "z": random.choice(list("abc"), 400)}
    )
    target = (
        random.normal(size=400) if task == "continuous" else random.choice(list("pqr" if task[0] == "m" else "pq"), 400)
    )
    folds = (KFold if task == "continuous" else StratifiedKFold)(5, shuffle=True, random_state=7)
    theirs = TargetEncoder(target_type=task, cv=folds)
    mine = TargetMeans(task == "continuous", 7)
    frame = _levels(town=towns["town"], z=towns["z"])
    np.testing.assert_allclose(mine.fit_transform(frame, target), theirs.fit_transform(towns, target))
    later = pd.DataFrame({"town": ["t3", "new"], "z": ["a", "a"]})
    np.testing.assert_allclose(mine.transform(_levels(town=later["town"], z=later["z"])), theirs.transform(later))
    assert len(mine.get_feature_names_out()) == (6 if task == "multiclass" else 2)


def test_target_means_of_many_classes_stay_few() -> None:
    random = np.random.default_rng(0)
    frame = _levels(**{f"c{i}": random.choice([f"t{j}" for j in range(12)], 900) for i in range(20)})
    means = TargetMeans(False, 0)
    made = means.fit_transform(frame, random.choice([f"class{i}" for i in range(60)], 900))
    assert made.shape == (900, 300) == means.transform(frame).shape
    assert len(means.get_feature_names_out()) == 300


@pytest.mark.parametrize("labels", [["p"], ["p"] * 4, ["p", "q"], ["p", "q", "q"], list("pqr")])
def test_target_means_of_almost_nothing_are_no_error(labels: list[str]) -> None:
    frame = _levels(a=[f"t{i}" for i in range(len(labels))])
    made = TargetMeans(False, 0).fit_transform(frame, np.asarray(labels, dtype="object"))
    assert np.isfinite(made).all()


def test_one_and_one_point_nought_and_the_text_are_one_level() -> None:
    for values in ([1, 2], [1.0, 2.0], ["1", "2"], pd.Categorical([1, 2]), pd.Series([1, 2], dtype="Int64")):
        assert list(as_levels(pd.Series(values))) == ["1", "2"]


# dates


def test_calendar_parts_are_pandas_own() -> None:
    random = np.random.default_rng(0)
    at = pd.Timestamp("1969-06-01") + pd.to_timedelta(random.integers(0, 80 * 365 * 86_400, 500), unit="s")
    typed = Columns({"at": "date"}, {"at": ""}).transform(pd.DataFrame({"at": at}))
    parts = DateParts().fit(typed)
    made = pd.DataFrame(parts.transform(typed), columns=parts.get_feature_names_out())
    for part in ("month", "day", "hour", "minute"):
        np.testing.assert_array_equal(made[f"at.{part}"], getattr(at, part))
    np.testing.assert_array_equal(made["at.weekday"], at.day_of_week)
    np.testing.assert_allclose(made["at.days"], (at - at.min()) / pd.Timedelta(days=1))


def test_only_parts_that_vary_are_made() -> None:
    parts = DateParts().fit(_days("2026-01-01", "2026-01-15", "2026-03-01"))
    assert list(parts.get_feature_names_out()) == ["at.days", "at.month", "at.day", "at.weekday"]
    hours = DateParts().fit(_days("2026-01-01 10:00", "2026-01-01 13:00"))
    assert list(hours.get_feature_names_out()) == ["at.days", "at.hour"]


def test_december_is_as_far_from_january_as_from_november_on_the_circle() -> None:
    parts = DateParts(cyclic=True).fit(_days(*(f"2026-{m:02}-01" for m in range(1, 13))))
    made = pd.DataFrame(
        parts.transform(_days("2026-11-01", "2026-12-01", "2026-01-01")), columns=parts.get_feature_names_out()
    )[["at.month.sin", "at.month.cos"]].to_numpy()
    assert np.linalg.norm(made[1] - made[0]) == pytest.approx(np.linalg.norm(made[2] - made[1]))


def test_the_days_between_two_dates_are_a_feature() -> None:
    frame = pd.DataFrame({"start": [10.0, 20.0, np.nan], "end": [13.0, 20.5, 30.0]})
    parts = DateParts().fit(frame)
    made = parts.transform(frame)[:, list(parts.get_feature_names_out()).index("days from start to end")]
    np.testing.assert_allclose(made, [3, 0.5, np.nan])


# text


def test_words_that_matter_become_a_feature_and_noise_does_not() -> None:
    random = np.random.default_rng(0)
    filler = [f"filler{i}" for i in range(200)]
    said = [" ".join(random.choice(filler, 8)) for _ in range(800)]
    labels = random.choice(["bad", "good"], 800)
    telling = [
        f"{text} {'broken late' if label == 'bad' else 'quick kind'}" for text, label in zip(said, labels, strict=True)
    ]
    text = TextParts(seed=1).fit(pd.DataFrame({"said": said, "telling": telling}), labels)
    names = list(text.get_feature_names_out())
    assert any(n.startswith("telling.text") for n in names)
    assert sum(n.startswith("said.text") for n in names) <= 5
    made = text.transform(pd.DataFrame({"said": ["", ""], "telling": ["broken late", "quick kind"]}))
    assert np.abs(made[0] - made[1]).max() > 0.3


@pytest.mark.parametrize(
    "texts",
    [[""] * 20, ["same words here"] * 20, ["a", "b"] * 10, [f"only{i} once{i}" for i in range(20)], ["?!"] * 20],
)
def test_texts_without_words_to_learn_still_have_a_length(texts: list[str]) -> None:
    frame = pd.DataFrame({"t": texts})
    made = TextParts().fit(frame, np.asarray(["p", "q"] * 10)).transform(frame)
    assert made[:, 0].tolist() == [len(t) for t in texts]
    assert np.isfinite(made).all()


@pytest.mark.parametrize("words", [3, 20, 400])
def test_ten_thousand_texts_take_seconds(words: int) -> None:
    random = np.random.default_rng(0)
    known = np.asarray([f"word{i}" for i in range(5_000)])
    drawn = known[(5_000 * random.random((10_000, words)) ** 3).astype(int)]
    frame = pd.DataFrame({"t": [" ".join(row) for row in drawn]})
    labels = random.choice(["p", "q"], 10_000)
    TextParts().fit(frame.head(100), labels[:100])
    began = time.process_time()
    TextParts().fit(frame, labels).transform(frame)
    assert time.process_time() - began < 4


# interactions and selection


def test_products_and_ratios_are_of_the_numbers_that_go_with_the_target() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(400, 30))).add_prefix("x")
    target = frame["x7"] + frame["x21"] + 0.1 * random.normal(size=400)
    crosses = Interactions(top=2).fit(frame, target.to_numpy())
    assert list(crosses.get_feature_names_out()) == ["x7 * x21", "x7 / x21"]
    made = crosses.transform(pd.DataFrame({"x7": [6.0, 1, np.nan], "x21": [2.0, 0, 1]}))
    np.testing.assert_array_equal(made, [[12, 3], [0, np.nan], [np.nan, np.nan]])
    assert Interactions().fit_transform(frame, target.to_numpy()).shape == (400, 30)


@pytest.mark.parametrize("method", ["mutual_info", "l1", "recursive"])
@pytest.mark.parametrize("regression", [False, True])
def test_selection_keeps_what_matters(method: str, regression: bool) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(600, 40))
    values[::9, 1] = np.nan
    signal = 2 * values[:, 3] - 2 * values[:, 17]
    target = signal if regression else np.where(signal > 0, "yes", "no")
    names = np.asarray([f"f{i}" for i in range(40)])
    free = Selection(method, None, regression, 0).fit(values, target)
    assert {"f3", "f17"} <= set(free.get_feature_names_out(names))
    assert len(free.kept_) < 40
    two = Selection(method, 2, regression, 0).fit(values, target)
    assert list(two.get_feature_names_out(names)) == ["f3", "f17"]
    np.testing.assert_array_equal(two.transform(values), values[:, [3, 17]])


def test_a_selection_of_nothing_keeps_one() -> None:
    noise = np.random.default_rng(0).normal(size=(100, 3))
    for method in ("mutual_info", "l1", "recursive"):
        assert len(Selection(method, None, False, 0).fit(noise, np.asarray(["p"] * 100)).kept_) == 1


def test_levels_are_told_apart_by_their_text() -> None:
    made = as_levels(pd.Series([" a", "a ", None, True, "True", [1], [1]], dtype="object"))
    assert list(made.categories) == ["a", "True", "[1]"]
    assert made.codes.tolist() == [0, 0, -1, 1, 1, 2, 2]
    assert list(as_levels(pd.Series(["a ", "a", "b"], dtype="category")).categories) == ["a", "b"]
    assert as_levels(pd.Series([], dtype="object")).codes.tolist() == []


@pytest.mark.parametrize("rows", [400, 11_000])
def test_texts_are_the_same_numbers_whether_fitted_and_transformed_at_once_or_in_turn(rows: int) -> None:
    random = np.random.default_rng(3)
    words = np.array(["good", "bad", "late", "early", "never", "always", "price", "service", "broken", "kind"])
    frame = pd.DataFrame({"remark": [" ".join(random.choice(words, 5)) for _ in range(rows)]})
    target = frame["remark"].str.contains("broken").astype(int).to_numpy()
    at_once = TextParts(8).fit_transform(frame, target)
    np.testing.assert_allclose(at_once, TextParts(8).fit(frame, target).transform(frame), atol=1e-5)


def test_words_are_counted_once_for_several_encodings_and_forgotten_afterwards() -> None:
    from agentkit_ml.features import words

    frame = pd.DataFrame({"said": [f"good {w} price" for w in ("late", "early", "kind", "slow")] * 50})
    labels = np.arange(200) % 4
    alone = [TextParts(parts).fit_transform(frame, labels) for parts in (2, 3)]
    with words.remembered_words():
        together = [TextParts(parts).fit_transform(frame, labels) for parts in (2, 3)]
        memory = words._memory.get()
        assert memory is not None
        assert len(memory.made) == 1
        others = frame.iloc[:20] + " late"
        part = TextParts(2).fit(frame, labels)
        remembered = [part.transform(others), part.transform(others)]
    assert words._memory.get() is None
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    for made in remembered:
        np.testing.assert_array_equal(made, TextParts(2).fit(frame, labels).transform(others))
