"""Prompt states on disk, so that a new process does not read the system prompt and the tools again.

Reading 1,000 tokens takes about 15 s on two cores; loading the state that is left after it takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

KEPT = 8
"""State files that stay; the least recently used ones go."""
_ABANDONED = 3_600.0


class PromptStates:
    """The state files of one folder. `command(action, file name)` makes llama.cpp save or restore its slot."""

    def __init__(self, folder: Path, command: Callable[[str, str], bool]) -> None:
        self._folder = folder
        self._command = command

    def restore(self, key: str) -> bool:
        """Load the state of this key; False if there is none that is whole."""
        file = self._folder / f"{key}.state"
        # llama.cpp ends the process when a file is cut short: only bytes that are as they were written get there
        if not file.is_file() or _digest(file) != self._expected(key):
            self._drop(key)
            return False
        if not self._command("restore", file.name):
            self._drop(key)
            return False
        os.utime(file)
        return True

    def save(self, key: str) -> None:
        """Keep the present state under this key. A full disk or a lost race only costs the time saved."""
        temporary = self._folder / f"{key}.{os.getpid()}.tmp"
        try:
            if self._command("save", temporary.name):
                temporary.chmod(0o600)
                note = temporary.with_suffix(".note")
                note.write_text(json.dumps({"sha256": _digest(temporary)}), encoding="utf-8")
                note.replace(self._folder / f"{key}.json")
                temporary.replace(self._folder / f"{key}.state")
                self._prune()
        except OSError:
            self._drop(key)
        finally:
            temporary.unlink(missing_ok=True)

    def _expected(self, key: str) -> str | None:
        try:
            return str(json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _drop(self, key: str) -> None:
        for suffix in (".state", ".json"):
            with suppress(OSError):
                (self._folder / f"{key}{suffix}").unlink(missing_ok=True)

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.state"), key=lambda f: f.stat().st_mtime, reverse=True)
        for file in files[KEPT:]:
            self._drop(file.stem)
        for left in self._folder.glob("*.tmp"):
            if left.stat().st_mtime < time.time() - _ABANDONED:
                left.unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
