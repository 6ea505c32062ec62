"""One data file as one table of a DuckDB: read by DuckDB itself, or by agentkit's readers where DuckDB cannot."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from agentkit.datasets import Workspace, open_dataset
from agentkit.errors import MissingExtra
from agentkit.sqlguard.limits import Limits
from agentkit_sql.engines.duckdb_run import settings
from agentkit_sql.engines.file_names import distinct
from agentkit_sql.engines.quoting import literal, quoted

LOADED_BYTES = 32 << 20
"""A text file up to this size is read into memory once; a larger one is read anew by each query, as Parquet is."""
_LOADED_IN_ALL = 256 << 20
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"]
_ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "ascii": "utf-8"}
_JSON_BYTES = 16 << 20
_GLOBS = "*?["
_DEEPEST = 6


@dataclass(frozen=True)
class Part:
    """A file, or one sheet of a workbook: `name` is what `open_dataset` takes."""

    name: str
    path: Path
    kind: str
    packed: bool = False


@dataclass
class Attached:
    """A database with its tables, and the files that its views read. Its folder goes when nothing needs it any more."""

    folder: Path
    connection: duckdb.DuckDBPyConnection
    allowed: list[str] = field(default_factory=list)
    loaded: int = 0

    @classmethod
    def new(cls) -> Attached:
        """An empty one in a folder of its own."""
        folder = Path(tempfile.mkdtemp(prefix="agentkit-files-"))
        made = cls(folder, duckdb.connect(str(folder / "files.duckdb"), config=settings(Limits(), folder)))
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
        return made

    @property
    def path(self) -> Path:
        return self.folder / "files.duckdb"

    def safe(self, path: Path) -> str:
        """A path that DuckDB takes for no pattern: one with such characters gets a link with a plain name."""
        if not any(c in str(path) for c in _GLOBS):
            return str(path)
        ending = "".join(s for s in path.suffixes[-2:] if not any(c in s for c in _GLOBS))
        link = self.folder / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}{ending}"
        if not link.is_symlink():
            link.symlink_to(path)
        return str(link)


def parts_of(name: str, path: Path) -> list[Part]:
    """What of a file becomes a table: the file, or each sheet of a workbook. Raises MissingExtra without openpyxl."""
    suffixes = [s.lower() for s in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in (".gz", ".bz2", ".xz", ".zst")
    kind = suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if kind not in (".xlsx", ".xlsm"):
        return [Part(name, path, kind, packed)]
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("Excel files need openpyxl: pip install 'agentkit-ml[ml]'") from None
    with contextlib.closing(openpyxl.load_workbook(path, read_only=True)) as book:
        sheets = [s.title for s in book.worksheets if s.max_row and s.max_row > 1]
    return [Part(name if len(sheets) == 1 else f"{name}#{sheet}", path, kind) for sheet in sheets]


def attach(attached: Attached, part: Part, table: str, words: Collection[str], workspace: Workspace) -> None:
    """Make the table. Raises what the readers raise: DatasetError, MissingExtra, duckdb.Error, OSError."""
    source, lasting = _source(attached, part, workspace)
    connection = attached.connection
    columns = [leaf for name, kind in _described(connection, source) for leaf in _leaves((name,), kind)]
    names = distinct([".".join(path) for path in columns], words)
    chosen = ", ".join(f"{_access(path)} AS {quoted(name)}" for path, name in zip(columns, names, strict=True))
    size = part.path.stat().st_size
    view = lasting and (part.kind in (".parquet", ".pq") or size > LOADED_BYTES or attached.loaded > _LOADED_IN_ALL)
    kind = "VIEW" if view else "TABLE"
    connection.execute(f"CREATE {kind} {quoted(table)} AS SELECT {chosen} FROM {source}")  # noqa: S608
    if view:
        attached.allowed.append(attached.safe(part.path))
    else:
        attached.loaded += size
    connection.execute(f"COMMENT ON {kind} {quoted(table)} IS {literal(f'file {part.name}')}")
    for path, name in zip(columns, names, strict=True):
        if ".".join(path) != name:
            connection.execute(
                f"COMMENT ON COLUMN {quoted(table)}.{quoted(name)} IS {literal('in the file: ' + '.'.join(path))}"
            )
    with contextlib.suppress(duckdb.Error):
        connection.unregister("agentkit_frame")


def reserved_words(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The words that cannot be a column's name without quotes."""
    found = connection.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
    ).fetchall()
    return frozenset(row[0] for row in found)


