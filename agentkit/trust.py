"""Which settings files a person has allowed to run code: path and hash, in the user's configuration folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def is_trusted(file: Path, content: bytes) -> bool:
    """True if exactly this content of the file was trusted."""
    return _read().get(str(file.resolve())) == hashlib.sha256(content).hexdigest()


def trust(file: Path, content: bytes) -> None:
    """Remember this content of the file, the one that was shown, as trusted."""
    entries = _read() | {str(file.resolve()): hashlib.sha256(content).hexdigest()}
    _store().parent.mkdir(parents=True, exist_ok=True)
    temporary = _store().with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    temporary.replace(_store())


def _store() -> Path:
    from platformdirs import user_config_path

    return user_config_path("agentkit") / "trusted.json"


def _read() -> dict[str, str]:
    try:
        return dict(json.loads(_store().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
