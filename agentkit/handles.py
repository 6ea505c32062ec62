"""Handles: short names for big things. `model:churn/3` travels through the model's text, the model itself does not."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from agentkit.errors import HandleError

Kind = Literal["model", "table", "figure"]

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}"
_HANDLE = re.compile(
    rf"(?P<kind>model|table|figure):(?P<name>{_NAME})(?:/(?P<version>[1-9]\d{{0,8}})|@(?P<alias>{_NAME}))?"
)
_MODELS_URI = re.compile(rf"models:/(?P<name>{_NAME})(?:/(?P<version>[1-9]\d{{0,8}}|latest)|@(?P<alias>{_NAME}))?")
_RUNS_URI = re.compile(r"runs:/(?P<run>[0-9a-f]{32})(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Handle:
    """What a handle names. Without `version`, `alias` and `run` a model handle means the latest version.

    `run` is set for an MLflow URI `runs:/RUN/...`: the version that was registered from this run.
    """

    kind: Kind
    name: str
    version: int | None = None
    alias: str | None = None
    run: str | None = None

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Read `model:NAME/VERSION`, `model:NAME`, `model:NAME@ALIAS`, `table:NAME`, `figure:NAME`, or an MLflow URI.

        Raises HandleError for anything else.
        """
        stripped = text.strip()
        if found := _HANDLE.fullmatch(stripped):
            kind: Kind = found["kind"]  # type: ignore[assignment]
            if kind != "model" and (found["version"] or found["alias"]):
                raise HandleError(f"{text!r}: only a model has a version or an alias. Write '{kind}:{found['name']}'.")
            return cls(kind, found["name"], int(found["version"]) if found["version"] else None, found["alias"])
        if found := _MODELS_URI.fullmatch(stripped):
            version = None if found["version"] in (None, "latest") else int(found["version"])
            return cls("model", found["name"], version, found["alias"])
        if found := _RUNS_URI.fullmatch(stripped):
            return cls("model", "", run=found["run"])
        raise HandleError(f"{text!r} is not a handle. Write 'model:NAME', 'model:NAME/VERSION' or 'model:NAME@ALIAS'.")

    def __str__(self) -> str:
        if self.run is not None:
            return f"runs:/{self.run}"
        tail = f"/{self.version}" if self.version is not None else f"@{self.alias}" if self.alias else ""
        return f"{self.kind}:{self.name}{tail}"

    @property
    def model_uri(self) -> str:
        """The same in MLflow's notation. Raises HandleError if this is not a model's handle."""
        if self.kind != "model":
            raise HandleError(f"{str(self)!r} does not name a model.")
        if self.run is not None:
            return f"runs:/{self.run}"
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}/{self.version or 'latest'}"


def handle_name(text: str, default: str = "model") -> str:
    """A name that a handle can carry, made from any text: accents go, other characters become '_'."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "_", plain).strip("_.-")[:100]
    return name or default
