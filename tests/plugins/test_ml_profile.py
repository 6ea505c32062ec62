"""What `profile_data` says about a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agentkit.errors import DatasetError

Tool = Callable[..., Any]


@pytest.fixture
def visits(workspace: Path) -> str:
    frame = pd.DataFrame(
        {
            "visit_id": range(100, 140),
            "ward": ["north", "south"] * 20,
            "stay": [1.5, 2.5, None, 4.0] * 10,
            "day": pd.date_range("2026-01-01", periods=40).strftime("%Y-%m-%d"),
        }
    )
    pd.concat([frame, frame.head(2)]).to_csv(workspace / "visits.csv", index=False)
    return "visits.csv"


def test_columns_gaps_and_repeated_rows_are_told(tool: Tool, visits: str) -> None:
    result = tool("profile_data", dataset=visits)
    assert (result.rows, result.duplicates, result.missing) == (42, 2, 10)
    assert {c.name: c.kind for c in result.columns} == {
        "visit_id": "id", "ward": "category", "stay": "number", "day": "date",
    }  # fmt: skip
    brief = result.brief()
    assert "visits.csv: 42 rows, 4 columns, 10 missing cells, 2 repeated rows." in brief
    assert "ward: category of 2 (north 21, south 21)" in brief
    assert "stay: number 1.5 to 4, mean 2.625, 10 missing" in brief
    assert "day: date 2026-01-01 to 2026-02-09" in brief
    table = result.artifacts[0]
    assert len(table.rows) == 4
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_target_tells_the_task(tool: Tool, visits: str) -> None:
    assert "The target 'ward' makes a binary task." in tool("profile_data", dataset=visits, target="ward").brief()
    assert tool("profile_data", dataset=visits, target="visit_id").task == "regression"
    dates = tool("profile_data", dataset=visits, target="day")
    assert (dates.task, dates.notes) == (None, ["target 'day' holds dates. Choose a column of classes or numbers."])


def test_a_target_that_is_no_column_leads_to_the_nearest(tool: Tool, visits: str) -> None:
    with pytest.raises(DatasetError, match=r"'wards' is not a column of 'visits.csv'. The nearest name is 'ward'."):
        tool("profile_data", dataset=visits, target="wards")


def test_a_wide_table_keeps_the_brief_short(tool: Tool, workspace: Path) -> None:
    wide = pd.DataFrame({f"a rather long column name {i}": [1.25, 2.5, 3.75] for i in range(300)})
    wide["outcome"] = ["good", "bad", "good"]
    wide.to_csv(workspace / "wide.csv", index=False)
    result = tool("profile_data", dataset="wide.csv")
    assert len(result.brief()) <= 1_200
    assert "- outcome: category of 2 (good 2, bad 1)" in result.brief()
    assert "and 289 more: a rather long column name 11, " in result.brief()
    assert len(result.columns) == 301


def test_no_cell_value_is_in_the_brief_if_values_are_private(tool: Tool, visits: str, workspace: Path) -> None:
    from agentkit.calls import CallContext, Services, run_tool
    from agentkit.settings import load_settings

    (workspace / "agentkit.toml").write_text("[privacy]\nsend_values = false\n")
    ctx = CallContext(Services(load_settings(workspace)), by_model=True)
    brief = run_tool("profile_data", {"dataset": visits}, ctx).brief()
    assert "ward: category, 2 different" in brief
    for value in ("north", "1.5", "2026"):
        assert value not in brief


def test_a_folder_that_a_model_made_up_is_repaired_and_told(tool: Tool, visits: str) -> None:
    result = tool("profile_data", dataset="data/visits.csv", by_model=True)
    assert result.dataset == visits
    assert result.notes == ["'data/visits.csv' does not exist; 'visits.csv' was used."]
    with pytest.raises(DatasetError, match=r"There is 'visits\.csv'"):
        tool("profile_data", dataset="data/visits.csv")


def test_lists_in_cells_do_no_harm(tool: Tool, workspace: Path) -> None:
    pd.DataFrame({"a": [[1, 2], [1, 2], [3]], "b": [1, 1, 2]}).to_parquet(workspace / "lists.parquet")
    assert tool("profile_data", dataset="lists.parquet").duplicates == 1
