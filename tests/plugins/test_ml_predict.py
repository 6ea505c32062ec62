"""Predictions: what is written, how a run goes on that was cut off, and outputs that cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agentkit.errors import BadInput, WorkspaceError
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
    (moment,) = set(pd.to_datetime(written["predicted_at"]))
    assert pd.Timedelta(0) <= pd.Timestamp.now("UTC") - moment < pd.Timedelta(minutes=5)
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


def test_a_stored_table_can_be_the_output(tool: Tool, flowers: str, workspace: Path) -> None:
    before = sorted(p.name for p in workspace.iterdir())
    made = tool("predict", model=flowers, dataset="flowers.csv", output="table:guessed_flowers", proba=True)
    assert sorted(p.name for p in workspace.iterdir()) == before
    assert made.artifacts == []
    again = tool("profile_data", dataset="table:guessed_flowers")
    assert again.rows == 150


def test_numbers_have_no_probabilities(tool: Tool, tables: Any) -> None:
    model = tool("train", dataset=tables.progress, target="progression", model="dummy").model
    with pytest.raises(BadInput, match="Leave proba out"):
        tool("predict", model=model, dataset=tables.progress, output="p.csv", proba=True)


def test_rows_keep_their_identity_whatever_their_batch_looks_like(tool: Tool, flowers: str, tmp_path: Path) -> None:
    """Numbers stay whole beside gaps, dates are UTC, and what is a number here and a text there is text."""
    from agentkit_ml.predict import _identifiers

    whole = _identifiers(pd.Series([7.0, None, 9.0]))
    assert whole.to_pylist() == [7, None, 9]
    assert _identifiers(pd.Series([1.5, 2.0])).to_pylist() == [1.5, 2.0]
    assert _identifiers(pd.Series([1, "a", None], dtype="object")).to_pylist() == ["1", "a", None]
    moments = pd.Series(pd.to_datetime(["2026-01-01T12:00:00+02:00", None]))
    assert str(_identifiers(moments).to_pylist()[0]) == "2026-01-01 10:00:00+00:00"


def test_ids_of_several_types_make_one_column(
    tool: Tool, flowers: str, monkeypatch: pytest.MonkeyPatch, output: str = "p.parquet"
) -> None:
    monkeypatch.setattr("agentkit_ml.predict._BATCH_ROWS", 1_000)
    frame = pd.concat([pd.read_csv("flowers.csv")] * 20, ignore_index=True)
    frame["flower_id"] = [*range(1_000), *[None] * 500, *range(1_500, 2_500), *["x"] * 500]
    frame.to_csv("mixed.csv", index=False)
    tool("predict", model=flowers, dataset="mixed.csv", output=output)
    ids = pd.read_parquet(output)["flower_id"]
    assert ids.tolist()[:2] == ["0", "1"]
    assert ids.isna().sum() == 500
    assert ids.tolist()[-1] == "x"


def test_dates_are_written_as_utc(workspace: Path) -> None:
    import json

    import pyarrow as pa
    from agentkit_ml.writing import output_file

    moments = pa.array([pd.Timestamp("2026-11-23T14:50:00Z").to_pydatetime()], pa.timestamp("s", "UTC"))
    for name in ("d.csv", "d.jsonl", "d.parquet"):
        with output_file(workspace / name, name, {}) as written:
            written.append(pa.table({"at": moments, "text": ['a "b", c']}))
    assert (workspace / "d.csv").read_text() == 'at,text\n"2026-11-23T14:50:00Z","a ""b"", c"\n'
    with output_file(workspace / "plain.tsv", "plain.tsv", {}) as written:
        written.append(pa.table({"at": moments, "text": ["a, b"], "number": [0.1]}))
    assert (workspace / "plain.tsv").read_text() == "at\ttext\tnumber\n2026-11-23T14:50:00Z\ta, b\t0.1\n"
    assert json.loads((workspace / "d.jsonl").read_text()) == {"at": "2026-11-23T14:50:00Z", "text": 'a "b", c'}
    assert pd.read_parquet("d.parquet")["at"].tolist() == [pd.Timestamp("2026-11-23T14:50:00Z")]


def test_many_small_row_groups_are_predicted_in_large_batches(tool: Tool, flowers: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    big = pd.concat([pd.read_csv("flowers.csv")] * 40, ignore_index=True)
    pq.write_table(pa.Table.from_pandas(big), "groups.parquet", row_group_size=50)
    messages = []
    tool(
        "predict",
        model=flowers,
        dataset="groups.parquet",
        output="p.csv",
        on_progress=lambda c, m, f: messages.append((m, f)),
    )
    assert len(messages) <= 3
    assert pd.read_csv("p.csv")["row"].tolist() == list(range(len(big)))


@pytest.mark.parametrize("name", ["big.parquet", "big.csv"])
def test_progress_tells_rows_speed_and_fraction(
    name: str, tool: Tool, flowers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentkit_ml.predict._BATCH_ROWS", 1_000)
    big = pd.concat([pd.read_csv("flowers.csv")] * 40, ignore_index=True)
    big.to_parquet("big.parquet")
    big.to_csv("big.csv", index=False)
    told: list[tuple[str, float]] = []
    tool("predict", model=flowers, dataset=name, output="p.csv", on_progress=lambda c, m, f: told.append((m, f)))
    message, fraction = told[3]
    assert message.startswith("Predicting, 3000 rows done, ")
    assert message.endswith(" rows/s")
    assert fraction == pytest.approx(0.5, abs=0.02)
