"""The target: which rows have one, which task it makes, and whether it can be learned at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import TrainingError
from agentkit.names import meant
from agentkit.profiles import Profile, as_numbers, as_text, listed, parse_dates, profile_column
from agentkit_ml.metrics import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit.context import ToolContext

MIN_ROWS = 10
MIN_CLASS_ROWS = 3
MOST_CLASSES = 200
MOST_RARE = 0.05
"""Share of rows that may be dropped because their classes are too rare; above it, a person must decide."""
_FEW_NUMBERS = 10
_NUMBERS = ("number", "id")
_POSITIVE = ("1", "true", "yes", "y", "t", "positive", "pos")
_QUERY = re.compile(r"^(q|query|search|session|request|group)_?id$|^query$", re.IGNORECASE)
_MOST_GRADES = 10


@dataclass(frozen=True, slots=True)
class Target:
    """`rows`: positions in the file that have a target. `values`: theirs, as text (classes) or floats.

    `positive` is the class that precision, recall and ROC-AUC are about: the one that says yes, or else the rarer.
    """

    name: str
    task: Task
    rows: NDArray[Any]
    values: NDArray[Any]
    classes: tuple[str, ...] = ()
    positive: str = ""
    notes: tuple[str, ...] = ()

    def numbers(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Class numbers from 0 in the order of `classes`, or floats; `rows` are positions within `values`."""
        import numpy as np
        import pandas as pd

        if not self.classes:
            return np.asarray(self.values[rows], dtype="float64")
        known, values = (pd.Index(v, dtype="object") for v in (list(self.classes), self.values[rows]))
        return np.asarray(known.get_indexer(values), dtype="int64")


def repaired(column: str | None, columns: Sequence[str], ctx: ToolContext) -> str | None:
    """The column that a chat model meant, if it made a slip; a person's word stays as it is."""
    if column is None or column in columns or not ctx.by_model:
        return column
    found = meant(column, columns)
    if found is None:
        return column
    ctx.note(f"{column!r} is not a column; {found!r} was used.")
    return found


def read_target(column: Series, wanted: Literal["auto", "binary", "multiclass", "regression"]) -> Target:
    """Check the target and settle the task; what was dropped or inferred is in the notes.

    Rows without a value are dropped, and for numbers those whose value is no finite number. Of more than two classes,
    those of fewer than 3 rows are dropped if they are at most 5% of the rows: such a class can be either learned or
    tested, not both, and a slip in one label should not stop a training.
    Raises TrainingError with what is wrong and what to do.
    """
    import numpy as np
    import pandas as pd

    name = str(column.name)
    profile = profile_column(column)
    present, notes = _present(column, profile.kind in _NUMBERS and wanted in ("auto", "regression"))
    rows = np.flatnonzero(present)
    _check_rows(name, len(rows), profile.distinct)
    task, why = _task(name, column, profile.kind, profile.distinct, wanted)
    notes += why
    if task == "regression":
        return Target(name, task, rows, as_numbers(column).to_numpy()[rows], notes=tuple(notes))
    labels = as_text(column).to_numpy(dtype="object")[rows]
    notes += _joined(name, column)
    rows, labels, dropped = _without_rare(name, rows, labels)
    codes, classes = pd.factorize(labels, sort=True)
    counts = np.bincount(codes)
    if len(classes) == 2:
        task = "binary"
    positive = _positive([str(c) for c in classes], counts) if task == "binary" else ""
    return Target(name, task, rows, labels, tuple(str(c) for c in classes), positive, tuple(notes + dropped))


def _present(column: Series, numbers: bool) -> tuple[NDArray[Any], list[str]]:
    """Which rows have a target, and what is said of the others."""
    there = column.notna()
    if not numbers and not _is_number(column):
        there &= as_text(column) != ""
    finite = as_numbers(column).notna() if numbers else there
    notes = []
    if missing := int((~there).sum()):
        notes.append(f"{missing} rows without a value of {str(column.name)!r} were left out.")
    if unread := int((there & ~finite).sum()):
        such = str(column[there & ~finite].iloc[0])[:40]
        notes.append(f"{unread} rows whose {str(column.name)!r} is no finite number, such as {such!r}, were left out.")
    return (there & finite).to_numpy(), notes


