"""The file of a watch: what to compare, how often, and whom to tell (docs/drift-watch.md)."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from agentkit.errors import DatasetError, SettingsError, suggest
from agentkit_drift.checks import Question

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that gets an HTTP POST with JSON. `${NAME}` in `url` and `headers` is a variable of the environment.

    `timeout_seconds`: of one try. `retries`: further tries after an error that may pass.
    """

    url: str
    headers: dict[str, str] = {}
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program with its arguments, run without a shell in the workspace; it gets the JSON on stdin."""

    run: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60


class WatchFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of the file.

    `newest`: of the files that the pattern `current` fits, the one that changed last. `experiment`: of MLflow ('': log
    nothing). `html`, `prometheus`: files that each run writes. `keep`: runs whose results are kept.
    """

    reference: str
    current: str
    name: str = ""
    newest: bool = False
    every_minutes: Annotated[float, msgspec.Meta(gt=0)] = 60
    columns: tuple[str, ...] = ()
    method: Literal["auto", "exact", "profile"] = "auto"
    time_column: str | None = None
    model: str | None = None
    predictions: bool | None = None
    experiment: str = "drift"
    html: str | None = None
    prometheus: str | None = None
    keep: Annotated[int, msgspec.Meta(ge=2)] = 1_000
    webhook: Webhook | None = None
    command: Command | None = None


def load_watch(path: Path) -> WatchFile:
    """Read and check a file. Raises SettingsError that names the file and what is wrong with it."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)!r} is no TOML: {error}.") from error
    known = WatchFile.__struct_fields__
    for key in values:
        if key not in known:
            raise SettingsError(f"{str(path)!r}: {key!r} is not a setting of a watch.{suggest(key, known)}")
    try:
        found = msgspec.convert({"name": path.stem} | values, WatchFile, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{str(path)!r}: {error}.") from error
    if not _NAME.fullmatch(found.name):
        raise SettingsError(
            f"{str(path)!r}: {found.name!r} cannot be the name of a watch: letters, digits, '_', '.' and '-'."
        )
    if found.webhook and not re.match(r"https?://[^/]", found.webhook.url):
        raise SettingsError(f"{str(path)!r}: the webhook's url must begin with https:// or http://.")
    return found


def question(watch: WatchFile, root: Path) -> Question:
    """What to compare now; `root` is the workspace. Raises DatasetError if no file fits the pattern."""
    current = _newest(watch.current, root) if watch.newest else watch.current
    return Question(
        watch.reference, current, watch.columns or None, watch.method, watch.time_column, watch.predictions, watch.model
    )


def with_variables(text: str, what: str) -> str:
    """The text with each `${NAME}` replaced by the environment's. Raises SettingsError for one that is not set."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise SettingsError(f"{what}: the environment has no variable {found[1]!r}.")
        return os.environ[found[1]]

    return _VARIABLE.sub(value, text)


def _newest(pattern: str, root: Path) -> str:
    try:
        files = [p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(".")]
    except (ValueError, NotImplementedError) as error:
        raise DatasetError(f"{pattern!r} is no pattern of files in the workspace: {error}.") from error
    if not files:
        raise DatasetError(f"no file of the workspace fits {pattern!r}.")
    return max(files, key=lambda p: (p.stat().st_mtime_ns, p.name)).relative_to(root).as_posix()
