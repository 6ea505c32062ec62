"""Texts as Postgres takes them, and the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

STRETCH = 100_000
"""Characters that become one tsvector: at four bytes each still below its limit of 1 MB."""
_JOINED = re.compile(r"(?<=[^\W\d_])[./_\\](?=[^\W\d_])")


def clean(text: str) -> str:
    """`text` with a space for each NUL and a question mark for half a surrogate: offsets stay as they are."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def separated(text: str) -> str:
    """`text` with paths and dotted names as words of their own: Postgres' parser would take each for one word."""
    return _JOINED.sub(" ", text)


def stretches(text: str) -> Iterator[str]:
    """`text` in parts of at most STRETCH characters, cut at white space where there is some."""
    while len(text) > STRETCH:
        cut = max(text.rfind(" ", STRETCH // 2, STRETCH), text.rfind("\n", STRETCH // 2, STRETCH))
        cut = cut if cut > 0 else STRETCH
        yield text[:cut]
        text = text[cut:]
    yield text
