"""The tool: models as reference, importance, windows, what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_drift.compare import compare
from agentkit_drift.model_reference import profile_of_training

from agentkit import Agent
from agentkit.errors import DatasetError, HandleError
from agentkit.profiles import profile_frame
from agentkit.results import Table
from tests.plugins.ml_models import customers, stay_model

Tool = Callable[..., Any]


def moved(visits: int = 0, noise: float = 0.0) -> pd.DataFrame:
    """Later customers: what their column `visits`, which matters, and `noise`, which does not, have become."""
    frame = customers(1_500, seed=9).drop(columns="stays")
    return frame.assign(visits=frame["visits"] + visits, noise=frame["noise"] + noise)


def test_a_models_training_data_are_the_reference_and_its_importances_weigh(tool: Tool, workspace: Path) -> None:
    model = stay_model(tool)
    for name, frame in (("same", moved()), ("visits", moved(visits=12)), ("noise", moved(noise=3.0))):
        frame.to_csv(f"{name}.csv", index=False)
    same, visits, noise = (
        tool("detect_drift", reference=model, current=f"{name}.csv") for name in ("same", "visits", "noise")
    )
    assert same.verdict == "none"
    assert same.reference == f"training data of {model}"
    assert (visits.drifted, visits.verdict) == (["visits"], "drift")
    assert f"train {model} again" in visits.recommendation
    assert visits.columns["visits"].importance > 0.5
    assert (noise.drifted, noise.verdict) == (["noise"], "watch")
    assert "hardly relies on them" in noise.recommendation
    assert noise.columns["noise"].error.ks < 0.02


def test_a_model_gets_other_combinations_of_values_than_it_was_trained_on(tool: Tool, workspace: Path) -> None:
    model = stay_model(tool)
    later = moved()
    later["age"] = np.sort(later["age"].to_numpy())[later["visits"].rank(method="first").astype(int) - 1]
    later.to_csv("later.csv", index=False)
    made = tool("detect_drift", reference=model, current="later.csv")
    assert made.drifted == []
    assert made.multivariate.drifted
    assert set(made.multivariate.columns) == {"visits", "age"}
    assert made.verdict != "none"
    (workspace / f"{model.split(':')[1].split('/')[0]}.csv").unlink()
    assert tool("detect_drift", reference=model, current="later.csv").multivariate is None


def test_the_target_and_columns_left_out_are_no_finding(tool: Tool, workspace: Path) -> None:
    model = stay_model(tool)
    customers(800, seed=4).to_csv("labelled.csv", index=False)
    made = tool("detect_drift", reference=model, current="labelled.csv")
    assert made.added_columns == []
    assert "stays" not in made.columns


def test_a_column_that_a_model_needs_is_missed(tool: Tool, workspace: Path) -> None:
    model = stay_model(tool)
    moved().drop(columns="age").to_csv("less.csv", index=False)
    made = tool("detect_drift", reference=model, current="less.csv")
    assert (made.missing_columns, made.verdict) == (["age"], "drift")
    assert "find out why 'age' is gone" in made.recommendation


def test_a_model_that_does_not_exist_is_an_error(tool: Tool, workspace: Path) -> None:
    moved().to_csv("now.csv", index=False)
    with pytest.raises(HandleError, match="model:nothing"):
        tool("detect_drift", reference="model:nothing/3", current="now.csv")


def test_what_a_training_profile_holds_of_each_kind_is_compared() -> None:
    before = customers(900, seed=1).assign(
        day=pd.Series(pd.date_range("2026-01-01", periods=900, freq="h")), member=[True, False, False] * 300,
        code=pd.Series([1, 2, None] * 300), same="x", note=[f"a note of several words {i}" for i in range(900)],
    )  # fmt: skip
    reference = profile_of_training(profile_frame(before), list(before), "model:m/1")
    same = compare(reference, before.sample(frac=1, random_state=0))
    assert (same.verdict, same.method) == ("none", "profile")
    assert same.columns["day"].ks is None
    assert max(c.psi for c in same.columns.values() if c.psi is not None) < 0.03
    later = before.assign(day=before["day"] + pd.Timedelta(days=90), member=True, same="y")
    assert set(compare(reference, later).drifted) == {"member", "same"}
    earlier = compare(reference, before.assign(day=before["day"] - pd.Timedelta(days=90)))
    assert earlier.drifted == ["day"]
    assert "before the first date of the reference" in "; ".join(earlier.columns["day"].findings)


def orders(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    day = pd.Timestamp("2026-03-02") + pd.to_timedelta(random.integers(0, 8 * 7 * 86_400, rows), unit="s")
    return pd.DataFrame({"price": random.lognormal(3, 0.5, rows), "shop": random.choice(["a", "b"], rows), "day": day})


def test_a_time_column_tells_since_when(tool: Tool, workspace: Path) -> None:
    orders(4_000, 1).to_csv("before.csv", index=False)
    after = orders(6_000, 2)
    after["price"] *= np.where(after["day"] >= "2026-04-06", 2.0, 1.0)
    after.to_csv("after.csv", index=False)
    made = tool("detect_drift", reference="before.csv", current="after.csv", time_column="day")
    assert [w.start for w in made.windows][:2] == ["2026-03-02", "2026-03-09"]
    assert sum(w.rows for w in made.windows) == 6_000
    assert [w.verdict == "none" for w in made.windows] == [True] * 5 + [False] * 3
    assert made.since == made.columns["price"].since == "2026-04-06"
    assert made.columns["shop"].since is None
    assert "Since 2026-04-06." in made.brief()
    assert any(isinstance(a, Table) and a.title == "Windows" for a in made.artifacts)


@pytest.mark.parametrize("method", ["exact", "profile"])
def test_windows_are_the_same_by_either_method(method: Any) -> None:
    before, after = orders(3_000, 1), orders(3_000, 2)
    after.loc[after["day"] >= "2026-04-06", "shop"] = "c"
    after.loc[3, "day"] = None
    made = compare(before, after, method=method, time_column="day", multivariate=False)
    assert made.columns["shop"].since == "2026-04-06"
    assert sum(w.rows for w in made.windows) == 2_999


def test_a_time_column_must_hold_dates() -> None:
    with pytest.raises(DatasetError, match="'price' of 'data frame' holds no dates"):
        compare(orders(50, 1), orders(50, 2), time_column="price")
    with pytest.raises(DatasetError, match=r"no column 'days'\. The nearest name is 'day'"):
        compare(orders(50, 1), orders(50, 2), time_column="days")


def test_values_of_cells_stay_out_of_the_brief_if_the_settings_say_so(tool: Tool, workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text("[privacy]\nsend_values = false\n")
    orders(2_000, 1).to_csv("before.csv", index=False)
    orders(2_000, 2).assign(shop="secret-shop", price=123_456.5).to_csv("after.csv", index=False)
    from agentkit.calls import CallContext, Services, run_tool
    from agentkit.settings import load_settings

    services = Services(load_settings(workspace))
    try:
        made: Any = run_tool("detect_drift", {"reference": "before.csv", "current": "after.csv"}, CallContext(services))
    finally:
        services.close()
    assert set(made.drifted) == {"shop", "price"}
    assert "secret" not in made.whole()
    assert "123" not in made.whole()


def test_the_agent_gives_the_typed_result_and_it_is_json(agent: Agent, workspace: Path) -> None:
    orders(500, 1).to_parquet("before.parquet")
    orders(500, 2).assign(price=5.0).to_parquet("after.parquet")
    made: Any = agent.call(
        "detect_drift", reference="before.parquet", current="after.parquet", columns=["price", "shop"]
    )
    assert list(made.columns) == ["price", "shop"]
    price = made.columns["price"]
    assert price.drifted
    assert None not in (price.ks, price.p_value, price.wasserstein, price.psi, price.js)
    read = json.loads(made.model_dump_json())
    assert read["columns"]["price"]["level"] == "strong"
    assert sum(read["columns"]["price"]["histogram"]["current"]) == pytest.approx(1)
    assert {t.name for t in agent.services.toolbox} >= {"detect_drift"}
