"""Models in MLflow: what is kept with one, handles and aliases, and the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from agentkit.errors import HandleError, StorageError

Tool = Callable[..., Any]


def test_the_latest_version_an_alias_and_mlflow_addresses_name_models(tool: Tool, flowers: str) -> None:
    from agentkit_ml.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    newer = tool("train", dataset="flowers.csv", target="species", model="dummy")
    tracking = Tracking(CallContext(Services(load_settings())))
    version = flowers.partition("/")[2]
    tracking.client.set_registered_model_alias("flowers", "best", version)
    run = tracking.model(flowers).run_id
    for name, found in {
        "model:flowers": newer.model,
        "flowers": newer.model,
        "models:/flowers/latest": newer.model,
        f"runs:/{newer.run_id}/model": newer.model,
        "model:flowers@best": flowers,
        f"models:/flowers/{version}": flowers,
        f"runs:/{run}": flowers,
    }.items():
        assert tool("evaluate", model=name, dataset="flowers.csv").model == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model:flower", "The nearest name is 'model:flowers/"),
        ("model:flowers/9999", "there is no model 'model:flowers/9999'"),
        ("model:flowers@best-of-all", "there is no model"),
        ("flowers.csv", "The nearest name is 'model:flowers/"),
        ("a model", "is not a handle"),
        ("table:ab12", "does not name a model"),
        ("https://host/model", "is not a handle"),
        ("", "is not a handle"),
    ],
)
def test_a_model_that_does_not_exist_leads_to_those_that_do(name: str, told: str, tool: Tool, flowers: str) -> None:
    with pytest.raises(HandleError) as raised:
        tool("evaluate", model=name, dataset="flowers.csv")
    assert told in str(raised.value)


def test_a_model_file_that_was_tampered_with_is_never_loaded(tool: Tool, flowers: str, workspace: Path) -> None:
    from agentkit_ml.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    source = Tracking(CallContext(Services(load_settings()))).model(flowers).version.source
    file = Path(unquote(urlparse(source).path)) / "model.skops"
    whole = file.read_bytes()
    # a pickle that would make a file
    file.write_bytes(f"cos\nsystem\n(S'touch {workspace}/owned'\ntR.".encode())
    try:
        with pytest.raises(HandleError, match="has changed since it was trained"):
            tool("evaluate", model=flowers, dataset="flowers.csv")
    finally:
        file.write_bytes(whole)
    assert not (workspace / "owned").exists()


def test_models_are_listed_newest_first(tool: Tool, flowers: str) -> None:
    newer = tool("train", dataset="flowers.csv", target="species", model="dummy")
    listed = tool("list_models", name="flowers")
    assert [m.model for m in listed.models[:2]] == [newer.model, flowers]
    entry = listed.models[1]
    assert (entry.task, entry.target, entry.metric, entry.dataset) == (
        "multiclass",
        "species",
        "accuracy",
        "flowers.csv",
    )
    assert flowers in listed.brief()
    assert len(listed.message()) <= 1_200
    assert newer.model in [m.model for m in tool("list_models").models]
    assert tool("list_models", name="nobody").brief().startswith("No models")


def test_the_mlflow_of_the_environment_is_used(
    tool: Tool, workspace: Path, monkeypatch: pytest.MonkeyPatch, flowers: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/mine.db")
    result = tool("train", dataset="flowers.csv", target="species", model="dummy", name="elsewhere")
    assert [m.model for m in tool("list_models").models] == [result.model] == ["model:elsewhere/1"]
    assert tool("evaluate", model=result.model, dataset="flowers.csv").rows == 30
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tool("list_models", name="elsewhere").models == []


def test_an_mlflow_that_cannot_be_used_is_told(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://host")
    with pytest.raises(StorageError, match="MLflow cannot be used"):
        tool("list_models")
