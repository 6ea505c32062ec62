"""MLflow: one place that knows where it is, and how a handle becomes a model again."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.errors import HandleError
from agentkit.handles import Handle
from agentkit.profiles import Profile
from agentkit.stored_models import FOLDER, HASH_TAG, PROFILE, StoredModels, handle_of
from agentkit_ml.record import Training
from agentkit_ml.registry import serialization
from agentkit_ml.registry.recording import (
    FORMAT_TAG,
    LIBRARY_TAG,
    SCORED,
    SCORED_FORMAT_TAG,
    SCORED_HASH_TAG,
    Recorded,
    record,
)
from agentkit_ml.runtime import prepare_process

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.context import ToolContext
    from agentkit.prediction_profiles import PredictionProfile
    from agentkit_ml.registry.aliases import Placed


@dataclass(frozen=True)
class TrainedModel:
    """A registered model: its handle, the record of its training, and the fitted pipeline, loaded on first use.

    `recorded` and `placed` are what registering it came to; None for a model that was found by its handle.
    """

    handle: Handle
    run_id: str
    training: Training
    tracking: Tracking
    version: Any
    recorded: Recorded | None = None
    placed: Placed | None = None

    @cached_property
    def pipeline(self) -> Any:
        """Raises HandleError if the stored file is not the one that was registered, or needs other libraries."""
        return self.tracking.load_pipeline(self.version)

    @cached_property
    def scored(self) -> Any:
        """The pipeline that has not learned from the held-back rows: what is asked of these, it answers.

        `pipeline` has the same settings and has learned from all rows, unless the training was interrupted.
        """
        return self.tracking.load_scored(self.version, self.run_id) if self.training.refit else self.pipeline

    def judged_by(self, digest: str) -> Any:
        """The pipeline to judge by rows of the file of this digest: of its training file only `scored` can be."""
        return self.scored if digest == self.training.digest else self.pipeline

    def held_back(self) -> list[int]:
        """Positions, in the file it was trained on, of the rows that were held back."""
        rows: list[int] = json.loads(self.tracking.read(self.run_id, "rows.json"))["held_back"]
        return rows

    def profile(self) -> Profile:
        """What the training data looked like."""
        return Profile.model_validate_json(self.tracking.read(self.run_id, PROFILE))

    def card(self) -> str:
        """The model card, Markdown."""
        return self.tracking.read(self.run_id, "model_card.md")


class Tracking(StoredModels):
    """The models of a call's context, with the records of their trainings."""

    def __init__(self, ctx: ToolContext) -> None:
        prepare_process()
        super().__init__(ctx)

    def ready(self) -> None:
        """Find out whether a training can be recorded, before it costs anything. Raises StorageError.

        MLflow is imported and its database made by then, which takes some seconds the first time.
        """
        folder = self._ctx.storage.artifacts()
        with self.explained():
            with tempfile.TemporaryFile(dir=folder):
                pass
            self.experiment()

    def model(self, text: str) -> TrainedModel:
        """The model that a handle or an MLflow URI names. Raises HandleError that says which models there are."""
        return self._trained(self.find(text))

    def by_alias(self, name: str, alias: str) -> TrainedModel | None:
        """The version that has this alias, None if there is none."""
        found = self.exactly(Handle("model", name, alias=alias))
        return None if found is None else self._trained(found)

    def set_alias(self, handle: Handle, alias: str) -> None:
        """Give a version an alias, taking it from the version that had it."""
        with self.explained():
            self.client.set_registered_model_alias(handle.name, alias, str(handle.version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias from whichever version has it."""
        with self.explained():
            self.client.delete_registered_model_alias(name, alias)

    def load_pipeline(self, version: Any) -> Any:
        """Load what was registered, after its libraries and its hash have been compared: unpickling runs code."""
        tags: dict[str, str] = version.tags
        return self._load(version, version.source, tags.get(FORMAT_TAG, ""), tags[HASH_TAG])

    def load_scored(self, version: Any, run_id: str) -> Any:
        """The same for the pipeline that judges the held-back rows."""
        tags: dict[str, str] = version.tags
        location = f"runs:/{run_id}/{FOLDER}/{SCORED}"
        return self._load(version, location, tags[SCORED_FORMAT_TAG], tags[SCORED_HASH_TAG])

    def _load(self, version: Any, location: str, format_name: str, sha256: str) -> Any:
        tags: dict[str, str] = version.tags
        made = {k.removeprefix(LIBRARY_TAG): v for k, v in tags.items() if k.startswith(LIBRARY_TAG)}
        format_: serialization.Format = "skops" if format_name == "skops" else "cloudpickle"
        try:
            for note in serialization.check_libraries(made, format_):
                self._ctx.note(f"{handle_of(version)}: {note}.")
            return self.read_pipeline(location, format_, sha256)
        except HandleError as error:
            raise HandleError(f"{str(handle_of(version))!r} cannot be used: {error}") from error

    def read_pipeline(self, location: str, format_: serialization.Format, sha256: str) -> Any:
        """The pipeline in an MLflow model's folder. Raises HandleError if its file does not have this hash."""
        from mlflow.artifacts import download_artifacts

        with self.explained(), tempfile.TemporaryDirectory() as folder:
            uri = f"{location}/{serialization.FILES[format_]}"
            data = Path(download_artifacts(uri, dst_path=folder, tracking_uri=self.client.tracking_uri)).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise HandleError("its file has changed since it was trained. Train it again.")
        return serialization.load(data, format_)

    def register(
        self,
        name: str,
        training: Training,
        pipeline: Any,
        profile: Profile,
        held_back: list[int],
        example: DataFrame,
        files: Sequence[Path] = (),
        scored: Any = None,
        predictions: PredictionProfile | None = None,
    ) -> TrainedModel:
        """Log one finished run with the model and everything about it, and register the model's next version.

        `scored`: the pipeline that has not learned from the held-back rows, if `pipeline` has (`training.refit`).
        `predictions`: what that one said of them. `example`: raw training rows, whose predictions must be the same
        before and after storing; the first 5 are the model's input example. `files`: figures and reports to keep with
        the run. The version gets its alias.
        """
        from agentkit_ml.registry.aliases import place

        root = self._ctx.settings.root
        with self.explained():
            version, recorded = record(
                self, name, training, pipeline, profile, held_back, example, files, root, scored, predictions
            )
        new = TrainedModel(handle_of(version), version.run_id, training, self, version, recorded)
        return replace(new, placed=place(new, held_back))

    def _trained(self, version: Any) -> TrainedModel:
        training = Training.model_validate_json(self.read(version.run_id, "training.json"))
        return TrainedModel(handle_of(version), version.run_id, training, self, version)
