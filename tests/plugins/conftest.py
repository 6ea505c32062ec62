"""What tests of the ML tools share: real tables, and the tools as every face calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from agentkit import Agent
from agentkit.results import ToolResult

if TYPE_CHECKING:
    from agentkit.calls import Services


class Tables(NamedTuple):
    """Names of files in the workspace, and the model that was trained on the first of them."""

    tumours: str
    tumours_new: str
    progress: str
    progress_new: str


@pytest.fixture
def services(workspace: Path) -> Iterator[Services]:
    """The services of the workspace, as every face uses them."""
    from agentkit.calls import Services
    from agentkit.settings import load_settings

    made = Services(load_settings(workspace))
    yield made
    made.close()


@pytest.fixture
def tool(services: Services) -> Callable[..., Any]:
    """Call a tool: `tool("train", dataset=..., target=...)`; `by_model=True` calls it as a chat model would."""
    from agentkit.calls import CallContext, run_tool

    def call(tool_name: str, /, *, by_model: bool = False, on_progress: Any = None, **args: Any) -> ToolResult:
        ctx = CallContext(services, by_model=by_model)
        if on_progress:
            ctx.on_progress = lambda message, fraction: on_progress(ctx, message, fraction)
        return run_tool(tool_name, args, ctx)

    return call


@pytest.fixture
def agent(workspace: Path) -> Iterator[Agent]:
    """An agent of the workspace whose model has nothing to say: for calls from Python."""
    from agentkit.testing import ScriptedChatModel

    with Agent(model=ScriptedChatModel(script=[])) as made:
        yield made


@pytest.fixture
def tables(workspace: Path) -> Tables:
    """Breast cancer (classes) and diabetes (numbers), each as a file to train on and one of later rows."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    cancer = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "diagnosis"})
    cancer["diagnosis"] = cancer["diagnosis"].map({0: "malignant", 1: "benign"})
    diabetes = load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"})
    (workspace / "data").mkdir()
    cancer.iloc[:400].to_csv(workspace / "tumours.csv", index=False)
    cancer.iloc[400:].to_csv(workspace / "tumours_new.csv", index=False)
    diabetes.iloc[:350].to_csv(workspace / "data/progress.csv", index=False)
    diabetes.iloc[350:].to_csv(workspace / "data/progress_new.csv", index=False)
    return Tables("tumours.csv", "tumours_new.csv", "data/progress.csv", "data/progress_new.csv")


@pytest.fixture
def flowers(tool: Callable[..., Any], workspace: Path) -> str:
    """`flowers.csv` (three classes, an id), and the handle of a model for it."""
    from sklearn.datasets import load_iris

    iris = load_iris(as_frame=True)
    frame = iris.frame.assign(species=iris.target_names[iris.target], flower_id=[f"f{i}" for i in range(150)])
    frame.drop(columns="target").to_csv(workspace / "flowers.csv", index=False)
    model: str = tool("train", dataset="flowers.csv", target="species", model="linear").model
    return model
