"""Where a model's file is, and the engine that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import ModelNotFound
from agentkit_local.download import find
from agentkit_local.manifest import LocalSettings, find_entry
from agentkit_local.server import EngineKey, engine_soon

if TYPE_CHECKING:
    from agentkit.settings import Settings


def located(name: str, settings: Settings) -> tuple[str, EngineKey]:
    """The full name and the engine of a manifest entry ('' for the default) or a `PATH.gguf`. Raises ModelNotFound."""
    local = settings.section("local", LocalSettings)
    if name.endswith(".gguf"):
        file = (settings.folder / Path(name).expanduser()).resolve()
        if not file.is_file():
            raise ModelNotFound(f"The model file {str(file)!r} does not exist.")
        stat = file.stat()
        identity = f"{file} {stat.st_size} {stat.st_mtime_ns}"
        return file.stem, EngineKey(file, identity, local.context, local.threads)
    entry = find_entry(settings, name)
    found = find(entry)
    if found is None:
        raise ModelNotFound(
            f"The embedded model {entry.name!r} is not on this machine yet: agentkit models pull {entry.name}"
        )
    return entry.name, EngineKey(found, entry.sha256, local.context, local.threads)


def prepare(name: str, settings: Settings) -> None:
    """Begin to load the engine of a model. Raises ModelNotFound."""
    engine_soon(located(name, settings)[1])
