"""Drift of 50 columns (40 of numbers, 10 of categories): CPU seconds and peak memory against the known ways.

python -m evals.bench_drift [--rows 100000,1000000,10000000] [--evidently PYTHON] [--nulls 1000] [--classifier]

Each measurement is a process of its own, imports included; CPU seconds, for wall time depends on what else the machine
does. The scipy loop: pandas reads both files, then ks_2samp, wasserstein_distance and chi2_contingency for each column.
Evidently runs its default preset in an environment of its own (it needs pandas 2): PYTHON is its interpreter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from evals.child import child
from evals.row_groups import write_groups

ROOT = Path(__file__).parents[1]
REPEATS = 3
GROUP_ROWS = 100_000
LONG = 1_000_000
"""Rows from which on one run is long enough to be measured once."""
PEER_ROWS = 1_000_000
"""The most rows that the scipy loop gets; Evidently gets 100,000, for with a million it did not end in 15 minutes."""
EVIDENTLY_ROWS = 100_000

_END = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""

_COMPARE = """
import json, sys
from agentkit_drift.compare import compare
made = compare(sys.argv[1], sys.argv[2], method=sys.argv[3], multivariate=False)
assert len(made.columns) == 50 and made.columns["x0"].drifted
"""

_PROFILE = """
import json, sys
from agentkit_drift.compare import profile
profile(sys.argv[1]).save(sys.argv[2])
"""

_CLASSIFIER = """
import json, sys
from agentkit_drift.compare import compare
made = compare(sys.argv[1], sys.argv[2])
assert made.multivariate.drifted
"""

_SCIPY = """
import json, sys
import pandas as pd
from scipy import stats
before, after = (pd.read_parquet(name) for name in sys.argv[1:3])
for name in before:
    if before[name].dtype.kind == "f":
        stats.ks_2samp(before[name], after[name])
        stats.wasserstein_distance(before[name], after[name])
    else:
        counts = pd.concat([before[name].value_counts(), after[name].value_counts()], axis=1).fillna(0)
        stats.chi2_contingency(counts.T)
"""

_EVIDENTLY = """
import json, sys
import pandas as pd
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset
before, after = (pd.read_parquet(name) for name in sys.argv[1:3])
numbers = [c for c in before if c.startswith("x")]
kinds = DataDefinition(numerical_columns=numbers, categorical_columns=[c for c in before if c not in numbers])
sides = [Dataset.from_pandas(frame, data_definition=kinds) for frame in (after, before)]
Report([DataDriftPreset()]).run(*sides).dict()
"""

_WRITE = """
import sys
from pathlib import Path
from evals.bench_drift import write
write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""

_NULLS = """
import json, sys
import numpy as np, pandas as pd
from agentkit_drift.compare import compare
def table(rows, random):
    shapes = [random.normal, lambda size: random.lognormal(0, 1.5, size), random.standard_cauchy,
              lambda size: random.integers(0, 8, size)]
    frame = {f"x{i}": shapes[i % 4](size=rows) for i in range(16)}
    frame |= {f"c{i}": random.choice([f"level {k}" for k in range(3 ** (i + 1))], rows) for i in range(4)}
    return pd.DataFrame(frame)
alarms = 0
for seed in range(int(sys.argv[1])):
    random = np.random.default_rng(seed)
    frames = [table(int(rows), random) for rows in sys.argv[2:4]]
    alarms += compare(*frames, multivariate=False).verdict != "none"
print(alarms)
"""


def drift_bench(
    rows: tuple[int, ...] = (100_000, 1_000_000), evidently: str = "", nulls: int = 0, classifier: bool = False
) -> None:
    """Print CPU seconds and memory of each way, and how many times as many the peers need."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for count in rows:
            files = [str(home / f"{side}.parquet") for side in ("before", "after")]
            for side, file in enumerate(files):
                # a child of a large process begins with its peak memory
                child(_WRITE, file, str(count), str(side), folder=ROOT)
            _compare_ways(home, files, count, evidently, classifier)
    for before, after in ((300, 300), (1_001, 1_001), (5_000, 1_500)) if nulls else ():
        found = int(child(_NULLS, str(nulls), str(before), str(after), folder=ROOT).split()[-1])
        print(
            f"drift  {nulls:,} unchanged data sets of {before:,} and {after:,} rows: {found / nulls:.1%} raise an alarm"
        )


def _compare_ways(home: Path, files: list[str], rows: int, evidently: str, classifier: bool) -> None:
    stored = str(home / "profile.parquet")
    _measured("making the profile", rows, _PROFILE, files[0], stored)
    own = {
        "exact": _measured("exact", rows, _COMPARE, *files, "exact") if rows <= PEER_ROWS else None,
        "from a profile": _measured("from a profile", rows, _COMPARE, stored, files[1], "profile"),
    }
    if classifier and rows <= PEER_ROWS:
        _measured("exact and classifier", rows, _CLASSIFIER, *files)
    peers = {}
    if rows <= PEER_ROWS:
        peers["scipy loop"] = _measured("scipy loop", rows, _SCIPY, *files)
    if evidently and rows <= EVIDENTLY_ROWS:
        peers["Evidently"] = _measured("Evidently", rows, _EVIDENTLY, *files, python=evidently)
    for peer, seconds in peers.items():
        for way, taken in own.items():
            if taken:
                print(f"drift  {rows:>10,} rows  {peer} needs {seconds / taken:5.1f} times the CPU of {way}")


def _measured(way: str, rows: int, code: str, *arguments: str, python: str = sys.executable) -> float:
    """CPU seconds: the median of some runs."""
    runs = [
        json.loads(child(code + _END, *arguments, folder=ROOT, python=python).splitlines()[-1])
        for _ in range(REPEATS if rows < LONG else 1)
    ]
    seconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"drift  {rows:>10,} rows  {way:22} {seconds:7.2f} s CPU  {memory:7,.0f} MB", flush=True)
    return float(seconds)


def write(path: Path, rows: int, side: int) -> None:
    """40 columns of numbers, of which four are shifted on the second side, and 10 of categories, in row groups."""
    import numpy as np
    import pyarrow as pa

    def columns(start: int, count: int) -> dict[str, Any]:
        random = np.random.default_rng([side, start])
        made = {}
        for i in range(40):
            values = random.normal(size=count) if i % 2 else random.lognormal(0, 1, count)
            made[f"x{i}"] = pa.array(values + 0.3 * side * (i < 4))
        for i in range(10):
            levels = np.asarray([f"level {k}" for k in range(5 + 3 * i)])
            made[f"c{i}"] = pa.array(levels[random.integers(0, len(levels), count)])
        return made

    write_groups(path, rows, GROUP_ROWS, columns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drift against the known ways")
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--evidently", default="", metavar="PYTHON")
    parser.add_argument("--nulls", type=int, default=0)
    parser.add_argument("--classifier", action="store_true")
    given = parser.parse_args()
    drift_bench(tuple(int(r) for r in given.rows.split(",")), given.evidently, given.nulls, given.classifier)
