"""Stores of document collections by their kind, where a plugin registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.errors import BadInput, suggest
from agentkit.plugins import Plugins
from agentkit.settings import Settings
from agentkit.specs import resolve

if TYPE_CHECKING:
    from agentkit.storage import Storage


def open_store(kind: str, settings: Settings, plugins: Plugins, storage: Storage) -> Any:
    """The store of this kind. Raises BadInput if no plugin offers it, MissingExtra, StorageError."""
    if kind not in plugins.vector_stores:
        known = ", ".join(plugins.vector_stores) or "none"
        raise BadInput(
            f"no plugin offers the vector store {kind!r}.{suggest(kind, plugins.vector_stores)} Known: {known}."
        )
    return resolve(plugins.vector_stores[kind].spec.target)(settings, storage)
