"""Names that a model wrote almost right: which one it meant, if that is certain enough to go on with."""

from __future__ import annotations

import re
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str | None:
    """The only one of `known` that `name` is a slip of, None if there is none or more than one.

    A slip is a letter too many or too few, two letters swapped, other capitals or separators. Another letter or
    another digit is another name: sales_jan is not sales_jun, nor 2025 2026.
    """
    found = [k for k in known if _is_slip(_plain(name), _plain(k))]
    return found[0] if len(found) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def _is_slip(one: str, other: str) -> bool:
    if one == other:
        return True
    if re.findall(r"\d", one) != re.findall(r"\d", other):
        return False
    if len(one) == len(other):
        swapped = (one[:i] + one[i + 1] + one[i] + one[i + 2 :] for i in range(len(one) - 1))
        return other in swapped
    short, long = sorted((one, other), key=len)
    return len(short) > 3 and any(short == long[:i] + long[i + 1 :] for i in range(len(long)))
