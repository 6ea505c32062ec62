"""A column's summary: all that comparing it needs, from a column that is read as a whole or in chunks."""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit_drift.columns import Values, read
from agentkit_drift.distributions import Counter, Distribution, Grid, Sample
from agentkit_drift.result import Kind
from agentkit_drift.sources import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOCABULARY_TEXTS = 5_000
"""Texts whose words are the vocabulary of a text column, evenly spread."""

_WHOLE = 1_000_000
_SAMPLED = 1 << 18
"""Values of which the quantiles are taken where there are more; the counts at them are of all values."""
_MOST_KEPT = 50_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Words:
    """How often each word is in some texts; `unseen`: the share of words in one half that the other half lacks."""

    counts: dict[str, int]
    unseen: float


@dataclass(frozen=True)
class Summary:
    """One column of one data set. `distribution`: of numbers, dates (seconds since 1970) and the lengths of texts.

    `levels`: how many rows each category has, the most frequent first; `other`: rows of levels that were not kept.
    `stored`: how the file has the values, '' if that is not known.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    infinite: int = 0
    stored: str = ""
    zoned: bool = False
    distribution: Distribution | None = None
    levels: dict[str, int] = field(default_factory=dict)
    other: int = 0
    words: Words | None = None

    @property
    def present(self) -> int:
        """Values that can be compared."""
        return self.rows - self.missing - self.infinite

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0


def summary_of(name: str, values: Values) -> Summary:
    """The summary of a column that is in memory: exact."""
    if values.kind == "empty":
        return Summary(name, "empty", values.rows, values.rows, stored=values.stored)
    base: dict[str, Any] = {"name": name, "kind": values.kind, "rows": values.rows, "stored": values.stored}
    if values.numbers is not None:
        sample, missing, infinite = sorted_numbers(values.numbers)
        made = Sample(sample) if len(sample) else None
        return Summary(missing=missing, infinite=infinite, zoned=values.zoned, distribution=made, **base)
    tally = _tally(values)
    base["missing"] = values.rows - sum(tally.values())
    if values.kind == "text":
        return Summary(distribution=Sample(_lengths(values)), words=_words([values]), **base)
    return Summary(levels=dict(tally.most_common()) if values.kind == "category" else {}, **base)


def sorted_numbers(numbers: NDArray[Any]) -> tuple[NDArray[Any], int, int]:
    """The finite values sorted, how many are missing (NaN), and how many infinite."""
    import numpy as np

    # NaN sorts behind everything
    values = np.sort(numbers)
    first = int(np.searchsorted(values, -np.inf, "right"))
    end = int(np.searchsorted(values, np.inf, "left"))
    missing = len(values) - int(np.searchsorted(values, np.inf, "right"))
    return values[first:end], missing, len(values) - missing - (end - first)


def streamed(source: Source, name: str, wanted: Kind | None = None, edges: NDArray[Any] | None = None) -> Summary:
    """The summary of a column that is read in chunks, in memory that does not grow with the rows.

    Numbers are counted at `edges`; without them at quantiles, which take a second reading where there are more than a
    million rows. Exact at the edges.
    """
    chunks = _read_alike(source, name, wanted)
    first = next(chunks, None)
    if first is None or first.kind == "empty":
        return Summary(name, "empty", source.rows, source.rows, stored="nothing")
    rest = _with_first(first, chunks)
    if first.numbers is not None:
        return _streamed_numbers(source, name, rest, first, edges)
    return _streamed_labels(name, rest, first)


def _read_alike(source: Source, name: str, wanted: Kind | None) -> Iterator[Values]:
    """The chunks, all of the kind of the first that has any values: as wanted, if it can be. Others are missing."""
    skipped, begun = 0, False
    for array in source.chunks(name):
        values = read([array], name, wanted)
        if values.kind == "empty":
            skipped += values.rows
            continue
        if not begun:
            # a column that cannot be read as wanted is what it is
            wanted, begun = values.kind, True
        if skipped:
            yield _gap(values, skipped)
            skipped = 0
        yield values if values.kind == wanted else _gap(values, values.rows, wanted)
    if skipped:
        yield Values("empty", skipped, "nothing")


def _gap(like: Values, rows: int, kind: Kind | None = None) -> Values:
    """Missing values, as many as this."""
    import numpy as np

    kind = kind or like.kind
    if kind in ("number", "date") or (kind == "id" and like.numbers is not None):
        return Values(kind, rows, like.stored, np.full(rows, np.nan), zoned=like.zoned)
    return Values(kind, rows, like.stored, codes=np.full(rows, -1, dtype="int32"))


def _with_first(first: Values, rest: Iterable[Values]) -> Iterator[Values]:
    yield first
    yield from rest


def _streamed_numbers(
    source: Source, name: str, chunks: Iterable[Values], first: Values, edges: NDArray[Any] | None
) -> Summary:
    if edges is None and source.rows <= _WHOLE:
        import numpy as np

        parts = [v.numbers if v.numbers is not None else np.full(v.rows, np.nan) for v in chunks]
        values, missing, infinite = sorted_numbers(np.concatenate(parts))
        made: Grid | None = Sample(values).grid() if len(values) else None
    else:
        chosen = _edges(source, name, first.kind) if edges is None else edges
        made, missing, infinite = _counted(chunks, chosen)
    return Summary(
        name, first.kind, source.rows, missing, infinite, first.stored, first.zoned, made if made and made.n else None
    )


def _counted(chunks: Iterable[Values], edges: NDArray[Any]) -> tuple[Grid, int, int]:
    counter = Counter(edges)
    missing = infinite = 0
    for values in chunks:
        if values.numbers is None:
            missing += values.rows
            continue
        part, gaps, beyond = sorted_numbers(values.numbers)
        counter.add_sorted(part)
        missing, infinite = missing + gaps, infinite + beyond
    return counter.grid(), missing, infinite


def _edges(source: Source, name: str, kind: Kind) -> NDArray[Any]:
    """Quantiles of every k-th value, with the least and the largest of all."""
    import numpy as np

    step = -(-source.rows // _SAMPLED)
    taken, ends = [], [np.inf, -np.inf]
    for values in _read_alike(source, name, kind):
        if values.numbers is not None:
            part, _, _ = sorted_numbers(values.numbers)
            if len(part):
                taken.append(part[step // 2 :: step] if len(part) > step else part)
                ends = [min(ends[0], part[0]), max(ends[1], part[-1])]
    if not taken:
        return np.zeros(1)
    return np.unique(np.concatenate([Sample(np.sort(np.concatenate(taken))).edges(), ends]))


def _streamed_labels(name: str, chunks: Iterable[Values], first: Values) -> Summary:
    """Levels, lengths and words, chunk by chunk. Of more than 50,000 levels the rarest are not told apart."""
    import numpy as np

    tally: Tally[str] = Tally()
    rows = missing = other = 0
    kept: list[Values] = []
    lengths: Tally[int] = Tally()
    for values in chunks:
        rows += values.rows
        if values.codes is None:
            missing += values.rows
            continue
        missing += int((values.codes < 0).sum())
        if values.kind == "category":
            tally.update(_tally(values))
            if len(tally) > _MOST_KEPT:
                most = Tally(dict(tally.most_common(_MOST_KEPT // 2)))
                other += tally.total() - most.total()
                tally = most
        elif values.kind == "text":
            found, counts = np.unique(_lengths(values), return_counts=True)
            lengths.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
            kept = kept if len(kept) >= 4 else [*kept, values]
    base: dict[str, Any] = {"name": name, "kind": first.kind, "rows": rows, "missing": missing, "stored": first.stored}
    if first.kind == "text":
        counted = sorted(lengths.items())
        all_lengths = np.repeat([float(k) for k, _ in counted], [n for _, n in counted])
        made = Sample(all_lengths).grid() if counted else None
        return Summary(distribution=made, words=_words(kept), **base)
    return Summary(levels=dict(tally.most_common()), other=other, **base)


def _tally(values: Values) -> Tally[str]:
    """How many rows each level has."""
    import numpy as np

    assert values.codes is not None
    counts = np.bincount(values.codes + 1, minlength=len(values.labels) + 1)[1:]
    return Tally({label: int(n) for label, n in zip(values.labels, counts, strict=True) if n})


def _lengths(values: Values) -> NDArray[Any]:
    """Characters of each text, sorted."""
    import numpy as np

    assert values.codes is not None
    sizes = np.asarray([len(label) for label in values.labels], dtype="float64")
    return np.sort(sizes[values.codes[values.codes >= 0]])


def _words(parts: Iterable[Values]) -> Words:
    texts: list[str] = []
    parts = list(parts)
    for values in parts:
        assert values.codes is not None
        codes = values.codes[values.codes >= 0]
        step = max(1, len(codes) * len(parts) // VOCABULARY_TEXTS)
        texts += [values.labels[c] for c in codes[::step]]
    halves = [Tally(w for t in texts[side::2] for w in _WORD.findall(t.lower())) for side in (0, 1)]
    total = halves[1].total()
    unseen = sum(n for word, n in halves[1].items() if word not in halves[0])
    return Words(dict(halves[0] + halves[1]), unseen / total if total else 0.0)
