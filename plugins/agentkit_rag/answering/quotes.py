"""Where a quote stands in a text, though a model writes spaces, dashes and quotation marks its own way."""

from __future__ import annotations

import re

_SAME = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{NON-BREAKING HYPHEN}": "-",
    }
)  # fmt: skip
_ELLIPSIS = re.compile(r"\s*(?:\.\.\.|\u2026|\[\u2026\]|\[\.\.\.\])\s*")
_EDGE = " \t\n\"'.,;:"
_SHORTEST = 3
"""Letters and digits of a quote: fewer stand anywhere."""


def located(quote: str, text: str) -> tuple[int, int] | None:
    """Start and end of a quote in a text, None if it does not stand there; of a quote with gaps, from end to end.

    Case, white space, Markdown's marks of emphasis and the kinds of dashes and quotation marks do not count.
    """
    parts = [part for part in _ELLIPSIS.split(quote.strip()) if part.strip(_EDGE)]
    plain, places = _plain(text)
    start = end = at = 0
    for number, part in enumerate(parts):
        wanted = _plain(part.strip(_EDGE))[0].strip()
        if sum(map(str.isalnum, wanted)) < _SHORTEST:
            return None
        found = _whole_words(wanted, plain, at)
        if found < 0:
            return None
        if number == 0:
            start = places[found]
        at = found + len(wanted)
        end = places[at - 1] + 1
    return (start, end) if parts else None


def _whole_words(wanted: str, plain: str, at: int) -> int:
    """Where `wanted` stands from `at` on, not as a part of a longer word or number; -1 if nowhere."""
    before = r"(?<!\w)" if wanted[0].isalnum() else ""
    after = r"(?!\w)" if wanted[-1].isalnum() else ""
    found = re.compile(before + re.escape(wanted) + after).search(plain, at)
    return found.start() if found else -1


def _plain(text: str) -> tuple[str, list[int]]:
    """The text in lower case with single spaces, and for each of its characters the place in `text`."""
    out: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text.translate(_SAME)):
        if char in "*_`":
            continue
        if char.isspace():
            if out and out[-1] != " ":
                out.append(" ")
                places.append(place)
            continue
        for low in char.lower():
            out.append(low)
            places.append(place)
    return "".join(out), places
