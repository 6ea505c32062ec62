"""The process that models run in: what must be set before heavy imports, and how many threads do any good."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from agentkit.stored_models import prepare_mlflow

_FEW_CELLS = 50_000
"""Threads that wait for each other at every split of so few rows cost more than they do."""


def prepare_process() -> None:
    """Let idle OpenMP threads sleep, keep MLflow from calling home and from writing to the terminal.

    Cheap, and safe to call again.
    """
    # spinning threads make small fits up to 20 times slower; read once, when the OpenMP runtime loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    prepare_mlflow()


@contextmanager
def fitting_threads(cells: int | None = None) -> Iterator[int]:
    """Fit and predict on as many threads as there are cores to spare; on one for a table of few `cells`.

    OpenMP waits for its slowest thread at every step: two threads on a busy pair of cores take twice as long as one.
    """
    import joblib
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threads = 1 if cells is not None and cells < _FEW_CELLS else spare_cores(joblib.cpu_count())
    with threadpool_limits(threads), joblib.parallel_config("threading", n_jobs=threads):
        yield threads


def spare_cores(cores: int) -> int:
    """How many of `cores` this process gets at this moment, at least 1; measured in some 20 ms by using them.

    The load average would count what this process did itself a minute ago, and other containers' work.
    """
    work = bytes(1 << 23)

    def share(_: int) -> float:
        began, used = time.perf_counter(), time.thread_time()
        hashlib.sha256(work).digest()
        return (time.thread_time() - used) / (time.perf_counter() - began)

    with ThreadPoolExecutor(cores) as pool:
        return max(1, int(sum(pool.map(share, range(cores))) + 0.2))
