"""The tool `evaluate`: what it measures, on which rows, and data that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agentkit.errors import BadInput, DatasetError, WorkspaceError
from agentkit.results import File
from tests.plugins.ml_models import customers, houses, price_model, stay_model, trained

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
    frame["sepal length (cm)"] += 0.013
    frame.loc[:4, "species"] = "tulip"
    frame.to_csv("odd.csv", index=False)
    result = tool("evaluate", model=flowers, dataset="odd.csv")
    assert result.metrics["accuracy"] <= 0.75
    assert "log_loss" not in result.metrics
    assert any("5 rows have a class" in n for n in result.notes)
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


def test_every_metric_has_an_interval_and_the_brief_says_how_sure_it_is(tool: Tool) -> None:
    model = stay_model(tool)
    customers(400, seed=1).to_csv("may.csv", index=False)
    result = tool("evaluate", model=model, dataset="may.csv")
    main = result.assessment.main
    assert main.low < result.score < main.high
    assert f"95% interval {main.low:.3f} to {main.high:.3f}" in result.brief()
    assert "p < 0.001" in result.brief()
    assert result.change == "none"
    assert "no clear change" in result.brief()
    assert len(result.brief()) <= 1_200
    for figure in result.figures:
        assert Path(figure.path).read_bytes().startswith(b"\x89PNG")
    assert [f.title for f in result.figures] == [
        "Confusion matrix", "ROC curve", "Precision and recall", "Calibration", "Threshold", "Importance",
    ]  # fmt: skip
    again = tool("evaluate", model=model, dataset="may.csv")
    assert again == result


def test_what_got_worse_since_training_is_told(tool: Tool) -> None:
    model = stay_model(tool)
    customers(400, seed=1, shift=0.3).to_csv("june.csv", index=False)
    result = tool("evaluate", model=model, dataset="june.csv")
    assert result.change == "worse"
    assert "now it is clearly worse" in result.brief()


def test_the_parts_where_a_model_is_worse_are_found(tool: Tool) -> None:
    model = stay_model(tool)
    frame = customers(900, seed=2)
    frame.loc[:9, "region"] = "moon"
    frame.to_csv("may.csv", index=False)
    result = tool("evaluate", model=model, dataset="may.csv", slices=["region", "noise"])
    by_value = {s.value: s for s in result.slices if s.column == "region"}
    assert [v for v, s in by_value.items() if s.worse] == ["west"]
    assert by_value["moon"].small
    assert (by_value["moon"].rows, by_value["west"].rows) == (10, int((frame["region"] == "west").sum()))
    west = by_value["west"]
    assert west.low < west.score < west.high < west.rest
    quarters = [s for s in result.slices if s.column == "noise"]
    assert len(quarters) == 4
    assert sum(s.rows for s in quarters) == 900
    assert not any(s.worse for s in quarters)
    assert "region = west" in result.brief()
    alone = frame[frame["region"] == "west"]
    alone.to_csv("west.csv", index=False)
    assert tool("evaluate", model=model, dataset="west.csv").score == pytest.approx(west.score)


def test_groups_get_the_rates_that_are_counted_by_hand(tool: Tool) -> None:
    model = stay_model(tool)
    frame = customers(600, seed=3)
    frame.to_csv("may.csv", index=False)
    found = tool("evaluate", model=model, dataset="may.csv", sensitive=["region"]).fairness[0]
    tool("predict", model=model, dataset="may.csv", output="p.csv")
    said = pd.read_csv("p.csv")["prediction"] == "yes"
    truth = frame["stays"] == "yes"
    for group in found.groups:
        rows = frame["region"] == group.group
        assert group.rates == pytest.approx(
            {
                "selection rate": said[rows].mean(),
                "true positive rate": said[rows & truth].mean(),
                "false positive rate": said[rows & ~truth].mean(),
                "accuracy": (said == truth)[rows].mean(),
            }
        )
    rates = [g.rates["selection rate"] for g in found.groups]
    assert found.differences["selection rate"] == pytest.approx(max(rates) - min(rates))
    assert found.ratios["selection rate"] == pytest.approx(min(rates) / max(rates))


def test_costs_change_the_threshold(tool: Tool) -> None:
    model = stay_model(tool)
    customers(500, seed=4).to_csv("may.csv", index=False)
    result = tool("evaluate", model=model, dataset="may.csv", costs={"yes>no": 1, "no>yes": 20})
    assert result.assessment.threshold.metric == "cost"
    assert result.assessment.threshold.threshold > 0.7
    assert result.assessment.costs.best < result.assessment.costs.now
    assert "Mean cost a row" in result.brief()
    with pytest.raises(BadInput, match="no cost is given for 'no>yes'"):
        tool("evaluate", model=model, dataset="may.csv", costs={"yes>no": 1})


def test_the_worst_rows_are_those_of_the_file(tool: Tool) -> None:
    model = price_model(tool)
    frame = houses(300, seed=5)
    frame.loc[[17, 200], "price"] = [5_000.0, -3_000.0]
    frame.loc[100:120, "price"] = np.nan
    frame.to_csv("may.csv", index=False)
    result = tool("evaluate", model=model, dataset="may.csv")
    assert result.worst.columns[:4] == ["row", "true", "predicted", "error"]
    assert [row[0] for row in result.worst.rows[:2]] == [17, 200]
    assert result.worst.rows[0][1] == 5_000
    assert result.rows == 279
    assert [f.title for f in result.figures] == ["Predicted and true", "Errors", "Importance"]
    assert "21 rows without a value of 'price'" in " ".join(result.notes)


def test_importance_finds_what_the_target_is_made_of(tool: Tool) -> None:
    result = tool("evaluate", model=price_model(tool), dataset="prices.csv")
    found = {i.column: i for i in result.importances.columns}
    assert [i.column for i in result.importances.columns][0] == "size"
    assert (found["size"].matters, found["age"].matters, found["noise"].matters) == (True, True, False)
    for i in found.values():
        assert i.low <= i.value <= i.high


def test_a_report_is_written_where_it_is_asked_for(tool: Tool) -> None:
    model = stay_model(tool)
    customers(300, seed=6).to_csv("may.csv", index=False)
    for asked, expected in (("may.html", "may.html"), (True, None), ("true", None)):
        result = tool("evaluate", model=model, dataset="may.csv", report=asked, slices=["region"], sensitive=["region"])
        assert expected in (None, result.report)
        text = Path(result.report).read_text()
        assert "Groups that must be treated alike" in text
        assert f"{result.score:.3f}" in text
        assert File(path=result.report) in result.artifacts
    for wrong, told in (("../r.html", "outside the workspace"), ("may.csv", "must be a file that ends in .html")):
        with pytest.raises(WorkspaceError, match=told):
            tool("evaluate", model=model, dataset="may.csv", report=wrong)
    assert len(pd.read_csv("may.csv")) == 300
    Path("mine.html").write_text("<p>precious</p>")
    with pytest.raises(WorkspaceError, match="exists and is no report of agentkit"):
        tool("evaluate", model=model, dataset="may.csv", report="mine.html")
    assert Path("mine.html").read_text() == "<p>precious</p>"
    assert tool("evaluate", model=model, dataset="may.csv", report="may.html").report == "may.html"


def test_rows_that_the_model_learned_from_do_not_count_in_another_file_either(tool: Tool) -> None:
    model = stay_model(tool)
    known = pd.read_csv("stays_linear.csv")
    pd.concat([known, customers(200, seed=7)]).sample(frac=1, random_state=0).to_csv("mixed.csv", index=False)
    result = tool("evaluate", model=model, dataset="mixed.csv")
    # the model in use has learned from its held-back rows too
    assert result.rows == 200
    assert f"500 rows are the same as rows that {model} learned from" in " ".join(result.notes)
    by_hand = known.drop(index=_held_back(tool, model))
    by_hand.to_json("learned.json", orient="records")
    with pytest.raises(DatasetError, match=r"every row of 'learned\.json' is one that"):
        tool("evaluate", model=model, dataset="learned.json")


def _held_back(tool: Tool, model: str) -> list[int]:
    from agentkit_ml.registry.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    return Tracking(CallContext(Services(load_settings()))).model(model).held_back()


def test_a_training_file_that_was_moved_is_no_trouble(tool: Tool) -> None:
    model = stay_model(tool)
    Path("stays_linear.csv").rename("stays_linear2.csv")
    customers(200, seed=7).to_csv("may.csv", index=False)
    result = tool("evaluate", model=model, dataset="may.csv", by_model=True)
    assert result.rows == 200
    assert result.notes == []


def test_every_look_at_held_back_rows_is_counted(tool: Tool) -> None:
    model = trained(tool, customers(300, seed=8), "looked_at", "stays", "dummy")
    first, second = (tool("evaluate", model=model, dataset="looked_at.csv") for _ in range(2))
    assert second.test_uses == first.test_uses + 1
    assert "were used 2 times now" in " ".join(second.notes)
    customers(100, seed=9).to_csv("may.csv", index=False)
    assert tool("evaluate", model=model, dataset="may.csv").test_uses is None


def test_a_column_that_is_not_there_is_named(tool: Tool) -> None:
    model = stay_model(tool)
    customers(100, seed=1).to_csv("may.csv", index=False)
    with pytest.raises(DatasetError, match=r"no column 'regions'.*nearest name is 'region'"):
        tool("evaluate", model=model, dataset="may.csv", slices=["regions"])
    assert tool("evaluate", model=model, dataset="may.csv", slices=["Region"], by_model=True).slices


def test_one_row_can_be_evaluated(tool: Tool) -> None:
    customers(300, seed=1).head(1).to_csv("one.csv", index=False)
    result = tool("evaluate", model=stay_model(tool), dataset="one.csv", slices=["region"], sensitive=["region"])
    assert (result.rows, result.metric, result.change) == (1, "accuracy", "unknown")
    houses(3, seed=1).head(1).to_csv("one.csv", index=False)
    assert tool("evaluate", model=price_model(tool), dataset="one.csv").rows == 1
