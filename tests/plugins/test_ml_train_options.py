"""What a training may be asked for beside the target: options of features, further metrics; and what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.feature_choice import read_features

from agentkit.errors import BadInput, TrainingError
from tests.plugins.ml_models import Tool, customers, houses


def sales(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """What is sold is what was sold seven days before, nearly; `noise` says nothing."""
    random = np.random.default_rng(seed)
    sold = list(random.uniform(50, 150, 7))
    for _ in range(rows - 7):
        sold.append(0.98 * sold[-7] + random.normal(2, 3))
    day = pd.date_range("2023-01-01", periods=rows)
    known = pd.Series(sold).shift(1).bfill()
    return pd.DataFrame({"day": day, "yesterday": known, "noise": random.normal(size=rows), "sold": sold})


def test_lags_are_asked_for_as_an_object_and_help(tool: Tool) -> None:
    sales().to_csv("sales.csv", index=False)
    asked: dict[str, Any] = {
        "dataset": "sales.csv", "target": "sold", "time_column": "day", "model": "linear", "trials": 2,
    }  # fmt: skip
    plain = tool("train", **asked)
    lagged = tool("train", **asked, features={"lags": [6], "lag_columns": ["yesterday"]})
    assert lagged.score < 0.6 * plain.score
    assert "6 rows before" in " ".join(lagged.features) or "lag" in " ".join(lagged.features).lower()


def test_few_training_rows_with_gaps_are_left_out_if_asked_for(tool: Tool) -> None:
    table = customers(400)
    table.loc[::40, "noise"] = np.nan  # 10 of 400 rows
    table.to_csv("few.csv", index=False)
    table.loc[::4, "noise"] = np.nan
    table.to_csv("many.csv", index=False)
    asked: dict[str, Any] = {"target": "stays", "model": "linear", "trials": 2, "features": {"missing": "drop"}}
    few, many = tool("train", dataset="few.csv", **asked), tool("train", dataset="many.csv", **asked)
    assert 390 <= few.train_rows + few.test_rows < 400
    assert any("training rows with missing values left out" in note for note in few.notes)
    assert many.train_rows + many.test_rows == 400
    assert any("No rows left out" in note for note in many.notes)


def test_options_become_what_encode_step_takes() -> None:
    used = ["day", "shop", "x", "risk"]
    made = read_features({"lags": 1, "windows": [7], "orders": {"risk": ["low", "high"]}}, used, "day", "shop")
    assert made is not None
    assert (made.lags, made.windows, made.time, made.group) == ((1,), (7,), "day", "shop")
    assert read_features(None, used) is None
    scaled = read_features({"scaling": "power", "keep": 5, "selection": "l1", "interactions": True}, used)
    assert scaled is not None
    assert (scaled.scaling, scaled.keep, scaled.selection, scaled.interactions) == ("power", 5, "l1", True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lag": [1]}, r"no option 'lag'.*lags"),
        ({"scaling": "powr"}, "scaling 'powr' is not known.*power"),
        ({"lags": ["1"]}, "lags are whole numbers of rows"),
        ({"lags": [1]}, "need time_column"),
        ({"lags": [0], "time": "day"}, "look back"),
        ({"lags": [1], "time": "dya"}, "'dya' is not among the columns to learn from.*'day'"),
        ({"orders": {"risk": "low"}}, "orders lists the levels"),
        ({"orders": {"rsik": ["low", "high"]}}, "'rsik' is not among"),
        ({"keep": "many"}, "keep is a whole number"),
        ({"interactions": "yes"}, "interactions is true or false"),
    ],
)
def test_an_option_that_cannot_be_is_an_error_that_says_what_to_do(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_features(given, ["day", "x", "risk"])


def test_roc_auc_of_several_classes_is_one_against_the_rest_as_in_scikit_learn(tool: Tool) -> None:
    from agentkit_ml.registry.tracking import Tracking
    from sklearn.datasets import load_wine
    from sklearn.metrics import roc_auc_score

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    wine = load_wine(as_frame=True).frame
    wine["target"] = wine["target"].map({0: "a", 1: "b", 2: "c"})
    wine.to_csv("wine.csv", index=False)
    made = tool("train", dataset="wine.csv", target="target", model="linear", trials=2, metric="roc_auc")
    assert made.metric == "roc_auc_ovr"
    found = Tracking(CallContext(Services(load_settings()))).model(made.model)
    rows = wine.iloc[found.held_back()]
    chances = found.scored.predict_proba(rows)
    assert made.score == pytest.approx(roc_auc_score(rows["target"], chances, multi_class="ovr"))


def test_mape_is_what_scikit_learn_says_and_refused_where_a_target_is_0(tool: Tool) -> None:
    from agentkit_ml.registry.tracking import Tracking
    from sklearn.metrics import mean_absolute_percentage_error

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    frame = houses(200, seed=3)
    frame.to_csv("houses.csv", index=False)
    made = tool("train", dataset="houses.csv", target="price", model="linear", trials=2, metric="mape")
    found = Tracking(CallContext(Services(load_settings()))).model(made.model)
    rows = frame.iloc[found.held_back()]
    assert made.metric == "mape"
    assert made.score == pytest.approx(mean_absolute_percentage_error(rows["price"], found.scored.predict(rows)))
    frame.loc[3, "price"] = 0
    frame.to_csv("houses.csv", index=False)
    with pytest.raises(TrainingError, match=r"1 rows of .price. are 0\. Use mae"):
        tool("train", dataset="houses.csv", target="price", model="linear", trials=2, metric="mape")


def test_models_that_the_same_rows_judge_are_counted_and_explaining_is_no_look(tool: Tool) -> None:
    customers(240, seed=21).to_csv("judged.csv", index=False)
    asked: dict[str, Any] = {"dataset": "judged.csv", "target": "stays", "trials": 2}
    first = tool("train", **asked, model="linear", name="judged_linear")
    second = tool("train", **asked, model="dummy", name="judged_dummy")
    assert (first.judged, second.judged) == (1, 2)
    assert not any("judged by the same" in note for note in first.notes)
    said = "2 models have been judged by the same 48 held-back rows of judged.csv now"
    assert said in " ".join(second.notes)
    compared = tool("compare_models", models=[first.model, second.model], dataset="judged.csv")
    assert sum(said in note for note in compared.notes) == 1
    tool("explain", model=first.model, dataset="judged.csv")
    evaluated = tool("evaluate", model=first.model, dataset="judged.csv")
    assert evaluated.test_uses == 2
    assert said in " ".join(evaluated.notes)
    gate = next(g for g in tool("review_training", model=second.model).gates if g.gate == "test_rows_used")
    assert "judge 2 models" in gate.text
    other = tool("train", **asked, model="dummy", name="judged_other", ignore=["noise"])
    assert other.judged == 3
    customers(240, seed=22).to_csv("judged.csv", index=False)
    assert tool("train", **asked, model="dummy", name="judged_new").judged == 1


def test_the_result_tells_how_the_model_was_kept(tool: Tool) -> None:
    customers(200, seed=5).to_csv("kept.csv", index=False)
    made = tool("train", dataset="kept.csv", target="stays", model="dummy", trials=2)
    assert made.stored.startswith("Stored as skops, ")
    assert made.stored.endswith("loaded again it predicts the same for 100 rows.")
    assert Path(made.report).is_file()
