"""Markdown: one piece a section, with the headings above it."""

from __future__ import annotations

import re
from pathlib import Path

from agentkit_rag.documents import Piece
from agentkit_rag.reading.text import decoded

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read_markdown(path: Path) -> list[Piece]:
    """The sections of a Markdown file. Raises Unreadable."""
    return sections(decoded(path))


def sections(text: str, above: tuple[str, ...] = ()) -> list[Piece]:
    """A text cut before each heading (`# Title`), not in fenced code; together the pieces are the text.

    `above`: the headings that the text stands under before its first own one.
    """
    cuts: list[tuple[int, tuple[str, ...]]] = [(0, above)]
    titles: list[tuple[int, str]] = [(level, title) for level, title in enumerate(above, 1)]
    fence = ""
    at = 0
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence and (heading := _HEADING.match(line.rstrip("\n"))):
            level = len(heading[1])
            titles = [*((n, t) for n, t in titles if n < level), (level, heading[2])]
            cuts.append((at, tuple(t for _, t in titles)))
        at += len(line)
    ends = [start for start, _ in cuts[1:]] + [len(text)]
    return [Piece(text[s:e], None, path, s) for (s, path), e in zip(cuts, ends, strict=True) if text[s:e].strip()]
