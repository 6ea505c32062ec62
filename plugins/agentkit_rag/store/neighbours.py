"""Chunks that follow one another, joined to one text."""

from __future__ import annotations

from collections.abc import Sequence


def joined(chunks: Sequence[tuple[str, int, int]]) -> tuple[str, int, int]:
    """(text, start, end) of (text, start, end) chunks of one source, in order; what they share stands once."""
    if not chunks:
        return "", 0, 0
    text, start, end = chunks[0]
    for following, begins, ends in chunks[1:]:
        shared = end - begins
        if shared > 0 and text.endswith(following[:shared]):
            text += following[shared:]
        else:
            text += "\n" + following if begins != end else following
        end = max(end, ends)
    return text, start, end
