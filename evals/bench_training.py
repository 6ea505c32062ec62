"""Training against the usual engines at the same budget: on the same rows, scored on the same others.

python -m evals.bench_training FOLDER [--only adult,letter] [--seeds 0,1,2] [--budget 60] [--flaml PYTHON] [--out FILE]

FOLDER holds data sets as Parquet files under the names of DATA below (public ones; none is part of the project).
The peers get categories as such and early stopping on a fifth of their rows; FLAML runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from evals.training_comparison import Seen, differences, ranks


class Case(NamedTuple):
    """A data set: its target and metric; rows of one `group` stay together; `official` names its own split."""

    target: str
    metric: str
    group: str | None = None
    official: str | None = None


DATA = {
    "adult": Case("income", "roc_auc", official="fold"),
    "mammography": Case("target", "roc_auc"),
    "letter": Case("letter", "accuracy"),
    "diamonds": Case("price", "rmse"),
    "movies": Case("IMDB Rating", "rmse"),
    "insteval": Case("y", "rmse", group="s"),
}
Frames = tuple[pd.DataFrame, pd.DataFrame]
THREADS = 2


def split(frame: pd.DataFrame, case: Case, seed: int) -> Frames:
    """Rows to learn from and rows to score: a quarter, whole groups or the set's own split for seed 0."""
    frame = frame[frame[case.target].notna()].reset_index(drop=True)
    rows = np.arange(len(frame))
    if case.official and seed == 0:
        larger = frame[case.official].value_counts().idxmax()
        train, test = rows[frame[case.official] == larger], rows[frame[case.official] != larger]
    elif case.group:
        train, test = next(
            GroupShuffleSplit(1, test_size=0.25, random_state=seed).split(rows, groups=frame[case.group])
        )
    else:
        labels = None if case.metric == "rmse" else frame[case.target]
        train, test = train_test_split(rows, test_size=0.25, random_state=seed, stratify=labels)
    kept = frame.drop(columns=[case.official] if case.official else [])
    return kept.iloc[train].reset_index(drop=True), kept.iloc[test].reset_index(drop=True)


def score(case: Case, truth: Any, predicted: Any) -> float:
    """`predicted`: probabilities of the last class, labels, or numbers, as the metric wants them."""
    if case.metric == "rmse":
        return float(root_mean_squared_error(truth, predicted))
    labels = np.asarray(truth).astype(str)
    if case.metric == "roc_auc":
        return float(roc_auc_score(labels == max(set(labels)), predicted))
    return float(accuracy_score(labels, np.asarray(predicted).astype(str)))


def agentkit(train: pd.DataFrame, test: pd.DataFrame, case: Case, budget: float) -> Any:
    """The tool `train` as people call it, and its model applied to the other rows."""
    from agentkit import Agent
    from agentkit.calls import CallContext
    from agentkit.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        train.to_parquet(Path(folder) / "train.parquet", index=False)
        with Agent(settings=load_settings(folder)) as agent:
            made: Any = agent.call(
                "train", dataset="train.parquet", target=case.target, metric=case.metric, budget_seconds=budget,
                group_column=case.group,
            )  # fmt: skip
            from agentkit_ml.registry.tracking import Tracking

            pipeline = Tracking(CallContext(agent.services)).model(made.model).pipeline
            print(f"    {made.trials} trials in {made.seconds:.1f} s: {made.members}", file=sys.stderr)
            if case.metric == "roc_auc":
                return pipeline.predict_proba(test)[:, list(pipeline.classes_).index(max(pipeline.classes_))]
            return pipeline.predict(test)


def typed(train: pd.DataFrame, test: pd.DataFrame, target: str) -> Frames:
    """The columns beside the target, texts as categories of the training rows."""
    one, other = train.drop(columns=target), test.drop(columns=target)
    for name in one:
        if one[name].dtype.kind not in "fiub":
            levels = pd.CategoricalDtype(sorted(one[name].dropna().astype(str).unique()))
            texts = (f[name].astype(str).where(f[name].notna()) for f in (one, other))
            one[name], other[name] = (t.where(t.isin(levels.categories)).astype(levels) for t in texts)
    return one, other


