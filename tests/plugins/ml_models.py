"""Models that several tests use: trained once a session, for training is slow and the store outlives a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Tool = Callable[..., Any]


def customers(rows: int, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    """Who stays depends on `visits` and `age`, but in the west nearly at random; `noise` says nothing."""
    random = np.random.default_rng(seed)
    visits, age = random.integers(0, 30, rows), random.integers(18, 80, rows)
    region = random.choice(["north", "south", "west"], rows)
    odds = 0.3 * (15 - visits) + 0.05 * (age - 50) + shift * visits
    odds = np.where(region == "west", 0.1 * odds, odds)
    stays = odds + random.logistic(size=rows) < 0
    frame = pd.DataFrame({"visits": visits, "age": age, "region": region, "noise": random.normal(size=rows)})
    return frame.assign(stays=np.where(stays, "yes", "no"))


def houses(rows: int, seed: int = 0) -> pd.DataFrame:
    """`price` grows with `size`, falls with `age`, and `noise` says nothing."""
    random = np.random.default_rng(seed)
    size, age = random.uniform(30, 200, rows), random.uniform(0, 80, rows)
    price = 2.0 * size - 0.5 * age + random.normal(0, 10, rows) + 100
    return pd.DataFrame({"size": size, "age": age, "noise": random.normal(size=rows), "price": price})


def trained(tool: Tool, frame: pd.DataFrame, name: str, target: str, model: str) -> str:
    """The handle of a model of `NAME.csv`, which is written into the workspace."""
    frame.to_csv(f"{name}.csv", index=False)
    known = tool("list_models", name=name).models
    if known:
        return str(known[0].model)
    return str(tool("train", dataset=f"{name}.csv", target=target, model=model, name=name, budget_seconds=20).model)


def stay_model(tool: Tool, model: str = "linear") -> str:
    """Of `stays_MODEL.csv`: 500 customers."""
    return trained(tool, customers(500), f"stays_{model}", "stays", model)


def price_model(tool: Tool) -> str:
    """Of `prices.csv`: 400 houses."""
    return trained(tool, houses(400), "prices", "price", "linear")
