"""What the predictions of `bench_training` say: scores, ranks, and paired intervals of the differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

RESAMPLES = 500


class Seen(NamedTuple):
    """One test split: its data set and seed, the true values, and each peer's predictions by name."""

    data: str
    seed: int
    truth: Any
    by_peer: dict[str, Any]


Score = Callable[[str, Any, Any], float]
"""(data set, truth, predictions) -> score, the greater the better."""


def differences(seen: list[Seen], peer: str, score: Score, ours: str = "agentkit") -> pd.DataFrame:
    """Per data set: mean of `ours` minus `peer` over the splits, with the 95% interval of a paired bootstrap.

    The test rows of a split are drawn again with replacement, the same for both (Efron and Tibshirani 1993); the
    splits of a data set share their training rows in part, so the interval is that of the test rows alone.
    """
    rows = []
    for data in dict.fromkeys(s.data for s in seen):
        splits = [s for s in seen if s.data == data and {ours, peer} <= s.by_peer.keys()]
        if not splits:
            continue
        drawn = np.mean([_drawn(s, peer, score, ours) for s in splits], axis=0)
        low, high = np.percentile(drawn[1:], [2.5, 97.5])
        rows.append({"data": data, "difference": drawn[0], "low": low, "high": high})
    return pd.DataFrame(rows)


def ranks(seen: list[Seen], score: Score) -> pd.DataFrame:
    """Mean rank of each peer (1 is best) over all splits, with the 95% interval of a bootstrap over the data sets."""
    table = pd.DataFrame([{p: score(s.data, s.truth, v) for p, v in s.by_peer.items()} for s in seen])
    each = table.rank(axis=1, ascending=False).groupby([s.data for s in seen]).mean()
    random = np.random.default_rng(0)
    drawn = np.asarray([each.iloc[random.integers(0, len(each), len(each))].mean() for _ in range(RESAMPLES)])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return pd.DataFrame({"rank": each.mean(), "low": low, "high": high}).sort_values("rank")


def _drawn(split: Seen, peer: str, score: Score, ours: str) -> list[float]:
    """The difference on the test rows themselves, then on `RESAMPLES` draws of them."""
    random = np.random.default_rng(split.seed)
    one, other = split.by_peer[ours], split.by_peer[peer]
    rows = np.arange(len(split.truth))
    draws = [rows, *(random.integers(0, len(rows), len(rows)) for _ in range(RESAMPLES))]
    return [score(split.data, split.truth[d], one[d]) - score(split.data, split.truth[d], other[d]) for d in draws]
