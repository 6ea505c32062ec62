"""Statements by category: attacks, and harmless ones that must pass."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Statement:
    """`guard_only`: the engine alone cannot stop it."""

    category: str
    sql: str
    guard_only: bool = False


def read(name: str) -> list[Statement]:
    """The statements of a file `NAME.txt`."""
    found, category = [], ""
    for line in (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            category = line[3:]
        elif line.strip() and not line.startswith("# "):
            guard_only = line.startswith("~ ")
            text = line[2:] if guard_only else line
            found.append(Statement(category, json.loads(text) if text.startswith('"') else text, guard_only))
    return found
