"""Model files on this machine: found, checked, and fetched from the first source that has the right bytes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from agentkit.errors import DownloadError
from agentkit_local.manifest import ModelEntry, cache_folder
from agentkit_local.sources import Part, SourceFailed, fetch

Progress = Callable[[int, int, str], None]
"""Told bytes done, bytes in all, and the source that they come from."""


def pull(entry: ModelEntry, progress: Progress) -> Path:
    """Fetch the entry's file unless it is here, from its sources in order; interrupted, it goes on where it was.

    Raises DownloadError if no source has the right bytes, or the disk is full.
    """
    file = target(entry)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file):
        found = find(entry)
        return found or _fetch_first(entry, file, progress)


def find(entry: ModelEntry) -> Path | None:
    """The entry's file if it is here with the right hash. It is read through only when it changed."""
    file = target(entry)
    if not file.is_file():
        return None
    stat = file.stat()
    seen = _note(file)
    if (seen.get("size"), seen.get("mtime")) != (stat.st_size, stat.st_mtime_ns):
        return file if check(entry) else None
    return file if seen.get("sha256") == entry.sha256 else None


def check(entry: ModelEntry) -> bool:
    """Read the file through and compare its hash with the publisher's; False if it is missing or differs."""
    file = target(entry)
    if not file.is_file():
        return False
    found = _digest(file)
    _remember(file, found)
    return found == entry.sha256


def target(entry: ModelEntry) -> Path:
    """Where the entry's file is, or will be."""
    return cache_folder() / "models" / entry.file


def _fetch_first(entry: ModelEntry, file: Path, progress: Progress) -> Path:
    part = Part(file.with_name(f"{file.name}.part"), entry.size)
    problems: list[str] = []
    for source in entry.sources:
        try:
            _check_space(part, file.parent)
            fetch(source, entry, part, partial(_report, progress, entry.size, source.place))
        except SourceFailed as problem:
            problems.append(f"{source.place}: {problem}")
            continue
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _disk_full(part, file.parent) from error
            raise DownloadError(f"{str(part.file)!r} cannot be written: {error.strerror}") from error
        found = _digest(part.file)
        if found == entry.sha256:
            part.file.replace(file)
            part.forget()
            _remember(file, found)
            return file
        part.drop()
        problems.append(f"{source.place}: SHA-256 {found} instead of {entry.sha256}; the file was deleted")
    reasons = "; ".join(problems) or "it has no sources"
    raise DownloadError(f"Model {entry.name!r} ({entry.file}) could not be fetched: {reasons}.")


def _report(progress: Progress, total: int, place: str, done: int) -> None:
    progress(done, total, place)


def _check_space(part: Part, folder: Path) -> None:
    if shutil.disk_usage(folder).free < part.total - part.size:
        raise _disk_full(part, folder)


def _disk_full(part: Part, folder: Path) -> DownloadError:
    missing = (part.total - part.size) / 1e6
    return DownloadError(
        f"The disk of {str(folder)!r} is too full: {missing:,.0f} MB more are needed. Make room, or let AGENTKIT_CACHE "
        "name another folder; what was fetched so far is kept."
    )


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    # flock, not a pid file: the kernel lets go of it however the process dies
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remember(file: Path, digest: str) -> None:
    stat = file.stat()
    note = {"size": stat.st_size, "mtime": stat.st_mtime_ns, "sha256": digest}
    temporary = _note_file(file).with_suffix(".tmp")
    temporary.write_text(json.dumps(note), encoding="utf-8")
    temporary.replace(_note_file(file))


def _note(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_note_file(file).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _note_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")
