"""Training: what comes out of it, what it says of itself, and which data it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.engine.families import FAMILIES
from agentkit_ml.registry.tracking import Tracking

from agentkit.errors import Cancelled, TrainingError

Tool = Callable[..., Any]


def _frame(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two numbers that decide about `y`, and noise."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "noise"])
    frame["y"] = np.where(frame["a"] + frame["b"] > 0, "yes", "no")
    return frame


def _save(frame: pd.DataFrame, name: str = "t.csv") -> str:
    frame.to_csv(name, index=False)
    return name


def test_a_model_of_two_classes_is_good_and_says_how_good(tool: Tool, tables: Any) -> None:
    result = tool("train", dataset=tables.tumours, target="diagnosis", trials=9)

    assert result.model.startswith("model:tumours/")
    assert (result.task, result.metric) == ("binary", "roc_auc")
    assert result.score == result.metrics["roc_auc"] > 0.97
    assert result.baseline == 0.5
    assert (result.train_rows, result.test_rows) == (320, 80)
    assert [c.algorithm for c in result.candidates][:7] == list(FAMILIES)
    assert result.trials == len(result.candidates) == 9
    assert sum(result.members.values()) == pytest.approx(1, abs=0.001)
    low, high = result.intervals["roc_auc"]
    assert low < result.score <= high <= 1
    assert result.model in result.brief()
    assert f"{result.score:.3f}" in result.brief()
    assert len(result.brief()) <= 1_200
    assert result.artifacts[0].title.startswith("Trials")
    assert "ROC" in str([f.title for f in result.figures])
    assert all(Path(f.path).read_bytes().startswith(b"\x89PNG") for f in result.figures)
    assert "<html" in Path(result.report).read_text(encoding="utf-8")


def test_a_model_of_numbers_beats_the_mean(tool: Tool, tables: Any) -> None:
    result = tool("train", dataset=tables.progress, target="progression", trials=8)
    assert (result.task, result.metric) == ("regression", "rmse")
    assert 50 < result.score < 66
    assert result.score < result.baseline
    assert {"rmse", "mae", "r2"} <= set(result.metrics)


def test_more_than_two_classes(tool: Tool) -> None:
    from sklearn.datasets import load_iris

    iris = load_iris(as_frame=True).frame
    result = tool("train", dataset=_save(iris), target="target", model="linear")
    assert (result.task, result.metric) == ("multiclass", "accuracy")
    assert result.score > 0.9
    assert {"f1_macro", "log_loss", "balanced_accuracy"} <= set(result.metrics)
    assert "task=regression" in result.notes[0]


def test_the_same_data_give_the_same_model(tool: Tool) -> None:
    name = _save(_frame(300))
    first = tool("train", dataset=name, target="y", budget_seconds=8)
    second = tool("train", dataset=name, target="y", trials=first.trials)
    assert [c.params for c in first.candidates if c.folds] == [c.params for c in second.candidates]
    assert first.members == second.members
    rows = pd.read_csv(name)
    one, other = (_tracking(tool).model(r.model).pipeline.predict_proba(rows) for r in (first, second))
    np.testing.assert_allclose(one, other, atol=1e-12)
    assert first.model != second.model


def test_a_chat_models_slip_in_a_column_is_repaired_and_told(tool: Tool) -> None:
    name = _save(_frame().rename(columns={"y": "left_us"}))
    result = tool("train", dataset=name, target="left us", model="linear", by_model=True)
    assert result.target == "left_us"
    assert "'left us' is not a column; 'left_us' was used." in result.notes
    with pytest.raises(TrainingError, match="The nearest name is 'left_us'"):
        tool("train", dataset=name, target="left us", model="linear")


def test_progress_only_goes_forward(tool: Tool) -> None:
    told: list[float] = []
    tool(
        "train", dataset=_save(_frame()), target="y", trials=8,
        on_progress=lambda ctx, message, fraction: told.append(fraction),
    )  # fmt: skip
    assert told == sorted(told)
    assert told[0] == 0.0 and 0.9 <= told[-1] < 1.0


def test_one_run_holds_everything_about_a_training(tool: Tool) -> None:
    import mlflow

    name = _save(_frame())
    result = tool("train", dataset=name, target="y", model="linear", name="my model!")
    assert result.model.startswith("model:my_model/")
    tracking = _tracking(tool)
    model = tracking.model(result.model)
    run = tracking.client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["roc_auc"] == result.score
    assert run.data.params["algorithm"] == "linear"
    assert run.inputs.dataset_inputs[0].dataset.digest == model.training.digest[:36]
    assert (model.training.digest, model.profile().rows) == (model.profile().digest, 120)
    held_back = model.held_back()
    assert len(held_back) == result.test_rows == len(set(held_back))
    assert max(held_back) < 120

    loaded = mlflow.pyfunc.load_model(f"{model.version.source}")
    assert {str(c.type) for c in loaded.metadata.signature.inputs} == {"DataType.double"}
    rows = pd.read_csv(name)[["a", "b", "noise"]].assign(noise=None)
    assert set(loaded.predict(rows.astype("float64"))) <= {"yes", "no"}


def _tracking(tool: Tool) -> Tracking:
    """The tracking that the tools use."""
    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    return Tracking(CallContext(Services(load_settings())))


def test_the_held_back_rows_were_not_learned_from(tool: Tool) -> None:
    # labels that are pure noise: a model that saw the held-back rows would be right about them
    frame = _frame(300)
    frame["y"] = np.random.default_rng(1).permutation(frame["y"])
    result = tool("train", dataset=_save(frame), target="y", model="random_forest", trials=2)
    assert result.score < 0.7
    assert ("no better than guessing" in result.brief()) == (result.score <= 0.5)


def test_useless_columns_are_left_out_and_named(tool: Tool) -> None:
    frame = _frame().assign(
        customer_id=range(120), same=1, nothing=None, words=[f"a note of many words, number {i}" for i in range(120)]
    )
    result = tool("train", dataset=_save(frame), target="y", model="linear")
    assert result.columns == {"a": "number", "b": "number", "noise": "number", "words": "text"}
    assert result.left_out.keys() == {"customer_id", "same", "nothing"}
    assert "'nothing' (no values)" in result.notes[0]


def test_categories_dates_gaps_and_flags_are_learned_from(tool: Tool, workspace: Path) -> None:
    random = np.random.default_rng(3)
    rows = 400
    frame = pd.DataFrame(
        {
            "town": random.choice([f"town {i}" for i in range(30)], rows),
            "size": random.choice(["S", "M", "L"], rows),
            "member": random.choice([True, False], rows),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 700, rows), unit="D"),
            "income": random.normal(50, 9, rows),
        }
    )
    frame["spend"] = 5 * frame["town"].str[5:].astype(int) + 40 * (frame["size"] == "L") + 30 * frame["member"]
    frame["spend"] += frame["joined"].dt.month * 3 + random.normal(size=rows)
    frame.loc[::9, "income"] = None
    frame.loc[::11, "town"] = None
    result = tool("train", dataset=_save(frame), target="spend", trials=7)
    assert result.columns == {
        "town": "category",
        "size": "category",
        "member": "category",
        "joined": "date",
        "income": "number",
    }
    assert result.metrics["r2"] > 0.7

    later = frame.drop(columns="spend").head(5)
    later["town"] = "a town that training never saw"
    later["income"] = "n/a"
    later.to_csv("later.csv", index=False)
    written = tool("predict", model=result.model, dataset="later.csv", output="p.csv")
    assert written.rows == 5
    assert pd.read_csv("p.csv")["prediction"].notna().all()


def test_rows_without_a_target_are_left_out_and_counted(tool: Tool) -> None:
    frame = _frame()
    frame.loc[:19, "y"] = None
    result = tool("train", dataset=_save(frame), target="y", model="linear")
    assert result.train_rows + result.test_rows == 100
    assert result.notes[0].startswith("20 rows without a value of 'y'")


def test_a_split_by_time_tests_on_the_newest_rows(tool: Tool) -> None:
    frame = _frame(100)
    frame["day"] = pd.date_range("2026-01-01", periods=100).strftime("%d.%m.%Y")
    shuffled = frame.sample(frac=1, random_state=0, ignore_index=True)
    result = tool("train", dataset=_save(shuffled), target="y", time_column="day", model="linear")
    held_back = _tracking(tool).model(result.model).held_back()
    assert pd.to_datetime(shuffled["day"].iloc[held_back], format="%d.%m.%Y").min() == pd.Timestamp("2026-03-22")


def test_a_split_by_group_keeps_groups_whole(tool: Tool) -> None:
    frame = _frame(200).assign(patient=np.arange(200) // 8)
    result = tool("train", dataset=_save(frame), target="y", group_column="patient", model="linear")
    held_back = _tracking(tool).model(result.model).held_back()
    inside = set(frame["patient"].iloc[held_back])
    assert not inside & set(frame["patient"].drop(index=held_back))
    assert result.left_out == {"patient": "groups rows"}


def test_the_rarer_class_or_the_one_that_says_yes_is_the_positive(tool: Tool) -> None:
    frame = _frame(200)
    frame["y"] = np.where(frame["a"] > 1, "left", "stayed")
    assert _positive(tool, frame) == "left"
    frame["y"] = (frame["a"] > -1).astype(int)
    assert _positive(tool, frame) == "1"
    frame["y"] = frame["a"] > -1
    assert _positive(tool, frame) == "True"


def _positive(tool: Tool, frame: pd.DataFrame) -> str:
    return _tracking(tool).model(tool("train", dataset=_save(frame), target="y", model="dummy").model).training.positive


def test_the_budget_is_kept_and_what_was_left_out_is_told(tool: Tool) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(30_000, 20))).add_prefix("x")
    frame["y"] = frame.sum(axis=1) + random.normal(size=30_000)
    frame.to_parquet("big.parquet")
    tool("train", dataset="big.parquet", target="y", model="dummy")
    result = tool("train", dataset="big.parquet", target="y", budget_seconds=6)
    assert result.seconds < 6 * 1.5
    assert any("give a larger budget_seconds" in note for note in result.notes)
    assert result.algorithm != "dummy"


def test_a_small_file_trains_in_seconds(tool: Tool, tables: Any) -> None:
    tool("train", dataset=tables.tumours, target="diagnosis", model="dummy")
    began = time.process_time()
    tool("train", dataset=tables.tumours, target="diagnosis", trials=7)
    assert time.process_time() - began < 20


def test_a_training_can_be_cancelled(tool: Tool) -> None:
    seen = []

    def stop(ctx: Any, message: str, fraction: float | None) -> None:
        seen.append((message, fraction))
        if "LightGBM" in message:
            ctx.cancelled.set()

    with pytest.raises(Cancelled):
        tool("train", dataset=_save(_frame(), "cancelled.csv"), target="y", by_model=True, on_progress=stop)
    assert seen[0][0] == "Reading cancelled.csv"
    assert not tool("list_models", name="cancelled").models


@pytest.mark.parametrize(
    ("change", "args", "told"),
    [
        ({}, {"target": "z"}, "target 'z' is not a column of 't.csv'"),
        ({}, {"target": "nois"}, "The nearest name is 'noise'"),
        ({}, {"time_column": "day"}, "time_column 'day' is not a column"),
        ({}, {"group_column": "y"}, "'y' is the target"),
        ({}, {"split": "time"}, "needs time_column"),
        ({}, {"split": "group"}, "needs group_column"),
        ({"noise": list("ab") * 60}, {"time_column": "noise"}, "neither dates nor numbers"),
        ({"noise": list("ab") * 60}, {"group_column": "noise"}, "fewer than 3 groups"),
        ({"y": 1}, {}, "the same value in every row"),
        ({"y": None}, {}, "has no values: every row is missing"),
        ({"y": ["yes"] * 119 + ["no"]}, {}, "fewer than 3 rows have the class 'no'"),
        ({"y": [f"name {i // 2}" for i in range(120)]}, {}, "60 different texts in 120 rows"),
        ({"y": pd.date_range("2026-01-01", periods=120)}, {}, "holds dates"),
        ({}, {"task": "regression"}, "does not hold numbers"),
        ({"y": list("abc") * 40}, {"task": "binary"}, "has 3 different values"),
        ({}, {"metric": "rmse"}, "metric 'rmse' does not fit a binary target"),
        ({"y": range(0, 240, 2)}, {"metric": "roc_auc", "target": "a"}, "does not fit a regression target"),
        ({"a": 1, "b": None, "noise": range(120)}, {}, "has nothing to learn from beside 'y'"),
    ],
)
def test_data_that_cannot_train_a_model_are_refused_with_the_remedy(
    change: dict[str, Any], args: dict[str, Any], told: str, tool: Tool
) -> None:
    name = _save(_frame().assign(**change))
    with pytest.raises(TrainingError) as raised:
        tool("train", **({"dataset": name, "target": "y"} | args))
    assert told in str(raised.value)


@pytest.mark.parametrize("rows", [1, 3, 9])
def test_too_few_rows_are_refused_with_how_many_are_needed(rows: int, tool: Tool) -> None:
    name = _save(_frame(200).groupby("y").head(5).head(rows))
    told = "one row has" if rows == 1 else f"{rows} rows have"
    with pytest.raises(TrainingError, match=f"{told} a value of 'y': at least 10 are needed"):
        tool("train", dataset=name, target="y")


def test_few_rows_are_enough_for_a_first_model(tool: Tool) -> None:
    frame = _frame(200).groupby("y").head(5)
    assert tool("train", dataset=_save(frame), target="y", trials=7).test_rows == 2
    assert tool("train", dataset=_save(frame), target="a", trials=7).task == "regression"


def test_a_budget_that_is_too_short_is_refused(tool: Tool) -> None:
    with pytest.raises(TrainingError, match=r"the budget is too short.*larger budget_seconds"):
        tool("train", dataset=_save(_frame()), target="y", budget_seconds=0.001)


def test_the_settings_give_the_budget_and_refuse_what_they_do_not_know(tool: Tool, workspace: Path) -> None:
    from agentkit_ml.settings import MLSettings

    from agentkit.errors import SettingsError
    from agentkit.settings import load_settings

    (workspace / "agentkit.toml").write_text("[ml]\nbudget_seconds = 5\n")
    assert load_settings(workspace).section("ml", MLSettings).budget_seconds == 5
    (workspace / "agentkit.toml").write_text("[ml]\nbudget = 5\n")
    with pytest.raises(SettingsError, match="budget"):
        load_settings(workspace).section("ml", MLSettings)


def test_tools_are_described_without_loading_anything_heavy() -> None:
    code = (
        "import sys, agentkit_ml\n"
        "from agentkit.specs import resolve\n"
        "for spec in agentkit_ml.register_tools(): resolve(spec.target)\n"
        "print([m for m in ('numpy', 'pandas', 'sklearn', 'mlflow', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_prints_one_json_object_and_nothing_else(cli: Any, tool: Tool) -> None:
    done = cli("tool", "train", "--dataset", _save(_frame()), "--target", "y", "--model", "linear", "--json")
    printed = json.loads(done.out)
    assert done.code == 0
    assert {"model", "task", "metric", "score", "metrics", "run_id"} <= printed.keys()
    assert all(line.startswith("  ") for line in done.err.splitlines()), done.err

    wrong = cli("tool", "train", "--dataset", "t.csv", "--target", "z", "--json")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'z' is not a column" in wrong.err
