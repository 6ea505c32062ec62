"""What is passed around in retrieval: a source that was read, its pieces, and its chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool
"""What metadata may hold."""


@dataclass(frozen=True)
class Piece:
    """A part of a source with one place: a page, a section, or the whole of it.

    `start` is the character of the source's text where `text` begins; pages count from 1.
    """

    text: str
    page: int | None = None
    title_path: tuple[str, ...] = ()
    start: int = 0


@dataclass(frozen=True)
class Source:
    """A file or a Python document that was read.

    `name` is a path of the workspace or an id, `digest` the SHA-256 of the content in hexadecimal.
    """

    name: str
    digest: str
    pieces: tuple[Piece, ...]
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """A stretch of a source that is searched as one: characters `start` to `end`, the `position`-th from 0."""

    text: str
    start: int
    end: int
    page: int | None = None
    title_path: tuple[str, ...] = ()
    position: int = 0
