"""Leaks in single columns: copies of the target, columns that predict too well alone, sums that make the target.

A simple model for each column, judged by ROC-AUC or R2 on rows that it did not see, is the method of H2O Driverless AI
(documentation, "Data leakage and shift detection"); the thresholds are stricter, so that honest strong columns pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.profiles import listed
from agentkit_ml.leaks.sample import FOLDS
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.leaks.sample import Sample

# (warn if it stands out, warn, block)
LIMITS = {"ROC-AUC": (0.975, 0.995, 0.999), "R2": (0.95, 0.99, 0.999)}
STANDS_OUT = 0.4
"""A column stands out if its distance to a perfect score is below this share of the next best column's."""

_ENOUGH_ROWS = 30
_MOST_TREES = 60
_BINS = 16
_EXACT = 1e-9
_TINY = 1e-300
_HUGE = 1e100
_MOST_SUMMANDS = 100


def copies(sample: Sample, target: str) -> list[Finding]:
    """Columns that are the target under another name: recoded one to one, or a rising or falling function of it."""
    found = [name for name in sample.values if _is_copy(sample, name)]
    if not found:
        return [Finding(gate="target_copy", level="ok", text="No column is a copy of the target.", value=0)]
    few = sample.rows < _ENOUGH_ROWS
    is_ = "is" if len(found) == 1 else "are"
    text = f"{listed(found)} {is_} a copy of the target {target!r} in other words: the score means nothing. "
    return [
        Finding(
            gate="target_copy", level="warn" if few else "block", columns=found, value=len(found),
            text=text + f"Train without {'it' if len(found) == 1 else 'them'}.",
        )
    ]  # fmt: skip


def _is_copy(sample: Sample, name: str) -> bool:
    import numpy as np

    values, labels = sample.values[name], sample.labels
    there = ~np.isnan(values)
    if there.sum() < max(10, 0.5 * len(values)):
        return False
    values, labels = values[there], labels[there]
    levels, codes = np.unique(values, return_inverse=True)
    targets, wanted = np.unique(labels, return_inverse=True)
    if len(levels) != len(targets) or len(levels) < 2 or len(np.unique(codes * len(targets) + wanted)) != len(levels):
        return False
    if sample.classes:
        return True
    # two columns of numbers that never repeat pair off by themselves: only a monotone pairing says something
    if len(levels) < len(values) / 2:
        return True
    turns = np.diff(wanted[np.argsort(codes, kind="stable")])
    return bool((turns >= 0).all() or (turns <= 0).all())


def too_good_alone(sample: Sample, target: str, known: list[str]) -> tuple[list[Finding], dict[str, float]]:
    """Columns that predict the target alone, without those in `known`; and the score of each column that was tried."""
    measure = "ROC-AUC" if sample.classes else "R2"
    if sample.rows < _ENOUGH_ROWS:
        text = f"Too few rows ({sample.rows}) to tell which column predicts too well alone."
        return [Finding(gate="single_column", level="ok", text=text)], {}
    scores = single_scores(sample)
    rest = {name: score for name, score in scores.items() if name not in known}
    found = [f for f in (_judged(name, rest, measure, target) for name in rest) if f]
    if found or not rest:
        return sorted(found, key=lambda f: -(f.value or 0)), scores
    best = max(rest, key=lambda name: rest[name])
    text = f"No column predicts {target!r} too well alone. The best is {best!r}: {measure} {rest[best]:.3f}."
    return [Finding(gate="single_column", level="ok", text=text, value=rest[best])], scores


def _judged(name: str, scores: dict[str, float], measure: str, target: str) -> Finding | None:
    score = scores[name]
    stands_out, warn, block = LIMITS[measure]
    chance = 0.5 if measure == "ROC-AUC" else 0.0
    next_best = max((s for n, s in scores.items() if n != name), default=chance)
    if score < stands_out or (score < warn and 1 - score > STANDS_OUT * (1 - next_best)):
        return None
    return Finding(
        gate="single_column", level="block" if score >= block else "warn", columns=[name], value=round(score, 5),
        text=f"{name!r} alone predicts {target!r} almost perfectly ({measure} {score:.4f}): it may hold the answer. "
        "If it is known only after the outcome, train without it.",
    )  # fmt: skip


def single_scores(sample: Sample) -> dict[str, float]:
    """Column -> ROC-AUC (one class against the rest, mean over classes) or R2 of a small tree on rows it did not see.

    Of more than 60 columns only those that look best in bins get a tree; the others are not in the answer.
    """
    names = list(sample.values)
    if len(names) > _MOST_TREES:
        crude = {name: _crude(sample, name) for name in names}
        names = sorted(names, key=lambda n: -crude[n])[:_MOST_TREES]
    return {name: column_score(sample, sample.values[name], sample.kinds[name]) for name in names}


def column_score(sample: Sample, values: NDArray[Any], kind: str) -> float:
    """Out-of-fold ROC-AUC or R2 of one column; 0.5 or 0 if it says nothing."""
    import numpy as np

    if np.isnan(values).all() or (values == values[0]).all():
        return 0.5 if sample.classes else 0.0
    wanted = _wanted(sample)
    guessed = np.empty_like(wanted)
    given = values if kind == "category" else scaled(values)
    for fold in range(FOLDS):
        train, test = sample.fold != fold, sample.fold == fold
        learn = _by_level if kind == "category" else _by_tree
        guessed[test] = learn(given[train], wanted[train], given[test])
    if sample.classes:
        return float(np.mean([roc_auc(wanted[:, k] > 0, guessed[:, k]) for k in range(wanted.shape[1])]))
    spread = ((wanted - wanted.mean()) ** 2).sum()
    score = 1 - ((wanted - guessed) ** 2).sum() / spread if spread else 0.0
    return float(max(score, _straight(values, sample.labels) if kind != "category" else 0.0))


