"""Models and data sets that several tests of drift use: a model is trained once a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Tool = Callable[..., Any]


def loans(rows: int, seed: int = 0, *, income: float = 0.0, turned: bool = False) -> pd.DataFrame:
    """`repaid` depends on `income` and `debt`; `income` moves the mean of it, `turned` the sense of the relation."""
    random = np.random.default_rng(seed)
    earned, debt = random.normal(50 + income, 10, rows), random.normal(20, 5, rows)
    odds = 0.25 * (earned - 50) - 0.3 * (debt - 20)
    repaid = random.random(rows) < 1 / (1 + np.exp(odds if turned else -odds))
    region = random.choice(["north", "south"], rows)
    frame = pd.DataFrame({"income": earned, "debt": debt, "region": region})
    return frame.assign(repaid=np.where(repaid, "yes", "no"))


def rents(rows: int, seed: int = 0, *, size: float = 0.0) -> pd.DataFrame:
    """`rent` grows with `size`."""
    random = np.random.default_rng(seed)
    area = random.normal(70 + size, 15, rows)
    return pd.DataFrame(
        {"size": area, "floor": random.integers(0, 9, rows), "rent": 8 * area + random.normal(0, 20, rows)}
    )


def kinds(rows: int, seed: int = 0, *, big: float = 0.0) -> pd.DataFrame:
    """`kind` is one of three, by `weight`; `big` moves the weights."""
    random = np.random.default_rng(seed)
    weight = random.normal(big, 2, rows)
    kind = np.select([weight + random.normal(0, 0.5, rows) < -1, weight > 1], ["small", "big"], "middle")
    return pd.DataFrame({"weight": weight, "noise": random.normal(size=rows), "kind": kind})


def trained(tool: Tool, frame: pd.DataFrame, name: str, target: str) -> str:
    """The handle of a linear model of `NAME.csv`, which is written into the workspace."""
    frame.to_csv(f"{name}.csv", index=False)
    known = tool("list_models", name=name).models
    if known:
        return str(known[0].model)
    return str(tool("train", dataset=f"{name}.csv", target=target, model="linear", name=name, budget_seconds=20).model)


def loan_model(tool: Tool) -> str:
    """Of `drift_loans.csv`: 2,000 loans, 400 of them held back."""
    return trained(tool, loans(2_000), "drift_loans", "repaid")
