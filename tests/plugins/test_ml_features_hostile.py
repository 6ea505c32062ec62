"""Whatever a file holds, features are made of it, and predictions can be made for whatever comes later."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.features import FAMILIES, Family, FeatureOptions, chosen_columns, columns_step, encode_step
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agentkit.profiles import profile_frame

_VALUES = {
    "floats": st.floats() | st.none(),
    "whole": st.integers(-(10**25), 10**25),
    "levels": st.sampled_from(["a", "b", " b", "", "1", "1-5", "6-10", "low", "high", "medium"]) | st.none(),
    "flags": st.booleans() | st.none(),
    "texts": st.text(max_size=60),
    "dates": st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)) | st.none(),
    "mixed": st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()),
}


@st.composite
def _tables(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows, and later rows whose columns may hold something else."""
    rows = draw(st.integers(4, 30))
    kinds = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=1, max_size=4))
    later = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=len(kinds), max_size=len(kinds)))
    return _table(draw, kinds, rows), _table(draw, later, 3)


def _table(draw: st.DrawFn, kinds: list[str], rows: int) -> pd.DataFrame:
    columns = {}
    for i, kind in enumerate(kinds):
        values = draw(st.lists(_VALUES[kind], min_size=rows, max_size=rows))
        columns[f"c{i}"] = pd.Series(values, dtype=None if kind in ("floats", "dates") else "object")
    return pd.DataFrame(columns)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=_tables())
def test_any_table_is_encoded(tables: tuple[pd.DataFrame, pd.DataFrame], family: Family, task: str) -> None:
    table, later = tables
    profile = profile_frame(table)
    used, _ = chosen_columns(profile, "", {})
    assume(used)
    target: Any = np.arange(len(table)) % 3
    target = target.astype(float) if task == "regression" else np.asarray(["p", "q", "r"], dtype="object")[target]
    columns = columns_step(profile, used)
    encode = encode_step(profile, used, task, 0, family, FeatureOptions(interactions=True))
    made = [encode.fit_transform(columns.transform(table), target)]
    made += [encode.transform(columns.transform(frame)) for frame in (table, later, later[[]])]
    assert len({m.shape[1] for m in made}) == 1
    assert made[0].shape[1] == len(encode.get_feature_names_out())
    for values in made:
        # pandas turns a missing code into a wild integer if all columns of a frame are categories
        array = np.column_stack([values[c].astype("float64") for c in values]) if family == "native" else values
        assert np.isfinite(array).all() if family in ("linear", "forest") else not np.isinf(array).any()
