"""Values that could not be read as what their column holds: infinite, no number among numbers, no date among dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.profiles import Profile, as_numbers, listed
from agentkit_ml.features.orders import ordered_levels
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_MIXED = (0.1, 0.9)
_SAMPLE = 500
_MOST_COLUMNS = 300
_DATE_IN_TEXT = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"


def unread_values(frame: DataFrame, target: str, profile: Profile) -> Finding:
    """One finding on all columns: values that count as missing because they cannot be read, and columns that mix."""
    told, columns, count = [], [], 0
    partly = [c for c in profile.columns if c.unread and c.name != target]
    for kind, what in (("number", "no finite numbers"), ("date", "no dates of the column's format")):
        found = [c for c in partly if c.kind == kind]
        if found:
            values = sum(c.unread for c in found)
            example = _unread_example(frame[found[0].name], kind, found[0].date_format)
            told.append(f"{values} values in {listed([c.name for c in found], 3)} are {what}, such as {example!r}")
            columns += [c.name for c in found]
            count += values
    mixed = _mixed(frame, target, profile)
    for what, names in mixed.items():
        told.append(f"{listed(names, 3)} {what}")
        columns += names
    if not told:
        return Finding(gate="values_read", level="ok", text="Every value was read as what its column holds.", value=0)
    ending = " They count as missing." if count else ""
    text = f"{'; '.join(told)}.{ending} Correct the file if they mean something."
    return Finding(gate="values_read", level="warn", columns=columns, text=text, value=count or None)


def _unread_example(column: Series, kind: str, date_format: str | None) -> str:
    from agentkit.profiles import parse_dates

    present = column.dropna()
    parsed = parse_dates(present, date_format or "") if kind == "date" else None
    read = parsed[0] if parsed else as_numbers(present)
    return str(present[read.isna()].iloc[0])[:30]


def _mixed(frame: DataFrame, target: str, profile: Profile) -> dict[str, list[str]]:
    """What is said of columns that were taken as text or categories -> the columns."""
    import pandas as pd

    said: dict[str, list[str]] = {}
    for name in profile.of_kind("category", "text", "id")[:_MOST_COLUMNS]:
        if name == target or pd.api.types.is_numeric_dtype(frame[name]):
            continue
        sample = frame[name].iloc[:: max(1, len(frame) // _SAMPLE)].dropna()
        if sample.empty:
            continue
        numbers = float(as_numbers(sample).notna().mean())
        dates = float(sample.astype("str").str.match(_DATE_IN_TEXT).mean())
        if dates >= 0.5:
            said.setdefault("look like dates of several formats and were not read as dates", []).append(name)
        elif _MIXED[0] <= numbers <= _MIXED[1] and not ordered_levels(profile[name].levels):
            said.setdefault("mix numbers and texts and were read as texts", []).append(name)
    return said
