"""Files of many kinds as sources: one reader a kind, by the file's ending and its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agentkit_rag.documents import Piece, Source
from agentkit_rag.reading.docx import read_docx
from agentkit_rag.reading.given import sources
from agentkit_rag.reading.html import read_html
from agentkit_rag.reading.markdown import read_markdown
from agentkit_rag.reading.pdf import read_pdf
from agentkit_rag.reading.tables import read_csv, read_json, read_notebook
from agentkit_rag.reading.text import cleaned, read_text, text_of
from agentkit_rag.reading.unreadable import Unreadable

__all__ = ["READERS", "Unreadable", "read", "sources", "text_of"]

VERSION = "1"
"""Another one makes all files be read anew."""
READERS: dict[str, Callable[[Path], list[Piece]]] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".ipynb": read_notebook,
}
"""Ending -> reader. Files with other endings are read as text, if they are text."""


def read(path: Path) -> Source:
    """A file with its text, pages and headings. Raises Unreadable with the reason, MissingExtra."""
    try:
        if not path.is_file():
            raise Unreadable("is not a file." if path.exists() else "does not exist.")
        digest = _digest(path)
        pieces = READERS.get(path.suffix.lower(), read_text)(path)
    except (OSError, RuntimeError) as error:
        # a loop of links is a RuntimeError or an OSError
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    kept = tuple(replace(p, text=cleaned(p.text), title_path=tuple(map(cleaned, p.title_path))) for p in pieces)
    if not any(p.text.strip() for p in kept):
        raise Unreadable("is empty.")
    kind = path.suffix.lower().lstrip(".") or "txt"
    return Source(path.name, digest, kept, {"kind": kind})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
