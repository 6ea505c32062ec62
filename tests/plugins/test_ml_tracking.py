"""Models in MLflow: what is kept with one, handles and aliases, and the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pandas as pd
import pytest
from agentkit_ml.list_models import ModelEntry, ModelList

from agentkit.errors import HandleError, StorageError, TrainingError
from agentkit.results import BRIEF_LIMIT

Tool = Callable[..., Any]


@pytest.fixture
def tracking(tool: Tool) -> Any:
    """The store of the tools."""
    from agentkit_ml.registry.tracking import Tracking

    from agentkit.calls import CallContext, Services
    from agentkit.settings import load_settings

    return Tracking(CallContext(Services(load_settings())))


@pytest.fixture
def again(tracking: Any, flowers: str) -> Callable[..., Any]:
    """Register what is in `flowers` once more, with changes to the record, the pipeline or the held-back rows."""
    found = tracking.model(flowers)
    example = pd.read_csv("flowers.csv").drop(columns="species").head(20)

    def register(name: str, pipeline: Any = None, files: Any = (), held_back: Any = None, **changes: Any) -> Any:
        training = found.training.model_copy(update=changes)
        rows = found.held_back() if held_back is None else held_back
        return tracking.register(name, training, pipeline or found.pipeline, found.profile(), rows, example, files)

    return register


def unused(tracking: Any, name: str) -> str:
    """A model's name that no other test uses: they share one store."""
    return next(f"{name}{n}" for n in range(1_000) if not tracking.versions(f"{name}{n}"))


def test_the_latest_version_an_alias_and_mlflow_addresses_name_models(tool: Tool, tracking: Any, flowers: str) -> None:
    newer = tool("train", dataset="flowers.csv", target="species", model="dummy")
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


@pytest.mark.parametrize("which", ["the model", "what judges the held-back rows"])
def test_a_model_file_that_was_tampered_with_is_never_loaded(
    which: str, tool: Tool, tracking: Any, flowers: str, workspace: Path
) -> None:
    found = tracking.model(flowers)
    folder = found.version.source
    if which != "the model":
        folder = f"{tracking.client.get_run(found.run_id).info.artifact_uri}/agentkit/scored"
    file = Path(unquote(urlparse(folder).path)) / "model.skops"
    whole = file.read_bytes()
    # a pickle that would make a file
    file.write_bytes(f"cos\nsystem\n(S'touch {workspace}/owned'\ntR.".encode())
    call = {"output": "p.csv"} if which == "the model" else {}
    try:
        with pytest.raises(HandleError, match="has changed since it was trained"):
            tool("predict" if call else "evaluate", model=flowers, dataset="flowers.csv", **call)
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


def test_a_run_holds_all_that_is_known_of_a_training(tracking: Any, again: Callable[..., Any], workspace: Path) -> None:
    files = [workspace / "roc.png", workspace / "report.html"]
    for file in files:
        file.write_text("content")
    kept = again(unused(tracking, "whole"), files=files, intervals={"accuracy": (0.9, 1.0)}, trials=7)
    run = tracking.client.get_run(kept.run_id)
    training = kept.training
    assert run.info.status == "FINISHED"
    assert run.data.metrics["accuracy"] == training.metrics["accuracy"]
    assert run.data.metrics["accuracy_low"] == 0.9
    assert run.data.metrics["baseline_accuracy"] == training.baseline_metrics["accuracy"]
    assert run.data.params["algorithm"] == training.algorithm
    assert run.data.params["trials"] == "7"
    assert {"python", "scikit-learn", "agentkit.version", "seed"} <= set(run.data.tags)
    assert run.inputs.dataset_inputs[0].dataset.digest == training.digest[:36]
    names = {f.path for f in tracking.client.list_artifacts(kept.run_id, "agentkit")}
    assert {f"agentkit/{n}" for n in ("report.html", "environment.json", "profile.json", "rows.json")} <= names
    assert tracking.read(kept.run_id, "figures/roc.png") == "content"
    assert "scikit-learn" in tracking.read(kept.run_id, "environment.json")


