"""Record a finished training as one MLflow run, and register its model once what was stored predicts the same."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit import __version__
from agentkit.errors import StorageError, TrainingError
from agentkit.handles import Handle
from agentkit.prediction_profiles import PREDICTIONS
from agentkit.stored_models import FOLDER, HASH_TAG, PROFILE
from agentkit_ml.registry import serialization
from agentkit_ml.registry.model_card import model_card, summary
from agentkit_ml.registry.test_use import ROWS_TAG, rows_key
from agentkit_ml.runtime import fitting_threads

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.prediction_profiles import PredictionProfile
    from agentkit.profiles import Profile
    from agentkit_ml.record import Training
    from agentkit_ml.registry.tracking import Tracking

SCORED = "scored"
"""Below the folder of a training's files: the pipeline that has not learned from the held-back rows."""

FORMAT_TAG = "agentkit.format"
SIZE_TAG = "agentkit.bytes"
LIBRARY_TAG = "library."
SCORED_HASH_TAG = "agentkit.scored.sha256"
SCORED_FORMAT_TAG = "agentkit.scored.format"
"""Tags of a registered version."""

_FIGURES = (".png", ".svg")
_EXAMPLE_ROWS = 5
_MOST_METRICS, _MOST_PARAMS = 1_000, 100
_LONGEST_PARAM = 500


@dataclass(frozen=True)
class Recorded:
    """What storing a model came to. `parity_rows`: rows that it predicts the same after it was loaded again."""

    format: serialization.Format
    bytes: int
    parity_rows: int
    seconds: float
    why: str = ""

    def told(self) -> str:
        """One sentence."""
        reason = f" ({self.why}: skops cannot)" if self.why else ""
        return (
            f"Stored as {self.format}{reason}, {self.bytes / 1e6:.1f} MB; loaded again it predicts the same for "
            f"{self.parity_rows} rows."
        )


def record(
    tracking: Tracking,
    name: str,
    training: Training,
    pipeline: Any,
    profile: Profile,
    held_back: list[int],
    example: DataFrame,
    files: Sequence[Path],
    folder: Path,
    scored: Any = None,
    predictions: PredictionProfile | None = None,
) -> tuple[Any, Recorded]:
    """The registered version, and what storing it came to. `folder`: where the user works, for its git commit.

    `scored`: the pipeline that has not learned from the held-back rows, if that is another one. `predictions`: what it
    said of these rows.

    The run is FAILED and nothing is registered if anything goes wrong. Raises TrainingError if the stored model
    predicts differently, StorageError if a file is not there.
    """
    client, started = tracking.client, time.perf_counter()
    if missing := [str(f) for f in files if not f.is_file()]:
        raise StorageError(f"{missing[0]!r} is not there to be stored with the model.")
    experiment = tracking.experiment()
    tags = _run_tags(training, folder) | serialization.libraries_of(pipeline)
    run = client.create_run(experiment, tags=tags, run_name=f"{name} {training.algorithm}").info.run_id
    version = None
    try:
        with tempfile.TemporaryDirectory() as scratch:
            _log_values(client, run, training, pipeline)
            _log_files(client, run, training, profile, held_back, files, Path(scratch), predictions)
            logged, stored = _log_model(client, run, experiment, name, training, pipeline, example, Path(scratch))
            _check_parity(tracking, logged.artifact_location, stored, pipeline, example)
            more = {} if scored is None else _log_scored(client, run, scored, Path(scratch))
            more[ROWS_TAG] = rows_key(training.digest, training.target, held_back)
            version = _register(client, run, name, training, logged, stored, more)
            kept = _kept(stored, run, len(example))
            card = model_card(str(Handle("model", name, int(version.version))), training, profile, kept)
            client.log_text(run, card, f"{FOLDER}/model_card.md")
        client.set_terminated(run, "FINISHED")
    except BaseException:
        if version is not None:
            with suppress(Exception):
                client.delete_model_version(name, version.version)
        client.set_terminated(run, "FAILED")
        raise
    return version, Recorded(stored.format, stored.bytes, len(example), time.perf_counter() - started, stored.why)


