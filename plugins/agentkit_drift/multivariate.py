"""Changes of the columns together: a classifier that tries to tell the rows of the two data sets apart."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit_drift import thresholds
from agentkit_drift.columns import Values, alike, read
from agentkit_drift.result import ColumnDrift, Multivariate
from agentkit_drift.sources import Source
from agentkit_drift.thresholds import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 20_000
"""Rows of each side that are looked at."""
LEAST_ROWS = 100
"""Rows of the smaller side below which a classifier learns nothing."""

_FOLDS = 3
_MOST_COLUMNS = 200
_MOST_LEVELS = 100
_TOLD = 5


@dataclass(frozen=True)
class _Side:
    """A side's rows, read column by column."""

    source: Source
    rows: NDArray[Any]

    def take(self, column: str, wanted: Any = None) -> Values:
        """The values of a column in these rows."""
        import pyarrow as pa

        found, first = [], 0
        for array in self.source.chunks(column):
            inside = self.rows[(self.rows >= first) & (self.rows < first + len(array))] - first
            if len(inside):
                found.append(array.take(pa.array(inside)))
            first += len(array)
        return read(found, column, wanted)


def told_apart(
    before: Source, after: Source, pairs: Sequence[tuple[str, str]], columns: Mapping[str, ColumnDrift], seed: int = 0
) -> Multivariate | None:
    """The AUC of gradient boosting, each row judged by a model that has not seen it (3 folds); None for few rows.

    Ids, texts and dates that only go on are left out: they tell any two data sets apart. The interval is that of
    Hanley and McNeil (1982).
    """
    import numpy as np

    if min(before.rows, after.rows) < LEAST_ROWS:
        return None
    random = np.random.default_rng(seed)
    sides = [_Side(s, np.sort(random.choice(s.rows, min(ROWS, s.rows), replace=False))) for s in (before, after)]
    usable = [pair for pair in pairs if _usable(columns[pair[0]])][:_MOST_COLUMNS]
    made = [(one, features) for one, other in usable if (features := _features(sides, one, other)) is not None]
    if not made:
        return None
    side = np.repeat([0, 1], [len(s.rows) for s in sides])
    categorical = [f[1] for _, f in made]
    with _one_thread():
        aucs, weights = _fitted(np.column_stack([f[0] for _, f in made]), side, categorical, seed)
    auc = float(np.mean(aucs))
    error = _standard_error(auc, *(len(s.rows) for s in sides))
    most = [made[i][0] for i in np.argsort(-weights)[:_TOLD] if weights[i] > 0.01]
    sure = auc - _normal_quantile(thresholds.AUC_ALPHA) * error
    level: Level = "strong" if sure >= thresholds.AUC["strong"] else "none"
    if level == "none" and sure >= thresholds.AUC["moderate"]:
        level = "moderate"
    return Multivariate(
        auc=auc, low=max(auc - 1.96 * error, 0.0), high=min(auc + 1.96 * error, 1.0), level=level,
        rows=min(len(s.rows) for s in sides), columns=[] if level == "none" else most,
    )  # fmt: skip


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenMP waits for its slowest thread at every step, which takes longer than one thread on a busy machine."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import sklearn.ensemble
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    assert sklearn.ensemble
    with threadpool_limits(1):
        yield


def _usable(column: ColumnDrift) -> bool:
    if column.decided_by == "type" or column.kind not in ("number", "category", "date"):
        return False
    return column.kind != "date" or column.psi is not None


def _features(sides: Sequence[_Side], one: str, other: str) -> tuple[NDArray[Any], bool] | None:
    """The values of both sides as one array of floats, and whether they are codes of categories."""
    import numpy as np

    before, after = alike(lambda wanted: sides[0].take(one, wanted), lambda wanted: sides[1].take(other, wanted))
    if before.numbers is not None and after.numbers is not None:
        return np.concatenate([before.numbers, after.numbers]), False
    if before.kind == "empty" or after.kind == "empty":
        return np.repeat([0.0, 1.0], [before.rows, after.rows]), False
    if before.codes is None or after.codes is None:
        return None
    labels = [np.asarray([*v.labels, ""], dtype="object")[v.codes] for v in (before, after)]
    values, codes = np.unique(np.concatenate(labels), return_inverse=True)
    if len(values) > _MOST_LEVELS:
        # the rarest share a code
        rank = np.empty(len(values), dtype="int64")
        rank[np.argsort(-np.bincount(codes))] = np.arange(len(values))
        codes = np.minimum(rank[codes], _MOST_LEVELS - 1)
    return codes.astype("float64"), True


def _fitted(
    features: NDArray[Any], side: NDArray[Any], categorical: Sequence[bool], seed: int
) -> tuple[list[float], NDArray[Any]]:
    """AUC of each fold, and how much the AUC of the last one falls when a column is shuffled."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    finite = np.where(np.isfinite(features), features, np.nan)
    aucs, weights = [], np.zeros(features.shape[1])
    for train, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(finite, side):
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=15, learning_rate=0.15, early_stopping=False, random_state=seed,
            categorical_features=list(categorical),
        )  # fmt: skip
        model.fit(finite[train], side[train])
        aucs.append(float(roc_auc_score(side[test], model.predict_proba(finite[test])[:, 1])))
    if aucs[-1] > thresholds.AUC["moderate"]:
        shuffled = np.random.default_rng(seed).permutation(len(test))
        for i in range(features.shape[1]):
            changed = finite[test].copy()
            changed[:, i] = changed[shuffled, i]
            weights[i] = aucs[-1] - float(roc_auc_score(side[test], model.predict_proba(changed)[:, 1]))
    return aucs, weights


def _standard_error(auc: float, n: int, m: int) -> float:
    """Of an area under the curve from n and m rows (Hanley and McNeil 1982)."""
    one, two = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = (auc * (1 - auc) + (m - 1) * (one - auc * auc) + (n - 1) * (two - auc * auc)) / (n * m)
    return math.sqrt(max(variance, 1e-12))


def _normal_quantile(alpha: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha)
