"""Data sets of the workspace: the borders of the workspace, and files as tables and row batches.

Validated once, in `open_dataset`: behind it a `Dataset` exists, is inside the workspace, has a header without
duplicates and at least one row. Cells that read '', NA, N/A, NaN, null, None or ? count as missing.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import DatasetError, WorkspaceError, suggest
from agentkit.names import meant

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.tables import Reader

DATA_SUFFIXES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson",
    ".parquet", ".pq", ".arrow", ".feather", ".ipc", ".xlsx", ".xlsm",
)  # fmt: skip
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")

_MOST_NAMES = 500
_DEEPEST = 6
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:(//|SELECT\b|WITH\b)?.*", re.IGNORECASE | re.DOTALL)


class Workspace:
    """The folder that tools may open, and the folders outside it that the settings allow."""

    def __init__(self, root: Path, allow: Iterable[str | Path] = ()) -> None:
        self.root = root.resolve()
        self._borders = [self.root, *((self.root / Path(a).expanduser()).resolve() for a in allow)]

    def path(self, name: str) -> Path:
        """The absolute path of a file or folder, links followed; it need not exist.

        Raises WorkspaceError if it lies outside the workspace, is a URL, or cannot be a path.
        """
        if not name or "\0" in name or any(len(os.fsencode(part)) > 255 for part in name.split("/")):
            raise WorkspaceError(f"{_short(name)!r} cannot be a file name.")
        if _URL.fullmatch(name):
            raise WorkspaceError(f"{_short(name)!r} is an address, not a workspace file. Save the data there first.")
        try:
            found = (self.root / name).resolve()
        except (OSError, RuntimeError) as error:
            raise WorkspaceError(f"{_short(name)!r} cannot be opened: {error}.") from error
        if not any(found.is_relative_to(b) for b in self._borders):
            raise WorkspaceError(
                f"{_short(name)!r} is outside the workspace {str(self.root)!r}. "
                "Copy it there, or add its folder to workspace.allow in agentkit.toml."
            )
        return found

    def names(self) -> list[str]:
        """Data files under the root, relative to it, hidden folders left out, at most 500, six folders deep."""
        return sorted(self._walk(self.root, _DEEPEST, iter(range(_MOST_NAMES))))

    def relative(self, path: Path) -> str:
        """How a path of the workspace is shown: relative to the root if it is under it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def _walk(self, folder: Path, depth: int, room: Iterator[int]) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: (e.is_dir(follow_symlinks=False), e.name))
        except OSError:
            return
        for entry in entries:
            if entry.name.startswith((".", "__")) or next(room, None) is None:
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth:
                    yield from self._walk(Path(entry.path), depth - 1, room)
            elif _suffix(Path(entry.name)) in DATA_SUFFIXES:
                yield Path(entry.path).relative_to(self.root).as_posix()


@dataclass(frozen=True)
class Dataset:
    """One file, one sheet, or several Parquet files of the same columns. `notes`: what was guessed about it."""

    name: str
    paths: tuple[Path, ...]
    reader: Reader
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file, or the first of several."""
        return self.paths[0]

    @property
    def format(self) -> str:
        return self.reader.format

    @property
    def stem(self) -> str:
        """The file's name without folder and endings; of a folder or glob the folder's name."""
        base = self.name.partition("#")[0]
        named = Path(base.rstrip("/")).name
        if any(c in named for c in "*?["):
            named = Path(base).parent.name
        while Path(named).suffix.lower() in (*DATA_SUFFIXES, *COMPRESSIONS):
            named = Path(named).stem
        return named

    @cached_property
    def columns(self) -> list[str]:
        return self.reader.columns()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, hexadecimal; of several files in the order of their names."""
        total = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    total.update(block)
        return total.hexdigest()

    def frame(self, columns: Sequence[str] | None = None) -> DataFrame:
        """All rows. Raises DatasetError if the file breaks off or a column is not there."""
        return self.reader.frame(self._checked(columns))

    def batches(self, rows: int = 50_000, columns: Sequence[str] | None = None, start: int = 0) -> Iterator[DataFrame]:
        """Frames of at most `rows` rows, in the order of the file, numbered from 0 throughout.

        From row `start` on: what comes before is not read in Parquet but for the row group of `start`, and is read
        and thrown away in other formats.
        """
        return self.reader.batches(rows, self._checked(columns), start)

    def rows(self) -> int:
        """How many rows there are, without the header."""
        return self.reader.rows()

    def require(self, columns: Iterable[str], why: str = "") -> None:
        """Raises DatasetError that names the first of `columns` that is missing, and the nearest there is."""
        missing = [c for c in columns if c not in self.columns]
        if missing:
            near = suggest(missing[0], self.columns) or f" Its columns: {_listed(self.columns)}."
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise DatasetError(f"{self.name!r} has no column {missing[0]!r}{more}{why}.{near}")

    def _checked(self, columns: Sequence[str] | None) -> list[str] | None:
        if columns is None:
            return None
        self.require(columns)
        return list(columns)


