"""The tool `evaluate`: what it measures, on which rows, and data that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agentkit.errors import DatasetError

Tool = Callable[..., Any]


def test_a_model_is_measured_on_another_file(tool: Tool, tables: Any) -> None:
    model = tool("train", dataset=tables.tumours, target="diagnosis", model="linear").model
    result = tool("evaluate", model=model, dataset=tables.tumours_new)
    assert (result.model, result.rows, result.metric) == (model, 169, "roc_auc")
    assert result.score == result.metrics["roc_auc"] > 0.97
    assert result.baseline == 0.5
    assert f"{result.score:.3f}" in result.brief()
    confusion = result.artifacts[1]
    assert confusion.columns == ["true", "benign", "malignant"]
    assert sum(sum(row[1:]) for row in confusion.rows) == 169
    right = sum(row[i + 1] for i, row in enumerate(confusion.rows))
    assert right / 169 == pytest.approx(result.metrics["accuracy"])


def test_metrics_are_those_of_scikit_learn(tool: Tool, tables: Any) -> None:
    from sklearn import metrics

    model = tool("train", dataset=tables.tumours, target="diagnosis", model="linear").model
    ours = tool("evaluate", model=model, dataset=tables.tumours_new).metrics
    tool("predict", model=model, dataset=tables.tumours_new, output="p.csv", proba=True)
    truth, said = pd.read_csv(tables.tumours_new)["diagnosis"], pd.read_csv("p.csv")
    hit, chance = truth == "malignant", said["probability_malignant"]
    theirs = {
        "roc_auc": metrics.roc_auc_score(hit, chance),
        "average_precision": metrics.average_precision_score(hit, chance),
        "log_loss": metrics.log_loss(hit, chance),
        "brier": metrics.brier_score_loss(hit, chance),
        "mcc": metrics.matthews_corrcoef(truth, said["prediction"]),
        "accuracy": metrics.accuracy_score(truth, said["prediction"]),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said["prediction"]),
        "f1": metrics.f1_score(hit, said["prediction"] == "malignant"),
        "precision": metrics.precision_score(hit, said["prediction"] == "malignant"),
        "recall": metrics.recall_score(hit, said["prediction"] == "malignant"),
        "f1_macro": metrics.f1_score(truth, said["prediction"], average="macro"),
    }
    assert ours == pytest.approx(theirs, rel=1e-6)

    model = tool("train", dataset=tables.progress, target="progression", model="linear").model
    ours = tool("evaluate", model=model, dataset=tables.progress_new).metrics
    tool("predict", model=model, dataset=tables.progress_new, output="p.csv")
    truth, guess = pd.read_csv(tables.progress_new)["progression"], pd.read_csv("p.csv")["prediction"]
    theirs = {
        "rmse": metrics.root_mean_squared_error(truth, guess),
        "mae": metrics.mean_absolute_error(truth, guess),
        "median_ae": metrics.median_absolute_error(truth, guess),
        "mape": metrics.mean_absolute_percentage_error(truth, guess),
        "r2": metrics.r2_score(truth, guess),
    }
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_on_its_own_training_file_only_held_back_rows_count(tool: Tool, flowers: str) -> None:
    result = tool("evaluate", model=flowers, dataset="flowers.csv")
    assert result.rows == 30
    assert result.score == result.at_training
    assert "only its 30 held-back rows" in result.notes[0]


def test_a_class_that_training_never_saw_counts_as_wrong(tool: Tool, flowers: str) -> None:
    frame = pd.read_csv("flowers.csv").head(20)
    frame.loc[:4, "species"] = "tulip"
    frame.to_csv("odd.csv", index=False)
    result = tool("evaluate", model=flowers, dataset="odd.csv")
    assert result.metrics["accuracy"] <= 0.75
    assert "log_loss" not in result.metrics
    assert "5 rows have a class" in result.notes[0]
    frame.assign(species="tulip").to_csv("odd.csv", index=False)
    with pytest.raises(DatasetError, match="no row has a value of 'species' that"):
        tool("evaluate", model=flowers, dataset="odd.csv")


def test_rows_of_one_class_are_measured_with_what_they_allow(tool: Tool, tables: Any) -> None:
    model = tool("train", dataset=tables.tumours, target="diagnosis", model="linear").model
    frame = pd.read_csv(tables.tumours_new)
    frame[frame["diagnosis"] == "benign"].to_csv("benign.csv", index=False)
    result = tool("evaluate", model=model, dataset="benign.csv")
    assert "roc_auc" not in result.metrics
    assert result.metric == "accuracy"


def test_labels_that_are_numbers_are_the_same_however_they_are_written(tool: Tool) -> None:
    frame = pd.DataFrame({"a": np.arange(100.0) % 17, "y": (np.arange(100) % 17 > 8).astype(int)})
    frame.to_csv("whole.csv", index=False)
    model = tool("train", dataset="whole.csv", target="y", model="linear").model
    frame.assign(y=frame["y"].astype(float)).head(50).to_csv("float.csv", index=False)
    assert tool("evaluate", model=model, dataset="float.csv").metrics["accuracy"] > 0.9
    frame.assign(y=frame["y"].astype(str)).head(50).to_json("text.json", orient="records")
    assert tool("evaluate", model=model, dataset="text.json").metrics["accuracy"] > 0.9


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_a_missing_column_is_named_with_the_nearest(call: str, tool: Tool, flowers: str) -> None:
    frame = pd.read_csv("flowers.csv")
    frame.rename(columns={"petal width (cm)": "petal_width (cm)"}).to_csv("renamed.csv", index=False)
    more = {"output": "p.csv"} if call == "predict" else {}
    with pytest.raises(DatasetError, match=r"no column 'petal width \(cm\)'.*nearest name is 'petal_width \(cm\)'"):
        tool(call, model=flowers, dataset="renamed.csv", **more)
    assert not Path("p.csv").exists()


def test_a_file_without_the_true_values_cannot_be_evaluated(tool: Tool, flowers: str) -> None:
    frame = pd.read_csv("flowers.csv")
    frame.drop(columns="species").to_csv("new.csv", index=False)
    with pytest.raises(DatasetError, match="no column 'species', the target of"):
        tool("evaluate", model=flowers, dataset="new.csv")
    frame.assign(species=None).to_csv("new.csv", index=False)
    with pytest.raises(DatasetError, match=r"no true values in 'species'.*Use predict"):
        tool("evaluate", model=flowers, dataset="new.csv")
