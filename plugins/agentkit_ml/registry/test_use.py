"""How often the held-back rows of a model were looked at: each look that leads to a choice makes their score flatter.

Every use is a tag of its own on the registered version, so that two processes never overwrite each other's count
(Dwork et al. 2015, "The reusable holdout", on why uses must be counted at all). Models that are judged by the same rows
are counted too: of many, the best is ahead by luck as well, each of them looked at once or not.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from agentkit.errors import StorageError

if TYPE_CHECKING:
    from agentkit_ml.registry.tracking import TrainedModel

TAG = "agentkit.test_use."
ROWS_TAG = "agentkit.held_back"
"""Of a registered version: which rows judge it (`rows_key`)."""


class TestUse(BaseModel):
    """One use: `purpose` is the tool's name, `at` the time in UTC, ISO 8601."""

    __test__ = False  # not a test, whatever its name says
    model_config = ConfigDict(frozen=True)

    purpose: str
    at: str


def note_use(found: TrainedModel, purpose: str) -> int:
    """Count one more use of the model's held-back rows, and return how often they were used now, this time included.

    Two that come at the same moment may both be told 2, never both 1. Raises StorageError if MLflow cannot be used.
    """
    key = f"{TAG}{secrets.token_hex(8)}"
    value = f"{purpose} {datetime.now(UTC).isoformat(timespec='milliseconds')}"
    with _explained():
        found.tracking.client.set_model_version_tag(found.version.name, found.version.version, key, value)
    return len(uses(found))


def uses(found: TrainedModel) -> list[TestUse]:
    """All uses so far, the oldest first; the score that training itself reported is not one of them."""
    with _explained():
        version = found.tracking.client.get_model_version(found.version.name, found.version.version)
    noted = [value.partition(" ") for key, value in version.tags.items() if key.startswith(TAG)]
    return sorted((TestUse(purpose=p, at=at) for p, _, at in noted), key=lambda use: use.at)


def told(found: TrainedModel, count: int) -> str:
    """The sentence for the result's notes from the second use on; '' for the first."""
    if count < 2:
        return ""
    purposes = Counter(use.purpose for use in uses(found))
    by_tool = ", ".join(f"{tool} {times}" for tool, times in sorted(purposes.items()))
    return (
        f"The held-back rows of {found.handle} were used {count} times now ({by_tool}). If the model is chosen or "
        "changed by their score, it flatters: use rows that nobody has looked at."
    )


def rows_key(digest: str, target: str, held_back: Sequence[int]) -> str:
    """The same for models that are judged by the same rows of the same data, for the same target."""
    return hashlib.sha256(f"{digest} {target} {sorted(held_back)}".encode()).hexdigest()[:24]


def judged(found: TrainedModel) -> int:
    """How many registered models are judged by the rows that this one is, itself included."""
    key = found.version.tags.get(ROWS_TAG)
    return 1 if key is None else sum(v.tags.get(ROWS_TAG) == key for v in found.tracking.versions())


def judged_told(found: TrainedModel, count: int) -> str:
    """The sentence for the result's notes from the second model on; '' for the first."""
    if count < 2:
        return ""
    training = found.training
    return (
        f"{count} models have been judged by the same {training.test_rows} held-back rows of {training.dataset} now: "
        "the best of many looks better than it is. Judge the one that you choose by rows that nobody has looked at."
    )


@contextmanager
def _explained() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise StorageError(f"MLflow cannot be used: {str(error).splitlines()[0][:300]}") from error
