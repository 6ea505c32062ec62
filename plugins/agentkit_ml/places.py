"""How paths of files that tools make are told."""

from __future__ import annotations

from pathlib import Path

from agentkit.context import ToolContext


def shown_path(path: Path, ctx: ToolContext) -> str:
    """Relative to the workspace if it lies there, else absolute."""
    root = ctx.settings.root
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
