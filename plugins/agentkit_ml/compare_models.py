"""The tool `compare_models`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agentkit.context import ToolContext
from agentkit.errors import BadInput
from agentkit.results import Artifact, Figure, Table, ToolResult
from agentkit_ml.assess.significance import SIGNIFICANT, Significance, p_text
from agentkit_ml.metrics import METRICS, MetricChoice, Outcome, choose_metric, measurable, number, shown
from agentkit_ml.registry.tracking import Tracking, TrainedModel
from agentkit_ml.runtime import fitting_threads, prepare_process

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit.datasets import Dataset
    from agentkit_ml.assess.intervals import Bootstrap
    from agentkit_ml.assess.statistics import Statistic

MOST_MODELS = 20

_TOLD = 4
_ROOM = 3.0
_WITHOUT = "(no model)"


class ComparedModel(BaseModel):
    """One model on the common rows: the metric with its 95% interval, and how far it is behind the best.

    `behind` is positive where the best is better, with a 95% interval; `p` is corrected for the number of comparisons
    (Holm). `as_good`: cannot be told from the best. `seconds`: to predict 1,000 rows here.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    algorithm: str
    score: float
    low: float
    high: float
    behind: float = 0.0
    behind_low: float = 0.0
    behind_high: float = 0.0
    p: float | None = None
    as_good: bool = True
    seconds: float
    metrics: dict[str, float]


class CompareResult(ToolResult):
    """Models on the same rows, the best first. `baseline`: the metric without a model."""

    dataset: str
    target: str
    rows: int
    metric: str
    test: str
    baseline: float
    models: list[ComparedModel]
    figure: Figure

    @property
    def best(self) -> ComparedModel:
        return self.models[0]

    def brief(self) -> str:
        best, others = self.models[0], self.models[1:]
        first = (
            f"{len(self.models)} models of {self.target!r} on the same {self.rows} rows of {self.dataset}. Best: "
            f"{best.model} ({best.algorithm}), {shown(self.metric, best.score)} "
            f"(95% interval {number(best.low)} to {number(best.high)}); without a model {number(self.baseline)}."
        )
        lines = [first, *(self._line(m) for m in others[:_TOLD])]
        if len(others) > _TOLD:
            lines.append(f"and {len(others) - _TOLD} more, which are further behind.")
        alike = [m for m in others if m.as_good]
        if not alike:
            lines.append(f"{best.model} is better than all others, more than chance would make it. Next: use it.")
        else:
            fastest = min([best, *alike], key=lambda m: m.seconds)
            lines.append(
                f"The best can NOT be told from {len(alike)} of the others: take the simplest of them or the fastest "
                f"({fastest.model}), or compare on more rows."
            )
        return "\n".join(lines)

    def _line(self, m: ComparedModel) -> str:
        assert m.p is not None
        told = "can NOT be told from chance" if m.as_good else "is more than chance"
        return (
            f"{m.model} ({m.algorithm}) {number(m.score)}: {m.behind:.3g} behind, which {told} "
            f"({p_text(m.p)}, {self.test})."
        )

    @property
    def artifacts(self) -> list[Artifact]:
        label = METRICS[self.metric].label
        columns = ["model", "algorithm", label, "95% from", "to", "behind the best", "95% from", "to", "p (Holm)"]
        others = [m for m in self.models[0].metrics if m != self.metric and all(m in c.metrics for c in self.models)]
        columns += [METRICS[m].label for m in others] + ["seconds for 1,000 rows"]
        rows = [
            [m.model, m.algorithm, m.score, m.low, m.high, m.behind, m.behind_low, m.behind_high, m.p,
             *(m.metrics[name] for name in others), round(m.seconds, 4)]
            for m in self.models
        ]  # fmt: skip
        title = f"Models on {self.rows} rows of {self.dataset}"
        return [Table(title=title, columns=columns, rows=rows, units={"seconds for 1,000 rows": "s"}), self.figure]