def test_the_git_commit_of_the_folder_is_kept(tracking: Any, again: Callable[..., Any], workspace: Path) -> None:
    import subprocess

    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], check=True, cwd=workspace)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    run = tracking.client.get_run(again(unused(tracking, "commit")).run_id)
    assert run.data.tags["mlflow.source.git.commit"] == head


def test_the_card_says_what_a_model_is_and_markup_in_the_data_is_inert(
    tracking: Any, again: Callable[..., Any]
) -> None:
    kept = again(
        unused(tracking, "card"),
        dataset="<script>alert(1)</script>.csv",
        intervals={"accuracy": (0.912, 0.988)},
        left_out={"a|b": "identifies rows"},
    )
    card = kept.card()
    assert card.startswith(f"# {kept.handle}\n")
    for part in (
        "0.912 to 0.988",
        "'species'",
        "setosa",
        f"models:/{kept.handle.name}/1",
        "--model model:card",
        "skops",
    ):
        assert part in card
    assert "<script>" not in card
    assert r"a\|b" in card


def test_a_model_that_predicts_otherwise_once_it_is_loaded_is_not_registered(
    tracking: Any, again: Callable[..., Any]
) -> None:
    name = unused(tracking, "forgetful")
    with pytest.raises(TrainingError, match=r"the stored model predicts differently.*not registered"):
        again(name, pipeline=Forgetful())
    assert tracking.versions(name) == []
    (run,) = tracking.client.search_runs(
        [tracking.client.get_experiment_by_name("agentkit").experiment_id], f"run_name LIKE '{name} %'"
    )
    assert run.info.status == "FAILED"


class Forgetful:
    """An estimator that loses what it learned when it is stored."""

    answer = "setosa"

    def predict(self, rows: pd.DataFrame) -> Any:
        return pd.Series(self.answer, rows.index).to_numpy()

    def __setstate__(self, state: Any) -> None:
        self.answer = "virginica"

    def __getstate__(self) -> Any:
        return {"answer": self.answer}


def test_what_is_registered_says_how_it_was_stored(tracking: Any, again: Callable[..., Any]) -> None:
    kept = again(unused(tracking, "stored"))
    assert kept.recorded.format == "skops"
    assert kept.recorded.parity_rows == 20
    assert "loaded again it predicts the same for 20 rows" in kept.recorded.told()
    assert kept.version.tags["agentkit.format"] == "skops"


def test_a_file_to_keep_that_is_not_there_is_named_before_anything_is_logged(
    tracking: Any, again: Callable[..., Any], workspace: Path
) -> None:
    name = unused(tracking, "gone")
    with pytest.raises(StorageError, match=r"gone\.png"):
        again(name, files=[workspace / "gone.png"])
    assert tracking.versions(name) == []


def test_the_better_version_on_the_same_rows_is_the_champion(tracking: Any, again: Callable[..., Any]) -> None:
    name = unused(tracking, "duel")
    scored = [again(name, metrics={"accuracy": score}) for score in (0.8, 0.7, 0.9)]
    assert [s.placed.alias for s in scored] == ["champion", "challenger", "champion"]
    assert "accuracy 0.700 against accuracy 0.800 on the same 30 held-back rows" in scored[1].placed.why
    assert f"`agentkit ml promote model:{name}/2`" in scored[1].placed.why
    assert tracking.model(f"model:{name}@champion").handle.version == 3
    # it was the challenger of another champion
    assert tracking.by_alias(name, "challenger") is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"held_back": [1, 2, 3]}, "different rows"),
        ({"digest": "0" * 64}, "different rows"),
        ({"target": "petal"}, "it predicts 'petal', the champion 'species'"),
    ],
)
def test_scores_that_cannot_be_compared_make_a_challenger(
    changes: dict[str, Any], why: str, tracking: Any, again: Callable[..., Any]
) -> None:
    name = unused(tracking, "apart")
    again(name, metrics={"accuracy": 0.8})
    later = again(name, metrics={"accuracy": 0.99}, **changes)
    assert later.placed.alias == "challenger"
    assert why in later.placed.why


