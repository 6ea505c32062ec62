"""Models in MLflow: which there are, what a handle means, and the small files that were stored with a training.

What is stored, and how a model's own file becomes a model again, is the affair of the plugin that trains.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import AgentkitError, HandleError, StorageError, suggest
from agentkit.handles import Handle
from agentkit.profiles import Profile, listed

if TYPE_CHECKING:
    from agentkit.context import ToolContext

EXPERIMENT = "agentkit"
"""Where MLflow keeps the runs of trainings."""
FOLDER = "agentkit"
"""Where the files of a training lie among its run's artifacts."""
HASH_TAG = "agentkit.sha256"
"""The tag of a registered version that agentkit made: the hash of its file."""
PROFILE = "profile.json"

_PAGE = 1_000


class StoredModels:
    """The MLflow of a call's context. No global address is set, so that several can be used in one process."""

    def __init__(self, ctx: ToolContext) -> None:
        prepare_mlflow()
        self._ctx = ctx

    @cached_property
    def client(self) -> Any:
        """MLflow's own client, for tracking and for the registry."""
        from mlflow import MlflowClient

        uri = self._ctx.storage.mlflow_uri()
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

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

    def find(self, text: str) -> Any:
        """MLflow's version that a handle or URI names. Raises HandleError that says which models there are."""
        handle = Handle.parse(text if ":" in text else f"model:{text.strip()}")
        if handle.kind != "model":
            raise HandleError(f"{text!r} does not name a model.")
        if handle.run is None and (handle.version or handle.alias):
            wanted = self.exactly(handle)
        else:
            wanted = next((v for v in self.versions(handle.name or None) if handle.run in (None, v.run_id)), None)
        if wanted is not None:
            return wanted
        names = [str(handle_of(v)) for v in self.versions()]
        if not names:
            raise HandleError(f"there is no model {text!r}: none has been trained here yet. Train one first.")
        raise HandleError(f"there is no model {text!r}.{suggest(str(handle), names)} Models: {listed(names)}.")

    def exactly(self, handle: Handle) -> Any:
        """The version of this number or alias that agentkit made, None if there is none."""
        from mlflow.exceptions import MlflowException

        with self.explained():
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

    def read(self, run_id: str, name: str) -> str:
        """A small file that was stored with a training. Raises StorageError if it is not there."""
        with self.explained(), tempfile.TemporaryDirectory() as folder:
            return Path(self.client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)).read_text(encoding="utf-8")

    def has(self, run_id: str, name: str) -> bool:
        """True if a training stored a file of this name."""
        with self.explained():
            return any(Path(f.path).name == name for f in self.client.list_artifacts(run_id, FOLDER))

    def profile(self, text: str) -> Profile:
        """What the training data of the model with this handle looked like. Raises HandleError, StorageError."""
        return Profile.model_validate_json(self.read(self.find(text).run_id, PROFILE))

    def experiment(self, name: str = EXPERIMENT) -> str:
        """The id of MLflow's experiment of this name, which is made if need be.

        In agentkit's own database its files lie with agentkit's artifacts.
        """
        from mlflow.exceptions import MlflowException

        with self.explained():
            if found := self.client.get_experiment_by_name(name):
                return str(found.experiment_id)
            own = not os.environ.get("MLFLOW_TRACKING_URI")
            place = (self._ctx.storage.artifacts() / "mlflow").as_uri() if own else None
            try:
                return str(self.client.create_experiment(name, artifact_location=place))
            except MlflowException:
                # another process was faster
                return str(self.client.get_experiment_by_name(name).experiment_id)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What MLflow or the disk says, as a StorageError."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except AgentkitError:
            raise
        except (MlflowException, OSError) as error:
            raise StorageError(f"MLflow cannot be used: {str(error).splitlines()[0][:300]}") from error

    def _all(self, search: Literal["search_model_versions", "search_registered_models"], name: str | None) -> list[Any]:
        """Every page of a search of the client, of one name or of all."""
        query = f"name='{name}'" if name else None
        found: list[Any] = []
        token = None
        with self.explained():
            while token != "":
                page = getattr(self.client, search)(query, max_results=_PAGE, page_token=token)
                found += page
                token = page.token or ""
        return found


def handle_of(version: Any) -> Handle:
    """The handle of a version of MLflow's registry."""
    return Handle("model", version.name, int(version.version))


def prepare_mlflow() -> None:
    """Keep MLflow from calling home and from writing to the terminal. Cheap, and safe to call again."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    # a bar on stderr for every small file
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # MLflow's own use of SQLAlchemy is deprecated there; nobody here can do anything about it
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\b|sqlalchemy\b|alembic\b")
