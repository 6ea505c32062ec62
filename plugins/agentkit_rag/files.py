"""The files below a path that may be indexed, and why others are not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agentkit.errors import WorkspaceError

LEFT_OUT = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
"""Folders that hold nobody's documents, besides those whose name begins with a dot."""


@dataclass(frozen=True)
class Found:
    """A file: its name in the workspace, where it is, its bytes, and when it was changed (seconds since 1970)."""

    name: str
    path: Path
    size: int
    modified: float


def walk(
    path: Path, name: str, allowed: Callable[[Path], object], largest: float, skip: Callable[[str, str], None]
) -> Iterator[Found]:
    """The files below a path, in order of their names; of others `skip` is told name and reason.

    `allowed` raises WorkspaceError for a path outside the workspace; `largest`: megabytes.
    """
    for file, shown in _files(path, name, skip):
        try:
            if file.is_symlink():
                allowed(file.resolve(strict=True))
            status = file.stat()
            size = status.st_size
        except (WorkspaceError, RuntimeError):
            skip(shown, "a link out of the workspace")
        except OSError as error:
            skip(shown, f"cannot be read: {error.strerror}")
        else:
            if not file.is_file():
                skip(shown, "not a file")
            elif size > largest * 1_000_000:
                skip(shown, f"{size / 1e6:,.0f} MB; [rag] largest_file is {largest:,.0f} MB")
            elif size == 0:
                skip(shown, "empty")
            else:
                yield Found(shown, file, size, status.st_mtime)


def _files(path: Path, name: str, skip: Callable[[str, str], None]) -> Iterator[tuple[Path, str]]:
    if not path.is_dir():
        yield path, name
        return
    prefix = "" if name in (".", "") else f"{name}/"
    for folder, below, files in os.walk(path):
        inside = Path(folder).relative_to(path).as_posix()
        here = prefix if inside == "." else f"{prefix}{inside}/"
        below[:] = sorted(b for b in below if not b.startswith(".") and b not in LEFT_OUT)
        for linked in (b for b in below if Path(folder, b).is_symlink()):
            skip(f"{here}{linked}", "a link to a folder: index that folder itself")
        for file in sorted(files):
            if not file.startswith("."):
                yield Path(folder, file), f"{here}{file}"


def digest(path: Path, recipe: str) -> str:
    """The SHA-256 of a file's bytes and of how they are read and split. Raises OSError."""
    found = hashlib.sha256(recipe.encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return f"file:{found.hexdigest()}"
