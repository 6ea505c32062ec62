"""Leaks between rows: the same row or group on both sides of the split, test rows of another kind, too few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.profiles import Profile, as_text, listed
from agentkit_ml.leaks.columns import roc_auc, scaled
from agentkit_ml.leaks.sample import numeric
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.leaks.sample import Sample
    from agentkit_ml.target import Target

SHARED = (0.02, 0.5)
"""Share of test rows that training has seen: warn, block. Deepchecks (`TrainTestSamplesMix`) warns above 0.05."""
FEW_ROWS = 100
FEW_OF_A_CLASS = 10
OTHER_ROWS = 0.75
"""ROC-AUC of telling test rows from training rows above which they count as different; 0.5 is no difference."""
MANY_LEVELS = 0.2

_MOST_TEST_ROWS = 20_000
_COMPARED = 1_000
_MOST_COMPARED_COLUMNS = 200
_PRIME = 1_099_511_628_211


def shared_rows(
    frame: DataFrame, target: Target, profile: Profile, sample: Sample, columns: dict[str, str],
    train: NDArray[Any], test: NDArray[Any],
) -> Finding:  # fmt: skip
    """Test rows whose every column is equal to a training row's, beyond what columns of few levels give by chance."""
    import numpy as np

    if len(test) > _MOST_TEST_ROWS:
        test = np.sort(np.random.default_rng(0).choice(test, _MOST_TEST_ROWS, replace=False))
    most_distinct_first = sorted(columns, key=lambda n: -profile[n].distinct)
    twins, same = _twins(frame, target, most_distinct_first, train, test)
    share, expected = twins / len(test), _by_chance(sample, len(train))
    value = round(share, 4)
    if share - expected < SHARED[0] or twins < 3:
        by_chance = f", about as many as chance gives ({expected:.1%})" if share >= SHARED[0] else ""
        text = f"{share:.1%} of the test rows are equal to a training row{by_chance}."
        return Finding(gate="rows_on_both_sides", level="ok", text=text, value=value)
    told = f"{share:.1%} of the test rows are equal to a training row ({same / twins:.0%} of them with the same "
    repeated = [c.name for c in profile.columns if c.kind == "id" and c.distinct < c.count - c.missing]
    group = f"group_column={repeated[0]}" if repeated else "group_column"
    told += f"{target.name!r}): the score is partly known answers. Remove repeated rows, or set {group}."
    # equal rows that disagree about the target teach nothing by heart
    block = share - expected >= SHARED[1] and same >= 0.5 * twins
    return Finding(gate="rows_on_both_sides", level="block" if block else "warn", text=told, value=value)


def _twins(
    frame: DataFrame, target: Target, columns: list[str], train: NDArray[Any], test: NDArray[Any]
) -> tuple[int, int]:
    """How many test rows have a training row of equal columns, and how many of those one of equal target too."""
    import numpy as np

    seen, asked = target.rows[train], target.rows[test]
    seen_key, asked_key = np.zeros(len(seen), "uint64"), np.zeros(len(asked), "uint64")
    for name in columns:
        # a row that differs in one column is out, so that only the first column is read in full
        column = frame[name].iloc[np.concatenate([seen, asked])]
        seen_key, asked_key = _keyed(column, seen_key, asked_key)
        left, kept = np.isin(seen_key, asked_key), np.isin(asked_key, seen_key)
        seen, seen_key, train = seen[left], seen_key[left], train[left]
        asked, asked_key, test = asked[kept], asked_key[kept], test[kept]
        if not len(asked):
            return 0, 0
    import pandas as pd

    truth = pd.Series(np.concatenate([target.values[train], target.values[test]]))
    seen_key, asked_key = _keyed(truth.astype(str) if target.classes else truth.astype(float), seen_key, asked_key)
    return len(asked), int(np.isin(asked_key, seen_key).sum())


