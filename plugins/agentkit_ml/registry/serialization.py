"""The file of a model: skops where it can, cloudpickle where it must, and never loaded before its hash is compared."""

from __future__ import annotations

import hashlib
import importlib
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import UnpicklingError
from platform import python_version
from typing import TYPE_CHECKING, Any, Literal
from zipfile import ZIP_DEFLATED, BadZipFile

from agentkit.errors import HandleError

if TYPE_CHECKING:
    from mlflow.models import Model

Format = Literal["skops", "cloudpickle"]

FILES: dict[Format, str] = {"skops": "model.skops", "cloudpickle": "model.pkl"}
MOST_TREES = 2_000
"""Trees of gradient boosting above which skops takes seconds: each is an object of its own in its file."""

_PACKING = 1

TRUSTED = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRanker",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.TimeSeriesSplit",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRanker",
    "xgboost.sklearn.XGBRegressor",
)
"""What a model file may hold beside what skops itself trusts and the estimators of this plugin."""

# skops raises TypeError for a type that is not trusted
_UNREADABLE = (ImportError, AttributeError, TypeError, ValueError, LookupError, EOFError, UnpicklingError, BadZipFile)
_OURS = __name__.partition(".")[0]
_DISTRIBUTIONS = {"scikit-learn": ("scikit-learn",), "lightgbm": ("lightgbm",), "xgboost": ("xgboost", "xgboost-cpu")}
_MODULES = {"scikit-learn": "sklearn", "lightgbm": "lightgbm", "xgboost": "xgboost"}


@dataclass(frozen=True)
class Stored:
    """How a pipeline lies in its folder. `libraries`: what it needs, name -> version; `why`: if skops could not."""

    format: Format
    sha256: str
    bytes: int
    libraries: dict[str, str]
    why: str = ""


def save(folder: Path, pipeline: Any, model: Model, example: Any) -> Stored:
    """Write a pipeline as an MLflow model into `folder`, which is made. `model` brings ids and the signature."""
    stored, data = _packed(pipeline)
    place = folder / stored.format
    with warnings.catch_warnings():
        # MLflow warns about type hints of its own
        warnings.simplefilter("ignore")
        import mlflow.sklearn
        from sklearn.dummy import DummyRegressor

        # MLflow writes what stands around the file, for a pipeline that takes no time; it would not pack the file
        mlflow.sklearn.save_model(
            DummyRegressor(),
            str(place),
            mlflow_model=model,
            serialization_format=stored.format,
            skops_trusted_types=[*TRUSTED, *_own_types()] if stored.format == "skops" else None,
            signature=model.signature,
            input_example=example,
            pip_requirements=_requirements(stored.format, pipeline),
        )
    (place / FILES[stored.format]).write_bytes(data)
    model.model_size_bytes = sum(f.stat().st_size for f in place.rglob("*") if f.is_file())
    model.save(str(place / "MLmodel"))
    return stored


def save_file(folder: Path, pipeline: Any) -> tuple[Path, Stored]:
    """Write the file alone into `folder`, which is made."""
    stored, data = _packed(pipeline)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILES[stored.format]
    file.write_bytes(data)
    return file, stored


def _packed(pipeline: Any) -> tuple[Stored, bytes]:
    """The pipeline as bytes that can be loaded again, packed: forests of many classes are a tenth of their size then.

    The lightest level takes a second for 400 MB; the others take three times as long for a fifth less.
    """
    why, data = _too_many_trees(pipeline), b""
    if not why:
        import skops.io  # type: ignore[import-untyped]

        try:
            data = skops.io.dumps(pipeline, compression=ZIP_DEFLATED, compresslevel=_PACKING)
            load(data, "skops")
        except (*_UNREADABLE, HandleError) as error:
            why = _reason(error)
    if why:
        import cloudpickle

        data = cloudpickle.dumps(_Packed(cloudpickle.dumps(pipeline)))
    libraries = libraries_of(pipeline) | {"python": python_version()}
    format_: Format = "cloudpickle" if why else "skops"
    return Stored(format_, hashlib.sha256(data).hexdigest(), len(data), libraries, why), data


