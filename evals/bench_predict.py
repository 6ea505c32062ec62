"""`predict` against calling the pipeline on Parquet batches by hand: rows a second, and peak memory by rows.

python -m evals.bench_predict [ROWS ...]    (default: 500000 5000000)

Each measurement is a process of its own, taken in turn. By hand means: read a batch of 50,000 rows, make it a frame,
call the pipeline; nothing is written. `predict` also writes the predictions and makes them safe. Two models:
gradient boosting, whose trees take the time, and a linear model, where everything else does.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from evals.child import child
from evals.row_groups import write_groups

ROWS = (500_000, 5_000_000)
TRAINING_ROWS = 5_000
REPEATS = 3
LONG = 1_000_000
"""Rows beyond which one run is long enough to be measured once."""
GROUP_ROWS = 100_000
MODELS = ("hist_gradient_boosting", "linear")

_PREPARE = """
import sys
from agentkit import Agent
with Agent() as agent:
    made = agent.call("train", dataset="train.parquet", target="y", model=sys.argv[1], budget_seconds=20)
    print(made.model)
"""

_BY_HAND = """
import json, resource, sys, time
from agentkit.calls import CallContext, Services
from agentkit.settings import load_settings
from agentkit_ml.registry.tracking import Tracking
import pyarrow.parquet as pq
with_services = Services(load_settings())
found = Tracking(CallContext(with_services)).model(sys.argv[1])
columns = list(found.training.columns)
found.pipeline.predict(next(pq.ParquetFile("train.parquet").iter_batches(100, columns=columns)).to_pandas())
start, rows = time.perf_counter(), 0
for batch in pq.ParquetFile(sys.argv[2]).iter_batches(50_000, columns=columns):
    rows += len(found.pipeline.predict(batch.to_pandas()))
seconds = time.perf_counter() - start
with_services.close()
print(json.dumps([rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""

_PREDICT = """
import json, resource, sys, time
from agentkit import Agent
with Agent() as agent:
    agent.call("predict", model=sys.argv[1], dataset="train.parquet", output="warm.parquet")
    start = time.perf_counter()
    made = agent.call("predict", model=sys.argv[1], dataset=sys.argv[2], output="out.parquet")
    seconds = time.perf_counter() - start
print(json.dumps([made.rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def predict_bench(rows: tuple[int, ...] = ROWS) -> None:
    """Print throughput as a ratio to the pipeline by hand, and the peak memory of `predict` as a ratio to the first."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _write_table(home / "train.parquet", TRAINING_ROWS, labelled=True)
        models = {name: child(_PREPARE, name, folder=home).split()[-1] for name in MODELS}
        first: dict[str, float] = {}
        for count in rows:
            data = f"data{count}.parquet"
            _write_table(home / data, count, labelled=False)
            for name, model in models.items():
                speed, memory = _measured(home, model, data, count)
                base = first.setdefault(name, memory)
                for way, rate in speed.items():
                    ratio = rate / speed["by hand"]
                    print(f"predict  {name:22} {way:8} {count:>9,} rows {rate:>9,.0f} rows/s {ratio:5.2f} x")
                print(f"predict  {name:22} peak RSS {count:>9,} rows {memory:>9,.0f} MB     {memory / base:5.2f} x")
            (home / data).unlink()


def _measured(home: Path, model: str, data: str, count: int) -> tuple[dict[str, float], float]:
    """Median rows a second of both ways, and median peak memory of `predict` in MiB."""
    taken: dict[str, list[tuple[float, float]]] = {"by hand": [], "predict": []}
    for _ in range(REPEATS if count <= LONG else 1):
        for way, code in (("by hand", _BY_HAND), ("predict", _PREDICT)):
            done, seconds, peak = json.loads(child(code, model, data, folder=home).splitlines()[-1])
            assert done == count, f"{way}: {done} of {count} rows"
            taken[way].append((count / seconds, peak / 1024))
    speed = {way: statistics.median(rate for rate, _ in runs) for way, runs in taken.items()}
    return speed, statistics.median(peak for _, peak in taken["predict"])


def _write_table(path: Path, rows: int, *, labelled: bool) -> None:
    """Ten number columns (one with gaps), three of text, an id; in row groups, so that memory does not grow."""
    import numpy as np
    import pyarrow as pa

    def columns(start: int, count: int) -> dict[str, Any]:
        random = np.random.default_rng(start)
        numbers = random.normal(size=(10, count))
        made = {f"x{i}": pa.array(numbers[i]) for i in range(9)}
        made["x9"] = pa.array(numbers[9], mask=random.random(count) < 0.1)
        for name, levels in (("plan", 4), ("town", 40), ("agent", 8)):
            made[name] = pa.array([f"{name} {level}" for level in random.integers(0, levels, count)])
        made["customer_id"] = pa.array([f"c{n}" for n in range(start, start + count)])
        if labelled:
            score = numbers[0] + numbers[1] * numbers[2] + random.normal(size=count)
            made["y"] = pa.array(np.where(score > 0, "yes", "no"))
        return made

    write_groups(path, rows, GROUP_ROWS, columns)


if __name__ == "__main__":
    began = time.perf_counter()
    predict_bench(tuple(int(a) for a in sys.argv[1:]) or ROWS)
    print(f"predict      took {time.perf_counter() - began:.0f} s")
