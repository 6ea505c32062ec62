"""How a pipeline becomes a file and comes back: the same predictions, and no type that is not on the list."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.registry.serialization import FILES, TRUSTED, check_libraries, load, save

from agentkit.errors import HandleError


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    return pd.DataFrame(random.normal(size=(300, 4)), columns=list("abcd"))


def stored(folder: Path, pipeline: Any, rows: pd.DataFrame) -> tuple[Any, bytes]:
    """What saving it came to, and the file."""
    from mlflow.models import Model

    made = save(folder / "model", pipeline, Model(), rows.head(2))
    return made, (folder / "model" / made.format / FILES[made.format]).read_bytes()


def estimators() -> dict[str, Any]:
    """One of each kind that training makes."""
    from lightgbm import LGBMClassifier
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    linear = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    return {
        "dummy": DummyClassifier(),
        "linear": linear,
        "forest": RandomForestClassifier(5, n_jobs=1),
        "boosting": HistGradientBoostingClassifier(max_iter=5),
        "lightgbm": LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
        "xgboost": XGBClassifier(n_estimators=5, n_jobs=1),
        "ensemble": VotingClassifier([("a", linear), ("b", LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1))]),
    }


@pytest.mark.parametrize("name", ["dummy", "linear", "forest", "boosting", "lightgbm", "xgboost", "ensemble"])
def test_every_family_comes_back_from_skops_the_same(name: str, rows: pd.DataFrame, tmp_path: Path) -> None:
    import sklearn
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(estimators()[name]).fit(rows, (rows["a"] + rows["b"] > 0).astype(int))
    made, data = stored(tmp_path, pipeline, rows)
    assert (made.format, made.why) == ("skops", "")
    again = load(data, "skops")
    assert np.array_equal(again.predict(rows), pipeline.predict(rows))
    if hasattr(pipeline[-1], "predict_proba") and name != "ensemble":
        assert np.array_equal(again.predict_proba(rows), pipeline.predict_proba(rows))
    assert made.libraries["scikit-learn"] == sklearn.__version__
    assert ("lightgbm" in made.libraries) is (name in ("lightgbm", "ensemble"))
    assert ("xgboost" in made.libraries) is (name == "xgboost")
    requirements = (tmp_path / "model" / "skops" / "requirements.txt").read_text()
    assert f"scikit-learn=={sklearn.__version__}" in requirements
    assert "skops==" in requirements


def test_what_skops_cannot_hold_is_pickled_and_said(rows: pd.DataFrame, tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    pipeline = make_pipeline(FunctionTransformer(doubled), estimators()["linear"]).fit(rows, rows["a"] > 0)
    made, data = stored(tmp_path, pipeline, rows)
    assert made.format == "cloudpickle"
    assert "doubled" in made.why
    assert np.array_equal(load(data, "cloudpickle").predict(rows), pipeline.predict(rows))


def doubled(frame: Any) -> Any:
    return frame * 2


def test_thousands_of_trees_are_pickled(rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.pipeline import make_pipeline

    monkeypatch.setattr("agentkit_ml.registry.serialization.MOST_TREES", 4)
    pipeline = make_pipeline(estimators()["boosting"]).fit(rows, rows["a"] > 0)
    made, _ = stored(tmp_path, pipeline, rows)
    assert (made.format, made.why) == ("cloudpickle", "5 trees of gradient boosting")


@pytest.mark.parametrize("most_trees", [2_000, -1])
def test_a_forest_of_many_classes_is_packed_and_mlflow_can_load_it(
    most_trees: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.pyfunc
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    monkeypatch.setattr("agentkit_ml.registry.serialization.MOST_TREES", most_trees)
    random = np.random.default_rng(5)
    table = pd.DataFrame(random.normal(size=(1_500, 6)), columns=list("abcdef"))
    letters = random.integers(0, 26, 1_500)
    forest = RandomForestClassifier(20, n_jobs=1, random_state=1).fit(table, letters)
    boosted = HistGradientBoostingClassifier(max_iter=1).fit(table, letters)
    pipeline = make_pipeline("passthrough", forest if most_trees > 0 else boosted)
    made, data = stored(tmp_path, pipeline, table)
    assert made.format == ("skops" if most_trees > 0 else "cloudpickle")
    assert made.bytes == len(data)
    if most_trees > 0:
        assert made.bytes < 0.25 * sum(t.tree_.value.nbytes for t in forest.estimators_)
    folder = tmp_path / "model" / made.format
    assert np.array_equal(mlflow.pyfunc.load_model(str(folder)).predict(table), pipeline.predict(table))


def test_a_file_with_a_type_that_is_not_on_the_list_is_refused(rows: pd.DataFrame, workspace: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    hostile = skops.io.dumps(FunctionTransformer(os.system))
    with pytest.raises(HandleError, match=r"posix\.system|nt\.system"):
        load(hostile, "skops")


@pytest.mark.parametrize("name", ["agentkit_ml.predict.predict", "agentkit_ml.writing.shutil", "agentkit_ml.gone.Gone"])
def test_being_of_this_plugin_is_not_enough_to_be_loaded(name: str) -> None:
    from agentkit_ml.registry.serialization import _is_own

    assert not _is_own(name)
    assert _is_own("agentkit_ml.features.columns.Columns")


def test_the_list_names_types_that_exist() -> None:
    import importlib

    for name in TRUSTED:
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(module), last), name


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04cut"])
def test_a_file_that_is_no_model_is_an_error_in_words(data: bytes) -> None:
    with pytest.raises(HandleError, match="its file cannot be loaded"):
        load(data, "skops")


def test_versions_are_compared_by_minor() -> None:
    from importlib.metadata import version
    from platform import python_version

    here = version("numpy")
    minor = ".".join(here.split(".")[:2])
    assert check_libraries({"numpy": here}, "skops") == []
    assert check_libraries({"numpy": f"{minor}.999"}, "skops") == [
        f"made with numpy {minor}.999; {here} is installed, of the same minor version"
    ]
    with pytest.raises(HandleError, match=rf"made with numpy 1\.0\.0, and {here} is installed.*numpy~=1\.0\.0"):
        check_libraries({"numpy": "1.0.0"}, "skops")
    with pytest.raises(HandleError, match="it needs no-such-library, which is not installed"):
        check_libraries({"no-such-library": "1.0.0"}, "skops")
    # byte code is in pickles alone
    assert check_libraries({"python": "2.7.1"}, "skops") == []
    with pytest.raises(HandleError, match=r"or use Python 2\.7"):
        check_libraries({"python": "2.7.1"}, "cloudpickle")
    assert check_libraries({"python": python_version()}, "cloudpickle") == []
