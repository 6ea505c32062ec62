"""From evidence to a verdict: which columns drifted, whether the data set did, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkit.profiles import listed
from agentkit_drift import thresholds
from agentkit_drift.evidence import Compared, Evidence
from agentkit_drift.result import ColumnDrift, Multivariate, Verdict
from agentkit_drift.significance import adjusted
from agentkit_drift.thresholds import Level

_MATTERS = 0.1
"""Importance from which on the model relies on a column."""
_RANKS: dict[Level, int] = {"none": 0, "moderate": 1, "strong": 2}


def judged(compared: Sequence[Compared], importance: Mapping[str, float] | None = None) -> dict[str, ColumnDrift]:
    """The columns with their level, the worst first.

    All tests of all columns are corrected together. Above 1,000 values a measure counts that reaches its threshold and
    is more than chance; up to there one that is more than chance.
    """
    # a p that several measures share is one test
    tests = [sorted({e.p for e in c.evidence if e.p is not None}) for c in compared]
    corrected = iter(adjusted([p for own in tests for p in own]))
    found = [_column(c, {p: next(corrected) for p in own}, importance) for c, own in zip(compared, tests, strict=True)]
    return {c.name: c for c in sorted(found, key=lambda c: (-_RANKS[c.level], -c.effect * (c.importance or 1)))}


def _column(
    compared: Compared, adjusted_p: Mapping[float, float], importance: Mapping[str, float] | None
) -> ColumnDrift:
    level: Level = "none"
    best: Evidence | None = None
    for evidence in compared.evidence:
        found = _level(evidence, None if evidence.p is None else adjusted_p[evidence.p])
        if best is None or (_RANKS[found], evidence.moderate) > (_RANKS[level], best.moderate):
            best, level = evidence, found
    # of many rare levels another p decides than that of the test as such
    own = next((p for p in (compared.told.get("p_value"), best.p if best else None) if p in adjusted_p), None)
    return compared.result(
        drifted=level != "none", level=level, effect=best.moderate if best else 0.0,
        decided_by=best.measure if best else "", p_adjusted=None if own is None else adjusted_p[own],
        importance=None if importance is None else importance.get(compared.name, 0.0),
    )  # fmt: skip


def _level(evidence: Evidence, p: float | None) -> Level:
    if p is not None and p > thresholds.ALPHA:
        return "none"
    if evidence.strong >= 1:
        return "strong"
    return "moderate" if evidence.moderate >= 1 or evidence.small else "none"


def shares(columns: Mapping[str, ColumnDrift], only: Level = "moderate") -> tuple[float, float]:
    """Share of the columns with this level or a higher one: each counted once, and weighted by importance."""
    if not columns:
        return 0.0, 0.0
    hit = [c for c in columns.values() if _RANKS[c.level] >= _RANKS[only]]
    plain = len(hit) / len(columns)
    total = sum(c.importance or 0.0 for c in columns.values())
    return plain, sum(c.importance or 0.0 for c in hit) / total if total else plain


def verdict_of(
    columns: Mapping[str, ColumnDrift], lost: Sequence[str] = (), multivariate: Multivariate | None = None
) -> Verdict:
    """Of the data set. `lost`: columns of the reference that are gone; a model that needs one cannot answer."""
    weighted, strong = shares(columns)[1], shares(columns, "strong")[1]
    apart = multivariate is not None and multivariate.level == "strong" and _new_in(multivariate, columns)
    needed = bool(lost) and any(c.importance is not None for c in columns.values())
    if needed or apart or weighted >= thresholds.DATASET_SHARE or strong >= thresholds.STRONG_SHARE:
        return "drift"
    together = multivariate is not None and multivariate.drifted
    return "watch" if lost or together or any(c.drifted for c in columns.values()) else "none"


def _new_in(multivariate: Multivariate, columns: Mapping[str, ColumnDrift]) -> bool:
    """Whether the classifier tells the data sets apart by columns that have not drifted alone, and that matter."""
    new = [columns[c] for c in multivariate.columns if not columns[c].drifted]
    return any(c.importance is None for c in new) or sum(c.importance or 0.0 for c in new) >= _MATTERS


def recommendation(
    verdict: Verdict, columns: Mapping[str, ColumnDrift], lost: Sequence[str], multivariate: Multivariate | None,
    model: str | None,
) -> str:  # fmt: skip
    """What to do, in a sentence or two."""
    if verdict == "none":
        return "nothing; the data are as they were."
    worst = [c.name for c in columns.values() if c.drifted]
    if lost:
        also = f" Look at the source of {listed(worst, 3)}, too." if worst else ""
        return f"find out why {listed(lost, 3)} is gone: {model or 'a model'} that uses it cannot answer.{also}"
    if not worst:
        assert multivariate is not None
        names = listed(multivariate.columns, 3)
        return f"look at how {names} go together: no column changed alone. If the change is real, {_retrain(model)}"
    if verdict == "watch":
        matter = [c for c in columns.values() if c.drifted and (c.importance or 0) >= _MATTERS]
        why = "" if model is None or matter else f" {model} hardly relies on them: its answers can still be used."
        return f"look at the source of {listed(worst, 3)}, and check the next data.{why}"
    return f"look at the source of {listed(worst, 3)}. If the change is real, {_retrain(model)}"


def _retrain(model: str | None) -> str:
    return f"train {model} again on data like these." if model else "train models of these data again."
