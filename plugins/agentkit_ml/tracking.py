"""MLflow: one place that knows where it is, what is logged, and how a handle becomes a model again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit import __version__
from agentkit.errors import AgentkitError, HandleError, StorageError, suggest
from agentkit.handles import Handle
from agentkit.profiles import Profile, listed
from agentkit_ml.record import Training
from agentkit_ml.runtime import prepare_process

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.context import ToolContext

EXPERIMENT = "agentkit"
FOLDER = "agentkit"
HASH_TAG = "agentkit.sha256"

_MODEL_FILE = "model.pkl"


@dataclass(frozen=True)
class TrainedModel:
    """A registered model: its handle, the record of its training, and the fitted pipeline, loaded on first use."""

    handle: Handle
    run_id: str
    training: Training
    tracking: Tracking
    version: Any

    @cached_property
    def pipeline(self) -> Any:
        """Raises HandleError if the stored file is not the one that was registered."""
        return self.tracking.load_pipeline(self.version)

    def held_back(self) -> list[int]:
        """Positions, in the file it was trained on, of the rows that were held back."""
        rows: list[int] = json.loads(self.tracking.read(self.run_id, "rows.json"))["held_back"]
        return rows

    def profile(self) -> Profile:
        """What the training data looked like."""
        return Profile.model_validate_json(self.tracking.read(self.run_id, "profile.json"))


class Tracking:
    """The MLflow of a call's context. No global address is set, so that several can be used in one process."""

    def __init__(self, ctx: ToolContext) -> None:
        prepare_process()
        self._ctx = ctx

    @cached_property
    def client(self) -> Any:
        from mlflow import MlflowClient

        uri = self._ctx.storage.mlflow_uri()
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def versions(self, name: str | None = None) -> list[Any]:
        """Registered versions that agentkit made, the newest first, of one name or of all."""
        query = f"name='{name}'" if name else None
        with self._explained():
            found = self.client.search_model_versions(query, max_results=1_000)
        ours = [v for v in found if HASH_TAG in v.tags]
        return sorted(ours, key=lambda v: (v.creation_timestamp, int(v.version)), reverse=True)

    def model(self, text: str) -> TrainedModel:
        """The model that a handle or an MLflow URI names. Raises HandleError that says which models there are."""
        version = self._find(text)
        training = Training.model_validate_json(self.read(version.run_id, "training.json"))
        return TrainedModel(
            Handle("model", version.name, int(version.version)), version.run_id, training, self, version
        )

    def _find(self, text: str) -> Any:
        handle = Handle.parse(text if ":" in text else f"model:{text.strip()}")
        if handle.kind != "model":
            raise HandleError(f"{text!r} does not name a model.")
        for version in self.versions(handle.name or None):
            if handle.run is not None:
                if version.run_id == handle.run:
                    return version
            elif not handle.alias and handle.version in (None, int(version.version)):
                return version
        if handle.alias and (wanted := self._by_alias(handle)):
            return wanted
        names = [str(_handle(v)) for v in self.versions()]
        if not names:
            raise HandleError(f"there is no model {text!r}: none has been trained here yet. Train one first.")
        raise HandleError(f"there is no model {text!r}.{suggest(str(handle), names)} Models: {listed(names)}.")

    def _by_alias(self, handle: Handle) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_model_version_by_alias(handle.name, handle.alias)
        except MlflowException:
            return None
        return found if HASH_TAG in found.tags else None

    def read(self, run_id: str, name: str) -> str:
        """A small file that was stored with a training."""
        with self._explained(), tempfile.TemporaryDirectory() as folder:
            return Path(self.client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)).read_text(encoding="utf-8")

    def load_pipeline(self, version: Any) -> Any:
        """Load what was registered, after its hash has been compared: unpickling runs code."""
        import cloudpickle
        from mlflow.artifacts import download_artifacts

        with self._explained(), tempfile.TemporaryDirectory() as folder:
            file = Path(
                download_artifacts(
                    f"{version.source}/{_MODEL_FILE}", dst_path=folder, tracking_uri=self.client.tracking_uri
                )
            )
            data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != version.tags[HASH_TAG]:
            raise HandleError(
                f"the file of {str(_handle(version))!r} has changed since it was trained. Train it again."
            )
        try:
            return cloudpickle.loads(data)
        except (ImportError, AttributeError) as error:
            raise HandleError(
                f"{str(_handle(version))!r} was made with other library versions: {error}. Train it again."
            ) from error

    def register(
        self, name: str, training: Training, pipeline: Any, profile: Profile, held_back: list[int], example: DataFrame
    ) -> TrainedModel:
        """Log one finished run with the model and everything about it, and register the model's next version."""
        with self._explained(), tempfile.TemporaryDirectory() as scratch:
            experiment = self._experiment()
            tags = {"mlflow.source.name": "agentkit", "mlflow.source.type": "LOCAL", "agentkit.version": __version__}
            run = self.client.create_run(experiment, tags=tags, run_name=f"{name} {training.algorithm}").info.run_id
            try:
                self._log_run(run, training)
                self._log_files(run, training, profile, held_back, Path(scratch))
                version = self._log_model(run, experiment, name, training, pipeline, example, Path(scratch))
            except BaseException:
                self.client.set_terminated(run, "FAILED")
                raise
            self.client.set_terminated(run, "FINISHED")
        return TrainedModel(_handle(version), run, training, self, version)

    def _log_run(self, run: str, training: Training) -> None:
        from mlflow.entities import Dataset, DatasetInput, Metric, Param

        now = int(time.time() * 1000)
        values = training.metrics | {f"baseline_{k}": v for k, v in training.baseline_metrics.items()}
        values |= {f"cv_{c.algorithm}": c.score for c in training.candidates if c.score is not None}
        metrics = [Metric(k, v, now, 0) for k, v in values.items()]
        chosen = training.model_dump(
            include={"algorithm", "target", "task", "metric", "split", "seed", "train_rows", "test_rows"}
        )
        self.client.log_batch(run, metrics=metrics, params=[Param(k, str(v)) for k, v in chosen.items()])
        data = Dataset(
            name=training.dataset,
            digest=training.digest[:36],
            source_type="local",
            source=json.dumps({"uri": training.dataset}),
        )
        self.client.log_inputs(run, [DatasetInput(data)])

    def _log_files(self, run: str, training: Training, profile: Profile, held_back: list[int], scratch: Path) -> None:
        files = scratch / "files"
        files.mkdir()
        rows = {"dataset": training.dataset, "sha256": training.digest, "held_back": held_back}
        (files / "training.json").write_text(training.model_dump_json(), encoding="utf-8")
        (files / "profile.json").write_text(profile.model_dump_json(), encoding="utf-8")
        (files / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        self.client.log_artifacts(run, str(files), FOLDER)

    def _log_model(
        self, run: str, experiment: str, name: str, training: Training, pipeline: Any, example: DataFrame, scratch: Path
    ) -> Any:
        from mlflow.entities import LoggedModelOutput

        logged = self.client.create_logged_model(experiment, name=name, source_run_id=run)
        folder = scratch / "model"
        _save(folder, pipeline, training, example, logged, run)
        digest = hashlib.sha256((folder / _MODEL_FILE).read_bytes()).hexdigest()
        self.client.log_model_artifacts(logged.model_id, str(folder))
        self.client.finalize_logged_model(logged.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(logged.model_id, step=0)])
        self._ensure_registered(name)
        tags = {
            HASH_TAG: digest, "task": training.task, "target": training.target, "metric": training.metric,
            "score": repr(training.score), "algorithm": training.algorithm, "dataset": training.dataset,
        }  # fmt: skip
        return self.client.create_model_version(
            name, logged.artifact_location, run_id=run, tags=tags, model_id=logged.model_id, await_creation_for=0
        )

    def _experiment(self) -> str:
        """The experiment's id. In agentkit's own database its files lie with agentkit's artifacts."""
        from mlflow.exceptions import MlflowException

        if found := self.client.get_experiment_by_name(EXPERIMENT):
            return str(found.experiment_id)
        own = not os.environ.get("MLFLOW_TRACKING_URI")
        place = (self._ctx.storage.artifacts() / "mlflow").as_uri() if own else None
        try:
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=place))
        except MlflowException:
            # another process was faster
            return str(self.client.get_experiment_by_name(EXPERIMENT).experiment_id)

    def _ensure_registered(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except AgentkitError:
            raise
        except (MlflowException, OSError) as error:
            raise StorageError(f"MLflow cannot be used: {str(error).splitlines()[0][:300]}") from error


def _handle(version: Any) -> Handle:
    return Handle("model", version.name, int(version.version))


def _save(folder: Path, pipeline: Any, training: Training, example: DataFrame, logged: Any, run: str) -> None:
    with warnings.catch_warnings():
        # MLflow warns about type hints of its own
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.sklearn
    from mlflow.models import Model

    mlflow.sklearn.save_model(
        pipeline,
        str(folder),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, model_uuid=logged.model_id, run_id=run, model_id=logged.model_id
        ),
        serialization_format="cloudpickle",
        signature=_signature(training, example),
        input_example=example,
        pip_requirements=_requirements(),
    )


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


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{p}=={version(p)}" for p in ("cloudpickle", "numpy", "pandas", "scikit-learn")] + [
        f"agentkit-ml=={__version__}"
    ]
