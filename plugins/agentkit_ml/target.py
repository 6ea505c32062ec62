"""The target: which rows have one, which task it makes, and whether it can be learned at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import TrainingError
from agentkit.names import meant
from agentkit.profiles import as_numbers, as_text, listed, profile_column
from agentkit_ml.metrics import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import Series

    from agentkit.context import ToolContext

MIN_ROWS = 10
MIN_CLASS_ROWS = 3
MOST_CLASSES = 200
_FEW_NUMBERS = 10
_NUMBERS = ("number", "id")
_POSITIVE = ("1", "true", "yes", "y", "t", "positive", "pos")


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
    """Check the target and settle the task. Raises TrainingError with what is wrong and what to do."""
    import numpy as np

    name = str(column.name)
    profile = profile_column(column)
    present = column.notna()
    if wanted in ("auto", "regression") and profile.kind in _NUMBERS:
        present &= as_numbers(column).notna()
    rows = np.flatnonzero(present.to_numpy())
    if not len(rows):
        raise TrainingError(f"target {name!r} has no values: every row is missing. Choose another target.")
    if len(rows) < MIN_ROWS:
        raise TrainingError(f"{len(rows)} rows have a value of {name!r}: at least {MIN_ROWS} are needed to train.")
    if profile.distinct < 2:
        raise TrainingError(
            f"target {name!r} has the same value in every row: there is nothing to learn. Add rows of other values."
        )
    notes = []
    if missing := len(column) - len(rows):
        notes.append(f"{missing} rows without a value of {name!r} were left out.")
    task, why = _task(name, column, profile.kind, profile.distinct, wanted)
    notes += why
    if task == "regression":
        return Target(name, task, rows, as_numbers(column).to_numpy()[rows], notes=tuple(notes))
    labels = as_text(column).to_numpy()[rows].astype("object")
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    _check_classes(name, classes, counts)
    positive = _positive([str(c) for c in classes], counts) if task == "binary" else ""
    return Target(name, task, rows, labels, tuple(str(c) for c in classes), positive, tuple(notes))


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


def _check_classes(name: str, classes: NDArray[Any], counts: NDArray[Any]) -> None:
    if len(classes) > MOST_CLASSES or len(classes) > counts.sum() / MIN_CLASS_ROWS:
        found = f"{len(classes)} different texts in {counts.sum()} rows"
        raise TrainingError(f"target {name!r} has {found}: too many to be classes. Choose another target.")
    rare = [str(c) for c, n in zip(classes, counts, strict=True) if n < MIN_CLASS_ROWS]
    if rare:
        raise TrainingError(
            f"target {name!r}: fewer than {MIN_CLASS_ROWS} rows have the class {listed(rare, 3)}. "
            "Add rows of it, or remove those rows or merge them with another class."
        )


def _positive(classes: list[str], counts: NDArray[Any]) -> str:
    for label in classes:
        if label.casefold() in _POSITIVE:
            return label
    return classes[0] if counts[0] < counts[1] else classes[1]
