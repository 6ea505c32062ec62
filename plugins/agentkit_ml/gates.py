"""The gates that a training passes or not: each a finding, from what was recorded and what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError, BadInput
from agentkit.profiles import listed
from agentkit_ml.metrics import METRICS, better, shown
from agentkit_ml.record import Finding, Training
from agentkit_ml.registry import test_use

if TYPE_CHECKING:
    from agentkit.context import ToolContext
    from agentkit_ml.registry.tracking import TrainedModel

UNEQUAL = 0.6
"""Share of the largest class from which accuracy flatters: a model that always says it scores as much."""
REMEMBERED = 0.5
"""The gain over the baseline on held-back rows must be this share of the gain on training rows."""

_ORDER = ("block", "warn", "ok")
_NO_GAIN = 0.1


def gates(found: TrainedModel, ctx: ToolContext) -> list[Finding]:
    """All gates of a training, the worst first."""
    training = found.training
    checks: list[Callable[[], Finding]] = [
        lambda: _better_than_baseline(training), lambda: _metric(training), lambda: _gap(training),
        lambda: _seed(training), lambda: _test_rows(found), lambda: _test_use(found), lambda: _ids(found),
        lambda: _artifact(found), lambda: _profile(found), lambda: _run(found), lambda: _file(training, ctx),
    ]  # fmt: skip
    checked = [check() for check in checks] + (training.findings or [_unchecked()])
    return sorted(checked, key=lambda g: _ORDER.index(g.level))


def _unchecked() -> Finding:
    text = "The data were not looked through for leaks when this model was trained. Train it again."
    return Finding(gate="leaks_checked", level="warn", text=text)


def _better_than_baseline(training: Training) -> Finding:
    metric, score = training.metric, training.score
    baseline = training.baseline_metrics.get(metric)
    if baseline is None:
        return Finding(gate="better_than_baseline", level="warn", text=f"No baseline of {metric} was recorded.")
    told = f"{shown(metric, score)}, guessing without a model {shown(metric, baseline)}"
    value = round(score - baseline, 6)
    if not better(metric, score, baseline):
        text = f"No better than guessing: {told}. Other columns or more rows are needed."
        return Finding(gate="better_than_baseline", level="block", text=text, value=value)
    interval = training.intervals.get(metric)
    if interval and not all(better(metric, end, baseline) for end in interval):
        text = f"Better than guessing only by what may be chance: {told}, and the interval of the score includes it. "
        return Finding(gate="better_than_baseline", level="warn", text=text + "Add rows.", value=value)
    return Finding(gate="better_than_baseline", level="ok", text=f"Better than guessing: {told}.", value=value)


def _metric(training: Training) -> Finding:
    largest = max(training.baseline.shares, default=0.0)
    if training.metric == "accuracy" and largest >= UNEQUAL:
        wanted = "roc_auc or f1" if training.task == "binary" else "f1_macro or balanced_accuracy"
        text = f"Accuracy flatters here: always guessing the largest class is right in {largest:.0%} of the rows. "
        text += f"Train with metric={wanted}."
        return Finding(gate="metric_fits", level="warn", text=text, value=round(largest, 4))
    share = f"; the largest class has {largest:.0%} of the rows" if training.classes else ""
    text = f"{METRICS[training.metric].label} fits a {training.task} target{share}."
    return Finding(gate="metric_fits", level="ok", text=text, value=round(largest, 4) if training.classes else None)


def _gap(training: Training) -> Finding:
    """Overfitting: how much of the gain over the baseline is left on rows that were not learned from."""
    metric, learned = training.metric, training.train_score
    baseline = training.baseline_metrics.get(metric)
    if learned is None or baseline is None:
        return Finding(gate="train_test_gap", level="warn", text="The score on the training rows was not recorded.")
    there, held_back = (_gain(metric, s, baseline) for s in (learned, training.score))
    told = f"{shown(metric, learned)} on training rows, {shown(metric, training.score)} on held-back rows"
    if there > _NO_GAIN and held_back < REMEMBERED * there:
        text = f"The model remembers more than it knows: {told}. Add rows, or leave out columns that single out rows."
        return Finding(gate="train_test_gap", level="warn", text=text, value=round(there - held_back, 4))
    return Finding(gate="train_test_gap", level="ok", text=f"{told}.", value=round(there - held_back, 4))


def _gain(metric: str, score: float, baseline: float) -> float:
    """How much of the way from the baseline to a perfect score, 1 at most."""
    if METRICS[metric].greater_is_better:
        return (score - baseline) / max(1e-12, 1 - baseline)
    return 1 - score / max(1e-12, baseline)


def _seed(training: Training) -> Finding:
    text = f"Seed {training.seed} is recorded: the same call with the same trials gives the same model."
    return Finding(gate="seed", level="ok", text=text, value=training.seed)


def _test_rows(found: TrainedModel) -> Finding:
    try:
        rows = found.held_back()
    except (AgentkitError, ValueError, KeyError):
        rows = []
    training = found.training
    if not rows or len(rows) != training.test_rows or len(set(rows)) != len(rows):
        text = f"Which {training.test_rows} rows were held back is not recorded. Train it again."
        return Finding(gate="test_rows_known", level="block", text=text, value=len(rows))
    text = f"The {len(rows)} held-back rows are recorded by their places in the file ({training.split} split)."
    return Finding(gate="test_rows_known", level="ok", text=text, value=len(rows))


def _test_use(found: TrainedModel) -> Finding:
    count = len(test_use.uses(found))
    if count < 2:
        text = f"The held-back rows were used {count} times after training, and judge {test_use.judged(found)} models."
        return Finding(gate="test_rows_used", level="ok", text=text, value=count)
    return Finding(gate="test_rows_used", level="warn", text=test_use.told(found, count), value=count)


def _ids(found: TrainedModel) -> Finding:
    used = [c for c in found.profile().of_kind("id") if c in found.training.columns]
    if used:
        text = f"{listed(used)} identify rows and were learned from. Leave them out."
        return Finding(gate="ids_left_out", level="warn", columns=used, text=text, value=len(used))
    left_out = [c for c, why in found.training.left_out.items() if "identif" in why]
    text = f"No id was learned from{f'; left out: {listed(left_out)}' if left_out else ''}."
    return Finding(gate="ids_left_out", level="ok", columns=left_out, text=text, value=0)


def _artifact(found: TrainedModel) -> Finding:
    """Whether the stored model alone makes predictions of raw rows: preprocessing is in it."""
    try:
        example = _example(found)
        predicted = found.pipeline.predict(example)
    except AgentkitError as error:
        return Finding(gate="one_artifact", level="block", text=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a stored model raises is the finding
        why = f"{type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}"
        text = f"The stored model does not predict its own input example ({why}). Train it again."
        return Finding(gate="one_artifact", level="block", text=text)
    text = (
        f"The stored model predicts raw rows by itself ({len(predicted)} of its input example), preprocessing included."
    )
    return Finding(gate="one_artifact", level="ok", text=text, value=len(predicted))


def _example(found: TrainedModel) -> Any:
    """The rows that MLflow stored beside the model, as they are: MLflow would first fit them to the signature."""
    import pandas as pd
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    folder = download_artifacts(found.version.source, tracking_uri=found.tracking.client.tracking_uri)
    about = Model.load(folder).saved_input_example_info or {}
    stored = json.loads((Path(folder) / about["artifact_path"]).read_text(encoding="utf-8"))
    return pd.DataFrame(stored["data"], columns=stored["columns"])


def _profile(found: TrainedModel) -> Finding:
    try:
        profile = found.profile()
    except (AgentkitError, ValueError):
        text = "There is no profile of the training data: drift could not be told later. Train it again."
        return Finding(gate="reference_profile", level="block", text=text)
    text = f"The profile of {len(profile.columns)} columns and {profile.rows} rows is stored for drift checks."
    return Finding(gate="reference_profile", level="ok", text=text, value=len(profile.columns))


def _run(found: TrainedModel) -> Finding:
    from mlflow.exceptions import MlflowException

    metric = found.training.metric
    try:
        run = found.tracking.client.get_run(found.run_id)
    except MlflowException:
        run = None
    logged = run.data.metrics.get(metric) if run else None
    kept = run is not None and run.info.lifecycle_stage == "active" and run.info.status == "FINISHED"
    if not kept or logged is None:
        text = f"The MLflow run {found.run_id} is deleted, missing or incomplete. Restore it or train again."
        return Finding(gate="tracked_run", level="block", text=text)
    assert run is not None
    text = f"MLflow run {found.run_id} has {len(run.data.params)} parameters and {len(run.data.metrics)} metrics."
    return Finding(gate="tracked_run", level="ok", text=text, value=len(run.data.metrics))


def _file(training: Training, ctx: ToolContext) -> Finding:
    try:
        same = ctx.dataset(training.dataset).digest == training.digest
    except (BadInput, OSError):
        text = f"{training.dataset!r} is no longer there: what was learned from cannot be checked. Keep the file."
        return Finding(gate="file_unchanged", level="warn", text=text)
    if not same:
        text = f"{training.dataset!r} has changed since: its held-back rows may be others now. Train again on it."
        return Finding(gate="file_unchanged", level="warn", text=text)
    text = f"{training.dataset!r} is what it was at training (SHA-256 {training.digest[:12]})."
    return Finding(gate="file_unchanged", level="ok", text=text)