def open_dataset(name: str, workspace: Workspace) -> Dataset:
    """Find and check a data set: a file of the workspace, `book.xlsx#Sheet`, a folder or a glob of Parquet files.

    Raises WorkspaceError for what lies outside, DatasetError for what is missing, empty, unreadable or without a
    proper header, always with the remedy.
    """
    from agentkit.tables import open_reader

    name = name.strip()
    base, _, sheet = name.partition("#") if ".xls" in name else (name, "", "")
    paths, kind = _files(base, workspace)
    if not any(p.stat().st_size for p in paths):
        raise DatasetError(f"{name!r} is empty. It needs a header and at least one row.")
    reader, notes = open_reader(name, paths, kind, sheet or None)
    return Dataset(name, paths, reader, tuple(notes))


def resolve_name(name: str, workspace: Workspace, by_model: bool) -> tuple[str, str]:
    """The name to open, and a note if it was repaired ('' if not).

    A model that asks for a file that does not exist, with a folder that it made up or a slip in the name, gets the
    only file of the workspace that it can mean. Anything else stays as it is.
    """
    cleaned = name.strip()
    if not by_model or _URL.fullmatch(cleaned):
        return cleaned, ""
    base, hash_, sheet = cleaned.partition("#")
    if "\0" in base or os.path.lexists(workspace.root / base) or any(c in base for c in "*?["):
        return cleaned, ""
    names = workspace.names()
    same = [n for n in names if Path(n).name == Path(base).name]
    found = same[0] if len(same) == 1 else meant(base, names)
    if found is None:
        return cleaned, ""
    return found + hash_ + sheet, f"{cleaned!r} does not exist; {found!r} was used."


def _files(name: str, workspace: Workspace) -> tuple[tuple[Path, ...], str]:
    """The files that a name stands for, and their kind: the suffix without compression."""
    path = workspace.path(name)
    if path.is_dir():
        return _parquet(name, sorted(path.rglob("*.parquet")), workspace), ".parquet"
    if not path.exists() and any(c in name for c in "*?["):
        matching = sorted(Path(p) for p in glob.glob(str(path), recursive=True))  # noqa: PTH207
        return _parquet(name, matching, workspace), ".parquet"
    if not path.exists():
        raise DatasetError(f"{name!r} is not in the workspace.{_nearest(name, workspace)}")
    if not path.is_file():
        raise DatasetError(f"{name!r} is not a regular file.")
    if not os.access(path, os.R_OK):
        raise DatasetError(f"{name!r} may not be read by this user. Change its permissions.")
    kind = _suffix(path)
    if kind not in DATA_SUFFIXES:
        known = "CSV, TSV, JSON, JSON Lines, Parquet, Arrow, Excel (.xlsx)"
        raise DatasetError(f"{name!r} has the ending {kind!r}, which cannot be read. Formats: {known}.")
    return (path,), kind


def _parquet(name: str, paths: list[Path], workspace: Workspace) -> tuple[Path, ...]:
    """Several Parquet files, each of them inside the workspace. Raises DatasetError if there are none."""
    files = [p for p in paths if p.suffix in (".parquet", ".pq") and p.is_file() and not p.name.startswith((".", "_"))]
    if not files:
        raise DatasetError(
            f"{name!r} holds no Parquet files. Name a data file, or a folder or pattern of .parquet files."
        )
    return tuple(workspace.path(str(p)) for p in files)


def _nearest(name: str, workspace: Workspace) -> str:
    known = workspace.names()
    base = Path(name).name
    if same := [n for n in known if Path(n).name == base]:
        return f" There is {_listed(same)}."
    if hint := suggest(name, known):
        return hint
    by_base = {Path(n).name: n for n in known}
    hint = suggest(base, by_base)
    for candidate, full in by_base.items():
        if repr(candidate) in hint:
            return f" The nearest name is {full!r}."
    return f" Data files there: {_listed(known)}." if known else " It holds no data files."


def _suffix(path: Path) -> str:
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return plain.suffix.lower()


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(n) for n in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _short(name: str) -> str:
    return name if len(name) <= 100 else name[:97] + "..."
