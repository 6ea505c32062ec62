"""The tool `predict`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from agentkit import __version__
from agentkit.context import ToolContext
from agentkit.datasets import Dataset
from agentkit.errors import BadInput, Cancelled, DatasetError, WorkspaceError
from agentkit.results import Artifact, File, ToolResult
from agentkit.stored_tables import table_file
from agentkit_ml.registry.tracking import Tracking, TrainedModel
from agentkit_ml.runtime import fitting_threads, prepare_process
from agentkit_ml.writing import FORMATS, Output, output_file

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from pyarrow import Table

COMMIT_SECONDS = 5.0
"""Work that a run which is killed may lose."""

_BATCH_ROWS = 50_000
_BATCH_CELLS = 2_000_000
_ENDS = 1 << 16
_OWN = ("row", "prediction", "model", "predicted_at")


class PredictResult(ToolResult):
    """Where the predictions are. `summary`: rows by predicted class (the 10 most frequent), or min, mean and max.

    `resumed_at`: rows that an earlier run of the same call had done. `seconds`: of this run.
    """

    model: str
    dataset: str
    output: str
    rows: int
    target: str
    columns: list[str]
    summary: dict[str, float]
    resumed_at: int = 0
    seconds: float = 0.0

    def brief(self) -> str:
        told = ", ".join(f"{name}: {value:.6g}" for name, value in self.summary.items())
        return (
            f"Wrote {self.rows} predictions of {self.target!r} by {self.model} for {self.dataset} to {self.output} "
            f"(columns {', '.join(self.columns[:8])}). Predicted {told}."
        )

    @property
    def artifacts(self) -> list[Artifact]:
        return [] if self.output.startswith("table:") else [File(path=self.output, rows=self.rows)]


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
    """Write one prediction for every row, in the order of the file, in memory that does not grow with it.

    Columns: `row` (from 0), the id columns of the training that are there, `prediction`, with `proba` one
    `probability_CLASS` each, `model` with its version, and `predicted_at`, the UTC time at which the run that made the
    prediction began. `output` may also be `table:NAME`, a stored table. The file appears when it is complete; one of
    the same name is replaced. A run that was cut off goes on when the same call is made again. Raises HandleError,
    DatasetError, or WorkspaceError for the output.
    """
    prepare_process()
    started = time.perf_counter()
    data = ctx.dataset(dataset)
    path = _checked_output(output, ctx, data.paths)
    found = Tracking(ctx).model(model)
    data.require(found.training.columns, f", which {str(found.handle)!r} needs")
    if proba and found.training.task == "regression":
        raise BadInput(f"{str(found.handle)!r} predicts numbers, which have no probabilities. Leave proba out.")
    for note in data.notes:
        ctx.note(note)
    ids = _id_columns(found, data)
    _ = found.pipeline
    before = _stamps(data)
    with output_file(path, output, _key(found, data, proba, ids, path)) as written:
        resumed_at = written.kept.rows
        if resumed_at:
            ctx.note(f"An earlier run of this call was cut off: it went on at row {resumed_at}.")
        elif written.dropped:
            ctx.note("What an unfinished run had written was dropped: its data, model or options were others.")
        summary = _Summary(written.kept.state)
        _predict_all(found, data, ids, proba, written, summary, ctx)
        if _stamps(data) != before:
            raise DatasetError(f"{data.name!r} was changed while it was read. Call predict again.")
        if path.exists():
            ctx.note(f"{output!r} existed and was replaced.")
    return PredictResult(
        model=str(found.handle), dataset=data.name, output=output, rows=summary.rows, target=found.training.target,
        columns=written.columns, summary=summary.told(), resumed_at=resumed_at, seconds=time.perf_counter() - started,
    )  # fmt: skip


def _checked_output(output: str, ctx: ToolContext, inputs: tuple[Path, ...]) -> Path:
    if as_table := output.startswith("table:"):
        path = table_file(ctx.settings.home, output)
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        path = ctx.path(output)
    if not as_table and path.suffix.lower() not in FORMATS:
        raise WorkspaceError(f"output {output!r} must end in one of: {', '.join(FORMATS)}, or be a table:NAME.")
    if path.is_dir():
        raise WorkspaceError(f"output {output!r} is a folder. Give a file name.")
    if path in inputs:
        raise WorkspaceError(f"output {output!r} is the data set itself. Choose another name.")
    return path


def _id_columns(found: TrainedModel, data: Dataset) -> list[str]:
    """Columns that identify rows and would not be taken for one of the output's own."""
    ids = [c for c, why in found.training.left_out.items() if why == "identifies rows" and c in data.columns]
    return [c for c in ids if c not in _OWN and not c.startswith("probability_")]


def _key(found: TrainedModel, data: Dataset, proba: bool, ids: list[str], path: Path) -> dict[str, Any]:
    """What must be the same for a run to go on with another's rows."""
    return {
        "model": str(found.handle), "run": found.run_id, "data": _looks(data), "columns": ids, "proba": proba,
        "format": path.suffix.lower(), "agentkit": __version__,
    }  # fmt: skip


def _looks(data: Dataset) -> str:
    """Sizes, times of change and the first and last 64 KiB of the files, hashed: all of a big file takes longer to hash
    than to predict."""
    total = hashlib.sha256(repr(_stamps(data)).encode())
    for path in data.paths:
        with path.open("rb") as file:
            total.update(file.read(_ENDS))
            file.seek(max(0, path.stat().st_size - _ENDS))
            total.update(file.read())
    return total.hexdigest()


def _stamps(data: Dataset) -> list[tuple[int, int]]:
    """Size and time of change of each file; none of a file that is gone."""
    return [(stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in data.paths if path.exists())]