def _run_tags(training: Training, folder: Path) -> dict[str, str]:
    tags = {
        "mlflow.source.name": "agentkit",
        "mlflow.source.type": "LOCAL",
        "agentkit.version": __version__,
        "python": platform.python_version(),
        "seed": str(training.seed),
        "dataset.sha256": training.digest,
    }
    if commit := _git_commit(folder):
        tags["mlflow.source.git.commit"] = commit
    return tags


def _git_commit(folder: Path) -> str:
    """The commit that is checked out where the user works, '' outside of git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _log_values(client: Any, run: str, training: Training, pipeline: Any) -> None:
    """Metrics, parameters and the data set, in few requests: one by one takes 30 times as long."""
    from mlflow.entities import Dataset, DatasetInput, Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(k, v, now, 0) for k, v in _metrics(training).items()]
    params = [Param(k, v[:_LONGEST_PARAM]) for k, v in _params(training, pipeline).items()]
    for start in range(0, max(len(metrics), len(params)), _MOST_PARAMS):
        end = start + _MOST_PARAMS
        client.log_batch(run, metrics=metrics[start:end], params=params[start:end])
    source = json.dumps({"uri": training.dataset})
    data = Dataset(name=training.dataset, digest=training.digest[:36], source_type="local", source=source)
    client.log_inputs(run, [DatasetInput(data)])


def _metrics(training: Training) -> dict[str, float]:
    values = training.metrics | {f"baseline_{k}": v for k, v in training.baseline_metrics.items()}
    for candidate in training.candidates:
        if candidate.score is not None:
            values[f"cv_{candidate.algorithm}"] = candidate.score
    for name, (low, high) in training.intervals.items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    if training.train_score is not None:
        values[f"train_{training.metric}"] = training.train_score
    return values | {"seconds": training.seconds}


def _params(training: Training, pipeline: Any) -> dict[str, str]:
    fields = {"algorithm", "target", "task", "metric", "split", "seed", "train_rows", "test_rows", "trials", "members"}
    values = {k: str(v) for k, v in training.model_dump(include=fields).items()}
    last = pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline
    own = last.get_params(deep=False) if hasattr(last, "get_params") else {}
    simple = {k: v for k, v in own.items() if isinstance(v, (bool, int, float, str)) or v is None}
    return values | {f"model.{k}": str(v) for k, v in simple.items()}


def _log_files(
    client: Any, run: str, training: Training, profile: Profile, held_back: list[int], files: Sequence[Path],
    scratch: Path, predictions: PredictionProfile | None,
) -> None:  # fmt: skip
    folder = scratch / "files"
    (folder / "figures").mkdir(parents=True)
    rows = {"dataset": training.dataset, "sha256": training.digest, "held_back": held_back}
    written = {
        "training.json": training.model_dump_json(),
        PROFILE: profile.model_dump_json(),
        "rows.json": json.dumps(rows),
        "environment.json": json.dumps(_environment(), indent=1),
    }
    if predictions is not None:
        written[PREDICTIONS] = predictions.model_dump_json()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    for file in files:
        shutil.copyfile(file, folder / ("figures" if file.suffix.lower() in _FIGURES else "") / file.name)
    client.log_artifacts(run, str(folder), FOLDER)


def _environment() -> dict[str, Any]:
    # each access of `metadata` reads the file again
    read = (d.metadata for d in distributions())
    packages = {m["Name"]: m["Version"] for m in read if m["Name"]}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": dict(sorted(packages.items(), key=lambda kv: kv[0].casefold())),
    }


def _log_model(
    client: Any, run: str, experiment: str, name: str, training: Training, pipeline: Any, example: DataFrame,
    scratch: Path,
) -> tuple[Any, serialization.Stored]:  # fmt: skip
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    logged = client.create_logged_model(experiment, name=name, source_run_id=run)
    model = Model(
        artifact_path=logged.artifact_location, model_uuid=logged.model_id, run_id=run, model_id=logged.model_id,
        signature=_signature(training, example),
    )  # fmt: skip
    stored = serialization.save(scratch / "model", pipeline, model, example.head(_EXAMPLE_ROWS))
    client.log_model_artifacts(logged.model_id, str(scratch / "model" / stored.format))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(logged.model_id, step=0)])
    return logged, stored


def _log_scored(client: Any, run: str, scored: Any, scratch: Path) -> dict[str, str]:
    """Keep the file of the pipeline that judges the held-back rows. The registered version gets these tags for it."""
    file, stored = serialization.save_file(scratch / SCORED, scored)
    client.log_artifact(run, str(file), f"{FOLDER}/{SCORED}")
    return {SCORED_HASH_TAG: stored.sha256, SCORED_FORMAT_TAG: stored.format}


def _check_parity(
    tracking: Tracking, location: str, stored: serialization.Stored, pipeline: Any, example: DataFrame
) -> None:
    """Load what was stored and compare its predictions: preprocessing that is left out at serving would show here."""
    import numpy as np

    again = tracking.read_pipeline(location, stored.format, stored.sha256)
    with fitting_threads():
        answers = list(zip(_answers(pipeline, example), _answers(again, example), strict=True))
    for before, after in answers:
        # forests add their trees in the order in which threads finish: the last bits differ
        same = np.allclose(before, after, rtol=1e-9, atol=1e-12, equal_nan=True) if before.dtype.kind == "f" else (
            np.array_equal(before, after)
        )  # fmt: skip
        if not same:
            raise TrainingError(
                f"the stored model predicts differently from the trained one ({stored.format}), so it was not "
                "registered. Train again with another model."
            )


def _answers(pipeline: Any, rows: DataFrame) -> Iterator[Any]:
    """Predictions, and probabilities where there are any."""
    import numpy as np

    yield np.asarray(pipeline.predict(rows))
    if hasattr(pipeline, "predict_proba"):
        yield np.asarray(pipeline.predict_proba(rows))


def _register(
    client: Any, run: str, name: str, training: Training, logged: Any, stored: serialization.Stored,
    more: dict[str, str],
) -> Any:  # fmt: skip
    """Make the next version, with all of its tags at once: a process that is killed leaves all or none."""
    _ensure_registered(client, name)
    tags = {
        HASH_TAG: stored.sha256, FORMAT_TAG: stored.format, SIZE_TAG: str(stored.bytes),
        "task": training.task, "target": training.target, "metric": training.metric, "score": repr(training.score),
        "algorithm": training.together, "dataset": training.dataset, "rows": str(training.learned_rows),
        **more,
    }  # fmt: skip
    tags |= {f"{LIBRARY_TAG}{library}": version for library, version in stored.libraries.items()}
    return client.create_model_version(
        name, logged.artifact_location, run_id=run, tags=tags, model_id=logged.model_id, await_creation_for=0,
        description=summary(training)[:5_000],
    )  # fmt: skip


def _kept(stored: serialization.Stored, run: str, parity_rows: int) -> dict[str, str]:
    why = f" (skops cannot: {stored.why})" if stored.why else ""
    return {
        "Format": f"{stored.format}{why}, {stored.bytes / 1e6:.1f} MB, SHA-256 `{stored.sha256}`",
        "Made with": ", ".join(f"{k} {v}" for k, v in {"agentkit": __version__, **stored.libraries}.items()),
        "Loaded again": f"it predicts the same for {parity_rows} rows",
        "MLflow run": f"`{run}`",
    }


def _ensure_registered(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _signature(training: Training, example: DataFrame) -> Any:
    """Numbers as doubles, so that a later gap in a column of whole numbers is no error; every column optional."""
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    def kind(name: str) -> str:
        if training.columns[name] == "number":
            return "double"
        return "datetime" if pd.api.types.is_datetime64_any_dtype(example[name]) else "string"

    inputs = [ColSpec(kind(name), name, required=False) for name in training.columns]
    return ModelSignature(Schema(inputs), Schema([ColSpec("double" if training.task == "regression" else "string")]))
