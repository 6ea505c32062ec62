"""Word documents as Markdown, by mammoth: headings, lists and tables stay, pictures go."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from agentkit_rag.documents import Piece
from agentkit_rag.reading.html import as_markdown
from agentkit_rag.reading.markdown import sections
from agentkit_rag.reading.needs import needed
from agentkit_rag.reading.unreadable import Unreadable

_LARGEST = 200_000_000
"""Bytes of the unpacked document."""


def read_docx(path: Path) -> list[Piece]:
    """The sections of a document. Raises Unreadable, MissingExtra."""
    mammoth = needed("mammoth")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise Unreadable("is not a Word document (.docx), or has a password.") from error
    if unpacked > _LARGEST:
        raise Unreadable(f"unpacks to {unpacked / 1e6:,.0f} MB.")
    try:
        with path.open("rb") as file:
            html = mammoth.convert_to_html(file, convert_image=mammoth.images.img_element(_no_picture)).value
    except OSError:
        raise
    except Exception as error:
        # mammoth raises what its XML and ZIP readers raise
        raise Unreadable(f"is not a whole Word document ({type(error).__name__}).") from error
    return sections(as_markdown(html))


def _no_picture(_image: Any) -> dict[str, str]:
    return {"src": ""}