def compare_models(
    models: Annotated[list[str], Field(description="Handles of trained models of the same target, two or more")],
    dataset: Annotated[str, Field(description="Data file with the true values")],
    metric: Annotated[MetricChoice, Field(description="What to compare by; auto: that of the first model")] = "auto",
    *,
    ctx: ToolContext,
) -> CompareResult:
    """Score several models on the same rows, which none of them has learned from, and test the differences.

    Each is compared with the best: McNemar's test for accuracy, the paired bootstrap otherwise, corrected for the
    number of comparisons (Holm). Raises BadInput for models of different targets or fewer than two, HandleError for
    one that does not exist, DatasetError if no row can be used.
    """
    prepare_process()
    tracking = Tracking(ctx)
    found = _distinct([tracking.model(name) for name in models], ctx)
    data = ctx.dataset(dataset)
    chosen = found[0].training.metric if metric == "auto" else choose_metric(metric, found[0].training.task)
    notes = list(data.notes)
    with fitting_threads():
        outcomes, seconds = _predictions(found, data, notes, ctx)
    for note in notes:
        ctx.note(note)
    chosen = _measurable(chosen, list(outcomes.values()), ctx)
    ctx.progress("Testing the differences", 0.8)
    compared, test, baseline = _compare(found, outcomes, seconds, chosen)
    if metric == "auto" and len({m.training.metric for m in found}) > 1:
        ctx.note(f"The models were chosen by different metrics; they are compared by {METRICS[chosen].label}.")
    rows = len(next(iter(outcomes.values())).truth)
    return CompareResult(
        dataset=data.name, target=found[0].training.target, rows=rows, metric=chosen, test=test, baseline=baseline,
        models=compared, figure=_figure(compared, chosen, baseline, data, ctx),
    )  # fmt: skip


def _distinct(found: Sequence[TrainedModel], ctx: ToolContext) -> list[TrainedModel]:
    """Each model once, all of one target and task. Raises BadInput."""
    by_handle = {str(m.handle): m for m in found}
    if len(by_handle) < len(found):
        ctx.note("A model that was named twice is compared once.")
    if not 2 <= len(by_handle) <= MOST_MODELS:
        raise BadInput(f"compare_models takes 2 to {MOST_MODELS} different models, not {len(by_handle)}.")
    first, *others = by_handle.values()
    for other in others:
        for what in ("target", "task"):
            one, two = getattr(first.training, what), getattr(other.training, what)
            if one != two:
                raise BadInput(
                    f"{str(first.handle)!r} has the {what} {one!r} and {str(other.handle)!r} {two!r}: only models of "
                    "the same target can be compared."
                )
    return list(by_handle.values())


def _predictions(
    found: Sequence[TrainedModel], data: Dataset, notes: list[str], ctx: ToolContext
) -> tuple[dict[str, Outcome], dict[str, float]]:
    """What each model says of the rows that count for all, and the seconds that 1,000 rows took."""
    from agentkit_ml.assess.scoring import countable_rows, predicted
    from agentkit_ml.registry.test_use import judged, judged_told, note_use, told

    frame = countable_rows(found, data, ctx, notes)
    own = [model for model in found if data.digest == model.training.digest]
    notes += [text for text in dict.fromkeys(judged_told(m, judged(m)) for m in own) if text]
    outcomes, seconds = {}, {}
    for i, model in enumerate(found):
        name = str(model.handle)
        ctx.progress(f"Predicting with {name}", 0.1 + 0.7 * i / len(found))
        if model in own:
            notes += [text for text in [told(model, note_use(model, "compare_models"))] if text]
        _ = model.judged_by(data.digest)
        began = time.perf_counter()
        outcomes[name] = predicted(model, frame, data.digest, notes)
        seconds[name] = (time.perf_counter() - began) / len(frame) * 1_000
    return outcomes, seconds


def _measurable(chosen: str, outcomes: Sequence[Outcome], ctx: ToolContext) -> str:
    """The metric, or the first that the rows allow for all models."""
    common = [m for m in measurable(outcomes[0]) if all(m in measurable(o) for o in outcomes)]
    if chosen in common:
        return chosen
    other = "accuracy" if "accuracy" in common else common[0]
    ctx.note(f"These rows do not allow {METRICS[chosen].label}: {METRICS[other].label} was used.")
    return other


