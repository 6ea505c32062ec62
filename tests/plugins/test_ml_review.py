"""What a review of a training says, and how often its held-back rows were used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
import pytest
from agentkit_ml import gates
from agentkit_ml.record import Baseline, Training
from agentkit_ml.registry.test_use import note_use, told, uses
from agentkit_ml.registry.tracking import Tracking, TrainedModel

Tool = Callable[..., Any]


def _frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "noise"])
    return frame.assign(y=np.where(frame["a"] + frame["b"] + 0.3 * random.normal(size=rows) > 0, "yes", "no"))


def _trained(tool: Tool, frame: pd.DataFrame | None = None, **args: Any) -> TrainedModel:
    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    (_frame() if frame is None else frame).to_csv("t.csv", index=False)
    handle = tool("train", **({"dataset": "t.csv", "target": "y", "model": "linear", "budget_seconds": 5} | args)).model
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
    assert another.handle.version == (found.handle.version or 0) + 1
    assert uses(another) == []


_USE = """
import sys
from agentkit.calls import CallContext, Services
from agentkit.settings import load_settings
from agentkit_ml.registry.test_use import note_use
from agentkit_ml.registry.tracking import Tracking
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


def test_a_sound_training_is_ready_and_every_gate_is_shown(tool: Tool) -> None:
    found = _trained(tool, _frame(600))
    result = tool("review_training", model=str(found.handle))
    assert result.verdict == "READY", result.brief()
    assert {
        "better_than_baseline", "metric_fits", "train_test_gap", "seed", "test_rows_known", "test_rows_used",
        "ids_left_out", "one_artifact", "reference_profile", "tracked_run", "file_unchanged", "target_copy",
        "single_column", "rows_on_both_sides", "shuffled_time", "rows_enough",
    } <= {g.gate for g in result.gates}  # fmt: skip
    assert result.brief().startswith(f"{found.handle}: READY. {len(result.gates)} of {len(result.gates)} gates passed")
    table = result.artifacts[0]
    assert len(table.rows) == len(result.gates)
    seed = next(row for row in table.rows if row[0] == "seed")
    assert seed[1:3] == ["ok", 20]


def test_what_is_wrong_blocks_or_needs_work_and_says_what_to_do(tool: Tool) -> None:
    frame = _frame(400)
    found = _trained(tool, frame.assign(answer=frame["y"].map({"yes": 1, "no": 0})))
    note_use(found, "evaluate")
    note_use(found, "evaluate")
    frame.to_csv("t.csv", index=False)
    result = tool("review_training", model=str(found.handle))
    assert result.verdict == "BLOCKED"
    failed = {g.gate: g.level for g in result.gates if g.level != "ok"}
    assert failed == {"target_copy": "block", "test_rows_used": "warn", "file_unchanged": "warn"}
    assert result.gates[0].columns == ["answer"]
    brief = result.brief()
    assert "- target_copy (block): 'answer' is a copy of the target 'y'" in brief
    assert "'t.csv' has changed since" in brief
    assert len(brief) <= 1_200

    Path("t.csv").unlink()
    found.tracking.client.delete_run(found.run_id)
    gone = {g.gate: g.text for g in tool("review_training", model=str(found.handle)).gates if g.level != "ok"}
    assert "is no longer there" in gone["file_unchanged"]
    assert "is deleted, missing or incomplete" in gone["tracked_run"]


def test_labels_of_noise_are_blocked(tool: Tool) -> None:
    frame = _frame(200)
    found = _trained(tool, frame.assign(y=np.random.default_rng(8).permutation(frame["y"])), model="dummy")
    result = tool("review_training", model=str(found.handle))
    assert result.verdict == "BLOCKED"
    assert result.gates[0].gate == "better_than_baseline"
    assert "No better than guessing" in result.gates[0].text


def test_a_stored_model_that_was_changed_is_blocked(tool: Tool) -> None:
    found = _trained(tool)
    folder = Path(unquote(urlparse(found.version.source).path))
    stored = next(p for p in (folder / "model.skops", folder / "model.pkl") if p.exists())
    stored.write_bytes(stored.read_bytes() + b"x")
    gate = next(g for g in tool("review_training", model=str(found.handle)).gates if g.gate == "one_artifact")
    assert gate.level == "block"
    assert "has changed since it was trained" in gate.text


TRAINING = Training(
    dataset="t.csv", digest="ab", target="y", task="binary", classes=["no", "yes"], positive="yes", algorithm="linear",
    metric="roc_auc", metrics={"roc_auc": 0.9, "accuracy": 0.9}, baseline=Baseline(shares=[0.9, 0.1]),
    baseline_metrics={"roc_auc": 0.5, "accuracy": 0.9}, columns={"a": "number"}, left_out={}, split="random", seed=20,
    train_rows=80, test_rows=20, seconds=1, candidates=[], train_score=0.95, intervals={"roc_auc": (0.8, 0.95)},
)  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "change", "level", "told"),
    [
        (gates._metric, {}, "ok", "ROC-AUC fits a binary target; the largest class has 90% of the rows"),
        (gates._metric, {"metric": "accuracy"}, "warn", "right in 90% of the rows. Train with metric=roc_auc or f1"),
        (gates._better_than_baseline, {}, "ok", "ROC-AUC 0.900, guessing without a model ROC-AUC 0.500"),
        (gates._better_than_baseline, {"metrics": {"roc_auc": 0.5}}, "block", "No better than guessing"),
        (gates._better_than_baseline, {"intervals": {"roc_auc": (0.49, 0.95)}}, "warn", "what may be chance"),
        (gates._gap, {}, "ok", "ROC-AUC 0.950 on training rows"),
        (gates._gap, {"train_score": 1.0, "metrics": {"roc_auc": 0.7}}, "warn", "remembers more than it knows"),
        (gates._gap, {"train_score": None}, "warn", "was not recorded"),
        (
            gates._gap,
            {"metric": "rmse", "metrics": {"rmse": 9.0}, "baseline_metrics": {"rmse": 10.0}, "train_score": 1.0},
            "warn", "remembers more than it knows: RMSE 1.000 on training rows, RMSE 9.000 on held-back rows",
        ),
    ],
)  # fmt: skip
def test_gates_of_the_record(gate: Any, change: dict[str, Any], level: str, told: str) -> None:
    found = gate(TRAINING.model_copy(update=change))
    assert found.level == level
    assert told in found.text


def test_texts_among_numbers_do_not_make_the_stored_model_fail(tool: Tool) -> None:
    frame = _frame(300)
    frame["a"] = frame["a"].astype("object").where(frame.index % 11 > 0, "n.b.")
    found = _trained(tool, frame)
    checked = {g.gate: g for g in tool("review_training", model=str(found.handle)).gates}
    assert checked["one_artifact"].level == "ok"
    assert checked["values_read"].level == "warn"
    assert "such as 'n.b.'" in checked["values_read"].text
