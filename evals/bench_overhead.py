"""What `train` does beside the estimators' own fits, on 10,000 rows of 20 mixed columns with a budget of 20 s.

python -m evals.bench_overhead [SECONDS]    (default: 20)

The `fit` methods of the estimators are timed in a process of its own. What else happens within the time of search and
fits: encoding, predicting and scoring folds, choosing, scoring the held-back rows. At most a quarter of that time
should be, and recording should take less than 15 s. The shares of CPU time are told too, for a busy machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from evals.child import child

ROWS = 10_000
BUDGET = 20.0
TARGETS = {"two classes": "left", "numbers": "spent", "five classes": "grade"}

_TRAIN = """
import functools, json, resource, sys, threading, time
import lightgbm, optuna, sklearn.dummy, sklearn.ensemble, sklearn.linear_model, xgboost
from agentkit import Agent

spent, used, depth = 0.0, 0.0, threading.local()

def timed(kind, name):
    plain = getattr(kind, name)
    @functools.wraps(plain)
    def fit(*args, **named):
        global spent, used
        depth.value = getattr(depth, "value", 0) + 1
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return plain(*args, **named)
        finally:
            depth.value -= 1
            if not depth.value:
                spent, used = spent + time.perf_counter() - began, used + time.process_time() - cpu
    setattr(kind, name, fit)

for kind in (
    *(getattr(sklearn.dummy, n) for n in ("DummyClassifier", "DummyRegressor")),
    *(getattr(sklearn.linear_model, n) for n in ("LogisticRegression", "Ridge")),
    *(getattr(sklearn.ensemble, f + k) for f in ("RandomForest", "ExtraTrees", "HistGradientBoosting")
      for k in ("Classifier", "Regressor")),
    lightgbm.LGBMClassifier, lightgbm.LGBMRegressor, xgboost.XGBClassifier, xgboost.XGBRegressor,
):
    timed(kind, "fit")

with Agent() as agent:
    agent.call("list_models")
    import agentkit_ml.fitting as fitting
    plain, before, inside = fitting._fitted, [], []
    def after(*args, **named):
        inside.extend([spent, used, time.process_time()])  # the learning curve's fits come later
        return plain(*args, **named)
    fitting._fitted = after
    search = fitting._search
    def starting(*args, **named):
        before.append(time.process_time())
        return search(*args, **named)
    fitting._search = starting
    began = time.perf_counter()
    made = agent.call("train", dataset="table.parquet", target=sys.argv[1], budget_seconds=float(sys.argv[2]))
    total = time.perf_counter() - began
share = inside[1] / (inside[2] - before[0])
print(json.dumps([made.seconds, inside[0], share, made.record_seconds, total, made.trials]))
"""


def overhead_bench(budget: float = BUDGET) -> None:
    """Print, for each kind of target, the share of the fitting time beside the estimators' fits, and the rest."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        _write_table(table)
        for kind, target in TARGETS.items():
            told = child(_TRAIN, target, str(budget), folder=_alone(table, target), home=table.parent / ".agentkit")
            seconds, fits, cpu, record, total, trials = json.loads(told.splitlines()[-1])
            print(
                f"overhead     {kind:12} {seconds:6.1f} s fitting, {100 * (1 - fits / seconds):4.1f}% not in fits "
                f"({100 * (1 - cpu):4.1f}% of CPU time); recording {record:5.1f} s; "
                f"whole call {total:6.1f} s; {trials} trials",
                flush=True,
            )


def _write_table(path: Path) -> None:
    """Ten columns of numbers (two with gaps), two of whole numbers, five of categories, a date, a text, an id."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(7)
    numbers = random.normal(size=(ROWS, 10))
    table = pd.DataFrame(numbers, columns=[f"x{i}" for i in range(10)])
    table.loc[random.random(ROWS) < 0.1, "x8"] = np.nan
    table.loc[random.random(ROWS) < 0.3, "x9"] = np.nan
    table["age"], table["visits"] = random.integers(18, 90, ROWS), random.poisson(3, ROWS)
    for name, levels in (("plan", 4), ("town", 40), ("agent", 8), ("shop", 300), ("sex", 2)):
        table[name] = [f"{name} {level}" for level in random.integers(0, levels, ROWS)]
    table["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1_500, ROWS), unit="D")
    words = np.array(["good", "bad", "late", "early", "never", "price", "service", "broken", "kind", "slow", "fine"])
    table["remark"] = [" ".join(random.choice(words, 6)) for _ in range(ROWS)]
    table["customer_id"] = [f"c{n}" for n in range(ROWS)]
    score = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + 0.02 * table["age"] + random.normal(size=ROWS)
    score += table["town"].map({f"town {i}": i / 20 for i in range(40)}) + table["remark"].str.contains("broken")
    table["left"] = np.where(score > score.median(), "yes", "no")
    table["spent"] = np.exp(score / 2) * 20
    table["grade"] = pd.qcut(score, 5, labels=list("abcde")).astype(str)
    table.to_parquet(path)


def _alone(table: Path, target: str) -> Path:
    """A folder with the table without the other targets, which would tell the answer."""
    import pandas as pd

    folder = table.parent / target
    folder.mkdir()
    others = [t for t in TARGETS.values() if t != target]
    pd.read_parquet(table).drop(columns=others).to_parquet(folder / table.name)
    return folder


if __name__ == "__main__":
    overhead_bench(float(sys.argv[1]) if sys.argv[1:] else BUDGET)
