"""Pictures of how good a model is. Every function returns a matplotlib `Figure`; `save` writes it as a PNG.

Figures are made as objects, without pyplot: its global list of figures is shared by all threads of a server. Colours
are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit_ml.assess.threshold import cuts, objective
from agentkit_ml.metrics import METRICS, Outcome, binary_scores, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agentkit_ml.assess.calibration import Calibration
    from agentkit_ml.assess.costs import Costs
    from agentkit_ml.assess.threshold import Threshold

BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8A8A", "#222222"

_SIZE = (6.4, 4.4)
_DPI = 140
_MOST_POINTS = 2_000
_LONGEST = 32


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG of 140 dots per inch."""
    with warnings.catch_warnings():
        # names of columns may be written in scripts that the font lacks: boxes are no reason to fail
        warnings.simplefilter("ignore")
        figure.savefig(path, dpi=_DPI, format="png")
    return path


def label(text: object, longest: int = _LONGEST) -> str:
    """Any text as matplotlib may draw it: one line, no formulas, cut to a length that fits."""
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    plain = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    return plain.replace("\\", "\\\\").replace("$", r"\$") if "$" in plain else plain


def confusion_matrix(outcome: Outcome) -> Figure:
    """Rows by true and predicted class: counts, coloured by the share of the true class."""
    import numpy as np

    names = list(outcome.classes)
    counts = np.array([[((outcome.truth == t) & (outcome.predicted == p)).sum() for p in names] for t in names])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(9.0, max(4.0, 0.55 * len(names) + 2.0))
    figure, axes = _axes((side + 1.2, side))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    ticks = [label(n, 16) for n in names]
    axes.set_xticks(range(len(names)), ticks, rotation=0 if len(names) < 5 else 60)
    axes.set_yticks(range(len(names)), ticks)
    axes.set(xlabel="predicted class", ylabel="true class", title=f"Confusion matrix, {len(outcome.truth)} rows")
    axes.grid(visible=False)
    size = 11 if len(names) <= 8 else 8
    for i, j in np.argwhere(counts > 0 if len(names) > 8 else counts >= 0):
        colour = "white" if shares[i, j] > 0.5 else INK
        axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", color=colour, fontsize=size)
    return figure


def roc_curve(outcome: Outcome, interval: tuple[float, float] | None = None) -> Figure:
    """True against false positives, for every threshold. `interval`: of the area, for the legend."""
    c = cuts(*binary_scores(outcome))
    figure, axes = _axes((5.2, 4.8))
    area = _named("roc_auc", METRICS["roc_auc"].compute(outcome), interval)
    axes.plot([0, 1], [0, 1], "--", color=GREY, label="guessing 0.500")
    axes.plot(*_thinned(c.other_rows / c.others, c.positive_rows / c.positives), color=BLUE, lw=2, label=area)
    who = label(outcome.positive)
    axes.set(
        xlabel=f"false positives (share of rows that are not {who})",
        ylabel=f"found (share of {who})",
        title="ROC curve",
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right", frameon=False)
    return figure


def precision_recall_curve(outcome: Outcome, interval: tuple[float, float] | None = None) -> Figure:
    """Precision against recall, for every threshold, beside the share of the positive class."""
    c = cuts(*binary_scores(outcome))
    figure, axes = _axes((5.2, 4.8))
    area = _named("average_precision", METRICS["average_precision"].compute(outcome), interval)
    share = c.positives / (c.positives + c.others)
    axes.axhline(share, ls="--", color=GREY, label=f"guessing {number(share)}")
    said = (c.positive_rows + c.other_rows)[1:]
    found, right = _thinned(c.positive_rows[1:] / c.positives, c.positive_rows[1:] / said)
    axes.step(found, right, where="pre", color=BLUE, lw=2, label=area)
    who = label(outcome.positive)
    axes.set(
        xlabel=f"recall (share of {who} that is found)", ylabel=f"precision (share that is {who})",
        title="Precision and recall", xlim=(-0.01, 1.01), ylim=(0, 1.02),
    )  # fmt: skip
    axes.legend(loc="lower left", frameon=False)
    return figure


def calibration_curve(calibration: Calibration) -> Figure:
    """What was said against what turned out, each point a bin of rows with the 95% interval of its share."""
    figure, axes = _axes((5.2, 4.8))
    said = [b.said for b in calibration.bins]
    seen = [b.observed for b in calibration.bins]
    below = [b.observed - b.low for b in calibration.bins]
    above = [b.high - b.observed for b in calibration.bins]
    axes.plot([0, 1], [0, 1], "--", color=GREY, label="perfectly calibrated")
    error = f"error {number(calibration.error)} (by chance up to {number(calibration.chance)})"
    axes.errorbar(said, seen, [below, above], fmt="o-", color=BLUE, ecolor=BLUE, capsize=3, lw=1.5, ms=5, label=error)
    of = f"of {label(calibration.of)}" if calibration.of else "of the predicted class"
    axes.set(
        xlabel=f"predicted probability {of} (mean of the bin)", ylabel="share that turned out so",
        title="Calibration", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01),
    )  # fmt: skip
    axes.legend(loc="upper left", frameon=False)
    return figure


