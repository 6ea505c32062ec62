"""Words of questions, names and comments, so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_WORD = re.compile(r"[A-Z]{2,}s\b|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
# what stands in every question and tells nothing about which table is meant
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been by can did do does each every for from get give had has have how i if in is "
        "it its list many me more most much name no not of on one or our out per please return show than that the "
        "their them there these they this to was we were what when where which who whose why will with would you id "
        "all number count total average value type date time ",
    )
)


def words(text: str) -> list[str]:
    """The words of a text or a name, `orderItems` and `order_items` alike, lower case, in the singular."""
    return [stem(w) for w in _WORD.findall(text)]


def telling(text: str) -> set[str]:
    """The words that can tell what a text is about."""
    return {w for w in words(text) if w not in _COMMON and len(w) > 1}


@cache
def stem(word: str) -> str:
    """A word in the singular, roughly: `cities` -> `city`, `orders` -> `order`, `boxes` -> `box`."""
    low = word.lower()
    if len(low) > 4 and low.endswith("ies"):
        return low[:-3] + "y"
    if len(low) > 4 and low.endswith(("sses", "xes", "ches", "shes", "zes")):
        return low[:-2]
    if len(low) > 3 and low.endswith("s") and not low.endswith(("ss", "us", "is")):
        return low[:-1]
    return low


def near(word: str, known: Iterable[str]) -> list[str]:
    """Those of `known` that share their first five letters, `authored` and `author`."""
    return [k for k in known if len(word) > 4 and len(k) > 4 and word[:5] == k[:5]]
