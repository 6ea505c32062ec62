"""Figures, importances and slices on their own: names that are hostile, time that is short, and false alarms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.assess.fairness import fairness
from agentkit_ml.assess.importance import permutation_importance
from agentkit_ml.assess.slices import MISSING, OTHERS, bins, measure_slices
from agentkit_ml.metrics import Outcome
from agentkit_ml.reports import figures

from tests.plugins.test_ml_metrics import binary, several

HOSTILE = ["$x_{", "\\frac{1}", "a\nb", "日本語", "x" * 500, "<b>", "%s {0}", ""]


def test_names_of_any_kind_can_be_drawn(workspace: Path) -> None:
    values = [0.1 * i for i in range(len(HOSTILE))]
    ends = [(v - 0.1, v + 0.1) for v in values]
    drawn = [
        figures.bars(HOSTILE, values, ends, title="t", axis="a", reference=("$", 0.0)),
        figures.contributions(HOSTILE, values, usual=0.0, answer=1.0, axis="$y_{"),
        figures.effects([(name, HOSTILE, values, False) for name in HOSTILE], "$y_{"),
        figures.learning_curve([(10, 0.9, 0.5), (20, 0.8, 0.6)], "f1"),
    ]
    for i, figure in enumerate(drawn):
        path = figures.save(figure, workspace / f"{i}.png")
        assert path.read_bytes().startswith(b"\x89PNG")
    assert max(len(figures.label(name)) for name in HOSTILE) <= 40


def test_figures_can_be_drawn_by_several_threads(workspace: Path) -> None:
    made = binary()

    def one(i: int) -> bytes:
        return figures.save(figures.roc_curve(made), workspace / f"{i}.png").read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(8)))) == 1


@pytest.fixture
def sums() -> tuple[Any, pd.DataFrame, Any]:
    """A fitted model of 3a + b, its rows and their true values."""
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(600, 3)), columns=["a", "b", "c"])
    truth = (3 * frame["a"] + frame["b"]).to_numpy() + random.normal(size=600)
    return LinearRegression().fit(frame, truth), frame, truth


def test_importance_is_that_of_scikit_learn(sums: tuple[Any, pd.DataFrame, Any]) -> None:
    from sklearn.inspection import permutation_importance as scikit_learns

    model, frame, truth = sums
    training: Any = SimpleNamespace(columns=dict.fromkeys(frame, "number"), classes=[], positive="", task="regression")
    ours = permutation_importance(model, frame, truth, training, "rmse", repeats=20)
    theirs = scikit_learns(model, frame, truth, scoring="neg_root_mean_squared_error", n_repeats=20, random_state=0)
    expected = dict(zip(frame.columns, theirs.importances_mean, strict=True))
    assert [i.column for i in ours.columns][:2] == ["a", "b"]
    for i in ours.columns:
        assert i.value == pytest.approx(expected[i.column], abs=0.06)
        assert i.matters == (i.column != "c")


def test_importance_ends_when_its_time_is_over(sums: tuple[Any, pd.DataFrame, Any]) -> None:
    model, frame, truth = sums
    training: Any = SimpleNamespace(columns=dict.fromkeys(frame, "number"), classes=[], positive="", task="regression")
    found = permutation_importance(model, frame, truth, training, "rmse", seconds=0)
    assert [i.column for i in found.columns] == ["a"]
    assert found.unmeasured == ["b", "c"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["x"] * 5 + ["y"] * 2 + [None], ["x", "y", MISSING]),
        ([float(i) for i in range(100)], ["0 to 24.75", "24.75 to 49.5", "49.5 to 74.25", "74.25 to 99"]),
        ([1, 2, 1, 2, 1], ["1", "2"]),
        ([None] * 4, [MISSING]),
        (
            [f"2024-01-{1 + i % 20:02d}" for i in range(60)],
            ["2024-01-01 to 2024-01-05", "2024-01-05 to 2024-01-10", "2024-01-10 to 2024-01-15",
             "2024-01-15 to 2024-01-20"],
        ),
    ],
)  # fmt: skip
def test_a_column_is_cut_into_parts_that_can_be_read(cells: list[Any], expected: list[str]) -> None:
    values, order = bins(pd.Series(cells, name="column"))
    assert order == expected
    assert set(values) == set(expected)


def test_of_many_values_the_frequent_ones_stay() -> None:
    cells = [f"v{i}" for i in range(30) for _ in range(31 - i)]
    values, order = bins(pd.Series(cells))
    assert order == [*(f"v{i}" for i in range(10)), OTHERS]
    assert (values == OTHERS).sum() == sum(31 - i for i in range(10, 30))


def test_slices_of_a_model_that_is_alike_everywhere_raise_no_alarm() -> None:
    random = np.random.default_rng(0)
    alarms = 0
    for seed in range(30):
        frame = pd.DataFrame({"a": random.choice(list("uvwxyz"), 400), "b": random.normal(size=400)})
        alarms += any(s.worse for s in measure_slices(frame, ["a", "b"], binary(400, seed), "roc_auc"))
    assert alarms <= 5


def test_a_slice_without_what_the_metric_needs_has_no_score() -> None:
    made = binary(200)
    frame = pd.DataFrame({"truth": made.truth})
    for s in measure_slices(frame, ["truth"], made, "roc_auc"):
        assert (s.score, s.p, s.worse) == (None, None, False)


def test_groups_without_positives_have_no_true_positive_rate() -> None:
    made = binary(300)
    groups = pd.Series(np.where(made.truth == "yes", "a", "b"), name="group")
    found = {g.group: g.rates for g in fairness(groups, made).groups}
    assert found["b"]["true positive rate"] is None
    assert found["a"]["false positive rate"] is None
    assert found["a"]["true positive rate"] == pytest.approx(
        float((made.predicted == "yes")[made.truth == "yes"].mean())
    )


def test_more_classes_and_one_group_have_rates_too() -> None:
    made: Outcome = several(200)
    found = fairness(pd.Series(["only"] * 200, name="group"), made)
    assert list(found.groups[0].rates) == ["accuracy", "balanced accuracy"]
    assert found.differences == found.ratios == {}
