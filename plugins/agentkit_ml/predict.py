"""The tool `predict`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.errors import BadInput, WorkspaceError
from agentkit.results import Artifact, File, ToolResult
from agentkit_ml.runtime import fitting_threads, prepare_process
from agentkit_ml.tracking import Tracking, TrainedModel

if TYPE_CHECKING:
    from pandas import DataFrame

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


class PredictResult(ToolResult):
    """Where the predictions are. `summary`: rows by predicted class (the 10 most frequent), or min, mean and max."""

    model: str
    dataset: str
    output: str
    rows: int
    target: str
    columns: list[str]
    summary: dict[str, float]

    def brief(self) -> str:
        told = ", ".join(f"{name}: {value:.6g}" for name, value in self.summary.items())
        return (
            f"Wrote {self.rows} predictions of {self.target!r} by {self.model} for {self.dataset} to {self.output} "
            f"(columns {', '.join(self.columns[:8])}). Predicted {told}."
        )

    @property
    def artifacts(self) -> list[Artifact]:
        return [File(path=self.output, rows=self.rows)]


def predict(
    model: Annotated[
        str, Field(description="Handle of a trained model, such as model:NAME/1 or model:NAME for the latest")
    ],
    dataset: Annotated[str, Field(description="Data file to predict for, same columns as in training")],
    output: Annotated[str, Field(description="File to write: .csv, .parquet or .jsonl")],
    proba: Annotated[bool, Field(description="Also write the probability of each class")] = False,
    *,
    ctx: ToolContext,
) -> PredictResult:
    """Write one prediction for every row, in the order of the file.

    Columns: `row` (from 0), the id columns of the training that are there, `prediction`, with `proba` one
    `probability_CLASS` each, and `model`. The file appears when it is complete; one of the same name is replaced.
    Raises HandleError, DatasetError, or WorkspaceError for the output.
    """
    prepare_process()
    data = ctx.dataset(dataset)
    path = _checked_output(output, ctx, data.paths)
    found = Tracking(ctx).model(model)
    data.require(found.training.columns, f", which {str(found.handle)!r} needs")
    if proba and found.training.task == "regression":
        raise BadInput(f"{str(found.handle)!r} predicts numbers, which have no probabilities. Leave proba out.")
    for note in data.notes:
        ctx.note(note)
    if path.exists():
        ctx.note(f"{output!r} existed and was replaced.")
    summary = _Summary()
    ids = [c for c, why in found.training.left_out.items() if why == "identifies rows" and c in data.columns]
    with _written(path, output) as (write, columns):
        for frame in data.batches(columns=[*found.training.columns, *ids]):
            ctx.progress(f"Predicting, {summary.rows} rows done")
            with fitting_threads():
                made = _predicted(found, frame, ids, proba)
            summary.add(made["prediction"])
            write(made)
    return PredictResult(
        model=str(found.handle), dataset=data.name, output=output, rows=summary.rows, target=found.training.target,
        columns=columns, summary=summary.told(),
    )  # fmt: skip


def _checked_output(output: str, ctx: ToolContext, inputs: tuple[Path, ...]) -> Path:
    path = ctx.path(output)
    if path.suffix.lower() not in FORMATS:
        raise WorkspaceError(f"output {output!r} must end in one of: {', '.join(FORMATS)}.")
    if path.is_dir():
        raise WorkspaceError(f"output {output!r} is a folder. Give a file name.")
    if path in inputs:
        raise WorkspaceError(f"output {output!r} is the data set itself. Choose another name.")
    return path


def _predicted(found: TrainedModel, frame: DataFrame, ids: list[str], proba: bool) -> DataFrame:
    import pandas as pd

    pipeline = found.pipeline
    made: dict[str, Any] = {"row": frame.index.to_numpy()}
    made |= {name: frame[name].to_numpy() for name in ids if name not in ("row", "prediction", "model")}
    if proba:
        chances = pipeline.predict_proba(frame)
        made["prediction"] = pipeline.classes_[chances.argmax(axis=1)]
        made |= {f"probability_{c}": chances[:, i] for i, c in enumerate(pipeline.classes_)}
    else:
        made["prediction"] = pipeline.predict(frame)
    return pd.DataFrame(made | {"model": str(found.handle)})


class _Summary:
    """What was predicted so far, in a few numbers."""

    def __init__(self) -> None:
        self.rows = 0
        self._counts: dict[str, int] = {}
        self._numbers: list[tuple[float, float, float]] = []

    def add(self, predictions: Any) -> None:
        self.rows += len(predictions)
        if predictions.dtype.kind == "f":
            self._numbers.append((predictions.min(), predictions.sum(), predictions.max()))
            return
        for label, count in predictions.value_counts().items():
            self._counts[str(label)] = self._counts.get(str(label), 0) + int(count)

    def told(self) -> dict[str, float]:
        if self._numbers:
            low, total, high = zip(*self._numbers, strict=True)
            return {"minimum": min(low), "mean": sum(total) / self.rows, "maximum": max(high)}
        return dict(sorted(self._counts.items(), key=lambda kv: -kv[1])[:10])


@contextmanager
def _written(path: Path, name: str) -> Iterator[tuple[Callable[[DataFrame], None], list[str]]]:
    """A function that appends frames to a file beside `path`, which takes its place at the end; and the columns."""
    columns: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(number)
    except OSError as error:
        raise WorkspaceError(f"output {name!r} cannot be written: {error.strerror}.") from error
    temporary = Path(scratch)
    try:
        with _appender(temporary, path.suffix.lower()) as append:

            def write(frame: DataFrame) -> None:
                columns[:] = list(frame.columns)
                append(frame)

            yield write, columns
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise WorkspaceError(f"output {name!r} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _appender(path: Path, suffix: str) -> Iterator[Callable[[DataFrame], None]]:
    if suffix == ".parquet":
        yield from _parquet_appender(path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:

        def append(frame: DataFrame) -> None:
            if suffix == ".jsonl":
                frame.to_json(file, orient="records", lines=True)
            else:
                frame.to_csv(file, index=False, header=file.tell() == 0, sep="\t" if suffix == ".tsv" else ",")

        yield append


def _parquet_appender(path: Path) -> Iterator[Callable[[DataFrame], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None

    def append(frame: DataFrame) -> None:
        nonlocal writer
        table = pa.Table.from_pandas(frame, schema=writer.schema if writer else None, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield append
    finally:
        if writer:
            writer.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
