"""What a review of a training says, and how often its held-back rows were used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from agentkit_ml.test_use import note_use, told, uses
from agentkit_ml.tracking import Tracking, TrainedModel

Tool = Callable[..., Any]


def _frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "noise"])
    return frame.assign(y=np.where(frame["a"] + frame["b"] + 0.3 * random.normal(size=rows) > 0, "yes", "no"))


def _trained(tool: Tool, frame: pd.DataFrame | None = None, **args: Any) -> TrainedModel:
    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    (_frame() if frame is None else frame).to_csv("t.csv", index=False)
    handle = tool("train", **({"dataset": "t.csv", "target": "y", "model": "linear"} | args)).model
    return Tracking(CallContext(Services(load_settings()))).model(handle)


def test_every_use_of_the_held_back_rows_is_counted_with_the_model(tool: Tool) -> None:
    found = _trained(tool)
    assert uses(found) == []
    assert (note_use(found, "evaluate"), told(found, 1)) == (1, "")
    assert note_use(found, "evaluate") == 2
    assert note_use(found, "explain") == 3
    assert [u.purpose for u in uses(found)] == ["evaluate", "evaluate", "explain"]
    said = told(found, 3)
    assert f"of {found.handle} were used 3 times now (evaluate 2, explain 1)" in said
    another = _trained(tool)
    assert (another.handle.version, uses(another)) == (2, [])


_USE = """
import sys
from agentkit.calls import CallContext, Services
from agentkit.settings import load_settings
from agentkit_ml.test_use import note_use
from agentkit_ml.tracking import Tracking
found = Tracking(CallContext(Services(load_settings()))).model(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5): note_use(found, "evaluate")
"""


def test_two_processes_lose_no_use(tool: Tool) -> None:
    found = _trained(tool)
    both = [
        subprocess.Popen([sys.executable, "-c", _USE, str(found.handle)], stdin=-1, stdout=-1, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        process.communicate("go\n")
        assert process.returncode == 0
    assert len(uses(found)) == 10
