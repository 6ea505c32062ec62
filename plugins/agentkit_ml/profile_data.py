"""The tool `profile_data`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit.errors import DatasetError, TrainingError, suggest
from agentkit.profiles import ColumnProfile, listed, profile_frame
from agentkit.results import Artifact, Table, ToolResult
from agentkit_ml.target import repaired

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_MOST_TOLD = 12
_NAMES_WIDTH = 250


class DataProfile(ToolResult):
    """What a data set contains. `missing` counts empty cells, `duplicates` rows that repeat an earlier one."""

    dataset: str
    rows: int
    duplicates: int
    missing: int
    columns: list[ColumnProfile]
    target: str | None = None
    task: str | None = None
    values_shown: bool = True

    def brief(self) -> str:
        size = f"{self.rows} rows, {len(self.columns)} columns"
        lines = [f"{self.dataset}: {size}, {self.missing} missing cells, {self.duplicates} repeated rows."]
        if self.target and self.task:
            lines.append(f"The target {self.target!r} makes a {self.task} task.")
        # in a wide table the few columns that are no numbers say most
        wide = len(self.columns) > _MOST_TOLD
        if not wide:
            # a small model repeats the sentences of a result, seldom its list
            lines.append(f"It holds {', '.join(c.name for c in self.columns)}.")
        by_weight = sorted(self.columns, key=lambda c: (c.name != self.target, wide and c.kind == "number"))
        lines += [f"- {c.name}: {self._told(c)}" for c in by_weight[:_MOST_TOLD]]
        if rest := by_weight[_MOST_TOLD:]:
            names = textwrap.shorten(", ".join(c.name for c in rest), _NAMES_WIDTH, placeholder=" ...")
            lines.append(f"- and {len(rest)} more: {names}")
        if self.target and self.task:
            lines.append(f"Next: train on {self.dataset} with target {self.target!r}.")
        elif not self.target:
            lines.append("To learn from it: train, with the column to predict as target.")
        return "\n".join(lines)

    def _told(self, column: ColumnProfile) -> str:
        gaps = f", {column.missing} missing" if column.missing else ""
        if not self.values_shown or column.kind in ("empty", "id", "text", "constant"):
            return f"{column.kind}, {column.distinct} different{gaps}"
        if column.kind == "number" and column.mean is not None:
            low, high, mean = (_short(float(v or 0)) for v in (column.minimum, column.maximum, column.mean))
            return f"number {low} to {high}, mean {mean}{gaps}"
        if column.kind == "date":
            return f"date {str(column.minimum)[:10]} to {str(column.maximum)[:10]}{gaps}"
        top = ", ".join(f"{value[:20]} {count}" for value, count in (column.top or [])[:4])
        return f"category of {column.distinct} ({top}){gaps}"

    @property
    def artifacts(self) -> list[Artifact]:
        columns = ["column", "kind", "missing", "different", "minimum", "median", "mean", "maximum", "most frequent"]
        rows = [
            [
                c.name,
                c.kind,
                c.missing,
                c.distinct,
                c.minimum,
                c.median,
                c.mean,
                c.maximum,
                c.top[0][0] if c.top else None,
            ]
            for c in self.columns
        ]
        return [Table(title=f"{self.dataset}: {self.rows} rows", columns=columns, rows=rows)]


def profile_data(
    dataset: Annotated[str, Field(description="Data file to look at")],
    target: Annotated[str | None, Field(description="Column that is to be predicted later")] = None,
    *,
    ctx: ToolContext,
) -> DataProfile:
    """Describe a data set's columns, gaps and repeated rows, and with `target` what could be trained on it.

    Raises DatasetError if it cannot be read or has no column `target`.
    """
    data = ctx.dataset(dataset)
    target = repaired(target or None, data.columns, ctx)
    if target and target not in data.columns:
        near = suggest(target, data.columns) or f" Its columns: {listed(data.columns, 10)}."
        raise DatasetError(f"{target!r} is not a column of {data.name!r}.{near}")
    frame = data.frame()
    profile = profile_frame(frame, data.name)
    for note in data.notes:
        ctx.note(note)
    return DataProfile(
        dataset=data.name, rows=len(frame), duplicates=_repeated(frame),
        missing=sum(c.missing for c in profile.columns), columns=profile.columns, target=target,
        task=_task(frame[target], ctx) if target else None, values_shown=ctx.settings.privacy.send_values,
    )  # fmt: skip


def _short(value: float) -> str:
    """Four digits, but never an exponent for a large number."""
    return f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _repeated(frame: DataFrame) -> int:
    """Rows that are equal to an earlier one in every column."""
    import pandas as pd

    try:
        hashes = pd.util.hash_pandas_object(frame, index=False)
    except TypeError:
        # lists and the like in cells
        hashes = pd.util.hash_pandas_object(frame.astype("str"), index=False)
    return int(hashes.duplicated().sum())


def _task(column: Series, ctx: ToolContext) -> str | None:
    """The task that training would choose; a note if the target cannot be learned."""
    from agentkit_ml.target import read_target

    try:
        return read_target(column, "auto").task
    except TrainingError as error:
        ctx.note(str(error))
        return None