def _codes(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories of more than 255 levels, which scikit-learn refuses, as numbers."""
    wide = [c for c in frame if frame[c].dtype == "category" and len(frame[c].cat.categories) > 255]
    return frame.assign(**{str(c): frame[c].cat.codes for c in wide})


def engine(make: Callable[[Case, int], Any], early: bool) -> Callable[..., Any]:
    """A peer: fitted on all rows, or with early stopping on a fifth of them."""

    def run(train: pd.DataFrame, test: pd.DataFrame, case: Case, _budget: float) -> Any:
        features, other = typed(train, test, case.target)
        model = make(case, 0)
        if type(model).__module__.startswith("sklearn"):
            features, other = (_codes(f) for f in (features, other))
        values: Any = train[case.target]
        names: Any = None
        if case.metric != "rmse":
            names, values = np.unique(values.astype(str), return_inverse=True)
        if early:
            fit, watch = train_test_split(
                np.arange(len(train)), test_size=0.2, random_state=0, stratify=None if names is None else values
            )
            values = np.asarray(values)
            watched: dict[str, Any] = {"eval_X": (features.iloc[watch],), "eval_y": (values[watch],)}
            if "xgboost" in type(model).__module__:
                watched = {"eval_set": [(features.iloc[watch], values[watch])], "verbose": False}
            model.fit(features.iloc[fit], values[fit], **watched)
        else:
            model.fit(features, values)
        if case.metric == "roc_auc":
            return model.predict_proba(other)[:, 1]
        predicted = model.predict(other)
        return predicted if names is None else names[predicted.astype(int)]

    return run


def _hist(case: Case, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if case.metric == "rmse" else HistGradientBoostingClassifier
    return kind(random_state=seed, categorical_features="from_dtype")


def _lightgbm(case: Case, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMRegressor if case.metric == "rmse" else LGBMClassifier
    return kind(n_estimators=2_000, early_stopping_round=50, n_jobs=THREADS, random_state=seed, verbosity=-1)


def _xgboost(case: Case, seed: int) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBRegressor if case.metric == "rmse" else XGBClassifier
    return kind(
        n_estimators=2_000, learning_rate=0.1, early_stopping_rounds=50, n_jobs=THREADS, random_state=seed,
        enable_categorical=True, tree_method="hist",
    )  # fmt: skip


_FLAML = """
import json, sys
import numpy as np, pandas as pd
from flaml import AutoML
folder, target, metric, group, budget = sys.argv[1:]
train, test = (pd.read_parquet(f"{folder}/{n}.parquet") for n in ("train", "test"))
for frame in (train, test):
    for name in frame:
        if name != target and frame[name].dtype.kind not in "fiub":
            frame[name] = frame[name].astype("string").astype("object").astype("category")
task = "regression" if metric == "rmse" else "classification"
groups = {} if group == "None" else {"split_type": "group", "groups": train[group].to_numpy()}
model = AutoML()
values = train[target] if task == "regression" else train[target].astype(str)
model.fit(train.drop(columns=target), values, task=task, metric=metric, time_budget=float(budget), n_jobs=2,
          seed=0, verbose=0, **groups)
other = test.drop(columns=target)
made = model.predict_proba(other)[:, 1] if metric == "roc_auc" else model.predict(other)
print(json.dumps([m.item() if hasattr(m, "item") else m for m in made]))
"""


def flaml(python: str) -> Callable[..., Any]:
    """FLAML in the environment of this Python."""

    def run(train: pd.DataFrame, test: pd.DataFrame, case: Case, budget: float) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            train.to_parquet(f"{folder}/train.parquet", index=False)
            test.to_parquet(f"{folder}/test.parquet", index=False)
            given = [folder, case.target, case.metric, str(case.group), str(budget)]
            command = [python, "-W", "ignore", "-c", _FLAML, *given]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        return np.asarray(json.loads(done.stdout.splitlines()[-1]))

    return run


def predictions(peer: Callable[..., Any], data: tuple[str, Frames], budget: float, kept: Path) -> Any:
    """What the peer says of the test rows: from the file `kept` of an earlier run, or made now and kept there."""
    name, (train, test) = data
    if not kept.exists():
        began = time.perf_counter()
        made = np.asarray(peer(train, test, DATA[name], budget))
        seconds = time.perf_counter() - began
        np.savez(kept, made=made if DATA[name].metric != "accuracy" else made.astype(str), seconds=seconds)
    stored = np.load(kept)
    return stored["made"], float(stored["seconds"])


def greater(name: str, truth: Any, predicted: Any) -> float:
    """The data set's metric, the greater the better."""
    return score(DATA[name], truth, predicted) * (-1 if DATA[name].metric == "rmse" else 1)


def main() -> None:
    """Run what was asked for; a line for each result, then mean ranks and the differences with their intervals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default=",".join(DATA))
    parser.add_argument("--peers", default="agentkit,hgb,lightgbm,xgboost,flaml")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--flaml", help="the Python of an environment with FLAML")
    parser.add_argument("--out", type=Path, help="a folder that keeps the predictions, so that a run can go on")
    args = parser.parse_args()
    peers = {
        "agentkit": agentkit, "hgb": engine(_hist, early=False), "lightgbm": engine(_lightgbm, early=True),
        "xgboost": engine(_xgboost, early=True), **({"flaml": flaml(args.flaml)} if args.flaml else {}),
    }  # fmt: skip
    kept = args.out or Path(tempfile.mkdtemp(prefix="bench-training-"))
    kept.mkdir(parents=True, exist_ok=True)
    found: list[Seen] = []
    for name in args.only.split(","):
        frame = pd.read_parquet(args.folder / f"{name}.parquet")
        for seed in map(int, args.seeds.split(",")):
            train, test = split(frame, DATA[name], seed)
            truth = test[DATA[name].target].to_numpy()
            truth = truth if DATA[name].metric == "rmse" else truth.astype(str)
            found.append(Seen(name, seed, truth, {}))
            for peer in (p for p in args.peers.split(",") if p in peers):
                file = kept / f"{name}-{seed}-{peer}.npz"
                made, seconds = predictions(peers[peer], (name, (train, test)), args.budget, file)
                found[-1].by_peer[peer] = made
                value = score(DATA[name], truth, made)
                print(f"{name:12} {seed} {DATA[name].metric:8} {peer:10} {value:10.5f} {seconds:6.1f} s", flush=True)
    print(ranks(found, greater).round(2).to_string())
    for peer in (p for p in args.peers.split(",") if p in peers and p != "agentkit"):
        print(f"agentkit less {peer}, greater is better\n{differences(found, peer, greater).to_string(index=False)}")


if __name__ == "__main__":
    main()
