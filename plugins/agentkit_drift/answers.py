"""A model's answers for a data set, through the tool `predict`, and the true values that the data set has."""

from __future__ import annotations

import csv
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import DatasetError
from agentkit.prediction_profiles import PredictionProfile, profile_predictions, scores
from agentkit.profiles import as_numbers, as_text
from agentkit.query_datasets import is_query
from agentkit.stored_tables import table_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from agentkit.context import ToolContext
    from agentkit.datasets import Dataset

Task = Literal["binary", "multiclass", "regression"]

_CHANCE = "probability_"
_PREFIX = "answers-"
_DAY = 86_400.0


@dataclass(frozen=True)
class Asked:
    """The model that is asked. `classes` in the order of the training, and `positive`, where they are known."""

    handle: str
    task: Task
    target: str
    classes: tuple[str, ...] = ()
    positive: str = ""


@dataclass(frozen=True)
class Answers:
    """One answer a row, in the order of the data set.

    `probabilities`: rows x classes, None for numbers. `truth`: classes as text or numbers, None or NaN where it is not
    known; None if the data set has no column of the target.
    """

    task: Task
    target: str
    predicted: NDArray[Any]
    probabilities: NDArray[Any] | None
    classes: list[str]
    positive: str
    truth: NDArray[Any] | None

    @property
    def scores(self) -> NDArray[Any]:
        return scores(self.task, self.predicted, self.probabilities, self.classes, self.positive)

    def labelled(self) -> Answers | None:
        """The rows whose true value is known, None if there are none. Classes that the model never met count."""
        import numpy as np

        if self.truth is None:
            return None
        known = ~np.isnan(self.truth) if self.task == "regression" else np.array([t is not None for t in self.truth])
        return self.take(np.flatnonzero(known)) if known.any() else None

    def take(self, rows: NDArray[Any]) -> Answers:
        """The answers for these rows."""
        chances = None if self.probabilities is None else self.probabilities[rows]
        truth = None if self.truth is None else self.truth[rows]
        return Answers(self.task, self.target, self.predicted[rows], chances, self.classes, self.positive, truth)

    def with_truth(self, truth: NDArray[Any]) -> Answers:
        """The same answers with these true values."""
        return replace(self, truth=truth)

    def profile(self, **known: Any) -> PredictionProfile:
        """These answers as a reference."""
        return profile_predictions(
            self.task, self.target, self.predicted, self.probabilities, classes=self.classes, positive=self.positive,
            truth=None if self.task == "regression" else self.truth, **known,
        )  # fmt: skip


def ask(model: Asked, data: Dataset, ctx: ToolContext) -> Answers:
    """Let the model answer for every row. Raises what `predict` raises: HandleError, DatasetError, ..."""
    # the rows of a query lie on the disk by now: asked once, they are the same for answers and labels
    name = f"table:{data.path.stem}" if is_query(data.name) else data.name
    handle = f"table:{_PREFIX}{secrets.token_hex(6)}"
    file = table_file(ctx.settings.home, handle)
    _sweep(file.parent)
    try:
        made = ctx.call("predict", model=model.handle, dataset=name, output=handle, proba=model.task != "regression")
        for note in made.notes:
            ctx.note(note)
        answers = _read(file, model, _truth(data, model))
    finally:
        _remove(file.parent.glob(f"*{file.stem}*"))
    if answers.truth is not None and len(answers.truth) != len(answers.predicted):
        raise DatasetError(f"{data.name!r} was changed while it was read. Try again.")
    return answers


def _sweep(folder: Path) -> None:
    """Remove what killed runs left, after a day."""
    left = folder.glob(f"*{_PREFIX}*")
    _remove(p for p in left if time.time() - p.stat().st_mtime > _DAY)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _read(path: Path, model: Asked, truth: NDArray[Any] | None) -> Answers:
    """The columns of a table that `predict` wrote."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with path.open(encoding="utf-8", newline="") as file:
        chances = [n for n in next(csv.reader(file)) if n.startswith(_CHANCE)]
    kinds = {"prediction": pa.float64() if model.task == "regression" else pa.string()}
    table = arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        # a class may be called 'NA'
        convert_options=arrow_csv.ConvertOptions(
            column_types=kinds | dict.fromkeys(chances, pa.float64()), include_columns=["prediction", *chances],
            strings_can_be_null=False,
        ),
    )  # fmt: skip
    predicted = table["prediction"].to_numpy()
    if model.task == "regression":
        return Answers(model.task, model.target, predicted, None, [], "", truth)
    there = [c.removeprefix(_CHANCE) for c in chances]
    classes = list(model.classes) if set(model.classes) == set(there) else there
    probabilities = np.column_stack([table[_CHANCE + c].to_numpy() for c in classes])
    positive = model.positive if model.positive in classes else classes[-1]
    return Answers(model.task, model.target, predicted.astype("object"), probabilities, classes, positive, truth)


def _truth(data: Dataset, model: Asked) -> NDArray[Any] | None:
    """The column of the target, None without one."""
    if model.target not in data.columns:
        return None
    column = data.frame([model.target])[model.target]
    if model.task == "regression":
        numbers: NDArray[Any] = as_numbers(column).to_numpy()
        return numbers
    made: NDArray[Any] = as_text(column).to_numpy(dtype="object", copy=True)
    made[[not isinstance(t, str) for t in made]] = None
    return made
