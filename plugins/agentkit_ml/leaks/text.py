"""Leaks in free text: notes that tell the outcome, such as the reason for which a customer left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.profiles import as_text
from agentkit_ml.leaks.columns import LIMITS, roc_auc
from agentkit_ml.leaks.sample import FOLDS
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.leaks.sample import Sample

_WORDS = 2**13
_MOST_COLUMNS = 5
_ENOUGH_ROWS = 100
_LETTERS = 500


def telling_texts(frame: DataFrame, sample: Sample, columns: dict[str, str], target: str) -> list[Finding]:
    """Text columns whose words predict the class almost perfectly, by naive Bayes on rows that it did not see.

    Warns only, at the limit of single columns: honest texts can be that good (spam). Numbers as targets are not
    looked at. Empty if there is nothing to tell.
    """
    texts = [name for name, kind in columns.items() if kind == "text"][:_MOST_COLUMNS]
    if not sample.classes or sample.rows < _ENOUGH_ROWS:
        return []
    limit = LIMITS["ROC-AUC"][1]
    found = []
    for name in texts:
        score = _text_score(as_text(frame[name].iloc[sample.positions]).fillna("").tolist(), sample)
        if score >= limit:
            text = f"The words of {name!r} predict {target!r} almost perfectly (ROC-AUC {score:.4f}): they may tell "
            text += "the outcome. If they are written after it, train without this column."
            found.append(Finding(gate="telling_text", level="warn", columns=[name], text=text, value=round(score, 5)))
    return found


def _text_score(texts: list[str], sample: Sample) -> float:
    """Mean ROC-AUC of one class against the rest, out of fold."""
    import numpy as np
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=_WORDS, alternate_sign=False, norm=None, binary=True)
    words = hashed.transform([t[:_LETTERS] for t in texts])
    members = (sample.labels[:, None] == np.arange(sample.classes)).astype("float64")
    said: NDArray[Any] = np.empty_like(members)
    for fold in range(FOLDS):
        train, test = sample.fold != fold, sample.fold == fold
        counts = np.asarray(words[train].T @ members[train]) + 0.5
        rates = np.log(counts / (members[train].sum(axis=0) + 1))
        logs = words[test] @ rates + np.log(members[train].mean(axis=0) + 1e-9)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        said[test] = shares / shares.sum(axis=1, keepdims=True)
    return float(np.mean([roc_auc(members[:, k] > 0, said[:, k]) for k in range(sample.classes)]))