def threshold_curve(outcome: Outcome, threshold: Threshold, costs: Costs | None = None) -> Figure:
    """Precision, recall and what the threshold was chosen for, by threshold."""
    c = cuts(*binary_scores(outcome))
    figure, axes = _axes()
    found = c.positive_rows / c.positives
    # the first cut says positive to no row: its precision is not defined
    right = c.positive_rows[1:] / (c.positive_rows + c.other_rows)[1:]
    axes.plot(*_thinned(c.thresholds[1:], right), color=GREEN, ls="-.", label="precision")
    axes.plot(*_thinned(c.thresholds, found), color=ORANGE, ls="--", label="recall")
    worth = objective(threshold.metric, costs, outcome.classes.index(outcome.positive))(c)
    if costs is None:
        axes.plot(*_thinned(c.thresholds, worth), color=BLUE, lw=2, label=METRICS[threshold.metric].label)
    else:
        other = axes.twinx()
        other.plot(*_thinned(c.thresholds, -worth), color=BLUE, lw=2, label="cost")
        other.set_ylabel("mean cost a row (unit of the cost matrix)", color=BLUE)
        axes.plot([], [], color=BLUE, lw=2, label="cost")
    axes.axvline(threshold.threshold, color=INK, lw=1)
    axes.annotate(f" best {number(threshold.threshold)}", (threshold.threshold, 0.02), color=INK)
    axes.set(
        xlabel=f"threshold (probability of {label(outcome.positive)})", ylabel="share", title="Threshold",
        xlim=(0, 1), ylim=(0, 1.02),
    )  # fmt: skip
    axes.legend(loc="best", frameon=False)
    return figure


def predicted_against_true(outcome: Outcome, target: str = "") -> Figure:
    """A point a row: true value across, prediction up."""
    truth, predicted = _sampled(outcome)
    figure, axes = _axes((5.2, 4.8))
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, "--", color=GREY, label="perfect")
    axes.scatter(truth, predicted, s=14, alpha=0.45, color=BLUE, linewidths=0)
    unit = label(target or "value")
    axes.set(xlabel=f"true {unit}", ylabel=f"predicted {unit}", title=f"Predicted and true{_part(outcome)}")
    axes.legend(loc="upper left", frameon=False)
    return figure


def residuals(outcome: Outcome, target: str = "") -> Figure:
    """A point a row: prediction across, error (true minus predicted) up, and how the errors are spread."""
    truth, predicted = _sampled(outcome)
    figure, axes = _axes()
    axes.axhline(0, ls="--", color=GREY)
    axes.scatter(predicted, truth - predicted, s=14, alpha=0.45, color=BLUE, linewidths=0)
    side = axes.inset_axes((1.06, 0, 0.18, 1), sharey=axes)
    side.hist(outcome.truth - outcome.predicted, bins=40, orientation="horizontal", color=BLUE, alpha=0.7)
    side.tick_params(labelleft=False)
    side.set_xlabel("rows")
    _plain(side)
    unit = label(target or "value")
    axes.set(xlabel=f"predicted {unit}", ylabel=f"error: true minus predicted {unit}", title=f"Errors{_part(outcome)}")
    return figure


