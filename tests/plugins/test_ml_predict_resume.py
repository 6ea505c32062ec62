"""A prediction that is cut off goes on where it stopped; what is not finished is never seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agentkit.errors import Cancelled, DatasetError, WorkspaceError

Tool = Callable[..., Any]

_CHILD = """
import sys
import agentkit_ml.predict as module
from agentkit import Agent
module.COMMIT_SECONDS, module._BATCH_ROWS = 0, 1_000
{prepare}
with Agent() as agent:
    agent.call("predict", model=sys.argv[1], dataset="big.csv", output=sys.argv[2], proba=True)
"""


@pytest.fixture(autouse=True)
def _many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thousand rows are a batch and are made safe."""
    monkeypatch.setattr("agentkit_ml.predict.COMMIT_SECONDS", 0)
    monkeypatch.setattr("agentkit_ml.predict._BATCH_ROWS", 1_000)


@pytest.fixture
def big(flowers: str) -> pd.DataFrame:
    """big.csv: 15 batches."""
    frame = pd.concat([pd.read_csv("flowers.csv")] * 100, ignore_index=True)
    frame["flower_id"] = [f"f{i}" for i in range(len(frame))]
    frame.to_csv("big.csv", index=False)
    return frame


def read(path: str) -> pd.DataFrame:
    """The predictions in a file, without their time."""
    readers: dict[str, Callable[[str], pd.DataFrame]] = {
        "csv": pd.read_csv,
        "tsv": lambda p: pd.read_csv(p, sep="\t"),
        "parquet": pd.read_parquet,
        "jsonl": lambda p: pd.read_json(p, lines=True),
    }
    return readers[path.rpartition(".")[2]](path).drop(columns="predicted_at")


def stop_after(rows: int, how: BaseException | None = None) -> Callable[..., None]:
    """Stop a call once it has told so many rows."""

    def stop(ctx: Any, message: str, fraction: float | None) -> None:
        if f" {rows} rows" in message:
            if how is not None:
                raise how
            ctx.cancelled.set()
            ctx.on_progress = lambda message, fraction: None
            ctx.progress(message, fraction)

    return stop


def left() -> list[str]:
    return sorted(p.name for p in Path().iterdir() if p.name.startswith("."))


@pytest.mark.parametrize(
    ("output", "how"),
    [("p.csv", None), ("p.parquet", None), ("p.jsonl", None), ("p.tsv", KeyboardInterrupt()),
     ("p.csv", OSError(28, "No space left on device")), ("p.parquet", MemoryError())],
)  # fmt: skip
def test_a_stopped_call_leaves_the_old_file_and_goes_on_when_it_is_made_again(
    output: str, how: BaseException | None, tool: Tool, flowers: str, big: pd.DataFrame
) -> None:
    call = {"model": flowers, "dataset": "big.csv", "output": output, "proba": True}
    tool("predict", **call | {"output": f"whole.{output}"})
    Path(output).write_text("precious")
    with pytest.raises((Cancelled, KeyboardInterrupt, WorkspaceError, MemoryError)):
        tool("predict", **call, on_progress=stop_after(4_000, how))
    assert Path(output).read_text() == "precious"
    assert left() == [f".{output}.partial"]

    result = tool("predict", **call)
    assert result.resumed_at == 4_000
    assert f"went on at row {result.resumed_at}" in result.notes[0]
    assert result.rows == len(big) == sum(result.summary.values())
    pd.testing.assert_frame_equal(read(output), read(f"whole.{output}"))
    assert left() == []


def test_a_stopped_call_says_that_it_can_go_on(
    tool: Tool, flowers: str, big: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"model": flowers, "dataset": "big.csv", "output": "p.csv"}
    with pytest.raises(Cancelled, match=r"3000 rows of 'p\.csv' are kept: the same call goes on there"):
        tool("predict", **call, on_progress=stop_after(3_000))
    with pytest.raises(KeyboardInterrupt):
        tool("predict", **call, on_progress=stop_after(5_000, KeyboardInterrupt()))
    assert "5000 rows of 'p.csv' are kept" in capsys.readouterr().err
    with pytest.raises(
        WorkspaceError, match=r"No space left on device\. Free some space.*What is written so far is kept"
    ):
        tool("predict", **call, on_progress=stop_after(6_000, OSError(28, "No space left on device")))
    assert tool("predict", **call).resumed_at == 6_000


