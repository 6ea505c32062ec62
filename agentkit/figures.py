"""Figures in texts: does an answer give a number that a result says?"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d)")
_ANY_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def numbers(text: str) -> list[float]:
    """All numbers of a text, those inside of names too."""
    return [float(n) for n in _ANY_NUMBER.findall(text.replace(",", ""))]


def tells_figure(text: str, result: str) -> bool:
    """Whether the text has a number of the result, as it is, rounded, or in per cent."""
    known = numbers(result)
    return any(_is_one_of(word, known) for word in _ANY_NUMBER.findall(text.replace(",", "")))


def unknown_figures(text: str, sources: str) -> list[str]:
    """The figures of a text that the sources do not say, as they stand there.

    Small whole numbers and numbers inside of names are no figures: they count things, or are parts of a name.
    """
    known = numbers(sources)
    found = (m[0] for m in _NUMBER.finditer(text))
    figures = (f for f in found if "." in f or len(f.lstrip("-")) > 2)
    return list(dict.fromkeys(f for f in figures if not _is_one_of(f.replace(",", ""), known)))


def _is_one_of(word: str, known: list[float]) -> bool:
    margin = 0.5001 * 10 ** -len(word.partition(".")[2])
    value = float(word)
    return any(math.isclose(value, scale * n, rel_tol=1e-9, abs_tol=margin) for n in known for scale in (1, 100))