def _source(attached: Attached, part: Part, workspace: Workspace) -> tuple[str, bool]:
    """What stands in FROM, and whether it can be read again later."""
    packed_otherwise = part.packed and part.path.suffix.lower() not in (".gz", ".zst")
    if not packed_otherwise:
        try:
            source = _own(attached, part)
            if source is not None:
                _try(attached.connection, source)
                return source, True
        except duckdb.Error:
            # what DuckDB cannot read agentkit's own readers may
            pass
    frame = open_dataset(part.name if not part.path.is_absolute() else _name(part), workspace).frame()
    attached.connection.register("agentkit_frame", frame)
    return "agentkit_frame", False


def _try(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Read a row. Raises duckdb.Error."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE tried AS SELECT * FROM {source} LIMIT 1")  # noqa: S608
    connection.execute("DROP TABLE tried")


def _name(part: Part) -> str:
    sheet = part.name.partition("#")[2]
    return f"{part.path}#{sheet}" if sheet else str(part.path)


def _own(attached: Attached, part: Part) -> str | None:
    """How DuckDB reads this kind of file, None if it does not."""
    path = literal(attached.safe(part.path))
    if part.kind in (".parquet", ".pq"):
        return f"read_parquet({path})"
    if part.kind in (".csv", ".tsv", ".txt"):
        return _csv(part.path, path, part.kind)
    if part.kind in (".jsonl", ".ndjson"):
        return f"read_json({path}, format = 'newline_delimited')"
    if part.kind == ".json":
        # a document that is one object is read at once; DuckDB takes buffers of twice this size
        most = min(max(part.path.stat().st_size + 1, _JSON_BYTES), 4 * _JSON_BYTES)
        return _json(attached.connection, f"read_json({path}, maximum_object_size = {most})")
    return None


def _csv(path: Path, written: str, kind: str) -> str | None:
    """With the delimiter, the decimal mark and the encoding that agentkit finds, as all its tools do."""
    from agentkit.tables import TextReader, open_reader

    reader, _ = open_reader(path.name, (path,), kind, None)
    if not isinstance(reader, TextReader) or reader.encoding.lower() not in _ENCODINGS:
        return None
    if reader.decimal != "." or reader.thousands:
        return None
    missing = ", ".join(map(literal, _MISSING))
    options = [
        f"delim = {literal(reader.delimiter)}", "header = true", f"nullstr = [{missing}]", "sample_size = 100000",
    ]  # fmt: skip
    return f"read_csv({written}, {', '.join(options)})"


def _json(connection: duckdb.DuckDBPyConnection, source: str) -> str:
    """A list of objects as it is; an object that holds one such list, or columns as lists, row by row."""
    kinds = _described(connection, source)
    lists = [name for name, kind in kinds if kind.id == "list"]
    rows = connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT 2)").fetchall()  # noqa: S608
    if rows != [(1,)] or not lists:
        return source
    objects = [name for name, kind in kinds if kind.id == "list" and kind.children[0][1].id == "struct"]
    if len(objects) == 1 and len(lists) == 1:
        return f"(SELECT unnest({quoted(objects[0])}, max_depth := 2) FROM {source})"  # noqa: S608
    if len(lists) == len(kinds):
        shown = ", ".join(f"unnest({quoted(name)}) AS {quoted(name)}" for name in lists)
        return f"(SELECT {shown} FROM {source})"  # noqa: S608
    return source


def _described(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, Any]]:
    """Names and types of a source's columns."""
    cursor = connection.execute(f"SELECT * FROM {source} LIMIT 0")  # noqa: S608
    described = [(d[0], d[1]) for d in cursor.description or []]
    cursor.fetchall()
    return described


def _leaves(path: tuple[str, ...], kind: Any) -> list[tuple[str, ...]]:
    """The columns that a column becomes: a struct's fields, and theirs."""
    if kind.id != "struct" or len(path) > _DEEPEST:
        return [path]
    return [leaf for name, child in kind.children for leaf in _leaves((*path, name), child)]


def _access(path: tuple[str, ...]) -> str:
    return ".".join(quoted(name) for name in path)
