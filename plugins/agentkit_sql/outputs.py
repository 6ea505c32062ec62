"""Files that a command or a program writes: checked before the work begins, complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentkit.errors import BadInput, StorageError


def output_file(name: str, suffixes: tuple[str, ...], *, force: bool) -> Path:
    """The file, if it can be written. Raises BadInput that says what is wrong."""
    path = Path(name).expanduser()
    if path.suffix.lower() not in suffixes:
        raise BadInput(f"{name!r}: the file's ending tells what is written: {' or '.join(suffixes)}.")
    if path.is_dir():
        raise BadInput(f"{name!r} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise BadInput(f"{name!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.exists() and not force:
        raise BadInput(f"{name!r} is there already. Give another name, or --force to replace it.")
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"{name!r}: you may not write into {str(path.parent)!r}.")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes its place when all went well, and goes if not.

    Raises StorageError where the disk says no.
    """
    part = path.with_name(f".{path.name[:60]}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{str(path)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
