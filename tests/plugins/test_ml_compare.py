"""`compare_models`: the same rows for all, tests that are scipy's, and which models can be compared at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.assess.significance import holm

from agentkit.errors import BadInput, DatasetError, HandleError
from tests.plugins.ml_models import customers, houses, price_model, stay_model, trained

Tool = Callable[..., Any]


@pytest.fixture
def three(tool: Tool) -> list[str]:
    """A dummy, a linear model and one of another file, all of `stays`; and `may.csv`."""
    customers(600, seed=11).to_csv("may.csv", index=False)
    dummy = trained(tool, customers(300, seed=8), "looked_at", "stays", "dummy")
    other = trained(tool, customers(400, seed=12), "stays_other", "stays", "linear")
    return [dummy, stay_model(tool), other]


def test_the_best_is_told_and_whether_it_can_be_told_from_the_others(tool: Tool, three: list[str]) -> None:
    result = tool("compare_models", models=three, dataset="may.csv")
    dummy, *linear = three
    assert (result.rows, result.metric, result.test) == (600, "roc_auc", "paired bootstrap")
    assert {m.model for m in result.models[:2]} == set(linear)
    last = result.models[-1]
    assert (last.model, last.score, last.as_good) == (dummy, 0.5, False)
    assert last.p < 0.001
    assert result.models[1].as_good
    assert result.best.behind == 0
    assert result.best.p is None
    for m in result.models:
        assert m.low <= m.score <= m.high
        assert m.behind_low <= m.behind <= m.behind_high
        assert m.score == pytest.approx(tool("evaluate", model=m.model, dataset="may.csv").score)
    assert "The best can NOT be told from 1 of the others" in result.brief()
    assert len(result.brief()) <= 1_200
    table, figure = result.artifacts
    assert len(table.rows) == 3
    assert Path(figure.path).read_bytes().startswith(b"\x89PNG")


def test_accuracy_is_compared_by_mcnemars_test_with_holms_correction(tool: Tool, three: list[str]) -> None:
    from scipy.stats import binomtest, chi2

    result = tool("compare_models", models=three, dataset="may.csv", metric="accuracy")
    truth = pd.read_csv("may.csv")["stays"].to_numpy()
    right = {}
    for m in result.models:
        tool("predict", model=m.model, dataset="may.csv", output="p.csv")
        right[m.model] = pd.read_csv("p.csv")["prediction"].to_numpy() == truth
        assert m.score == pytest.approx(right[m.model].mean())

    def p(other: str) -> float:
        only = int((right[result.best.model] & ~right[other]).sum())
        wrong = int((~right[result.best.model] & right[other]).sum())
        if only + wrong < 25:
            return float(binomtest(only, only + wrong).pvalue)
        return float(chi2.sf((abs(only - wrong) - 1) ** 2 / (only + wrong), 1))

    others = [m.model for m in result.models[1:]]
    assert [m.p for m in result.models[1:]] == pytest.approx(holm([p(o) for o in others]))


def test_only_rows_that_none_of_them_has_learned_from_count(tool: Tool) -> None:
    linear = stay_model(tool)
    frame = pd.read_csv("stays_linear.csv")
    half = trained(tool, frame.iloc[:250], "stays_half", "stays", "dummy")
    frame.to_csv("stays_linear.csv", index=False)
    result = tool("compare_models", models=[linear, half], dataset="stays_linear.csv")
    alone = tool("evaluate", model=linear, dataset="stays_linear.csv")
    assert 0 < result.rows < alone.rows
    notes = " ".join(result.notes)
    assert f"is what {linear} was trained on" in notes
    assert f"the same as rows that {half} learned from" in notes


def test_numbers_are_compared_too(tool: Tool) -> None:
    linear = price_model(tool)
    dummy = trained(tool, houses(200, seed=4), "prices_dummy", "price", "dummy")
    houses(300, seed=5).to_csv("may.csv", index=False)
    result = tool("compare_models", models=[dummy, linear, linear], dataset="may.csv")
    assert [m.model for m in result.models] == [linear, dummy]
    assert result.metric == "rmse"
    assert result.models[1].behind > 30
    assert "is better than all others" in result.brief()
    assert any("named twice" in n for n in result.notes)
    truth, said = pd.read_csv("may.csv")["price"], tool("predict", model=linear, dataset="may.csv", output="p.csv")
    errors = truth - pd.read_csv("p.csv")["prediction"]
    assert result.best.score == pytest.approx(float(np.sqrt((errors**2).mean())))
    assert said.rows == 300


def test_what_cannot_be_compared_is_refused(tool: Tool, three: list[str]) -> None:
    price = price_model(tool)
    with pytest.raises(BadInput, match="only models of the same target"):
        tool("compare_models", models=[three[0], price], dataset="may.csv")
    with pytest.raises(BadInput, match="2 to 20 different models, not 1"):
        tool("compare_models", models=[three[0], three[0]], dataset="may.csv")
    with pytest.raises(HandleError, match="there is no model"):
        tool("compare_models", models=[three[0], "model:nobody"], dataset="may.csv")
    with pytest.raises(BadInput, match="does not fit a binary target"):
        tool("compare_models", models=three, dataset="may.csv", metric="rmse")
    houses(20).to_csv("houses.csv", index=False)
    with pytest.raises(DatasetError, match="no column 'stays'"):
        tool("compare_models", models=three, dataset="houses.csv")


def test_rows_of_one_class_are_compared_by_accuracy(tool: Tool, three: list[str]) -> None:
    frame = pd.read_csv("may.csv")
    frame[frame["stays"] == "yes"].to_csv("yes.csv", index=False)
    result = tool("compare_models", models=three, dataset="yes.csv")
    assert result.metric == "accuracy"
    assert "do not allow ROC-AUC" in " ".join(result.notes)
