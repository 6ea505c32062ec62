"""The tool `detect_drift`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from agentkit.context import ToolContext
from agentkit_drift.compare import Method, Options, compare_sources, opened_data
from agentkit_drift.model_reference import is_model, model_reference
from agentkit_drift.result import DriftResult
from agentkit_drift.sources import opening


def detect_drift(
    reference: Annotated[str, Field(description="Older data file, saved profile, or trained model (model:NAME)")],
    current: Annotated[str, Field(description="Data file to check, with the same columns")],
    columns: Annotated[list[str] | None, Field(description="Only these columns")] = None,
    method: Annotated[Method, Field(description="exact: all values; profile: little memory, bounded error")] = "auto",
    time_column: Annotated[str | None, Field(description="Column of dates in the current data: since when?")] = None,
    multivariate: Annotated[bool, Field(description="Look for changes of the columns together, too")] = True,
    *,
    ctx: ToolContext,
) -> DriftResult:
    """Tell which columns changed between two data sets, by how much, since when, and whether it matters.

    Effect sizes decide above 1,000 values, corrected p-values below (docs/drift.md has the thresholds and sources).
    Raises DatasetError if a data set cannot be read or shares no column with the other, HandleError for a model that
    does not exist.
    """
    shown = ctx.settings.privacy.send_values
    options = Options(columns, method, time_column, multivariate, show_values=shown, progress=ctx.progress)
    if reference == current:
        ctx.note(f"{current!r} was compared with itself: give what came before, or a model, as the reference.")
    with opening() as opened:
        data = ctx.dataset(current)
        for note in data.notes:
            ctx.note(note)
        after = opened_data(data, opened)
        if not is_model(reference):
            return compare_sources(opened_data(ctx.dataset(reference), opened), after, options)
        found = model_reference(reference, current, ctx)
        rows = opened.dataset(found.data) if found.data and multivariate else None
        own = replace(options, importance=found.importance, model=found.handle, unused=found.unused, rows=rows)
        return compare_sources(found.profile, after, own)
