"""Trained models in use: evaluate, predict, list; and handles that name none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
import pytest

from agentkit.errors import BadInput, Cancelled, DatasetError, HandleError, StorageError, WorkspaceError
from agentkit.results import File

Tool = Callable[..., Any]


@pytest.fixture
def flowers(tool: Tool, workspace: Path) -> str:
    """`flowers.csv` (three classes, an id), and the handle of a model for it."""
    from sklearn.datasets import load_iris

    iris = load_iris(as_frame=True)
    frame = iris.frame.assign(species=iris.target_names[iris.target], flower_id=[f"f{i}" for i in range(150)])
    frame.drop(columns="target").to_csv(workspace / "flowers.csv", index=False)
    model: str = tool("train", dataset="flowers.csv", target="species", model="linear").model
    return model


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


@pytest.mark.parametrize("output", ["out/p.csv", "p.tsv", "p.jsonl", "p.parquet"])
def test_predictions_are_one_row_for_each_row_in_order(output: str, tool: Tool, flowers: str) -> None:
    frame = pd.read_csv("flowers.csv").drop(columns="species").sample(frac=1, random_state=0)
    frame.to_csv("new.csv", index=False)
    result = tool("predict", model=flowers, dataset="new.csv", output=output, proba=True)
    read = {"csv": pd.read_csv, "tsv": lambda p: pd.read_csv(p, sep="\t"), "parquet": pd.read_parquet}
    ending = output.rpartition(".")[2]
    written = pd.read_json(output, lines=True) if ending == "jsonl" else read[ending](output)
    assert list(written.columns) == result.columns
    assert written["row"].tolist() == list(range(150))
    assert written["flower_id"].tolist() == frame["flower_id"].tolist()
    chances = written[[f"probability_{c}" for c in ("setosa", "versicolor", "virginica")]]
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1)
    assert written["prediction"].tolist() == [c.removeprefix("probability_") for c in chances.idxmax(axis=1)]
    assert set(written["model"]) == {flowers}
    assert result.artifacts == [File(path=output, rows=150)]
    assert [p.name for p in Path(output).parent.iterdir() if p.name.startswith(f".{Path(output).name}")] == []


def test_a_file_of_several_batches_is_predicted_whole(
    tool: Tool, flowers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = pd.concat([pd.read_csv("flowers.csv")] * 700, ignore_index=True)
    big.to_parquet("big.parquet")
    messages = []
    result = tool(
        "predict",
        model=flowers,
        dataset="big.parquet",
        output="p.parquet",
        on_progress=lambda c, m, f: messages.append(m),
    )
    assert result.rows == len(big) == sum(result.summary.values())
    assert pd.read_parquet("p.parquet")["row"].tolist() == list(range(len(big)))
    assert len(messages) >= 3


def test_a_stopped_prediction_leaves_the_old_file(tool: Tool, flowers: str) -> None:
    Path("p.csv").write_text("precious\n")
    pd.concat([pd.read_csv("flowers.csv")] * 700).to_csv("big.csv", index=False)

    def stop(ctx: Any, message: str, fraction: float | None) -> None:
        if "50000 rows" in message:
            ctx.cancelled.set()
            ctx.progress(message, fraction)

    with pytest.raises(Cancelled):
        tool("predict", model=flowers, dataset="big.csv", output="p.csv", on_progress=stop)
    assert Path("p.csv").read_text() == "precious\n"
    assert sorted(p.name for p in Path().iterdir() if "p.csv" in p.name) == ["p.csv"]


def test_an_existing_output_is_replaced_and_told(tool: Tool, flowers: str) -> None:
    Path("p.csv").write_text("old\n")
    result = tool("predict", model=flowers, dataset="flowers.csv", output="p.csv")
    assert result.notes == ["'p.csv' existed and was replaced."]
    assert len(pd.read_csv("p.csv")) == 150
    assert Path("p.csv").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("output", "told"),
    [("../p.csv", "outside the workspace"), ("p.txt", "must end in one of"), ("flowers.csv", "is the data set itself"),
     ("folder.csv", "is a folder"), ("flowers.csv/p.csv", "cannot be written")],
)  # fmt: skip
def test_an_output_that_cannot_be_is_refused(output: str, told: str, tool: Tool, flowers: str) -> None:
    Path("folder.csv").mkdir()
    with pytest.raises(WorkspaceError, match=told):
        tool("predict", model=flowers, dataset="flowers.csv", output=output)
    assert len(pd.read_csv("flowers.csv")) == 150


def test_numbers_have_no_probabilities(tool: Tool, tables: Any) -> None:
    model = tool("train", dataset=tables.progress, target="progression", model="dummy").model
    with pytest.raises(BadInput, match="Leave proba out"):
        tool("predict", model=model, dataset=tables.progress, output="p.csv", proba=True)


def test_the_latest_version_an_alias_and_mlflow_addresses_name_models(tool: Tool, flowers: str) -> None:
    from agentkit_ml.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    newer = tool("train", dataset="flowers.csv", target="species", model="dummy")
    tracking = Tracking(CallContext(Services(load_settings())))
    version = flowers.partition("/")[2]
    tracking.client.set_registered_model_alias("flowers", "best", version)
    run = tracking.model(flowers).run_id
    for name, found in {
        "model:flowers": newer.model,
        "flowers": newer.model,
        "models:/flowers/latest": newer.model,
        f"runs:/{newer.run_id}/model": newer.model,
        "model:flowers@best": flowers,
        f"models:/flowers/{version}": flowers,
        f"runs:/{run}": flowers,
    }.items():
        assert tool("evaluate", model=name, dataset="flowers.csv").model == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model:flower", "The nearest name is 'model:flowers/"),
        ("model:flowers/9999", "there is no model 'model:flowers/9999'"),
        ("model:flowers@best-of-all", "there is no model"),
        ("flowers.csv", "The nearest name is 'model:flowers/"),
        ("a model", "is not a handle"),
        ("table:ab12", "does not name a model"),
        ("https://host/model", "is not a handle"),
        ("", "is not a handle"),
    ],
)
def test_a_model_that_does_not_exist_leads_to_those_that_do(name: str, told: str, tool: Tool, flowers: str) -> None:
    with pytest.raises(HandleError) as raised:
        tool("evaluate", model=name, dataset="flowers.csv")
    assert told in str(raised.value)


def test_a_model_file_that_was_tampered_with_is_never_loaded(tool: Tool, flowers: str, workspace: Path) -> None:
    from agentkit_ml.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    source = Tracking(CallContext(Services(load_settings()))).model(flowers).version.source
    file = Path(unquote(urlparse(source).path)) / "model.pkl"
    whole = file.read_bytes()
    # a pickle that would make a file
    file.write_bytes(f"cos\nsystem\n(S'touch {workspace}/owned'\ntR.".encode())
    try:
        with pytest.raises(HandleError, match="has changed since it was trained"):
            tool("evaluate", model=flowers, dataset="flowers.csv")
    finally:
        file.write_bytes(whole)
    assert not (workspace / "owned").exists()


def test_models_are_listed_newest_first(tool: Tool, flowers: str) -> None:
    newer = tool("train", dataset="flowers.csv", target="species", model="dummy")
    listed = tool("list_models", name="flowers")
    assert [m.model for m in listed.models[:2]] == [newer.model, flowers]
    entry = listed.models[1]
    assert (entry.task, entry.target, entry.metric, entry.dataset) == (
        "multiclass",
        "species",
        "accuracy",
        "flowers.csv",
    )
    assert flowers in listed.brief()
    assert len(listed.message()) <= 1_200
    assert newer.model in [m.model for m in tool("list_models").models]
    assert tool("list_models", name="nobody").brief().startswith("No models")


def test_the_mlflow_of_the_environment_is_used(
    tool: Tool, workspace: Path, monkeypatch: pytest.MonkeyPatch, flowers: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/mine.db")
    result = tool("train", dataset="flowers.csv", target="species", model="dummy", name="elsewhere")
    assert [m.model for m in tool("list_models").models] == [result.model] == ["model:elsewhere/1"]
    assert tool("evaluate", model=result.model, dataset="flowers.csv").rows == 30
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tool("list_models", name="elsewhere").models == []


def test_an_mlflow_that_cannot_be_used_is_told(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://host")
    with pytest.raises(StorageError, match="MLflow cannot be used"):
        tool("list_models")
