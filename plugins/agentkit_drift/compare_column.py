"""Two columns compared, whatever they hold."""

from __future__ import annotations

from agentkit_drift import thresholds
from agentkit_drift.compare_categories import compare_categories
from agentkit_drift.compare_numbers import compare_dates, compare_ids, compare_numbers, compare_texts
from agentkit_drift.distributions import quiet
from agentkit_drift.evidence import Compared, Evidence, percent, weighed
from agentkit_drift.significance import share_p
from agentkit_drift.summaries import Summary

_MEASURED = {
    "category": compare_categories,
    "text": compare_texts,
    "date": compare_dates,
    "number": compare_numbers,
    "id": compare_ids,
}


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
    measured = _MEASURED[before.kind]
    with quiet():
        measured(made, before, after, show_values)
    return made


def _missing(made: Compared, before: Summary, after: Summary) -> None:
    one, other = before.missing_share, after.missing_share
    made.told |= {"missing_reference": one, "missing_current": other}
    small = min(before.rows, after.rows) <= thresholds.SMALL
    if before.infinite or after.infinite:
        shares = [s.infinite / s.rows for s in (before, after)]
        made.findings.append(f"infinite {percent(shares[0])} -> {percent(shares[1])} (left out below)")
        p = share_p(before.infinite, before.rows, after.infinite, after.rows)
        made.evidence.append(weighed("infinite share", abs(shares[1] - shares[0]), thresholds.MISSING, p, small))
    if one == other:
        return
    p = share_p(before.missing, before.rows, after.missing, after.rows)
    made.evidence.append(weighed("missing share", abs(other - one), thresholds.MISSING, p, small))
    if abs(other - one) >= 0.01:
        made.findings.append(f"missing {percent(one)} -> {percent(other)}")