class _Packed:
    """A pickle in a pickle: packed, and whoever loads it, MLflow too, gets what is inside."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return unpacked, (zlib.compress(self.data, _PACKING),)


def unpacked(data: bytes) -> Any:
    """What `_Packed` holds."""
    import cloudpickle

    return cloudpickle.loads(zlib.decompress(data))


def load(data: bytes, format_: Format) -> Any:
    """The pipeline in these bytes, whose hash the caller has compared. Types that are not on the list are refused.

    Raises HandleError that says which type or library is in the way.
    """
    try:
        if format_ == "cloudpickle":
            import cloudpickle

            return cloudpickle.loads(data)
        import skops.io

        unknown = [t for t in skops.io.get_untrusted_types(data=data) if t not in TRUSTED]
        return skops.io.loads(data, trusted=[*TRUSTED, *(t for t in unknown if _is_own(t))])
    except _UNREADABLE as error:
        raise HandleError(f"its file cannot be loaded: {_reason(error)}") from error


def check_libraries(recorded: Mapping[str, str], format_: Format) -> list[str]:
    """Compare the libraries that a model was made with against those here: sentences about small differences.

    Raises HandleError if major or minor versions differ: pickled estimators of another version load without a word
    and may predict something else (scikit-learn's "Model persistence").
    """
    notes = []
    for name, made in recorded.items():
        if name == "python" and format_ == "skops":
            # only a pickle can hold byte code
            continue
        here = python_version() if name == "python" else installed(name)
        if here is None:
            raise HandleError(f"it needs {name}, which is not installed: pip install '{name}~={_minor(made)}.0'")
        if _minor(made) != _minor(here):
            remedy = f"use Python {_minor(made)}" if name == "python" else f"pip install '{name}~={_minor(made)}.0'"
            raise HandleError(
                f"it was made with {name} {made}, and {here} is installed, which may predict differently. "
                f"Train it again, or {remedy}."
            )
        if made != here and name != "python":
            notes.append(f"made with {name} {made}; {here} is installed, of the same minor version")
    return notes


def installed(library: str) -> str | None:
    """The version of scikit-learn, lightgbm, xgboost (of the CPU build too) or any distribution, None without it."""
    for distribution in _DISTRIBUTIONS.get(library, (library,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def _requirements(format_: Format, pipeline: Any) -> list[str]:
    """What pip needs to load a model outside of agentkit."""
    names = ["agentkit-ml", "numpy", "pandas", format_, *libraries_of(pipeline)]
    return [f"{name}=={found}" for name in dict.fromkeys(names) if (found := installed(name))]


def libraries_of(pipeline: Any) -> dict[str, str]:
    """The libraries that a pipeline's parts come from, name -> version here."""
    modules = {type(part).__module__.partition(".")[0] for part in _parts(pipeline)}
    return {name: installed(name) or "" for name, module in _MODULES.items() if module in modules}


def _too_many_trees(pipeline: Any) -> str:
    boosted = (part for part in _parts(pipeline) if hasattr(part, "n_trees_per_iteration_"))
    trees = sum(part.n_iter_ * part.n_trees_per_iteration_ for part in boosted)
    return f"{trees} trees of gradient boosting" if trees > MOST_TREES else ""


def _parts(part: Any) -> Iterator[Any]:
    """This object and all that it holds in lists, dictionaries and estimators, however deep."""
    from sklearn.base import BaseEstimator

    inner: list[Any]
    if isinstance(part, (list, tuple)):
        inner = list(part)
    elif isinstance(part, dict):
        inner = list(part.values())
    else:
        yield part
        inner = list(vars(part).values()) if isinstance(part, BaseEstimator) else []
    for held in inner:
        yield from _parts(held)


def _own_types() -> list[str]:
    """Estimators of this plugin that are loaded: what a pipeline to be saved consists of."""
    from sklearn.base import BaseEstimator

    def below(base: Any) -> Iterator[Any]:
        for derived in base.__subclasses__():
            yield derived
            yield from below(derived)

    return sorted(
        {f"{t.__module__}.{t.__name__}" for t in below(BaseEstimator) if _is_own(f"{t.__module__}.{t.__name__}")}
    )


def _is_own(name: str) -> bool:
    """Whether this is the name of an estimator class that this plugin defines."""
    from sklearn.base import BaseEstimator

    module, _, last = name.rpartition(".")
    if module.partition(".")[0] != _OURS:
        return False
    try:
        found = getattr(importlib.import_module(module), last, None)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module


def _minor(version_: str) -> str:
    return ".".join(version_.split(".")[:2])


def _reason(error: BaseException) -> str:
    # MLflow wraps what skops says in a text of its own
    cause = error.__cause__ or error.__context__ or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")[:200]
