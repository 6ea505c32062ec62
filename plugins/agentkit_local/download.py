"""Model files on this machine: found, checked, and fetched from the first source that has the right bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agentkit_local.manifest import ModelEntry, cache_folder


def find(entry: ModelEntry) -> Path | None:
    """The entry's file if it is here with the right hash. It is read through only when it changed."""
    file = target(entry)
    if not file.is_file():
        return None
    stat = file.stat()
    seen = _note(file)
    if (seen.get("size"), seen.get("mtime")) != (stat.st_size, stat.st_mtime_ns):
        return file if check(entry) else None
    return file if seen.get("sha256") == entry.sha256 else None


def check(entry: ModelEntry) -> bool:
    """Read the file through and compare its hash with the publisher's; False if it is missing or differs."""
    file = target(entry)
    if not file.is_file():
        return False
    stat = file.stat()
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    note = {"size": stat.st_size, "mtime": stat.st_mtime_ns, "sha256": found}
    _note_file(file).write_text(json.dumps(note), encoding="utf-8")
    return found == entry.sha256


def target(entry: ModelEntry) -> Path:
    """Where the entry's file is, or will be."""
    return cache_folder() / "models" / entry.file


def _note_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _note(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_note_file(file).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
