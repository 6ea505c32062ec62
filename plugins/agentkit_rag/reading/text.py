"""Text files as they are, and what every reader shares: decoding, and one text out of pieces."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path

from agentkit_rag.documents import Piece, Source
from agentkit_rag.reading.unreadable import Unreadable

_BETWEEN = "\n"
"""What stands between two pieces in the source's text."""
# PostgreSQL takes no NUL, and UTF-8 no half of a pair
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> list[Piece]:
    """The whole file as one piece. Raises Unreadable."""
    return [Piece(decoded(path))]


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its mark. Lines end with a newline. Raises Unreadable, OSError."""
    raw = path.read_bytes()
    code = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    if code == "utf-8-sig" and b"\0" in raw:
        raise Unreadable("has NUL bytes: it is binary, or text that was damaged.")
    try:
        text = raw.decode(code)
    except UnicodeDecodeError as error:
        raise Unreadable(f"is binary, or not in UTF-8 (byte {error.start:,}): save it as UTF-8.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def cleaned(text: str) -> str:
    """The text without what a database does not take, of the same length."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def placed(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Pieces of separate texts, one after the other in one text, with a newline between."""
    done: list[Piece] = []
    at = 0
    for piece in pieces:
        done.append(Piece(piece.text, piece.page, piece.title_path, at))
        at += len(piece.text) + len(_BETWEEN)
    return tuple(done)


def text_of(source: Source) -> str:
    """The text of a source: what the `start` and `end` of its chunks and citations count in."""
    parts: list[str] = []
    at = 0
    for piece in source.pieces:
        parts += [_BETWEEN * (piece.start - at), piece.text]
        at = piece.start + len(piece.text)
    return "".join(parts)
