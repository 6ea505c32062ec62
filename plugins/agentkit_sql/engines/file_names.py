"""Names that can be written without quotes, made from names of files and of their columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 63
_FOLDERS = 3
"""So many folders of its path a table's name gets at most, where shorter names are taken."""


def usable(name: str, reserved: Iterable[str], fallback: str) -> str:
    """The name itself if it is one word of letters, digits and '_', else made one: 'Order Date' -> 'order_date'."""
    if not _PLAIN.fullmatch(name) or len(name) > _LONGEST:
        plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", plain)
        name = re.sub(r"[^\w]+", "_", words).strip("_").lower()[:_LONGEST] or fallback
        if name[0].isdigit():
            name = f"_{name}"[:_LONGEST]
    return f"{name}_" if name.lower() in reserved else name


def distinct(names: Sequence[str], reserved: Iterable[str] = (), fallback: str = "column") -> list[str]:
    """`usable` names, the second of two that are equal without regard to case with a number."""
    taken: set[str] = set()
    found = []
    for i, name in enumerate(names, 1):
        base = usable(name, reserved, f"{fallback}_{i}")
        choice, number = base, 2
        while choice.lower() in taken:
            choice, number = f"{base}_{number}", number + 1
        taken.add(choice.lower())
        found.append(choice)
    return found


def table_names(files: Sequence[str], reserved: Iterable[str]) -> list[str]:
    """A name for each file (path and sheet): the stem; where that is taken, with the folder, the ending or a number."""
    taken: set[str] = set()
    names = []
    for file in files:
        choices = [usable(c, reserved, "file") for c in _choices(file)]
        numbered = (f"{choices[0]}_{i}" for i in range(2, len(files) + 2))
        name = next(c for c in [*choices, *numbered] if c.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names


def _choices(file: str) -> list[str]:
    base, _, sheet = file.partition("#")
    path = PurePosixPath(base)
    stem, kind = path.name.lstrip(".").partition(".")[::2]
    tail = f"_{sheet}" if sheet else ""
    folders = [p for p in path.parts[:-1] if p != "/"][-_FOLDERS:]
    choices = [f"{stem}{tail}"]
    choices += ["_".join([*folders[-n:], f"{stem}{tail}"]) for n in range(1, len(folders) + 1)]
    return [*choices, f"{stem}{tail}_{kind}"]
