"""HTML as Markdown: headings, lists and tables stay, scripts, styles and pictures go."""

from __future__ import annotations

from pathlib import Path

from agentkit_rag.documents import Piece
from agentkit_rag.reading.markdown import sections
from agentkit_rag.reading.text import decoded
from agentkit_rag.reading.unreadable import Unreadable

_NO_CONTENT = ("script", "style", "noscript", "template", "iframe", "svg", "head")


def read_html(path: Path) -> list[Piece]:
    """The sections of a page; the page's title is the first of the headings. Raises Unreadable, MissingExtra."""
    from agentkit_rag.reading.needs import needed

    soup = needed("bs4").BeautifulSoup(decoded(path), "html.parser")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for tag in soup(_NO_CONTENT):
        tag.decompose()
    return sections(as_markdown(str(soup)), (title,) if title else ())


def as_markdown(html: str) -> str:
    """Markdown of an HTML text. Raises Unreadable if it is nested too deeply."""
    from agentkit_rag.reading.needs import needed

    try:
        text: str = needed("markdownify").markdownify(html, heading_style="ATX", strip=["img"])
    except RecursionError as error:
        raise Unreadable("its elements are nested too deeply.") from error
    return text.strip()