def _is_number(column: Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _check_rows(name: str, rows: int, distinct: int) -> None:
    if not rows:
        raise TrainingError(f"target {name!r} has no values: every row is missing. Choose another target.")
    if rows < MIN_ROWS:
        said = "one row has" if rows == 1 else f"{rows} rows have"
        raise TrainingError(f"{said} a value of {name!r}: at least {MIN_ROWS} are needed to train.")
    if distinct < 2:
        raise TrainingError(
            f"target {name!r} has the same value in every row: there is nothing to learn. Add rows of other values."
        )


def hints(frame: DataFrame, target: Target, profile: Profile) -> list[str]:
    """What the data look like beside the task that was inferred: ranking (graded rows of queries), forecasting.

    Both are said, not done: ranking and forecasting are tasks of their own.
    """
    found = []
    for column in profile.columns:
        if column.name == target.name or column.distinct < 2:
            continue
        repeats = column.distinct <= (column.count - column.missing) / 2
        if _QUERY.search(column.name) and repeats and _graded(target):
            found.append(
                f"This looks like ranking: {target.name!r} grades rows of the same {column.name!r}. It is learned as "
                f"{target.task} here; group_column={column.name} keeps the rows of one query together."
            )
        elif column.kind == "date" and target.task == "regression" and _regular(frame[column.name], column.date_format):
            found.append(
                f"This looks like forecasting: {column.name!r} has one row for each step of time. To predict later "
                f"rows, use split=time, time_column={column.name}."
            )
    return found


def _graded(target: Target) -> bool:
    """Whole numbers from 0 or 1 on, few of them."""
    import numpy as np

    if target.task == "regression":
        return bool(len(np.unique(target.values)) <= _MOST_GRADES and (target.values % 1 == 0).all())
    return all(c.isdigit() and int(c) <= _MOST_GRADES for c in target.classes)


def _regular(column: Series, date_format: str | None) -> bool:
    """At least 95% of the steps between sorted times have the same length, and no time repeats."""
    import numpy as np

    parsed = parse_dates(column.dropna(), date_format or "")
    if parsed is None or len(parsed[0]) < MIN_ROWS:
        return False
    steps = np.diff(np.sort(parsed[0].dropna().astype("int64").to_numpy()))
    return bool(len(steps) and steps.min() > 0 and (steps == np.median(steps)).mean() >= 0.95)


def labels_of(column: Series) -> NDArray[Any]:
    """Class labels in the one notation that training and evaluation share; missing ones are None."""
    text = as_text(column)
    return text.where(text.notna(), None).to_numpy(dtype="object")


def _task(name: str, column: Series, kind: str, distinct: int, wanted: str) -> tuple[Task, list[str]]:
    numbers = as_numbers(column.dropna()) if kind in _NUMBERS else None
    if wanted == "regression":
        if numbers is None:
            raise TrainingError(
                f"target {name!r} does not hold numbers, so task 'regression' does not fit. Leave task on auto."
            )
        return "regression", []
    if wanted == "binary" and distinct != 2:
        raise TrainingError(
            f"target {name!r} has {distinct} different values, so task 'binary' does not fit. Leave task on auto."
        )
    if wanted in ("binary", "multiclass") or distinct == 2:
        return ("binary", []) if distinct == 2 else ("multiclass", [])
    if kind == "date":
        raise TrainingError(f"target {name!r} holds dates. Choose a column of classes or numbers.")
    if numbers is None:
        return "multiclass", []
    if distinct <= _FEW_NUMBERS and bool((numbers % 1 == 0).all()):
        note = f"{name!r} holds {distinct} whole numbers, taken as classes. Say task=regression if they are amounts."
        return "multiclass", [note]
    return "regression", []


def _joined(name: str, column: Series) -> list[str]:
    """Notes on labels that differ only in spaces at their ends (joined) or in capitals (kept apart)."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return []
    raw = [str(v) for v in column.dropna().unique()]
    notes = []
    if len({r.strip() for r in raw}) < len(set(raw)):
        notes.append(f"Labels of {name!r} that differ only in spaces at their ends were joined.")
    by_case: dict[str, set[str]] = {}
    for label in raw:
        by_case.setdefault(label.strip().casefold(), set()).add(label.strip())
    if twins := [sorted(labels) for labels in by_case.values() if len(labels) > 1]:
        notes.append(f"{listed(twins[0])} of {name!r} are classes of their own. If they mean the same, join them.")
    return notes


def _without_rare(name: str, rows: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """The rows whose class has enough rows to be learned and tested, and a note on the others."""
    import numpy as np
    import pandas as pd

    codes, classes = pd.factorize(labels, sort=True)
    counts = np.bincount(codes)
    rare = counts < MIN_CLASS_ROWS
    lost = int(counts[rare].sum())
    if len(classes) > MOST_CLASSES or len(classes) > len(labels) / MIN_CLASS_ROWS:
        found = f"{len(classes)} different texts in {len(labels)} rows"
        raise TrainingError(f"target {name!r} has {found}: too many to be classes. Choose another target.")
    if not lost:
        return rows, labels, []
    told = f"fewer than {MIN_CLASS_ROWS} rows have the class {listed([str(c) for c in classes[rare]], 3)}"
    if (~rare).sum() < 2 or lost > MOST_RARE * len(labels):
        raise TrainingError(
            f"target {name!r}: {told}. Add rows of it, or remove those rows or merge them with another class."
        )
    kept = ~rare[codes]
    return rows[kept], labels[kept], [f"{lost} rows of {name!r} were left out: {told}."]


def _positive(classes: list[str], counts: NDArray[Any]) -> str:
    for label in classes:
        if label.casefold() in _POSITIVE:
            return label
    return classes[0] if counts[0] < counts[1] else classes[1]
