"""Sources into chunks, by langchain-text-splitters, with the exact characters of each in the source's text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from agentkit_rag.documents import Chunk, Piece, Source
from agentkit_rag.reading import VERSION

if TYPE_CHECKING:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

Kind = Literal["auto", "recursive", "markdown", "token", "code"]
LANGUAGES = {
    ".c": "c", ".h": "c", ".cpp": "cpp", ".cc": "cpp", ".hpp": "cpp", ".cs": "csharp", ".ex": "elixir", ".go": "go",
    ".hs": "haskell", ".java": "java", ".js": "js", ".jsx": "js", ".kt": "kotlin", ".lua": "lua", ".php": "php",
    ".pl": "perl", ".ps1": "powershell", ".proto": "proto", ".py": "python", ".r": "r", ".rb": "ruby", ".rs": "rust",
    ".scala": "scala", ".sol": "sol", ".swift": "swift", ".tex": "latex", ".ts": "ts", ".tsx": "ts", ".rst": "rst",
}  # fmt: skip
"""Ending -> language whose functions and classes are kept together."""
_WHOLE = 2
"""Up to so many sizes a text without headings and pages is one passage: nDCG@10 on Cranfield .394, cut .380."""
_SHORT = 0.3
"""Share of the size below which a section is joined with the next."""
_HEAD = 0.1
_CHARACTERS_OF_A_TOKEN = 4
_ROOM, _STEP = 1.15, 20


@dataclass(frozen=True)
class Splitting:
    """How to split. `size` and `overlap` are characters, with `token` tokens.

    `count` counts the tokens of a text; without it four characters are one.

    `auto`: code by its language, everything else by headings or pages and then recursively. `recursive` does not look
    at headings. `markdown` gives every section a chunk of its own, however short. Pages are never joined.
    """

    kind: Kind = "auto"
    size: int = 1000
    overlap: int = 200
    count: Callable[[str], int] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.size:
            raise ValueError(f"overlap {self.overlap} must be at least 0 and less than size {self.size}")


AUTO = Splitting()
RECIPE = f"reading {VERSION}, splitting 3, auto 1000/200"
"""Changes with whatever changes the chunks of the same file."""


def split(source: Source, how: Splitting = AUTO) -> list[Chunk]:
    """The chunks of a source in their order; `text` is that of the characters `start` to `end`, never blank."""
    language = LANGUAGES.get(PurePath(source.name).suffix.lower()) if how.kind in ("auto", "code") else None
    if how.kind == "auto" and not language and len(source.pieces) == 1 and source.pieces[0].page is None:
        how = replace(how, size=_WHOLE * how.size) if len(source.pieces[0].text) <= _WHOLE * how.size else how
    found = [chunk for piece in _joined(source.pieces, how) for chunk in _cut(piece, how, language)]
    return [Chunk(c.text, c.start, c.end, c.page, c.title_path, n) for n, c in enumerate(found)]


def _joined(pieces: tuple[Piece, ...], how: Splitting) -> Iterator[Piece]:
    """Neighbouring pieces of one text as one, where a chunk of its own would hold next to nothing."""
    if how.kind == "markdown":
        yield from pieces
        return
    current: Piece | None = None
    for piece in pieces:
        if current is None:
            current = piece
            continue
        gap = piece.start - current.start - len(current.text)
        both = len(current.text) + gap + len(piece.text)
        joins = current.page is None and piece.page is None and 0 <= gap <= 1
        small = both <= how.size and (len(piece.text) < how.size * _SHORT or _is_head(current, piece, how))
        if joins and (small or how.kind == "recursive"):
            path = _path_of(current, piece, how)
            current = Piece(current.text + "\n" * gap + piece.text, None, path, current.start)
        else:
            yield current
            current = piece
    if current is not None:
        yield current


def _is_head(piece: Piece, after: Piece, how: Splitting) -> bool:
    """A heading with next to nothing before its first subsection."""
    below = after.title_path[: len(piece.title_path)] == piece.title_path
    return below and len(piece.text) < how.size * _HEAD


def _path_of(piece: Piece, after: Piece, how: Splitting) -> tuple[str, ...]:
    if _is_head(piece, after, how) and len(after.text) >= how.size * _SHORT:
        return after.title_path
    return tuple(a for a, b in takewhile(_same, zip(piece.title_path, after.title_path, strict=False)))


def _same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _cut(piece: Piece, how: Splitting, language: str | None) -> Iterator[Chunk]:
    """Blocks without overlap, whose places are certain; each chunk begins within the block before its own."""
    text = piece.text
    at = 0
    for block in _splitter(how, language, _block(how, text)).split_text(text) if text.strip() else ():
        end = at + len(block)
        start = _overlap_start(text, at, how)
        shown = text[start:end]
        if block.strip():
            left = start + len(shown) - len(shown.lstrip())
            right = start + len(shown.rstrip())
            yield Chunk(text[left:right], piece.start + left, piece.start + right, piece.page, piece.title_path)
        at = end


def _overlap_start(text: str, at: int, how: Splitting) -> int:
    """Where a block that begins at `at` begins with its overlap: after a line's end, or else a space."""
    width = how.overlap * (_CHARACTERS_OF_A_TOKEN if how.kind == "token" else 1)
    first = max(0, at - width)
    if first in (0, at):
        return first
    for border in ("\n", " "):
        found = text.find(border, first, at)
        if found >= 0:
            return found + 1
    return first


def _block(how: Splitting, text: str) -> int:
    """The size of blocks: all of a text that fits, else blocks of like size, so that no short rest is left over."""
    length, most = _count(how)(text), how.size - how.overlap
    if length <= how.size:
        return how.size
    blocks = -(-length // most)
    # blocks end at borders of sentences: without room for that there would be one more
    return min(most, _STEP * -(-int(length / blocks * _ROOM) // _STEP))


def _count(how: Splitting) -> Callable[[str], int]:
    return how.count or (_tokens if how.kind == "token" else len)


@lru_cache(maxsize=64)
def _splitter(how: Splitting, language: str | None, size: int) -> RecursiveCharacterTextSplitter:
    from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

    count = _count(how)
    if language:
        return RecursiveCharacterTextSplitter.from_language(
            Language(language), chunk_size=size, chunk_overlap=0, strip_whitespace=False, length_function=count
        )
    # separators stay in the text, and nothing is stripped: joined, the blocks are the text
    return RecursiveCharacterTextSplitter(
        chunk_size=size, chunk_overlap=0, strip_whitespace=False, keep_separator="end", length_function=count,
        separators=["\n\n", "\n", ". ", " ", ""],
    )  # fmt: skip


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_OF_A_TOKEN)
