"""Libraries of the extra `rag`."""

from __future__ import annotations

import importlib
from typing import Any

from agentkit.errors import MissingExtra


def needed(module: str) -> Any:
    """The imported module. Raises MissingExtra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"documents need {module}: pip install 'agentkit-ml[rag]'") from error
