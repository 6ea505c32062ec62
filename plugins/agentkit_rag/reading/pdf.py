"""PDF files, by PDFium: one piece a page, under the bookmarks that lead to it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from agentkit_rag.documents import Piece
from agentkit_rag.reading.needs import needed
from agentkit_rag.reading.text import placed
from agentkit_rag.reading.unreadable import Unreadable

_PASSWORD = 4
"""PDFium's FPDF_ERR_PASSWORD."""
_DEEPEST = 6
# PDFium is not thread-safe
_alone = threading.Lock()


def read_pdf(path: Path) -> list[Piece]:
    """The pages that have text. Raises Unreadable, MissingExtra."""
    pdfium = needed("pypdfium2")
    if b"%PDF-" not in _beginning(path):
        raise Unreadable("is not a PDF, though its name says so.")
    with _alone:
        try:
            document = pdfium.PdfDocument(path)
        except pdfium.PdfiumError as error:
            if error.err_code == _PASSWORD:
                raise Unreadable("is encrypted: save it without its password.") from error
            raise Unreadable("is damaged: PDFium cannot open it.") from error
        try:
            pages = list(_pages(document, _titles(document)))
        except pdfium.PdfiumError as error:
            raise Unreadable(f"is damaged: {error}") from error
        finally:
            document.close()
    # pages without text keep their number, not a place
    with_text = [page for page in pages if page.text.strip()]
    if not with_text:
        raise Unreadable(f"its {len(pages)} pages are pictures without text: run OCR on it first.")
    return list(placed(with_text))


def _pages(document: Any, titles: dict[int, tuple[str, ...]]) -> Any:
    path: tuple[str, ...] = ()
    for number in range(len(document)):
        path = titles.get(number, path)
        page = document[number]
        try:
            text = page.get_textpage().get_text_bounded()
        finally:
            page.close()
        # U+FFFE stands for a hyphen at a line's end
        yield Piece(text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-"), number + 1, path)


def _titles(document: Any) -> dict[int, tuple[str, ...]]:
    """Page -> the path of the first bookmark on it; a broken table of contents has none."""
    found: dict[int, tuple[str, ...]] = {}
    path: list[str] = []
    try:
        for bookmark in document.get_toc(max_depth=_DEEPEST):
            path = [*path[: bookmark.level], " ".join(bookmark.get_title().split())]
            target = bookmark.get_dest()
            page = target.get_index() if target else None
            if page is not None:
                found.setdefault(page, tuple(path))
    except Exception:  # noqa: BLE001 - the text is there without its contents
        return found
    return found


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1024)
