"""Runs of watches in MLflow: one MLflow run each, with metrics, tags and the result as a file.

What a killed process left half written is removed before the next run is logged.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.stored_models import StoredModels
from agentkit_drift.checks import Check
from agentkit_drift.reports.prometheus import VERDICTS

if TYPE_CHECKING:
    from agentkit.context import ToolContext
    from agentkit_drift.watching.history import Run

WATCH_TAG, RUN_TAG = "agentkit.watch", "agentkit.watch.run"

_MOST_COLUMNS = 100
_CUT = 500


def log_run(ctx: ToolContext, experiment: str, run: Run, check: Check | None) -> str:
    """The id of the MLflow run that this run of a watch is now. Raises StorageError."""
    models = StoredModels(ctx)
    place = models.experiment(experiment)
    with models.explained():
        _clear(models.client, place, run)
        tags = {
            WATCH_TAG: run.watch, RUN_TAG: str(run.id), "state": run.state, "reference": run.reference[:_CUT],
            "current": run.current[:_CUT],
        }  # fmt: skip
        begun = int(run.started_at.timestamp() * 1_000)
        made: str = models.client.create_run(
            place, start_time=begun, tags=tags, run_name=f"{run.watch} {run.id}"
        ).info.run_id
        _log(models.client, made, check)
        models.client.set_terminated(made, "FINISHED" if run.error is None else "FAILED")
    return made


def _clear(client: Any, experiment: str, run: Run) -> None:
    """Remove what an earlier try to log this run left."""
    query = f"tags.`{WATCH_TAG}` = '{run.watch}' and tags.`{RUN_TAG}` = '{run.id}'"
    for left in client.search_runs([experiment], query):
        client.delete_run(left.info.run_id)


def _log(client: Any, run_id: str, check: Check | None) -> None:
    from mlflow.entities import Metric

    if check is None:
        return
    moment = int(time.time() * 1_000)
    values = _metrics(check)
    client.log_batch(run_id, metrics=[Metric(name, value, moment, 0) for name, value in values.items()])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drift.json"
        file.write_text(json.dumps(check.as_json()), encoding="utf-8")
        client.log_artifact(run_id, str(file))


def _metrics(check: Check) -> dict[str, float]:
    """Figures of the data set, of the worst 100 columns and of the predictions."""
    drift, predictions = check.drift, check.predictions
    found: dict[str, float | None] = {
        "verdict": VERDICTS[check.verdict], "drifted_share": drift.drifted_share,
        "weighted_share": drift.weighted_share, "rows": drift.rows_current,
        "auc": drift.multivariate.auc if drift.multivariate else None,
    }  # fmt: skip
    for number, column in enumerate(drift.columns.values()):
        if number < _MOST_COLUMNS:
            found[f"effect/{_plain(column.name)}"] = column.effect
    if predictions is not None:
        if predictions.score is not None:
            found |= {"score_psi": predictions.score.psi, "score_shift": predictions.score.mean_shift}
        found |= {name: measured.value for name, measured in predictions.metrics.items()}
        found |= {f"estimated_{name}": measured.value for name, measured in predictions.estimated.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def _plain(name: str) -> str:
    """A column's name as MLflow takes names of metrics."""
    made = "".join(c if c.isascii() and (c.isalnum() or c in "_-. ") else "_" for c in name)[:200]
    # '.' and '..' are no names but places
    return made if made.strip(".") else "_"
