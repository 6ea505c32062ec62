"""What speaks for a column's drift: measures against their thresholds, each with the p-value that goes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit.profiles import listed
from agentkit_drift import thresholds
from agentkit_drift.distributions import Distribution, Grid, Sample, quiet
from agentkit_drift.measures import binned, by_chance, distances, jensen_shannon, picture, psi
from agentkit_drift.result import ColumnDrift, ErrorBound, Histogram
from agentkit_drift.significance import EXACT_VALUES, chi_squared, ks_p, ks_p_exact, pooled_p, share_p
from agentkit_drift.summaries import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN_LEVELS = 20
_LEAST_SHIFT = 0.005
_NAMED = 50
_LARGEST = 1e6
_RANGE_ONLY = 0.5
"""Share of values between two edges above which a grid says no more than where they begin and end."""
_LN2 = math.log(2)


@dataclass(frozen=True)
class Evidence:
    """A measure of a column as a multiple of its `moderate` and `strong` threshold; `p`: its chance if nothing changed.

    `p` None: needs no test. `small`: there are so few values that p alone decides.
    """

    measure: str
    moderate: float
    strong: float
    p: float | None = None
    small: bool = False


@dataclass
class Compared:
    """A column before it is judged: what `ColumnDrift` will tell of it, and the evidence."""

    name: str
    told: dict[str, Any] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def result(self, **verdict: Any) -> ColumnDrift:
        """The column as the result has it."""
        return ColumnDrift(name=self.name, findings=self.findings, **self.told, **verdict)


def compare_column(before: Summary, after: Summary, show_values: bool = True) -> Compared:
    """Compare two summaries of one column. `show_values = false` keeps values of cells out of the findings."""
    made = Compared(before.name, {"kind": before.kind if before.kind != "empty" else after.kind})
    _missing(made, before, after)
    if "empty" in (before.kind, after.kind):
        if before.kind != after.kind:
            made.findings.append("was empty, has values now" if before.kind == "empty" else "has no values any more")
        return made
    if before.kind != after.kind:
        made.findings.append(f"was {before.kind}, is {after.kind} now: it cannot be compared")
        made.evidence.append(Evidence("type", 2.0, 1.0))
        return made
    if before.stored and before.stored != after.stored:
        made.findings.append(f"was stored as {before.stored}, is stored as {after.stored} now")
    if not (before.present and after.present):
        return made
    measured = {"category": _categories, "text": _texts, "date": _dates, "number": _numbers, "id": _ids}
    with quiet():
        measured[before.kind](made, before, after, show_values)
    return made


def _missing(made: Compared, before: Summary, after: Summary) -> None:
    one, other = before.missing_share, after.missing_share
    made.told |= {"missing_reference": one, "missing_current": other}
    small = min(before.rows, after.rows) <= thresholds.SMALL
    if before.infinite or after.infinite:
        shares = [s.infinite / s.rows for s in (before, after)]
        made.findings.append(f"infinite {_percent(shares[0])} -> {_percent(shares[1])} (left out below)")
        p = share_p(before.infinite, before.rows, after.infinite, after.rows)
        made.evidence.append(_evidence("infinite share", abs(shares[1] - shares[0]), thresholds.MISSING, p, small))
    if one == other:
        return
    p = share_p(before.missing, before.rows, after.missing, after.rows)
    made.evidence.append(_evidence("missing share", abs(other - one), thresholds.MISSING, p, small))
    if abs(other - one) >= 0.01:
        made.findings.append(f"missing {_percent(one)} -> {_percent(other)}")


def _evidence(measure: str, value: float, limits: dict[str, float], p: float | None, small: bool) -> Evidence:
    moderate, strong = (min(value / limits[level], _LARGEST) for level in ("moderate", "strong"))
    return Evidence(measure, moderate, strong, p, small)


def _numbers(made: Compared, before: Summary, after: Summary, show_values: bool, unit: str = "") -> None:
    """Kolmogorov-Smirnov, Wasserstein, stability and Jensen-Shannon of two distributions."""
    one, other = before.distribution, after.distribution
    assert one is not None and other is not None
    found, p, test = _tested(one, other, made)
    counts = binned(one, other)
    spread = one.std
    normal = found.wasserstein / spread if spread > 0 else None
    index, js = psi(*counts), jensen_shannon(*counts)
    outside = _outside(one, other)
    made.told |= {
        "ks": found.ks, "p_value": p, "test": test, "wasserstein": _finite(normal), "psi": index, "js": js,
        "wasserstein_raw": _finite(found.wasserstein), "outside": outside, "histogram": picture(one, other),
        "mean_reference": _finite(one.mean), "mean_current": _finite(other.mean),
    }  # fmt: skip
    small = min(one.n, other.n) <= thresholds.SMALL
    chance = by_chance(int(((counts[0] + counts[1]) > 0).sum()), one.n, other.n)
    made.evidence += [
        _evidence("KS", max(found.ks - found.ks_error, 0.0), thresholds.KS, p, small),
        _evidence("PSI", max(index - chance, 0.0), thresholds.PSI, p, small),
        _evidence("JS", _beyond_chance(js, chance), thresholds.JS, p, small),
    ]
    certain = None if normal is None else _finite((found.wasserstein - found.wasserstein_error) / spread)
    if certain is not None and certain >= 0:
        made.evidence.append(_evidence("Wasserstein", certain, thresholds.WASSERSTEIN, p, small))
    if not small and outside:
        made.evidence.append(_evidence("range", outside, thresholds.OUTSIDE, _range_p(outside, one.n, other.n), small))
    made.findings[:0] = _told_numbers(one, other, normal, outside, show_values, unit)


def _ids(made: Compared, before: Summary, after: Summary, _show_values: bool) -> None:
    """Ids that are numbers: how far they are apart is told, but says nothing."""
    one, other = before.distribution, after.distribution
    if one is None or other is None:
        return
    found, p, test = _tested(one, other, made)
    raw = _finite(found.wasserstein)
    made.told |= {"ks": found.ks, "p_value": p, "test": test, "wasserstein_raw": raw, "outside": _outside(one, other)}


def _tested(one: Distribution, other: Distribution, made: Compared) -> tuple[Any, float, str]:
    """The distances, p, and how p was calculated; what is not exact has its error noted."""
    found = distances(one, other)
    if isinstance(one, Sample) and isinstance(other, Sample) and max(one.n, other.n) <= EXACT_VALUES:
        return found, ks_p_exact(one.values, other.values), "Kolmogorov-Smirnov, p as scipy calculates it exactly"
    if found.ks_error or found.wasserstein_error:
        relative = found.wasserstein_error / one.std if one.std > 0 else None
        made.told["error"] = ErrorBound(ks=found.ks_error, wasserstein=None if relative is None else _finite(relative))
    # what is certain of a profile
    return found, ks_p(max(found.ks - found.ks_error, 0.0), one.n, other.n), "Kolmogorov-Smirnov, asymptotic p"


def _outside(one: Distribution, other: Distribution) -> float:
    """Share of the second beyond the range of the first."""
    import numpy as np

    edges = np.asarray([np.nextafter(one.minimum, -np.inf), one.maximum])
    low, high = (float(n) for n in other.upto(edges))
    return float((low + other.n - high) / other.n)


def _range_p(outside: float, n: int, m: int) -> float:
    """How likely so many of m values lie beyond the range of n others of the same distribution.

    Their number is about negative binomial: values in random order, counted until two of the n have come.
    """
    ratio, count = m / (n + m), outside * m
    return float(ratio**count * (1 + count * (1 - ratio)))


def _beyond_chance(js: float, chance: float) -> float:
    """The distance without what chance alone makes: its square is about the stability index over 8 (in bits)."""
    return math.sqrt(max(js * js - chance / (8 * _LN2), 0.0))


def _told_numbers(
    one: Distribution, other: Distribution, normal: float | None, outside: float, show_values: bool, unit: str
) -> list[str]:
    told = []
    if one.minimum == one.maximum and (other.minimum, other.maximum) != (one.minimum, one.maximum):
        told.append("was constant, is not any more" if other.minimum < other.maximum else "has another constant value")
    elif other.minimum == other.maximum and one.minimum < one.maximum:
        told.append("is constant now")
    if normal is not None and math.isfinite(normal) and abs(other.mean - one.mean) >= _LEAST_SHIFT * one.std:
        shift = (other.mean - one.mean) / one.std
        values = f"mean {_short(one.mean)} -> {_short(other.mean)} ({_signed(shift)} deviations)"
        told.append(values if show_values and not unit else f"mean moved by {_signed(shift)} deviations")
    if normal is not None and math.isfinite(normal):
        ratio = other.std / one.std
        if ratio >= 1.15 or ratio <= 0.87:
            told.append(f"spread {ratio:.2f} times what it was")
    if outside >= thresholds.OUTSIDE["moderate"]:
        span = f" {_short(one.minimum)} to {_short(one.maximum)}" if show_values and not unit else ""
        told.append(f"{_percent(outside)} outside of the former range{span}")
    return told


def _dates(made: Compared, before: Summary, after: Summary, show_values: bool) -> None:
    """Dates that only go on are no drift: then range and rate are told. Others are compared like numbers."""
    one, other = before.distribution, after.distribution
    assert one is not None and other is not None
    told = []
    if show_values:
        told.append(f"{_day(one.minimum)} to {_day(one.maximum)} -> {_day(other.minimum)} to {_day(other.maximum)}")
    if before.zoned != after.zoned:
        told.append(f"{'had' if before.zoned else 'had no'} time zone, {'has one' if after.zoned else 'has none'} now")
    rates = [d.n / (d.maximum - d.minimum) * 86_400 if d.maximum > d.minimum else None for d in (one, other)]
    if rates[0] and rates[1] and min(before.rows, after.rows) >= 30:
        told.append(f"{_short(rates[0])} -> {_short(rates[1])} rows a day")
    later = float(other.n - other.upto(_points(one.maximum))[0]) / other.n
    if isinstance(one, Grid) and one.open_share > _RANGE_ONLY:
        _range(made, one, other, later)
    elif later >= 0.5:
        made.told |= {"outside": _outside(one, other), "histogram": picture(one, other)}
        gap = (other.minimum - one.maximum) / 86_400
        told.append("goes on in time" if gap <= 0 else f"begins {_short(gap)} days after the reference ends")
        found, p, test = _tested(one, other, made)
        made.told |= {"ks": found.ks, "p_value": p, "test": test, "wasserstein_raw": found.wasserstein}
    else:
        _numbers(made, before, after, show_values, unit="date")
    made.findings[:0] = told


def _range(made: Compared, one: Distribution, other: Distribution, later: float) -> None:
    """Dates of which the reference has kept the first and the last: those before the first are no passing of time."""
    outside = _outside(one, other)
    made.told["outside"] = outside
    if outside > later:
        p = _range_p(outside - later, one.n, other.n)
        made.evidence.append(_evidence("range", outside - later, thresholds.OUTSIDE, p, small=False))
        made.findings.append(f"{_percent(outside - later)} before the first date of the reference")


def _points(value: float) -> NDArray[Any]:
    import numpy as np

    return np.asarray([value])


def _categories(made: Compared, before: Summary, after: Summary, show_values: bool) -> None:
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
        _evidence("PSI", max(index - chance, 0.0), thresholds.PSI, tested, small),
        _evidence("JS", _beyond_chance(js, chance), thresholds.JS, tested, small),
        _evidence("new levels", outside, thresholds.OUTSIDE, tested, small),
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
        told.append(f"{name} {_percent(shares[0][most])} -> {_percent(shares[1][most])}")
    if new:
        share = _percent(float(shares[1][one == 0].sum()))
        told.append(f"new levels {listed(new, 3)} ({share})" if shown else f"{len(new)} new levels ({share})")
    if gone and float(shares[0][other == 0].sum()) >= 0.01:
        share = _percent(float(shares[0][other == 0].sum()))
        told.append(f"levels gone {listed(gone, 3)} ({share})" if shown else f"{len(gone)} levels gone ({share})")
    return told


def _texts(made: Compared, before: Summary, after: Summary, _show_values: bool) -> None:
    """Lengths like numbers, and the share of words that the reference does not have."""
    _numbers(made, before, after, show_values=False, unit="characters")
    made.findings[:] = [f"length: {f}" if "deviations" in f or "spread" in f else f for f in made.findings]
    if before.words is None or after.words is None:
        return
    total = sum(after.words.counts.values())
    unseen = sum(n for word, n in after.words.counts.items() if word not in before.words.counts)
    if not total:
        return
    share, usual = unseen / total, before.words.unseen
    texts = min(before.present, after.present)
    p = share_p(round(usual * texts), texts, round(share * texts), texts)
    small = texts <= thresholds.SMALL
    made.told["outside"] = share
    if share > usual:
        made.evidence.append(_evidence("vocabulary", share - usual, thresholds.VOCABULARY, p, small))
    if share - usual >= 0.05:
        made.findings.append(f"{_percent(share)} of the words are new ({_percent(usual)} would be usual)")


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}"


def _signed(value: float) -> str:
    return f"{value:+.2f}" if abs(value) < 10_000 else f"{value:+.3g}"


def _short(value: float) -> str:
    """Four digits, but never an exponent for a large number."""
    return f"{value:.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def _day(seconds: float) -> str:
    import numpy as np

    return str(np.datetime64(int(seconds), "s"))[:10]


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None
