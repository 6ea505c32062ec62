"""A check as metrics in the text format of Prometheus, for the textfile collector of node_exporter or a push gateway.

Names follow Prometheus' conventions: base units, `_ratio` for shares, `_seconds` for times; all are gauges. What a
column has no measure for is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agentkit_drift.prediction_result import PredictionCheck
from agentkit_drift.result import ColumnDrift, DriftResult

VERDICTS = {"none": 0, "watch": 1, "drift": 2}

_COLUMN = {
    "drifted": "1 if the column drifted, else 0.",
    "effect_ratio": "The strongest measure of the column as a multiple of its threshold.",
    "psi": "Population stability index, natural logarithm.",
    "ks": "Kolmogorov-Smirnov statistic.",
    "wasserstein_stddevs": "Wasserstein distance in standard deviations of the reference.",
    "js_distance": "Jensen-Shannon distance, base 2.",
    "missing_ratio": "Share of missing values of the current data.",
    "outside_ratio": "Share of current values outside of the reference's range or in new levels.",
}


@dataclass
class _Family:
    """One metric: its samples by label sets."""

    help: str
    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)


def prometheus_text(
    drift: DriftResult | None, predictions: PredictionCheck | None = None, labels: Mapping[str, str] | None = None
) -> str:
    """All metrics of a check; `labels` are added to each sample."""
    families: dict[str, _Family] = {}
    for name, help_text, own, value in _samples(drift, predictions):
        if value is not None:
            family = families.setdefault(f"agentkit_drift_{name}", _Family(help_text))
            family.samples.append((dict(labels or {}) | own, float(value)))
    return "".join(_written(name, family) for name, family in families.items())


_Sample = tuple[str, str, dict[str, str], float | None]


def _samples(drift: DriftResult | None, predictions: PredictionCheck | None) -> Iterator[_Sample]:
    verdicts = [VERDICTS[r.verdict] for r in (drift, predictions) if r is not None]
    yield "verdict", "0: no drift, 1: watch, 2: drift.", {}, max(verdicts, default=0)
    yield "check_timestamp_seconds", "When the check ended, seconds since 1970.", {}, time.time()
    spent = sum(r.seconds for r in (drift, predictions) if r is not None)
    yield "check_duration_seconds", "How long the check took.", {}, spent
    if drift is not None:
        yield from _of_data(drift)
    if predictions is not None:
        yield from _of_predictions(predictions)


def _of_data(drift: DriftResult) -> Iterator[_Sample]:
    rows = "Rows that were compared."
    yield "rows", rows, {"side": "reference"}, drift.rows_reference
    yield "rows", rows, {"side": "current"}, drift.rows_current
    yield "columns", "Columns that were compared.", {}, len(drift.columns)
    yield "columns_drifted", "Columns that drifted.", {}, len(drift.drifted)
    yield "columns_drifted_ratio", "Share of columns that drifted.", {}, drift.drifted_share
    yield "weighted_ratio", "Share of drifted columns by importance for the model.", {}, drift.weighted_share
    yield "columns_missing", "Columns of the reference that the current data lack.", {}, len(drift.missing_columns)
    yield "columns_added", "Columns that the reference lacks.", {}, len(drift.added_columns)
    if drift.multivariate is not None:
        told = "AUC of a classifier that tells current from reference rows; 0.5 if it cannot."
        yield "multivariate_auc", told, {}, drift.multivariate.auc
    for column in drift.columns.values():
        for name, value in _of_column(column).items():
            yield f"column_{name}", _COLUMN[name], {"column": column.name}, value


def _of_column(column: ColumnDrift) -> dict[str, float | None]:
    return {
        "drifted": float(column.drifted), "effect_ratio": column.effect, "psi": column.psi, "ks": column.ks,
        "wasserstein_stddevs": column.wasserstein, "js_distance": column.js, "missing_ratio": column.missing_current,
        "outside_ratio": column.outside,
    }  # fmt: skip


def _of_predictions(check: PredictionCheck) -> Iterator[_Sample]:
    model = {"model": check.model}
    yield "prediction_rows", "Rows that the model predicted for.", model, check.rows
    yield "prediction_labelled_rows", "Rows of which the true value is known.", model, check.labelled
    if check.score is not None:
        told = "Shift of the mean score in standard deviations of the reference."
        yield "prediction_mean_shift_stddevs", told, model, check.score.mean_shift
        yield "prediction_mean", "Mean score.", model, check.score.mean_current
        yield "prediction_psi", "Population stability index of the scores.", model, check.score.psi
    if check.classes is not None:
        for name, share in check.classes.current.items():
            yield "prediction_class_ratio", "Share of rows by predicted class.", model | {"class": name}, share
    for source, measured in (("labels", check.metrics), ("estimate", check.estimated)):
        for name, found in measured.items():
            told = "A metric of the model, from labels or estimated without."
            yield "model_metric", told, model | {"metric": name, "source": source}, found.value
    if check.calibration is not None:
        yield "model_calibration_error", "Expected calibration error.", model, check.calibration.error


def _written(name: str, family: _Family) -> str:
    told = family.help.replace("\\", r"\\").replace("\n", r"\n")
    lines = [f"# HELP {name} {told}", f"# TYPE {name} gauge"]
    lines += [f"{name}{_labels(labels)} {_value(value)}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _value(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
