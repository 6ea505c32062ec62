"""The entry points of installed packages, found by reading their `entry_points.txt`.

`importlib.metadata` gives the same, but importing it takes longer than all the rest of `agentkit --help`. It is used
where packages do not lie in folders.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_ENDINGS = (".dist-info", ".egg-info")


@dataclass(frozen=True)
class EntryPoint:
    """What a package announces: `value` is `module` or `module:attribute`, `package` its normalised name."""

    name: str
    value: str
    package: str

    def load(self) -> object:
        """Import what it names."""
        module, _, path = self.value.partition("[")[0].partition(":")
        found: object = importlib.import_module(module.strip())
        for attribute in filter(None, path.strip().split(".")):
            found = getattr(found, attribute)
        return found

    @cached_property
    def version(self) -> str:
        """The version of the package."""
        from importlib.metadata import version

        return version(self.package)


def entry_points(group: str) -> list[EntryPoint]:
    """Those of a group; of a package that is installed twice, those of the one that Python finds first."""
    if any(Path(folder).is_file() for folder in sys.path):
        from importlib import metadata

        return [EntryPoint(e.name, e.value, _normal(e.dist.name)) for e in metadata.entry_points(group=group) if e.dist]
    found: dict[str, list[EntryPoint]] = {}
    for package, text in _announcements():
        if package not in found:
            found[package] = [EntryPoint(n, v, package) for n, v in _lines(text, group)]
    return [point for points in found.values() for point in points]


def _announcements() -> Iterator[tuple[str, str]]:
    """(package, entry_points.txt) of each installed package, in the order of `sys.path`."""
    for folder in dict.fromkeys(path or os.curdir for path in sys.path):
        try:
            with os.scandir(folder) as entries:
                found = sorted(entry.path for entry in entries if entry.name.endswith(_ENDINGS))
        except OSError:
            continue
        for path in map(Path, found):
            try:
                text = (path / "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            yield _normal(path.stem.partition("-")[0]), text


def _lines(text: str, group: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _normal(name: str) -> str:
    """As PEP 503 has it, as far as folder names need it."""
    return name.lower().replace("_", "-").replace(".", "-")
