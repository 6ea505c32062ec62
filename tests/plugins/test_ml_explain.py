"""`explain`: importances, directions and contributions where the truth is known, and rows that are hard to explain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.reasons.background import choices, rank, usual_rows
from agentkit_ml.reasons.contributions import OTHERS, contributions
from agentkit_ml.reasons.effects import effect
from agentkit_ml.reasons.response import Response
from agentkit_ml.reasons.what_if import other_answers

from agentkit.errors import BadInput, DatasetError
from agentkit.profiles import profile_frame
from tests.plugins.ml_models import customers, houses, price_model, stay_model, trained

Tool = Callable[..., Any]


def _numbers(rows: int = 500, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"a": random.normal(size=rows), "b": random.normal(size=rows), "c": random.normal(size=rows)})


def _response(predict: Callable[[pd.DataFrame], Any], columns: list[str], classes: tuple[str, ...] = ()) -> Any:
    """A model that is known: `predict` gives numbers, or the probability of the second class."""

    def chances(frame: pd.DataFrame) -> Any:
        return np.c_[1 - predict(frame), predict(frame)]

    pipeline = SimpleNamespace(predict=predict, predict_proba=chances, classes_=list(classes))
    training = SimpleNamespace(columns=dict.fromkeys(columns, "number"), classes=list(classes), target="y")
    return Response(pipeline, training, classes[-1] if classes else "")  # type: ignore[arg-type]


class TestContributions:
    def test_those_of_a_sum_are_its_parts(self) -> None:
        frame = _numbers()
        response = _response(lambda f: (3 * f["a"] - 2 * f["b"]).to_numpy(dtype=float), ["a", "b", "c"])
        row = pd.DataFrame({"a": [1.0], "b": [1.5], "c": [9.0]})
        found = contributions(response, row, profile_frame(frame))
        by_column = {c.column: c for c in found.columns}
        assert by_column["a"].contribution == pytest.approx(3 * (1 - frame["a"].mean()), abs=0.05)
        assert by_column["b"].contribution == pytest.approx(-2 * (1.5 - frame["b"].mean()), abs=0.05)
        assert by_column["c"].contribution == 0
        assert found.answer == 0

    def test_they_are_the_exact_shapley_values_where_columns_work_together(self) -> None:
        """For a product of independent columns: half of the joint gain each, worked out by hand."""
        frame = _numbers(2_000)
        response = _response(lambda f: (f["a"] * f["b"]).to_numpy(dtype=float), ["a", "b", "c"])
        row = pd.DataFrame({"a": [2.0], "b": [1.0], "c": [0.0]})
        found = contributions(response, row, profile_frame(frame))
        mean_a, mean_b = frame["a"].mean(), frame["b"].mean()
        by_hand = {
            "a": ((2 - mean_a) * mean_b + (2 - mean_a) * 1) / 2,
            "b": ((1 - mean_b) * mean_a + (1 - mean_b) * 2) / 2,
            "c": 0.0,
        }
        for c in found.columns:
            assert c.contribution == pytest.approx(by_hand[c.column], abs=max(0.06, 4 * c.error))

    def test_they_add_up_to_the_difference_from_the_usual_answer(self) -> None:
        response = _response(lambda f: np.tanh((f["a"] * f["b"] + f["c"]).to_numpy(dtype=float)), ["a", "b", "c"])
        found = contributions(response, _numbers(1, seed=3), profile_frame(_numbers()))
        assert sum(c.contribution for c in found.columns) == pytest.approx(found.answer - found.usual)

    def test_usual_rows_are_real_ones_where_there_are_enough(self) -> None:
        """Columns that go together: against real rows, the mean answer of a product is their covariance."""
        frame = _numbers(2_000)
        frame["b"] = frame["a"]
        response = _response(lambda f: (f["a"] * f["b"]).to_numpy(dtype=float), ["a", "b", "c"])
        row, profile = frame.head(1), profile_frame(frame)
        assert contributions(response, row, profile, frame).usual == pytest.approx(1, abs=0.25)
        assert contributions(response, row, profile).usual == pytest.approx(0, abs=0.25)

    def test_of_many_columns_those_that_do_not_matter_are_taken_together(self) -> None:
        names = [f"x{i}" for i in range(200)]
        frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 200)), columns=names)
        response = _response(lambda f: (5 * f["x7"] + 4 * f["x150"]).to_numpy(dtype=float), names)
        row = frame.head(1).assign(x7=2.0, x150=-2.0)
        found = contributions(response, row, profile_frame(frame))
        assert {c.column for c in found.columns[:2]} == {"x7", "x150"}
        assert len(found.columns) == 25
        assert [c.contribution for c in found.columns if c.column == OTHERS] == [0]
        assert sum(c.contribution for c in found.columns) == pytest.approx(found.answer - found.usual)


class TestEffects:
    @pytest.mark.parametrize(
        ("formula", "direction"),
        [
            (lambda f: f["a"] * 3 + f["b"], "rises"),
            (lambda f: -np.exp(f["a"].astype(float)) + f["b"], "falls"),
            (lambda f: f["a"] ** 2 + f["b"], "rises and falls"),
            (lambda f: f["b"] + 0 * f["a"], "hardly changes"),
        ],
    )
    def test_the_direction_is_told(self, formula: Any, direction: str) -> None:
        frame = _numbers()
        response = _response(lambda f: formula(f).to_numpy(dtype=float), ["a", "b", "c"])
        found = effect(response, frame, profile_frame(frame), "a")
        assert found is not None
        assert found.direction == direction

    def test_the_answers_are_those_of_scikit_learns_partial_dependence(self) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.inspection import partial_dependence

        frame = _numbers(300)
        model = HistGradientBoostingRegressor(random_state=0, max_iter=30)
        model.fit(frame, frame["a"] * frame["b"] + frame["a"])
        found = effect(_response(model.predict, ["a", "b", "c"]), frame, profile_frame(frame), "a")
        assert found is not None
        tried = choices(profile_frame(frame)["a"], "number")
        theirs = partial_dependence(model, frame, ["a"], custom_values={"a": np.array(tried)}, method="brute")
        assert found.answers == pytest.approx(list(theirs["average"][0]))


class TestUsualRows:
    def test_they_are_spread_like_the_training_data(self) -> None:
        random = np.random.default_rng(0)
        frame = pd.DataFrame(
            {
                "number": random.exponential(size=2_000),
                "whole": random.integers(0, 9, 2_000),
                "plan": random.choice(["a", "b"], 2_000, p=[0.8, 0.2]),
                "gap": np.where(random.random(2_000) < 0.3, np.nan, 1.0 + random.random(2_000)),
                "day": pd.date_range("2024-01-01", periods=2_000, freq="h").strftime("%d.%m.%Y"),
            }
        )
        profile = profile_frame(frame)
        kinds = {c.name: c.kind for c in profile.columns}
        made = usual_rows(profile, kinds, 400, random)  # type: ignore[arg-type]
        assert made["number"].astype(float).mean() == pytest.approx(frame["number"].mean(), rel=0.1)
        assert set(made["whole"].dropna()) <= set(map(float, range(10)))
        assert (made["plan"] == "a").mean() == pytest.approx(0.8, abs=0.05)
        assert made["gap"].isna().mean() == pytest.approx(0.3, abs=0.08)
        days = pd.to_datetime(made["day"], format="%d.%m.%Y")
        assert days.between("2024-01-01", "2024-03-25").all()
        assert rank(profile["number"], float(frame["number"].median())) == pytest.approx(0.5, abs=0.02)


class TestOtherAnswers:
    def test_the_nearest_change_is_found(self) -> None:
        frame = _numbers()
        response = _response(
            lambda f: (f["a"].astype(float) > 0.5).to_numpy(dtype=float), ["a", "b", "c"], ("no", "yes")
        )
        row = pd.DataFrame({"a": [0.2], "b": [0.0], "c": [0.0]})
        found = other_answers(response, row, profile_frame(frame), ["a", "b", "c"])
        assert [list(w.changes) for w in found] == [["a"]]
        assert 0.5 < float(found[0].changes["a"]) < 0.75
        assert (found[0].answer, found[0].chance) == ("yes", 1)

    def test_two_columns_are_changed_where_one_is_not_enough(self) -> None:
        frame = _numbers()

        def both(f: pd.DataFrame) -> Any:
            return ((f["a"].astype(float) > 0.5) & (f["b"].astype(float) > 0.5)).to_numpy(dtype=float)

        response = _response(both, ["a", "b", "c"], ("no", "yes"))
        row = pd.DataFrame({"a": [0.0], "b": [0.0], "c": [0.0]})
        found = other_answers(response, row, profile_frame(frame), ["a", "b", "c"])
        assert [sorted(w.changes) for w in found] == [["a", "b"]]
        never = _response(lambda f: np.zeros(len(f)), ["a", "b", "c"], ("no", "yes"))
        assert other_answers(never, row, profile_frame(frame), ["a", "b", "c"]) == []


def test_a_model_is_explained_by_what_it_was_made_of(tool: Tool) -> None:
    model = price_model(tool)
    houses(300, seed=5).to_csv("may.csv", index=False)
    result = tool("explain", model=model, dataset="may.csv")
    assert [i.column for i in result.importances.columns if i.matters] == ["size", "age"]
    assert [(e.column, e.direction) for e in result.effects] == [("size", "rises"), ("age", "falls")]
    assert "rises from" in result.brief()
    assert len(result.brief()) <= 1_200
    assert [Path(f.path).read_bytes()[:4] for f in result.figures] == [b"\x89PNG"] * 2
    assert "Friedman 2001" in result.method


def test_without_true_values_importance_is_how_much_answers_change(tool: Tool) -> None:
    model = stay_model(tool)
    customers(300, seed=5).drop(columns="stays").to_csv("june.csv", index=False)
    result = tool("explain", model=model, dataset="june.csv")
    assert result.importances.columns[0].column == "visits"
    assert result.importances.metric == "accuracy"
    assert "has no true values" in " ".join(result.notes)


def test_the_answer_for_a_row_is_taken_apart(tool: Tool) -> None:
    model = price_model(tool)
    frame = houses(300, seed=5)
    frame.loc[42, ["size", "age"]] = [190.0, 5.0]
    frame.to_csv("may.csv", index=False)
    result = tool("explain", model=model, dataset="may.csv", row=42)
    size = result.contributions.columns[0]
    assert size.column == "size"
    # each unit is worth 2
    assert size.contribution == pytest.approx(2 * (190 - frame["size"].mean()), abs=15)
    assert result.contributions.usual == pytest.approx(frame["price"].mean(), abs=15)
    assert {c.column for c in result.contributions.columns} == {"size", "age", "noise"}
    assert float(result.truth) == pytest.approx(frame.loc[42, "price"], rel=1e-4)
    assert "size = 190" in result.brief()
    assert len(result.what_if) == 2
    assert result.figures[0].title == "Contributions"
    assert tool("explain", model=model, dataset="may.csv", row=42) == result


def test_another_answer_is_one_that_the_model_really_gives(tool: Tool) -> None:
    model = stay_model(tool)
    frame = customers(100, seed=5)
    frame.to_csv("may.csv", index=False)
    result = tool("explain", model=model, dataset="may.csv", row=3)
    assert result.explains == "probability of yes"
    nearest = result.what_if[0]
    assert nearest.answer != result.predicted
    changed = frame.iloc[[3]].astype(object).assign(**nearest.changes)
    changed.to_csv("changed.csv", index=False)
    tool("predict", model=model, dataset="changed.csv", output="p.csv", proba=True)
    said = pd.read_csv("p.csv")
    assert said["prediction"][0] == nearest.answer
    assert said[f"probability_{nearest.answer}"][0] == pytest.approx(nearest.chance)


def test_rows_with_gaps_dates_and_many_classes_can_be_explained(tool: Tool) -> None:
    random = np.random.default_rng(0)
    frame = customers(300, seed=1).drop(columns="stays")
    frame["since"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 400, 300), unit="D")
    frame["kind"] = np.where(frame["visits"] > 20, "much", np.where(frame["visits"] > 8, "some", "little"))
    model = trained(tool, frame, "three_kinds", "kind", "linear")
    frame.loc[0, ["visits", "region", "since"]] = None
    frame.head(5).to_csv("gaps.csv", index=False)
    result = tool("explain", model=model, dataset="gaps.csv", row=0)
    assert result.predicted in ("much", "some", "little")
    assert result.explains == f"probability of {result.predicted}"
    values = {c.column: c.value for c in result.contributions.columns}
    assert "few other rows" in " ".join(result.notes)
    assert values["visits"] == values["region"] == values["since"] == "missing"
    assert tool("explain", model=model, dataset="three_kinds.csv").effects[0].column == "visits"


def test_a_row_or_a_column_that_is_not_there_is_an_error(tool: Tool) -> None:
    model = stay_model(tool)
    customers(100, seed=5).to_csv("may.csv", index=False)
    with pytest.raises(BadInput, match=r"has no row 100: its rows are 0 to 99\."):
        tool("explain", model=model, dataset="may.csv", row=100)
    customers(100).drop(columns="visits").to_csv("june.csv", index=False)
    with pytest.raises(DatasetError, match="no column 'visits'"):
        tool("explain", model=model, dataset="june.csv")
