"""`agentkit tool` and `agentkit tools`: the tools as commands, and bad input as people meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome

Cli = Callable[..., Outcome]
X = [(37 * i) % 41 for i in range(80)]
LINES = ["x,word,y", *(f"{x},{'ab'[i % 2]},{'no' if x < 20 else 'yes'}" for i, x in enumerate(X))]


@pytest.fixture(autouse=True)
def _files(workspace: Path) -> None:
    """One good file, and one of each kind of bad one."""
    (workspace / "good.csv").write_text("\n".join(LINES) + "\n")
    (workspace / "empty.csv").write_text("")
    (workspace / "heading.csv").write_text("x,y\n")
    (workspace / "twice.csv").write_text("x,x,y\n1,2,a\n3,4,b\n")
    (workspace / "three.csv").write_text("x,y\n1,a\n2,b\n3,a\n")
    (workspace / "one_class.csv").write_text("x,y\n" + "".join(f"{i},a\n" for i in range(30)))
    (workspace / "no_values.csv").write_text("x,y\n" + "".join(f"{i},\n" for i in range(30)))
    (workspace / "noise.csv").write_bytes(bytes(range(256)) * 40)
    (workspace / "broken.parquet").write_text("this is no parquet file")
    (workspace / "folder").mkdir()
    (workspace.parent / "outside.csv").write_text("x,y\n1,2\n")


def train(dataset: str, target: str = "y", *more: str) -> tuple[str, ...]:
    return ("tool", "train", "--dataset", dataset, "--target", target, *more)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (train("god.csv"), "The nearest name is 'good.csv'"),
        (train("empty.csv"), "'empty.csv' is empty"),
        (train("heading.csv"), "no rows"),
        (train("twice.csv"), "'x'"),
        (train("noise.csv"), "noise.csv"),
        (train("broken.parquet"), "broken.parquet"),
        (train("folder"), "folder"),
        (train("../outside.csv"), "outside the workspace"),
        (train("good.csv", "Y2"), "The nearest name is 'y'"),
        (train("good.csv", "wrd"), "The nearest name is 'word'"),
        (train("one_class.csv"), "the same value in every row"),
        (train("no_values.csv"), "no value"),
        (train("three.csv"), "rows"),
        (train("good.csv", "y", "--budget-seconds", "soon"), "budget_seconds"),
        (train("good.csv", "y", "--budget-seconds", "-3"), "budget_seconds"),
        (train("good.csv", "y", "--model", "liner"), "liner"),
        (("tool", "train", "--dataset", "good.csv"), "target"),
        (("tool", "trian"), "The nearest name is 'train'"),
        (("tool", "evaluate", "--model", "model:none/1", "--dataset", "good.csv"), "model:none"),
        (("tool", "evaluate", "--model", "table:x", "--dataset", "good.csv"), "table:x"),
        (("tool", "predict", "--model", "model:none", "--dataset", "good.csv", "--output", "o.csv"), "model:none"),
        (("tool", "profile_data", "--dataset", "good.csv", "--target", "z"), "'z' is not a column"),
    ],
)
def test_bad_input_is_said_with_what_to_do_and_exit_code_2(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = cli(*arguments, "--json")
    assert said.lower() in done.err.lower()
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()[-1]) < 400


def test_a_training_prints_one_json_object_and_the_model_works_in_the_next_command(cli: Cli) -> None:
    trained = json.loads(cli(*train("good.csv", "y", "--model", "linear", "--json")).out)
    assert set(trained) >= {"model", "task", "metric", "score", "metrics", "run_id"}
    evaluated = json.loads(cli("tool", "evaluate", "--model", trained["model"], "--dataset", "good.csv", "--json").out)
    assert evaluated["metrics"]["roc_auc"] > 0.9
    predicted = cli("tool", "predict", "--model", trained["model"], "--dataset", "good.csv", "--output", "out/p.csv")
    assert predicted.code == 0
    assert len(Path("out/p.csv").read_text().splitlines()) == 81
    assert trained["model"] in cli("tool", "list_models").out


def test_progress_goes_to_stderr_and_the_result_to_stdout(cli: Cli) -> None:
    done = cli(*train("good.csv", "y", "--model", "linear"))
    assert "Trial 2: linear model" in done.err
    assert done.out.startswith("Trained model:good/")
    assert "Trials, cross-validated" in done.out


def test_the_help_of_a_tool_comes_from_its_schema(cli: Cli) -> None:
    shown = cli("tool", "train", "--help").out
    assert "--budget-seconds" in shown
    assert "hist_gradient_boosting" in shown
    assert "Name of the column to predict" in shown


def test_a_tool_is_called_without_loading_the_agent() -> None:
    program = (
        "import sys\nfrom agentkit.cli import main\ntry:\n    main()\nfinally:\n"
        "    sys.stderr.write(' '.join(m for m in ('langchain', 'langgraph', 'langchain_core') if m in sys.modules))\n"
    )
    command = [sys.executable, "-c", program, "tool", "profile_data", "--dataset", "good.csv"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert "80 rows" in ended.stdout