def bars(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    title: str,
    axis: str,
    best: int | None = None,
    reference: tuple[str, float] | None = None,
) -> Figure:
    """A point with its interval for each name, from top to bottom; `reference`: a dashed line and what it is."""
    figure, axes = _axes((7.2, 1.5 + 0.34 * len(names)))
    for i, (value, (low, high)) in enumerate(zip(values, intervals, strict=True)):
        colour = ORANGE if i == best else BLUE
        axes.plot([low, high], [i, i], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot([value], [i], "D" if i == best else "o", color=colour, ms=7)
    if reference:
        axes.axvline(reference[1], ls="--", color=GREY, label=label(reference[0], 60))
        axes.legend(loc="best", frameon=False)
    axes.set_yticks(range(len(names)), [label(n) for n in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel=axis, title=title)
    return figure


def contributions(names: Sequence[str], values: Sequence[float], *, usual: float, answer: float, axis: str) -> Figure:
    """From the usual answer at the top to this row's at the bottom, a bar for what each name adds."""
    figure, axes = _axes((7.2, 1.7 + 0.34 * len(names)))
    at = usual
    for i, value in enumerate(values):
        axes.barh(i, value, left=at, color=ORANGE if value > 0 else BLUE, height=0.62)
        axes.annotate(
            f"{value:+.3g}",
            (max(at, at + value), i),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
        at += value
    axes.axvline(usual, ls="--", color=GREY, lw=1, label=f"usual answer {number(usual)}")
    axes.axvline(answer, color=INK, lw=1, label=f"this row {number(answer)}")
    axes.set_yticks(range(len(names)), [label(n, 40) for n in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.use_sticky_edges = False
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel=label(axis, 60), title="What makes the answer")
    axes.legend(loc="best", frameon=False)
    return figure


def effects(panels: Sequence[tuple[str, Sequence[str], Sequence[float], bool]], axis: str) -> Figure:
    """Partial dependence, a panel each: (column, values tried, mean answers, whether the values have an order)."""
    figure, first = _axes((3.4 * min(3, len(panels)), 3.0 * -(-len(panels) // 3)))
    first.remove()
    low, high = (f(min(p[2]) if f is min else max(p[2]) for p in panels) for f in (min, max))
    room = 0.08 * (high - low or 1)
    for i, (name, values, answers, ordered) in enumerate(panels):
        axes = figure.add_subplot(-(-len(panels) // 3), min(3, len(panels)), i + 1)
        _plain(axes)
        axes.grid(visible=True, color="#E6E6E6", lw=0.8)
        axes.plot(range(len(values)), answers, "o-" if ordered else "o", color=BLUE, ms=5)
        step = max(1, (len(values) - 1) // 4) if ordered else 1
        axes.set_xticks(range(0, len(values), step), [label(v, 10) for v in values[::step]], rotation=35, fontsize=8)
        axes.set(title=label(name, 24), ylim=(low - room, high + room), xlim=(-0.5, len(values) - 0.5))
    figure.supylabel(label(axis, 40), fontsize=9)
    return figure


def learning_curve(points: Sequence[tuple[int, float, float]], metric: str) -> Figure:
    """`points`: (rows learned from, score on them, score in validation)."""
    figure, axes = _axes()
    rows = [p[0] for p in points]
    axes.plot(rows, [p[1] for p in points], "s--", color=ORANGE, label="on the rows learned from")
    axes.plot(rows, [p[2] for p in points], "o-", color=BLUE, label="on other rows")
    axes.set(xlabel="rows learned from", ylabel=METRICS[metric].label, title="Learning curve")
    axes.legend(loc="best", frameon=False)
    return figure


def _axes(size: tuple[float, float] = _SIZE) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _plain(axes)
    axes.grid(visible=True, color="#E6E6E6", lw=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _named(metric: str, value: float, interval: tuple[float, float] | None) -> str:
    between = f" ({number(interval[0])} to {number(interval[1])})" if interval else ""
    return f"{METRICS[metric].label} {number(value)}{between}"


def _thinned(across: NDArray[Any], up: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """At most 2,000 points of a curve, both ends among them."""
    import numpy as np

    if len(across) <= _MOST_POINTS:
        return across, up
    kept = np.linspace(0, len(across) - 1, _MOST_POINTS).astype(int)
    return across[kept], up[kept]


def _sampled(outcome: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    if len(outcome.truth) <= _MOST_POINTS:
        return outcome.truth, outcome.predicted
    kept = np.random.default_rng(0).choice(len(outcome.truth), _MOST_POINTS, replace=False)
    return outcome.truth[kept], outcome.predicted[kept]


def _part(outcome: Outcome) -> str:
    rows = len(outcome.truth)
    return f", {_MOST_POINTS:,} of {rows:,} rows" if rows > _MOST_POINTS else f", {rows:,} rows"
