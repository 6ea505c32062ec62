"""The rows of a file that a model may be judged by: with a true value, and not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import DatasetError
from agentkit.profiles import as_numbers, as_text
from agentkit_ml.metrics import Outcome
from agentkit_ml.record import outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from agentkit.context import ToolContext
    from agentkit.datasets import Dataset
    from agentkit_ml.record import Training
    from agentkit_ml.registry.tracking import TrainedModel

_MOST_COMPARED = 200_000
_OWN_DUPLICATES = 0.2


@dataclass(frozen=True)
class ScoredRows:
    """Rows and what the model says of them; the frame's index has their numbers in the file, from 0.

    `held_back`: they are rows of the training file. `test_uses`: how often those were looked at, None for other files.
    """

    frame: DataFrame
    outcome: Outcome
    held_back: bool
    test_uses: int | None
    notes: tuple[str, ...]


def scored_rows(
    found: TrainedModel, data: Dataset, ctx: ToolContext, *, purpose: str, more: Sequence[str] = ()
) -> ScoredRows:
    """Predict for the rows that count, and say in the notes which do not. `more`: further columns for the frame.

    `purpose`: the tool that looks; every look at held-back rows is counted with the model, unless it is '' because no
    score is told. Raises DatasetError if a column is missing or no row can be scored.
    """
    notes = list(data.notes)
    frame = countable_rows([found], data, ctx, notes, more=more)
    held_back = data.digest == found.training.digest
    used = _counted(found, purpose, notes) if held_back and purpose else None
    seen = predicted(found, frame, data.digest, notes)
    for note in notes:
        ctx.note(note)
    return ScoredRows(frame, seen, held_back, used, tuple(notes))


def countable_rows(
    models: Sequence[TrainedModel], data: Dataset, ctx: ToolContext, notes: list[str], *, more: Sequence[str] = ()
) -> DataFrame:
    """The rows that have a true value and that none of these models, all of one target, has learned from.

    Has the columns that any of the models needs, the target and `more`. What was left out is added to `notes`. Raises
    DatasetError if a column is missing or no row is left.
    """
    target = models[0].training.target
    data.require([target], f", the target of {str(models[0].handle)!r}")
    for found in models:
        data.require(found.training.columns, f", which {str(found.handle)!r} needs")
    needed = [column for found in models for column in found.training.columns]
    frame = data.frame(list(dict.fromkeys([*needed, target, *more])))
    kept = _truth_there(frame, models[0].training, data, notes)
    for found in models:
        kept &= _not_learned_from(frame, kept, found, data, ctx, notes)
        if not kept.any():
            raise DatasetError(
                f"no row of {data.name!r} is left that none of the models has learned from and that has a true value. "
                "Use a file of other rows."
            )
    return frame[kept]


def _counted(found: TrainedModel, purpose: str, notes: list[str]) -> int:
    from agentkit_ml.registry.test_use import judged, judged_told, note_use, told

    used = note_use(found, purpose)
    notes += [text for text in (told(found, used), judged_told(found, judged(found))) if text]
    return used


def predicted(found: TrainedModel, frame: DataFrame, digest: str, notes: list[str]) -> Outcome:
    """True and predicted values of these rows of the file of this digest.

    Raises DatasetError if no row has a class that the model knows.
    """
    from agentkit_ml.target import labels_of

    training, pipeline = found.training, found.judged_by(digest)
    classes = tuple(training.classes)
    if training.task == "regression":
        return outcome(pipeline, frame, as_numbers(frame[training.target]).to_numpy(), "regression", classes, "")
    truth = labels_of(frame[training.target])
    unknown = sum(label not in classes for label in truth)
    if unknown == len(truth):
        raise DatasetError(f"no row has a value of {training.target!r} that {str(found.handle)!r} was trained on.")
    if unknown:
        notes.append(f"{unknown} rows have a class that the model was not trained on; they count as wrong.")
    return outcome(pipeline, frame, truth, training.task, classes, training.positive)


def _truth_there(frame: DataFrame, training: Training, data: Dataset, notes: list[str]) -> NDArray[Any]:
    truth = frame[training.target]
    there: NDArray[Any] = (as_numbers(truth) if training.task == "regression" else truth).notna().to_numpy(copy=True)
    if not there.any():
        raise DatasetError(
            f"{data.name!r} has no true values in {training.target!r}. Use predict for data without them."
        )
    if missing := len(frame) - int(there.sum()):
        notes.append(f"{missing} rows without a value of {training.target!r} were left out.")
    return there


def _not_learned_from(
    frame: DataFrame, kept: NDArray[Any], found: TrainedModel, data: Dataset, ctx: ToolContext, notes: list[str]
) -> NDArray[Any]:
    """Which rows the model has not learned from: of its own file those held back, of another those not equal to them.

    Equal rows of another file are left out only where the training file is still there, unchanged and of at most
    200,000 rows, and where its own held-back rows are mostly different from those learned from: else they are nothing
    special.
    """
    import numpy as np

    training, whose = found.training, str(found.handle)
    if data.digest == training.digest:
        held_back = np.zeros(len(frame), bool)
        held_back[found.held_back()] = True
        notes.append(f"{data.name!r} is what {whose} was trained on: only its {held_back.sum()} held-back rows count.")
        return held_back
    learned = _learned(found, ctx)
    if learned is None or learned[1] > _OWN_DUPLICATES:
        return np.ones(len(frame), bool)
    same = np.isin(_fingerprints(frame, training), learned[0])
    if same[kept].all():
        raise DatasetError(
            f"every row of {data.name!r} is one that {whose!r} learned from: its score would say nothing. "
            f"Evaluate on other rows, or on {training.dataset!r} itself: of that, the held-back rows count."
        )
    if same[kept].any():
        left_out = int(same[kept].sum())
        notes.append(f"{left_out} rows are the same as rows that {whose} learned from: they were left out.")
    return ~same


def _learned(found: TrainedModel, ctx: ToolContext) -> tuple[NDArray[Any], float] | None:
    """Fingerprints of the rows learned from, and the share of held-back rows that are equal to one of them."""
    import numpy as np

    from agentkit.errors import AgentkitError

    training = found.training
    if training.train_rows + training.test_rows > _MOST_COMPARED:
        return None
    try:
        # a name that no longer exists would be repaired to a near one, with a note that is out of place here
        if not ctx.path(training.dataset.partition("#")[0]).exists():
            return None
        origin = ctx.dataset(training.dataset)
        if origin.digest != training.digest:
            return None
        prints = _fingerprints(origin.frame([*training.columns, training.target]), training)
    except AgentkitError:
        # moved or deleted: nothing to compare with
        return None
    held_back = np.zeros(len(prints), bool)
    held_back[found.held_back()] = True
    known = prints[~held_back]
    usual = float(np.isin(prints[held_back], known).mean()) if held_back.any() else 0.0
    return (prints if training.refit else known), usual


def _fingerprints(frame: DataFrame, training: Training) -> NDArray[Any]:
    """A number for each row, equal for equal cells however the file writes its numbers."""
    import pandas as pd

    def plain(name: str, kind: str) -> Series:
        # seven digits: some writers round
        return as_numbers(frame[name]).astype("float32") if kind == "number" else as_text(frame[name])

    kinds = {**training.columns, training.target: "number" if training.task == "regression" else "category"}
    cells = pd.DataFrame({name: plain(name, kind) for name, kind in kinds.items()}, index=frame.index)
    hashed: NDArray[Any] = pd.util.hash_pandas_object(cells, index=False).to_numpy()
    return hashed