def test_a_person_promotes_a_version(cli: Any, tool: Tool, tracking: Any, again: Callable[..., Any]) -> None:
    name = unused(tracking, "chosen")
    for score in (0.9, 0.8):
        again(name, metrics={"accuracy": score})
    told = cli("ml", "promote", f"model:{name}@challenger")
    back = f"Before it was model:{name}/1: `agentkit ml promote model:{name}/1` goes back."
    assert told.out == f"model:{name}/2 is the champion. {back}\n"
    entries = {m.model: m.aliases for m in tool("list_models", name=name).models}
    assert entries == {f"model:{name}/2": ["champion"], f"model:{name}/1": []}
    assert json.loads(cli("ml", "promote", f"model:{name}/1", "--json").out) == {
        "champion": f"model:{name}/1",
        "before": f"model:{name}/2",
    }
    assert cli("ml", "card", f"model:{name}").out.startswith(f"# model:{name}/2")
    missing = cli("ml", "promote", f"model:{name}/7")
    assert (missing.code, f"there is no model 'model:{name}/7'" in missing.err) == (2, True)


@pytest.mark.parametrize("made", ["1.0.2", "1.99.0"])
def test_a_model_of_another_scikit_learn_is_refused(made: str, tool: Tool, tracking: Any, flowers: str) -> None:
    import sklearn

    name, _, version = flowers.removeprefix("model:").partition("/")
    tracking.client.set_model_version_tag(name, version, "library.scikit-learn", made)
    minor = made.rpartition(".")[0]
    told = (
        rf"made with scikit-learn {made}, and {sklearn.__version__} is installed.*pip install 'scikit-learn~={minor}.0'"
    )
    for call in ({"tool": "evaluate"}, {"tool": "predict", "output": "p.csv"}):
        with pytest.raises(HandleError, match=told):
            tool(call.pop("tool"), model=flowers, dataset="flowers.csv", **call)


def test_a_model_of_another_patch_release_is_used_with_a_note(tool: Tool, tracking: Any, flowers: str) -> None:
    import sklearn

    name, _, version = flowers.removeprefix("model:").partition("/")
    made = f"{sklearn.__version__.rpartition('.')[0]}.99"
    tracking.client.set_model_version_tag(name, version, "library.scikit-learn", made)
    notes = tool("predict", model=flowers, dataset="flowers.csv", output="p.csv").notes
    assert f"{flowers}: made with scikit-learn {made}; {sklearn.__version__} is installed, of the same" in notes[0]


def test_a_model_works_in_mlflow_without_agentkit(tracking: Any, flowers: str) -> None:
    import mlflow.pyfunc

    frame = pd.read_csv("flowers.csv").head(3)
    loaded = mlflow.pyfunc.load_model(tracking.model(flowers).version.source)
    assert loaded.predict(frame.drop(columns="species")).tolist() == ["setosa"] * 3


def test_the_list_tells_size_and_rows(tool: Tool, flowers: str) -> None:
    entry = next(m for m in tool("list_models", name="flowers").models if m.model == flowers)
    assert entry.rows == 120
    assert 1_000 < entry.bytes < 5_000_000
    assert entry.created.endswith("+00:00")


def test_the_brief_of_many_models_with_long_names_fits() -> None:
    entry = ModelEntry(
        model="model:" + "n" * 60 + "/12", task="binary", target="t" * 60, algorithm="lightgbm + linear", score=0.9,
        metric="roc_auc", dataset="d" * 60 + ".csv", created="2026-11-23T10:00:00Z", run_id="0" * 32,
    )  # fmt: skip
    brief = ModelList(models=[entry] * 30).brief()
    assert len(brief) <= BRIEF_LIMIT
    assert brief.count("model:") == 4
    assert brief.endswith("and 26 older ones")
