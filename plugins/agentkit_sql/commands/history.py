"""What a person typed in earlier sessions, for the arrow keys."""

from __future__ import annotations

import atexit
from contextlib import suppress
from pathlib import Path

from agentkit.redaction import redact


def keep_history(file: Path) -> None:
    """Arrow keys and a history file without secrets, where Python has readline."""
    try:
        import readline
    except ImportError:
        return
    # a history that cannot be read or written is no reason not to talk
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(file)

    def save() -> None:
        with suppress(OSError):
            readline.write_history_file(file)
            file.write_text(redact(file.read_text(encoding="utf-8")), encoding="utf-8")

    atexit.register(save)