def _keyed(column: Any, seen: NDArray[Any], asked: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The keys of both sides with one more column mixed in."""
    import numpy as np
    import pandas as pd

    hashed = pd.util.hash_pandas_object(column, index=False).to_numpy(dtype="uint64")
    prime = np.uint64(_PRIME)
    return (seen ^ hashed[: len(seen)]) * prime, (asked ^ hashed[len(seen) :]) * prime


def _by_chance(sample: Sample, train_rows: int) -> float:
    """The share of test rows with a twin if the columns were independent: few columns of few levels repeat anyway."""
    import numpy as np

    equal = 1.0
    for values in sample.values.values():
        counts = np.unique(values, return_counts=True)[1]
        equal *= float((counts * (counts - 1)).sum() / max(1, sample.rows * (sample.rows - 1)))
    return float(-np.expm1(train_rows * np.log1p(-min(equal, 1 - 1e-12))))


def shared_groups(frame: DataFrame, target: Target, group: str, train: NDArray[Any], test: NDArray[Any]) -> Finding:
    """Whether the split keeps the groups whole."""
    groups = as_text(frame[group].iloc[target.rows]).fillna("").to_numpy()
    both = set(groups[train]) & set(groups[test])
    if not both:
        text = f"No value of {group!r} is on both sides of the split."
        return Finding(gate="groups_on_both_sides", level="ok", columns=[group], text=text, value=0)
    text = f"{len(both)} values of {group!r} are on both sides of the split, such as {listed(sorted(both), 2)}. "
    text += "Use split=group."
    return Finding(gate="groups_on_both_sides", level="block", columns=[group], text=text, value=len(both))


def enough_rows(target: Target, columns: int, test: NDArray[Any]) -> Finding:
    """Whether the rows carry a score: below 100, fewer than columns, or fewer than 10 test rows of a class, warn."""
    import numpy as np

    rows = len(target.values)
    trouble = []
    if rows < FEW_ROWS:
        trouble.append(f"{rows} rows are few: the score depends on which {len(test)} rows were held back")
    elif rows < columns:
        trouble.append(f"there are more columns ({columns}) than rows ({rows}): some fit by chance")
    if target.classes and rows >= FEW_ROWS:
        labels, counts = np.unique(target.values[test].astype(str), return_counts=True)
        by_label = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        label = min(target.classes, key=lambda c: by_label.get(c, 0))
        if (few := by_label.get(label, 0)) < FEW_OF_A_CLASS:
            trouble.append(f"only {few} test rows have the class {label!r}: its scores are rough")
    if trouble:
        text = f"{'; '.join(trouble)}. Collect more rows, and read the interval beside the score."
        return Finding(gate="rows_enough", level="warn", text=text[0].upper() + text[1:], value=rows)
    return Finding(gate="rows_enough", level="ok", text=f"{rows} rows.", value=rows)


def many_levels(columns: dict[str, str], profile: Profile) -> Finding:
    """Category columns with so many values that a model can learn rows by heart."""
    limit = max(50, MANY_LEVELS * profile.rows)
    found = [n for n, kind in columns.items() if kind == "category" and profile[n].distinct > limit]
    if not found:
        return Finding(gate="many_levels", level="ok", text="No category column has too many values.", value=0)
    most = max(profile[n].distinct for n in found)
    text = f"{listed(found)}: up to {most} different values in {profile.rows} rows, so most values have few rows. "
    text += "If they identify things, leave them out or set group_column."
    return Finding(gate="many_levels", level="warn", columns=found, text=text, value=most)


def other_test_rows(
    frame: DataFrame, target: Target, columns: dict[str, str], profile: Profile, train: NDArray[Any], test: NDArray[Any]
) -> Finding:
    """Adversarial validation: can a forest tell test rows from training rows? Date columns do not count."""
    import numpy as np
    from sklearn.ensemble import ExtraTreesClassifier

    names = [n for n, kind in columns.items() if kind in ("number", "category")][:_MOST_COMPARED_COLUMNS]
    size = min(len(train), len(test), _COMPARED)
    if size < FEW_ROWS // 2 or not names:
        return Finding(gate="test_rows_differ", level="ok", text="Too few test rows to compare with the training rows.")
    random = np.random.default_rng(0)
    sides = [random.choice(side, size, replace=False) for side in (train, test)]
    part = frame.iloc[target.rows[np.concatenate(sides)]]
    table = np.stack([scaled(numeric(part[n], columns[n], profile[n].date_format)) for n in names], axis=1)
    side = np.repeat([0, 1], size)
    fold = np.tile([0, 1], size)
    forest = ExtraTreesClassifier(40, max_depth=8, min_samples_leaf=5, random_state=0, n_jobs=1)
    said, weight = np.empty(len(side)), np.zeros(len(names))
    for k in (0, 1):
        forest.fit(table[fold != k], side[fold != k])
        said[fold == k] = forest.predict_proba(table[fold == k])[:, 1]
        weight += forest.feature_importances_
    auc = round(roc_auc(side == 1, said), 3)
    if auc < OTHER_ROWS:
        text = f"Test rows look like training rows (told apart with ROC-AUC {auc:.2f}; 0.5 is not at all)."
        return Finding(gate="test_rows_differ", level="ok", text=text, value=auc)
    most = [names[i] for i in np.argsort(-weight)[:3] if weight[i] > 0.1]
    text = f"Test rows differ from training rows (told apart with ROC-AUC {auc:.2f}, mostly by {listed(most)}): "
    text += "expect other scores on other rows. Check these columns."
    return Finding(gate="test_rows_differ", level="warn", columns=most, text=text, value=auc)
