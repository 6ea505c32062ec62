"""Which figures a training or an evaluation gets, and how to read each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit_ml.assess.assessment import Assessment
from agentkit_ml.metrics import METRICS, Outcome
from agentkit_ml.reports import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from agentkit_ml.assess.costs import Costs
    from agentkit_ml.assess.importance import Importances

MOST_CLASSES = 30
"""Classes above which a confusion matrix can no longer be read."""

_MOST_BARS = 20


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG file, its title, and a sentence on how to read it."""

    title: str
    path: Path
    text: str


def draw(
    folder: Path,
    seen: Outcome,
    found: Assessment,
    *,
    target: str = "",
    importances: Importances | None = None,
    learning: Sequence[tuple[int, float, float]] = (),
    costs: Costs | None = None,
) -> list[Picture]:
    """Write every figure that fits these predictions into `folder` (made if need be), and tell what each shows.

    `learning`: points of a learning curve: (rows learned from, score on them, score in validation). `costs`: the matrix
    that the threshold was chosen for. Raises OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plans = _classes(seen, found, costs) if seen.classes else _numbers(seen, target)
    made = [Picture(title, figures.save(figure(), folder / file), text) for title, file, figure, text in plans]
    if importances and importances.columns:
        made.append(_importance(folder, importances))
    if learning:
        curve = figures.learning_curve(learning, found.metric)
        text = "Two curves that still draw nearer: more rows would help. A wide gap that stays: the model overfits."
        made.append(Picture("Learning curve", figures.save(curve, folder / "learning_curve.png"), text))
    return made


_Plan = tuple[str, str, Callable[[], "Figure"], str]


def _classes(seen: Outcome, found: Assessment, costs: Costs | None) -> Iterator[_Plan]:
    if len(seen.classes) <= MOST_CLASSES:
        text = "Right answers lie on the diagonal; the darker, the larger the share of the true class."
        yield "Confusion matrix", "confusion.png", lambda: figures.confusion_matrix(seen), text
    if "roc_auc" in found.metrics:
        area, precise = found.metrics["roc_auc"].interval, found.metrics["average_precision"].interval
        text = "The nearer to the upper left corner, the better positives are told from the others."
        yield "ROC curve", "roc.png", lambda: figures.roc_curve(seen, area), text
        text = "How many of those that are said to be positive are, against how many of the positives are found."
        yield (
            "Precision and recall",
            "precision_recall.png",
            lambda: figures.precision_recall_curve(seen, precise),
            text,
        )
    if found.calibration:
        curve = found.calibration
        text = "On the dashed line, of the rows given 70%, 70% turn out so. Below it, probabilities are too high."
        yield "Calibration", "calibration.png", lambda: figures.calibration_curve(curve), text
    if found.threshold:
        cut = found.threshold
        text = "What changes with the probability from which a row counts as positive. The line is the best threshold."
        yield "Threshold", "threshold.png", lambda: figures.threshold_curve(seen, cut, costs), text


def _numbers(seen: Outcome, target: str) -> Iterator[_Plan]:
    text = "Points on the dashed line are predicted exactly."
    yield "Predicted and true", "predicted.png", lambda: figures.predicted_against_true(seen, target), text
    text = "A shapeless cloud around 0 is good; a bend or a funnel is something the model has not learned."
    yield "Errors", "residuals.png", lambda: figures.residuals(seen, target), text


def _importance(folder: Path, importances: Importances) -> Picture:
    shown = importances.columns[:_MOST_BARS]
    figure = figures.bars(
        [i.column for i in shown], [i.value for i in shown], [(i.low, i.high) for i in shown],
        title="What the model relies on",
        axis=f"how much worse {METRICS[importances.metric].label} gets when the column is shuffled (95% interval)",
        reference=("no effect", 0.0),
    )  # fmt: skip
    text = (
        f"Each column is shuffled {importances.repeats} times on {importances.rows} rows. Columns that say the same "
        "share their importance. It is what this model uses, not what causes the target."
    )
    return Picture("Importance", figures.save(figure, folder / "importance.png"), text)
