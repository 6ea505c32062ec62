"""Where the file of a SQLite or DuckDB URL lies."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from agentkit.databases import Opening
from agentkit.errors import BadInput, DatabaseUnavailable, suggest


def file_of(opening: Opening, example: str) -> Path:
    """The file of a URL `scheme:///relative/path` or `scheme:////absolute/path`, relative to the settings file.

    Raises BadInput for another form, for a folder or memory.
    """
    rest = opening.url.partition("://")[2].partition("?")[0]
    if not rest.startswith("/") or rest in ("/", "/:memory:"):
        raise BadInput(f"database {opening.name!r}: its URL names no file. Write {example}.")
    path = Path(unquote(rest[1:])).expanduser()
    return path if path.is_absolute() else opening.settings.folder / path


def existing(name: str, path: Path) -> Path:
    """The file, if it can be read. Raises DatabaseUnavailable, with the nearest name beside it."""
    if path.is_file():
        return path
    if path.is_dir():
        raise DatabaseUnavailable(f"database {name!r}: {path.name!r} is a folder, not a database file.")
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise DatabaseUnavailable(
        f"database {name!r}: there is no file {path.name!r} in {str(path.parent)!r}.{suggest(path.name, beside)}"
    )