def test_a_call_that_is_stopped_at_once_leaves_nothing(tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    with pytest.raises(Cancelled):
        tool("predict", model=flowers, dataset="big.csv", output="p.csv", on_progress=stop_after(0))
    assert left() == []


@pytest.mark.parametrize("output", ["p.csv", "p.parquet"])
def test_a_killed_process_goes_on_where_it_stopped(output: str, tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    kill = """
import os, signal
from agentkit.calls import CallContext
def progress(self, message, fraction=None):
    if " 7000 rows" in message:
        os.kill(os.getpid(), signal.SIGKILL)
CallContext.progress = progress
"""
    done = in_child(kill, flowers, output)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not Path(output).exists()
    assert 1_000 < tool("predict", model=flowers, dataset="big.csv", output=output, proba=True).resumed_at <= 7_000
    tool("predict", model=flowers, dataset="big.csv", output=f"whole.{output}", proba=True)
    pd.testing.assert_frame_equal(read(output), read(f"whole.{output}"))
    assert left() == []


@pytest.mark.parametrize("output", ["p.csv", "p.parquet"])
def test_a_file_that_may_not_grow_further_is_told_and_the_call_goes_on_later(
    output: str, tool: Tool, flowers: str, big: pd.DataFrame
) -> None:
    # the kernel's limit of a file's size stands for a full disk; libraries and models are below it
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))"
    if output == "p.parquet":
        # parts are small: the file that they are joined to is what does not fit
        limit = limit.replace("400_000", "100_000")
    done = in_child(limit, flowers, output)
    assert done.returncode == 1
    assert f"WorkspaceError: output {output!r} cannot be written: File too large. Free some space" in done.stderr
    assert not Path(output).exists()
    assert tool("predict", model=flowers, dataset="big.csv", output=output, proba=True).resumed_at >= 1_000
    assert read(output)["row"].tolist() == list(range(len(big)))


def in_child(prepare: str, model: str, output: str) -> subprocess.CompletedProcess[str]:
    code = _CHILD.format(prepare=prepare)
    return subprocess.run([sys.executable, "-c", code, model, output], capture_output=True, text=True, check=False)


def test_other_data_another_model_or_other_options_begin_anew(tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    other = tool("train", dataset="flowers.csv", target="species", model="dummy").model
    call = {"model": flowers, "dataset": "big.csv", "output": "p.csv"}

    def cut_off() -> None:
        with pytest.raises(Cancelled):
            tool("predict", **call, on_progress=stop_after(3_000))

    cut_off()
    big.iloc[::-1].to_csv("big.csv", index=False)
    result = tool("predict", **call)
    assert result.resumed_at == 0
    assert "was dropped: its data, model or options were others" in result.notes[0]
    assert pd.read_csv("p.csv")["flower_id"].tolist() == big["flower_id"].tolist()[::-1]
    for change in ({"model": other}, {"proba": True}):
        cut_off()
        assert tool("predict", **call | change).resumed_at == 0
    assert left() == []


def test_a_file_that_changes_while_it_is_read_gives_no_predictions(tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    def change(ctx: Any, message: str, fraction: float | None) -> None:
        os.utime("big.csv", ns=(1, 1))

    with pytest.raises(DatasetError, match="changed while it was read"):
        tool("predict", model=flowers, dataset="big.csv", output="p.csv", on_progress=change)
    assert not Path("p.csv").exists()
    assert left() == []


def test_what_was_kept_and_then_damaged_is_not_trusted(tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    call = {"model": flowers, "dataset": "big.csv", "output": "p.csv"}
    for damage in (lambda f: (f / "rows").write_text("short"), lambda f: (f / "manifest.json").write_text("{")):
        with pytest.raises(Cancelled):
            tool("predict", **call, on_progress=stop_after(3_000))
        damage(Path(".p.csv.partial"))
        assert tool("predict", **call).resumed_at == 0
        assert read("p.csv")["row"].tolist() == list(range(len(big)))


def test_two_runs_do_not_write_the_same_output(tool: Tool, flowers: str, big: pd.DataFrame) -> None:
    errors: list[BaseException] = []

    def second(ctx: Any, message: str, fraction: float | None) -> None:
        if " 2000 rows" not in message:
            return
        try:
            tool("predict", model=flowers, dataset="big.csv", output="p.csv")
        except WorkspaceError as error:
            errors.append(error)

    assert tool("predict", model=flowers, dataset="big.csv", output="p.csv", on_progress=second).rows == len(big)
    assert "is being written by another run" in str(errors[0])
    assert read("p.csv")["row"].tolist() == list(range(len(big)))


def test_a_run_whose_last_rows_were_safe_only_puts_the_file_in_place(
    tool: Tool, flowers: str, big: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {"model": flowers, "dataset": "big.csv", "output": "p.parquet"}
    with pytest.raises(WorkspaceError), monkeypatch.context() as patch:
        from agentkit_ml import writing

        def full(temporary: Path, path: Path) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(writing, "_replace", full)
        tool("predict", **call)
    result = tool("predict", **call)
    assert result.resumed_at >= 14_000
    assert result.columns == list(pd.read_parquet("p.parquet").columns)
    assert len(read("p.parquet")) == len(big)