def _compare(
    found: Sequence[TrainedModel], outcomes: dict[str, Outcome], seconds: dict[str, float], metric: str
) -> tuple[list[ComparedModel], str, float]:
    """The models, the best first; the name of the test; the metric without a model."""
    from agentkit_ml.assess.intervals import bootstrap, percentile, resamples_for, strata
    from agentkit_ml.assess.significance import holm
    from agentkit_ml.metrics import score
    from agentkit_ml.record import baseline_outcome

    one = next(iter(outcomes.values()))
    guess = baseline_outcome(found[0].training.baseline, one.truth, one.task, one.classes, one.positive)
    everyone = {**outcomes, _WITHOUT: guess}

    def statistics(rows: NDArray[Any]) -> dict[str, Statistic]:
        return {name: METRICS[metric].statistic(o.take(rows)) for name, o in everyone.items()}

    rows = len(one.truth)
    made = bootstrap(
        statistics, rows, strata=strata(one), resamples=resamples_for(rows, len(one.classes)), seed=20
    )  # fmt: skip
    sign = 1 if METRICS[metric].greater_is_better else -1
    order = sorted(outcomes, key=lambda name: -sign * made.whole[name])
    tests = [_test(order[0], name, outcomes, made, metric) for name in order[1:]]
    corrected = [None, *holm([t.p for t in tests])]
    algorithms = {str(m.handle): m.training.together for m in found}

    def compared(name: str, p: float | None) -> ComparedModel:
        low, high = percentile(made.drawn[name])
        behind_low, behind_high = percentile(sign * (made.drawn[order[0]] - made.drawn[name]) + 0.0)
        return ComparedModel(
            model=name, algorithm=algorithms[name], score=made.whole[name], low=low, high=high,
            behind=sign * (made.whole[order[0]] - made.whole[name]) + 0.0, behind_low=behind_low,
            behind_high=behind_high, p=p, as_good=p is None or p >= SIGNIFICANT, seconds=seconds[name],
            metrics=score(outcomes[name]),
        )  # fmt: skip

    ranked = [compared(name, p) for name, p in zip(order, corrected, strict=True)]
    return ranked, tests[0].name, made.whole[_WITHOUT]


def _test(best: str, other: str, outcomes: dict[str, Outcome], made: Bootstrap[str], metric: str) -> Significance:
    from agentkit_ml.assess.significance import mcnemar, paired_bootstrap

    one, two = outcomes[best], outcomes[other]
    if metric == "accuracy":
        return mcnemar(one.truth == one.predicted, two.truth == two.predicted)
    return paired_bootstrap(made.drawn[best] - made.drawn[other], len(one.truth))


def _figure(compared: list[ComparedModel], metric: str, baseline: float, data: Dataset, ctx: ToolContext) -> Figure:
    from agentkit_ml.places import shown_path
    from agentkit_ml.reports.figures import bars, save

    asked = repr((data.digest, metric, [m.model for m in compared])).encode()
    folder = ctx.storage.artifacts() / "comparisons"
    folder.mkdir(parents=True, exist_ok=True)
    low, high = min(m.low for m in compared), max(m.high for m in compared)
    # a baseline far away would press all models into one point
    near = low - _ROOM * (high - low) <= baseline <= high + _ROOM * (high - low)
    axis = f"{METRICS[metric].label} (95% interval)" + ("" if near else f"; without a model {number(baseline)}")
    drawn = bars(
        [f"{m.model} {m.algorithm}" for m in compared], [m.score for m in compared],
        [(m.low, m.high) for m in compared], title=f"Models on {data.name}", axis=axis, best=0,
        reference=("without a model", baseline) if near else None,
    )  # fmt: skip
    path = save(drawn, folder / f"{hashlib.sha256(asked).hexdigest()[:12]}.png")
    return Figure(title="Models compared", path=shown_path(path, ctx))
