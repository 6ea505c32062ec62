"""Numbers of two data sets compared, and what is compared like numbers: dates, ids, the lengths of texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agentkit_drift import thresholds
from agentkit_drift.distributions import Distribution, Grid, Sample
from agentkit_drift.evidence import Compared, beyond_chance, finite, percent, short, weighed
from agentkit_drift.measures import binned, by_chance, distances, jensen_shannon, picture, psi
from agentkit_drift.result import ErrorBound
from agentkit_drift.significance import EXACT_VALUES, ks_p, ks_p_exact, share_p
from agentkit_drift.summaries import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SHIFT = 0.005
_RANGE_ONLY = 0.5
"""Share of values between two edges above which a grid says no more than where they begin and end."""


def compare_numbers(made: Compared, before: Summary, after: Summary, show_values: bool, unit: str = "") -> None:
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
        "ks": found.ks, "p_value": p, "test": test, "wasserstein": finite(normal), "psi": index, "js": js,
        "wasserstein_raw": finite(found.wasserstein), "outside": outside, "histogram": picture(one, other),
        "mean_reference": finite(one.mean), "mean_current": finite(other.mean),
    }  # fmt: skip
    small = min(one.n, other.n) <= thresholds.SMALL
    chance = by_chance(int(((counts[0] + counts[1]) > 0).sum()), one.n, other.n)
    made.evidence += [
        weighed("KS", max(found.ks - found.ks_error, 0.0), thresholds.KS, p, small),
        weighed("PSI", max(index - chance, 0.0), thresholds.PSI, p, small),
        weighed("JS", beyond_chance(js, chance), thresholds.JS, p, small),
    ]
    certain = None if normal is None else finite((found.wasserstein - found.wasserstein_error) / spread)
    if certain is not None and certain >= 0:
        made.evidence.append(weighed("Wasserstein", certain, thresholds.WASSERSTEIN, p, small))
    if not small and outside:
        made.evidence.append(weighed("range", outside, thresholds.OUTSIDE, _range_p(outside, one.n, other.n), small))
    made.findings[:0] = _told_numbers(one, other, normal, outside, show_values, unit)


def compare_dates(made: Compared, before: Summary, after: Summary, show_values: bool) -> None:
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
        told.append(f"{short(rates[0])} -> {short(rates[1])} rows a day")
    later = float(other.n - other.upto(_points(one.maximum))[0]) / other.n
    if isinstance(one, Grid) and one.open_share > _RANGE_ONLY:
        _range(made, one, other, later)
    elif later >= 0.5:
        made.told |= {"outside": _outside(one, other), "histogram": picture(one, other)}
        gap = (other.minimum - one.maximum) / 86_400
        told.append("goes on in time" if gap <= 0 else f"begins {short(gap)} days after the reference ends")
        found, p, test = _tested(one, other, made)
        made.told |= {"ks": found.ks, "p_value": p, "test": test, "wasserstein_raw": found.wasserstein}
    else:
        compare_numbers(made, before, after, show_values, unit="date")
    made.findings[:0] = told


def compare_texts(made: Compared, before: Summary, after: Summary, _show_values: bool) -> None:
    """Lengths like numbers, and the share of words that the reference does not have."""
    compare_numbers(made, before, after, show_values=False, unit="characters")
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
        made.evidence.append(weighed("vocabulary", share - usual, thresholds.VOCABULARY, p, small))
    if share - usual >= 0.05:
        made.findings.append(f"{percent(share)} of the words are new ({percent(usual)} would be usual)")


def compare_ids(made: Compared, before: Summary, after: Summary, _show_values: bool) -> None:
    """Ids that are numbers: how far they are apart is told, but says nothing."""
    one, other = before.distribution, after.distribution
    if one is None or other is None:
        return
    found, p, test = _tested(one, other, made)
    raw = finite(found.wasserstein)
    made.told |= {"ks": found.ks, "p_value": p, "test": test, "wasserstein_raw": raw, "outside": _outside(one, other)}


def _tested(one: Distribution, other: Distribution, made: Compared) -> tuple[Any, float, str]:
    """The distances, p, and how p was calculated; what is not exact has its error noted."""
    found = distances(one, other)
    if isinstance(one, Sample) and isinstance(other, Sample) and max(one.n, other.n) <= EXACT_VALUES:
        return found, ks_p_exact(one.values, other.values), "Kolmogorov-Smirnov, p as scipy calculates it exactly"
    if found.ks_error or found.wasserstein_error:
        relative = found.wasserstein_error / one.std if one.std > 0 else None
        made.told["error"] = ErrorBound(ks=found.ks_error, wasserstein=None if relative is None else finite(relative))
    # what is certain of a profile
    return found, ks_p(max(found.ks - found.ks_error, 0.0), one.n, other.n), "Kolmogorov-Smirnov, asymptotic p"


def _outside(one: Distribution, other: Distribution) -> float:
    """Share of the second beyond the range of the first."""
    import numpy as np

    edges = np.asarray([np.nextafter(one.minimum, -np.inf), one.maximum])
    low, high = (float(n) for n in other.upto(edges))
    return float((low + other.n - high) / other.n)


def _range(made: Compared, one: Distribution, other: Distribution, later: float) -> None:
    """Dates of which the reference has kept the first and the last: those before the first are no passing of time."""
    outside = _outside(one, other)
    made.told["outside"] = outside
    if outside > later:
        p = _range_p(outside - later, one.n, other.n)
        made.evidence.append(weighed("range", outside - later, thresholds.OUTSIDE, p, small=False))
        made.findings.append(f"{percent(outside - later)} before the first date of the reference")


def _range_p(outside: float, n: int, m: int) -> float:
    """How likely so many of m values lie beyond the range of n others of the same distribution.

    Their number is about negative binomial: values in random order, counted until two of the n have come.
    """
    ratio, count = m / (n + m), outside * m
    return float(ratio**count * (1 + count * (1 - ratio)))


def _points(value: float) -> NDArray[Any]:
    import numpy as np

    return np.asarray([value])


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
        values = f"mean {short(one.mean)} -> {short(other.mean)} ({_signed(shift)} deviations)"
        told.append(values if show_values and not unit else f"mean moved by {_signed(shift)} deviations")
    if normal is not None and math.isfinite(normal):
        ratio = other.std / one.std
        if ratio >= 1.15 or ratio <= 0.87:
            told.append(f"spread {ratio:.2f} times what it was")
    if outside >= thresholds.OUTSIDE["moderate"]:
        span = f" {short(one.minimum)} to {short(one.maximum)}" if show_values and not unit else ""
        told.append(f"{percent(outside)} outside of the former range{span}")
    return told


def _signed(value: float) -> str:
    return f"{value:+.2f}" if abs(value) < 10_000 else f"{value:+.3g}"


def _day(seconds: float) -> str:
    import numpy as np

    return str(np.datetime64(int(seconds), "s"))[:10]
