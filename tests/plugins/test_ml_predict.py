"""Predictions: what is written, how a run goes on that was cut off, and outputs that cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agentkit.errors import BadInput, Cancelled, WorkspaceError
from agentkit.results import File

Tool = Callable[..., Any]


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