def _predict_all(
    found: TrainedModel, data: Dataset, ids: list[str], proba: bool, written: Output, summary: _Summary,
    ctx: ToolContext,
) -> None:  # fmt: skip
    """Predict the rows that are not kept yet, and make them safe every few seconds and when the call is stopped."""
    columns = [*found.training.columns, *ids]
    size = max(1_000, min(_BATCH_ROWS, _BATCH_CELLS // len(columns)))
    batches = _ahead(_joined(data.batches(size, columns, written.kept.rows), size))
    told = _Told(summary.rows, data, ctx)
    moment = datetime.now(UTC).replace(microsecond=0)
    frame = next(batches, None)
    while frame is not None:
        # the threads that are free are counted again after each commit, not for each batch: it takes 20 ms
        with fitting_threads():
            due = time.perf_counter() + COMMIT_SECONDS
            while frame is not None:
                try:
                    told(summary.rows)
                except Cancelled:
                    written.commit(summary.state())
                    raise
                made = _predicted(found, frame, ids, proba, moment)
                written.append(made)
                summary.add(made["prediction"])
                frame = next(batches, None)
                if time.perf_counter() > due:
                    break
        if frame is not None:
            written.commit(summary.state())


def _joined(batches: Iterable[DataFrame], size: int) -> Iterator[DataFrame]:
    """Batches of about `size` rows: files of many small row groups come in many small pieces."""
    import pandas as pd

    held: list[DataFrame] = []
    rows = 0
    for frame in batches:
        held.append(frame)
        rows += len(frame)
        if 2 * rows >= size:
            yield held[0] if len(held) == 1 else pd.concat(held)
            held, rows = [], 0
    if held:
        yield pd.concat(held)


def _ahead(batches: Iterator[DataFrame]) -> Iterator[DataFrame]:
    """The same, the next one being read while the caller works on this one."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (frame := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield frame


def _predicted(found: TrainedModel, frame: DataFrame, ids: list[str], proba: bool, moment: datetime) -> Table:
    import numpy as np
    import pyarrow as pa

    pipeline, rows = found.pipeline, len(frame)
    made: dict[str, Any] = {"row": pa.array(frame.index.to_numpy(), pa.int64())}
    made |= {name: _identifiers(frame[name]) for name in ids}
    if found.training.task == "regression":
        made["prediction"] = pa.array(np.asarray(pipeline.predict(frame), dtype="float64"))
    else:
        chances = pipeline.predict_proba(frame)
        # as `predict` does, without making a text for every row
        made["prediction"] = pa.array(pipeline.classes_, pa.string()).take(pa.array(chances.argmax(axis=1)))
        classes = enumerate(pipeline.classes_) if proba else ()
        made |= {f"probability_{c}": pa.array(chances[:, i].astype("float64")) for i, c in classes}
    made["model"] = pa.repeat(str(found.handle), rows)
    made["predicted_at"] = pa.repeat(pa.scalar(moment, pa.timestamp("s", "UTC")), rows)
    return pa.table(made)


def _identifiers(column: Series) -> Any:
    """Whole numbers stay whole where some are missing, dates are UTC, and a mixture is text."""
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_datetime64_any_dtype(column):
        utc = column if column.dt.tz is None else column.dt.tz_convert(None)
        return pa.array(utc, pa.timestamp("us"), from_pandas=True).cast(pa.timestamp("us", "UTC"))
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(v) else str(v) for v in column], pa.string())
    if pa.types.is_floating(found.type):
        try:
            return found.cast(pa.int64())
        except pa.ArrowInvalid:
            return found
    return found.cast(pa.string()) if pa.types.is_large_string(found.type) else found


class _Told:
    """Progress: rows done, rows a second, and the fraction where the number of rows can be told."""

    def __init__(self, done: int, data: Dataset, ctx: ToolContext) -> None:
        self._began, self._started = done, time.perf_counter()
        self._total = _rows_about(data)
        self._ctx = ctx

    def __call__(self, rows: int) -> None:
        seconds = time.perf_counter() - self._started
        speed = f", {(rows - self._began) / seconds:,.0f} rows/s" if rows > self._began else ""
        fraction = min(0.99, rows / self._total) if self._total else None
        self._ctx.progress(f"Predicting, {rows} rows done{speed}", fraction)


def _rows_about(data: Dataset) -> int | None:
    """How many rows there are: exact for Parquet, from the first lines for text, None where all would be read."""
    if data.format in ("parquet", "arrow"):
        return data.rows()
    if data.path.suffix.lower() not in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson"):
        return None
    with data.path.open("rb") as file:
        head = file.read(1 << 20)
    lines = head.count(b"\n")
    return round(data.path.stat().st_size / len(head) * lines) if lines else None


class _Summary:
    """What was predicted so far, in a few numbers that can be stored."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.rows: int = state.get("rows", 0)
        self._counts: dict[str, int] = state.get("counts", {})
        self._numbers: list[float] = state.get("numbers", [])

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows, "counts": self._counts, "numbers": self._numbers}

    def add(self, predictions: Any) -> None:
        from pyarrow import compute, types

        self.rows += len(predictions)
        if types.is_floating(predictions.type):
            low, high = compute.min_max(predictions).as_py().values()
            total = compute.sum(predictions).as_py()
            before = self._numbers or [low, 0.0, high]
            self._numbers = [min(low, before[0]), total + before[1], max(high, before[2])]
            return
        for counted in compute.value_counts(predictions.combine_chunks()).to_pylist():
            label = str(counted["values"])
            self._counts[label] = self._counts.get(label, 0) + counted["counts"]

    def told(self) -> dict[str, float]:
        if self._numbers:
            low, total, high = self._numbers
            return {"minimum": low, "mean": total / self.rows, "maximum": high}
        return dict(sorted(self._counts.items(), key=lambda kv: -kv[1])[:10])
