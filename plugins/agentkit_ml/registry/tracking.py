"""MLflow: one place that knows where it is, and how a handle becomes a model again."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import AgentkitError, HandleError, StorageError, suggest
from agentkit.handles import Handle
from agentkit.profiles import Profile, listed
from agentkit_ml.record import Training
from agentkit_ml.registry import serialization
from agentkit_ml.registry.recording import (
    FOLDER,
    FORMAT_TAG,
    HASH_TAG,
    LIBRARY_TAG,
    SCORED,
    SCORED_FORMAT_TAG,
    SCORED_HASH_TAG,
    Recorded,
    experiment_of,
    record,
)
from agentkit_ml.runtime import prepare_process

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.context import ToolContext
    from agentkit_ml.registry.aliases import Placed

_PAGE = 1_000


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
        return Profile.model_validate_json(self.tracking.read(self.run_id, "profile.json"))

    def card(self) -> str:
        """The model card, Markdown."""
        return self.tracking.read(self.run_id, "model_card.md")


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

    def artifact_folder(self) -> Path:
        """Where MLflow's files lie if its database is agentkit's own."""
        return self._ctx.storage.artifacts() / "mlflow"

    def ready(self) -> None:
        """Find out whether a training can be recorded, before it costs anything. Raises StorageError.

        MLflow is imported and its database made by then, which takes some seconds the first time.
        """
        folder = self._ctx.storage.artifacts()
        with self._explained():
            with tempfile.TemporaryFile(dir=folder):
                pass
            experiment_of(self)

    def versions(self, name: str | None = None) -> list[Any]:
        """Registered versions that agentkit made, the newest first, of one name or of all."""
        ours = [v for v in self._all("search_model_versions", name) if HASH_TAG in v.tags]
        return sorted(ours, key=lambda v: (v.creation_timestamp, int(v.version)), reverse=True)

    def aliases(self, name: str | None = None) -> dict[tuple[str, int], list[str]]:
        """The aliases of each version that has any, by the model's name and the version's number."""
        found: dict[tuple[str, int], list[str]] = {}
        for model in self._all("search_registered_models", name):
            for alias, version in model.aliases.items():
                found.setdefault((model.name, int(version)), []).append(alias)
        return found

    def _all(self, search: Literal["search_model_versions", "search_registered_models"], name: str | None) -> list[Any]:
        """Every page of a search of the client, of one name or of all."""
        query = f"name='{name}'" if name else None
        found: list[Any] = []
        token = None
        with self._explained():
            while token != "":
                page = getattr(self.client, search)(query, max_results=_PAGE, page_token=token)
                found += page
                token = page.token or ""
        return found

    def model(self, text: str) -> TrainedModel:
        """The model that a handle or an MLflow URI names. Raises HandleError that says which models there are."""
        return self._trained(self._find(text))

    def by_alias(self, name: str, alias: str) -> TrainedModel | None:
        """The version that has this alias, None if there is none."""
        found = self._exactly(Handle("model", name, alias=alias))
        return None if found is None else self._trained(found)

    def set_alias(self, handle: Handle, alias: str) -> None:
        """Give a version an alias, taking it from the version that had it."""
        with self._explained():
            self.client.set_registered_model_alias(handle.name, alias, str(handle.version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias from whichever version has it."""
        with self._explained():
            self.client.delete_registered_model_alias(name, alias)

    def read(self, run_id: str, name: str) -> str:
        """A small file that was stored with a training."""
        with self._explained(), tempfile.TemporaryDirectory() as folder:
            return Path(self.client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)).read_text(encoding="utf-8")

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
                self._ctx.note(f"{_handle(version)}: {note}.")
            return self.read_pipeline(location, format_, sha256)
        except HandleError as error:
            raise HandleError(f"{str(_handle(version))!r} cannot be used: {error}") from error

    def read_pipeline(self, location: str, format_: serialization.Format, sha256: str) -> Any:
        """The pipeline in an MLflow model's folder. Raises HandleError if its file does not have this hash."""
        from mlflow.artifacts import download_artifacts

        with self._explained(), tempfile.TemporaryDirectory() as folder:
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
    ) -> TrainedModel:
        """Log one finished run with the model and everything about it, and register the model's next version.

        `scored`: the pipeline that has not learned from the held-back rows, if `pipeline` has (`training.refit`).
        `example`: raw training rows, whose predictions must be the same before and after storing; the first 5 are
        the model's input example. `files`: figures and reports to keep with the run. The version gets its alias.
        """
        from agentkit_ml.registry.aliases import place

        root = self._ctx.settings.root
        with self._explained():
            version, recorded = record(self, name, training, pipeline, profile, held_back, example, files, root, scored)
        new = TrainedModel(_handle(version), version.run_id, training, self, version, recorded)
        return replace(new, placed=place(new, held_back))

    def _find(self, text: str) -> Any:
        handle = Handle.parse(text if ":" in text else f"model:{text.strip()}")
        if handle.kind != "model":
            raise HandleError(f"{text!r} does not name a model.")
        if handle.run is None and (handle.version or handle.alias):
            wanted = self._exactly(handle)
        else:
            wanted = next((v for v in self.versions(handle.name or None) if handle.run in (None, v.run_id)), None)
        if wanted is not None:
            return wanted
        names = [str(_handle(v)) for v in self.versions()]
        if not names:
            raise HandleError(f"there is no model {text!r}: none has been trained here yet. Train one first.")
        raise HandleError(f"there is no model {text!r}.{suggest(str(handle), names)} Models: {listed(names)}.")

    def _exactly(self, handle: Handle) -> Any:
        """The version of this number or alias that agentkit made, None if there is none."""
        from mlflow.exceptions import MlflowException

        with self._explained():
            try:
                if handle.alias:
                    found = self.client.get_model_version_by_alias(handle.name, handle.alias)
                else:
                    found = self.client.get_model_version(handle.name, str(handle.version))
            except MlflowException as error:
                if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    raise
                return None
        return found if HASH_TAG in found.tags else None

    def _trained(self, version: Any) -> TrainedModel:
        training = Training.model_validate_json(self.read(version.run_id, "training.json"))
        return TrainedModel(_handle(version), version.run_id, training, self, version)

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