def roc_auc(truth: NDArray[Any], guessed: NDArray[Any]) -> float:
    """The Mann-Whitney form of scikit-learn's roc_auc_score, without its checks of the input."""
    from scipy.stats import rankdata

    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.5
    above = rankdata(guessed)[truth].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def scaled(values: NDArray[Any]) -> NDArray[Any]:
    """Moved and scaled to between -2 and 2: nothing overflows in float32, which trees use, and times stay apart."""
    import numpy as np

    largest = np.nanmax(abs(values), initial=_TINY)
    small: NDArray[Any] = values / largest
    return small if np.isnan(small).all() else small - np.nanmedian(small)


def _wanted(sample: Sample) -> NDArray[Any]:
    """(rows, classes) of 0 and 1, one column for two classes; or (rows, 1) of numbers."""
    import numpy as np

    if not sample.classes:
        numbers: NDArray[Any] = sample.labels[:, None] / max(_TINY, abs(sample.labels).max())
        return numbers
    members: NDArray[Any] = (sample.labels[:, None] == np.arange(sample.classes)).astype("float64")
    return members[:, 1:] if sample.classes == 2 else members


def _by_tree(values: NDArray[Any], wanted: NDArray[Any], asked: NDArray[Any]) -> NDArray[Any]:
    import numpy as np
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor

    # least squares on 0 and 1 gives class shares, as a classifier's Gini splits would, for all classes in one tree
    leaf = max(2, min(10, len(values) // 50))
    with config_context(skip_parameter_validation=True):
        tree = DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=leaf, random_state=0)
        tree.fit(values[:, None].astype("float32"), wanted)
        return np.asarray(tree.predict(asked[:, None].astype("float32"))).reshape(len(asked), -1)


def _by_level(values: NDArray[Any], wanted: NDArray[Any], asked: NDArray[Any]) -> NDArray[Any]:
    """The mean of each level, drawn to the overall mean where there are few rows of it."""
    import numpy as np

    levels = int(np.nanmax(np.concatenate([values, asked]))) + 2
    codes, other = (np.where(np.isnan(v), levels - 1, v).astype("int64") for v in (values, asked))
    mean = wanted.mean(axis=0)
    counts = np.bincount(codes, minlength=levels)[:, None]
    sums = np.stack([np.bincount(codes, weights=w, minlength=levels) for w in wanted.T], axis=1)
    means: NDArray[Any] = ((sums + mean) / (counts + 1))[other]
    return means


def _straight(values: NDArray[Any], labels: NDArray[Any]) -> float:
    """The squared correlation: a tree of 64 leaves cannot tell a straight line from one with little noise."""
    import numpy as np

    there = ~np.isnan(values)
    if there.sum() < 0.5 * len(values):
        return 0.0
    # within -1 and 1, so that no square overflows
    x, y = (v[there] / max(_TINY, abs(v[there]).max()) for v in (values, labels))
    if not x.std() or not y.std():
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _crude(sample: Sample, name: str) -> float:
    """The share of the target's variance between 16 bins of the column, over all classes; a quick look at many."""
    import numpy as np
    from scipy.stats import rankdata

    values = sample.values[name]
    gaps = np.isnan(values)
    if sample.kinds[name] == "category":
        bins = np.where(gaps, np.nanmax(values, initial=-1) + 1, values).astype("int64")
    else:
        bins = np.full(len(values), _BINS)
        bins[~gaps] = (rankdata(values[~gaps]) - 1) * _BINS // max(1, (~gaps).sum())
    wanted = _wanted(sample)
    counts = np.bincount(bins)
    sums = np.stack([np.bincount(bins, weights=w) for w in (wanted - wanted.mean(axis=0)).T], axis=1)
    between = (sums[counts > 0] ** 2 / counts[counts > 0, None]).sum()
    return float(between / max(_EXACT, ((wanted - wanted.mean(axis=0)) ** 2).sum()))


def exact_sum(sample: Sample, target: str, known: list[str]) -> list[Finding]:
    """Number columns that add up to the target (with weights): parts of it that were recorded with it."""
    import numpy as np

    names = [n for n, k in sample.kinds.items() if k == "number" and n not in known][:_MOST_SUMMANDS]
    names = [n for n in names if abs(sample.values[n]).max() < _HUGE and sample.values[n].std() > 0]
    passed = [Finding(gate="target_sum", level="ok", text="No number columns add up to the target.", value=0)]
    if sample.classes or len(names) < 2 or sample.rows < 3 * len(names) + _ENOUGH_ROWS:
        return passed
    if abs(sample.labels).max() > _HUGE or not sample.labels.std():
        return passed
    table = np.stack([sample.values[n] for n in names], axis=1)
    scaled = (table - table.mean(axis=0)) / table.std(axis=0)
    wanted = (sample.labels - sample.labels.mean()) / sample.labels.std()
    weights, *_ = np.linalg.lstsq(scaled, wanted, rcond=None)
    if float(((wanted - scaled @ weights) ** 2).mean()) > _EXACT:
        return passed
    parts = [n for n, w in zip(names, weights, strict=True) if abs(w) > 1e-3]
    return [
        Finding(
            gate="target_sum", level="warn", columns=parts, value=len(parts),
            text=f"{target!r} is exactly a weighted sum of {listed(parts)}. If they are recorded with it, "
            "train without them.",
        )
    ]  # fmt: skip
