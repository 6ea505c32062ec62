"""Which column of the current data is which of the reference: by name, or by a name that is written otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agentkit.errors import DatasetError, suggest
from agentkit.profiles import listed

_LIKE = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True)
class Pairing:
    """`pairs`: (reference name, current name). `renamed`: of these, the pairs whose names differ."""

    pairs: list[tuple[str, str]]
    missing: list[str]
    added: list[str]

    @property
    def renamed(self) -> dict[str, str]:
        return {a: b for a, b in self.pairs if a != b}


def paired(
    before: Sequence[str], after: Sequence[str], wanted: Sequence[str] | None = None, names: tuple[str, str] = ("", "")
) -> Pairing:
    """Pair two lists of columns; 'Customer ID' and 'customer_id' are one name if nothing else can be meant.

    Raises DatasetError if a wanted column is not in the reference, or if they share no column.
    """
    if wanted is not None:
        for name in wanted:
            if name not in before:
                raise DatasetError(f"{names[0]!r} has no column {name!r}.{suggest(name, before)}")
        before = [c for c in before if c in set(wanted)]
    there = set(after)
    missing = [c for c in before if c not in there]
    known = set(before)
    spare: dict[str, list[str]] = {}
    for c in after:
        if c not in known:
            spare.setdefault(_folded(c), []).append(c)
    twice = {name for name, times in Counter(_folded(c) for c in missing).items() if times > 1}
    renamed = {
        c: spare[_folded(c)][0] for c in missing if len(spare.get(_folded(c), [])) == 1 and _folded(c) not in twice
    }
    pairs = [(c, c if c in there else renamed[c]) for c in before if c in there or c in renamed]
    if not pairs:
        has = f"{listed(list(after))} against {listed(list(before))}"
        raise DatasetError(f"{names[1]!r} shares no column with {names[0]!r}: {has}.")
    used = {b for _, b in pairs}
    added = [c for c in after if c not in used] if wanted is None else []
    return Pairing(pairs, [c for c in missing if c not in renamed], added)


def _folded(name: str) -> str:
    return _LIKE.sub("", name.casefold()) or name
