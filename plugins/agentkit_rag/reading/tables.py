"""CSV, JSON and notebooks: text with the names of columns, and cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentkit_rag.documents import Piece
from agentkit_rag.reading.markdown import sections
from agentkit_rag.reading.text import decoded, placed
from agentkit_rag.reading.unreadable import Unreadable

_LONGEST_HEADER = 300


def read_csv(path: Path) -> list[Piece]:
    """The whole file; its first line is the heading, so that rows from its middle keep their columns' names."""
    text = decoded(path)
    header = text.lstrip().partition("\n")[0].strip()
    return [Piece(text, title_path=(header[:_LONGEST_HEADER],) if header else ())]


def read_json(path: Path) -> list[Piece]:
    """The file as it is written; one long line is indented first. Raises Unreadable if it is not JSON."""
    text = decoded(path)
    value = _parsed(text)
    return [Piece(text if "\n" in text.strip() else json.dumps(value, indent=1, ensure_ascii=False))]


def read_notebook(path: Path) -> list[Piece]:
    """The cells of a Jupyter notebook under its headings, without what they printed. Raises Unreadable."""
    book = _parsed(decoded(path))
    cells = book.get("cells") if isinstance(book, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is not a notebook of format 4: it has no cells.")
    pieces: list[Piece] = []
    above: tuple[str, ...] = ()
    for cell in cells:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if not text.strip():
            continue
        if cell.get("cell_type") == "markdown":
            found = sections(text, above)
            above = found[-1].title_path
            pieces += found
        else:
            pieces.append(Piece(text, title_path=above))
    return list(placed(pieces))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {str(error)[:100]}.") from error
