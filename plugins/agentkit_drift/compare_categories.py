"""Categories of two data sets compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentkit.profiles import listed
from agentkit_drift import thresholds
from agentkit_drift.evidence import Compared, beyond_chance, percent, weighed
from agentkit_drift.measures import by_chance, jensen_shannon, psi
from agentkit_drift.result import Histogram
from agentkit_drift.significance import chi_squared, pooled_p
from agentkit_drift.summaries import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN_LEVELS = 20
_NAMED = 50


def compare_categories(made: Compared, before: Summary, after: Summary, show_values: bool) -> None:
    """Chi-squared, stability and Jensen-Shannon over all levels, and which levels are new or gone."""
    levels, one, other = _table(before, after)
    statistic, p = chi_squared(one, other)
    index, js = psi(one, other), jensen_shannon(one, other)
    new = [level for level, n, m in zip(levels, one, other, strict=True) if m and not n]
    gone = [level for level, n, m in zip(levels, one, other, strict=True) if n and not m]
    outside = float(other[one == 0].sum() / other.sum()) if not before.other else 0.0
    shown = show_values
    made.told |= {
        "chi2": statistic, "p_value": p, "test": "chi-squared", "psi": index, "js": js, "outside": outside,
        "new_levels": new[:_NAMED], "vanished_levels": gone[:_NAMED], "histogram": _bars(levels, one, other),
    }  # fmt: skip
    small = min(before.present, after.present) <= thresholds.SMALL
    chance = by_chance(len(levels), before.present, after.present)
    tested = pooled_p(one, other)
    made.evidence += [
        weighed("PSI", max(index - chance, 0.0), thresholds.PSI, tested, small),
        weighed("JS", beyond_chance(js, chance), thresholds.JS, tested, small),
        weighed("new levels", outside, thresholds.OUTSIDE, tested, small),
    ]
    made.findings[:0] = _told_levels(levels, one, other, new, gone, shown)


def _table(before: Summary, after: Summary) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """The levels of both, and their counts; rows of levels that were not kept are one level more."""
    import numpy as np

    levels = list(dict.fromkeys([*before.levels, *after.levels]))
    one, other = ([s.levels.get(level, 0) for level in levels] for s in (before, after))
    if before.other:
        # what the reference did not keep may be any of the levels that it does not name
        known = [level in before.levels for level in levels]
        rest = [before.other, after.other + sum(m for m, k in zip(other, known, strict=True) if not k)]
        levels = [level for level, k in zip(levels, known, strict=True) if k] + ["other"]
        one = [*(n for n, k in zip(one, known, strict=True) if k), rest[0]]
        other = [*(m for m, k in zip(other, known, strict=True) if k), rest[1]]
    elif after.other:
        levels, one, other = [*levels, "other"], [*one, 0], [*other, after.other]
    return levels, np.asarray(one, dtype="int64"), np.asarray(other, dtype="int64")


def _bars(levels: Sequence[str], one: NDArray[Any], other: NDArray[Any]) -> Histogram:
    """The 20 levels of the largest shares, and the rest as 'other'."""
    import numpy as np

    shares = [one / one.sum(), other / other.sum()]
    most = np.argsort(-(shares[0] + shares[1]), kind="stable")[:_SHOWN_LEVELS]
    labels = [levels[i][:_NAMED] for i in most]
    bars = [[round(float(side[i]), 6) for i in most] for side in shares]
    if len(levels) > _SHOWN_LEVELS:
        labels.append("other")
        bars = [[*bar, round(max(1 - sum(bar), 0.0), 6)] for bar in bars]
    return Histogram(labels=labels, reference=bars[0], current=bars[1])


def _told_levels(
    levels: Sequence[str], one: NDArray[Any], other: NDArray[Any], new: list[str], gone: list[str], shown: bool
) -> list[str]:
    shares = one / one.sum(), other / other.sum()
    gap = shares[1] - shares[0]
    most = int(abs(gap).argmax())
    told = []
    if abs(gap[most]) >= 0.01:
        name = repr(levels[most][:_NAMED]) if shown else "one level"
        told.append(f"{name} {percent(shares[0][most])} -> {percent(shares[1][most])}")
    if new:
        share = percent(float(shares[1][one == 0].sum()))
        told.append(f"new levels {listed(new, 3)} ({share})" if shown else f"{len(new)} new levels ({share})")
    if gone and float(shares[0][other == 0].sum()) >= 0.01:
        share = percent(float(shares[0][other == 0].sum()))
        told.append(f"levels gone {listed(gone, 3)} ({share})" if shown else f"{len(gone)} levels gone ({share})")
    return told
