"""The second step of a pipeline: floats of typed columns, in the form that a family of models likes best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin, clone

from agentkit.errors import BadInput, suggest
from agentkit.profiles import Profile, listed
from agentkit_ml.features.options import Family, FeatureOptions
from agentkit_ml.features.plan import Plan, plan_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.features.typed import Typed

Part = tuple[str, Any, list[str]]

_TEXT_PARTS = {"trees": 30, "native": 30, "forest": 30, "linear": 50}
_MOST_TEXT_PARTS = 150

BIG_CELLS = 5_000_000
"""Rows x columns from which on features are made a part of the rows at a time."""
_FIT_ROWS = 200_000
_TRIAL_ROWS = 20_000
_ROWS_AT_ONCE = 100_000
_SAME = 0.99


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transformers side by side, each for its own columns of the frame: (name, transformer, columns).

    Gives a float64 array, or with `as_frame` a DataFrame with columns f0, f1, ... whose codes are pandas categories:
    LightGBM, XGBoost (`enable_categorical`) and HistGradientBoosting split these by themselves.
    """

    def __init__(self, parts: list[Part], as_frame: bool = False) -> None:
        self.parts = parts
        self.as_frame = as_frame

    def fit(self, frame: DataFrame, target: Any = None) -> Encoder:
        self.fit_transform(frame, target)
        return self

    def fit_transform(self, frame: DataFrame | Typed, target: Any = None, **params: Any) -> Any:
        self.parts_ = [(name, clone(step), columns) for name, step, columns in self.parts]
        if len(frame) * sum(len(c) for _, _, c in self.parts_) > BIG_CELLS:
            return self._fitted_big(frame, target)
        return self.joined([step.fit_transform(frame[c], target) for _, step, c in self.parts_], frame)

    def transform(self, frame: DataFrame) -> Any:
        if not len(frame):  # scikit-learn's transformers refuse that
            return self.transform(frame.reindex([0]))[:0]
        return self.joined(self.blocks(frame), frame)

    def blocks(self, frame: DataFrame) -> list[Any]:
        """What each part makes of the frame; `joined` puts them side by side."""
        import numpy as np

        return [np.asarray(step.transform(frame[c]), dtype="float64") for _, step, c in self.parts_]

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        """The features' names, in which columns appear as people wrote them."""
        import numpy as np

        own = []
        for _, step, columns in self.parts_:
            own.extend(step.get_feature_names_out(np.asarray(columns, dtype="object")))
        return np.asarray(own, dtype="object")

    def joined(self, blocks: list[Any], frame: Any) -> Any:
        """The features, of the blocks in the order of the parts."""
        import numpy as np
        import pandas as pd

        arrays = [np.asarray(b, dtype="float64") for b in blocks]
        joined = np.hstack(arrays) if arrays else np.empty((len(frame), 0))
        if not self.as_frame:
            return joined
        made = pd.DataFrame(joined, index=frame.index).add_prefix("f")
        for place, levels in self._code_levels().items():
            made[f"f{place}"] = _categorical(joined[:, place], levels)
        return made

    def _fitted_big(self, frame: DataFrame | Typed, target: Any) -> Any:
        """As `fit_transform`, in memory that holds the features once: what is learned of numbers and texts is learned
        from every so manyth row, and all rows are then encoded a part at a time.

        Gives float32 unless that makes values of a column equal: trees look at some hundred bins of a column.
        """
        import numpy as np
        import pandas as pd

        values = np.asarray(target)
        few = slice(None, None, -(-len(frame) // _FIT_ROWS))
        sample = frame.iloc[few]
        crossed: dict[int, Any] = {}
        for place, (name, step, columns) in enumerate(self.parts_):
            if name == "target":
                crossed[place] = _crossed(step, frame[columns], values, few)
            elif name in ("one_hot", "codes"):
                step.fit(frame[columns], values)
            else:
                step.fit(sample[columns], values[few])
        trial = np.hstack([step.transform(sample[c][:_TRIAL_ROWS]) for _, step, c in self.parts_])
        form = "float32" if _fits_float32(trial) else "float64"
        made = np.empty((len(frame), trial.shape[1]), form, order="F" if self.as_frame else "C")
        for start in range(0, len(frame), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            part = frame.iloc[rows]
            left = 0
            for place, (_, step, columns) in enumerate(self.parts_):
                block = crossed[place](rows) if place in crossed else step.transform(part[columns])
                made[rows, left : left + block.shape[1]] = block
                left += block.shape[1]
        if not self.as_frame:
            return made
        known = self._code_levels()
        # one array for each column: together they would be copied
        features = {
            f"f{i}": _categorical(made[:, i], known[i]) if i in known else made[:, i] for i in range(made.shape[1])
        }
        return pd.DataFrame(features, copy=False)

    def _code_levels(self) -> dict[int, int]:
        """Places of the features that are codes, and their numbers of levels."""
        import numpy as np

        found: dict[int, int] = {}
        start = 0
        for name, step, columns in self.parts_:
            if name == "codes":
                found |= {start + i: len(levels) for i, levels in enumerate(step.levels_.values())}
            start += len(step.get_feature_names_out(np.asarray(columns, dtype="object")))
        return found


def _categorical(column: NDArray[Any], levels: int) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Categorical.from_codes(np.nan_to_num(column, nan=-1).astype("int64"), pd.RangeIndex(max(1, levels)))


def _crossed(step: Any, frame: DataFrame, target: NDArray[Any], few: slice) -> Callable[[slice], Any]:
    """Fit a part that gives training rows other values than later ones; what it gives to them, by rows."""
    from sklearn.pipeline import Pipeline

    if not isinstance(step, Pipeline):
        whole = step.fit_transform(frame, target).astype("float32")
        return lambda rows: whole[rows]
    means, numbers = step.named_steps["values"], step.named_steps["numbers"]
    made = means.fit_transform(frame, target).astype("float32")
    numbers.fit(made[few], target[few])
    return lambda rows: numbers.transform(made[rows])


def _fits_float32(values: NDArray[Any]) -> bool:
    """Whether values that differ still do, but for one in a hundred, in every column."""
    import numpy as np

    def differ(column: NDArray[Any]) -> int:
        return len(np.unique(column))

    with np.errstate(over="ignore"):
        return all(differ(c.astype("float32")) >= _SAME * differ(c) for c in values.T)


def encode_step(
    profile: Profile, used: dict[str, str], task: str, seed: int, family: Family = "trees",
    options: FeatureOptions | None = None,
) -> Any:  # fmt: skip
    """The unfitted step after `columns_step`, for models of this family (docs/ml-features.md).

    Fit it on training rows with `fit_transform`: categories of many levels are encoded from other rows than their
    own, which `fit` and then `transform` cannot do. Raises BadInput for options that name columns that cannot be.
    """
    from sklearn.pipeline import Pipeline

    from agentkit_ml.features.lags import LagFeatures
    from agentkit_ml.features.selection import Selection

    options = options or FeatureOptions()
    plan = plan_columns(profile, used, family, options)
    regression = task == "regression"
    looking_back = _lag_columns(plan, used, options)
    names = list(LagFeatures.names_of(looking_back, list(options.lags), list(options.windows)))
    encoder = Encoder(_parts(plan, names, regression, seed, family, options), as_frame=family == "native")
    steps: list[tuple[str, Any]] = [("encoder", encoder)]
    if looking_back:
        lags = LagFeatures(options.time or "", looking_back, list(options.lags), list(options.windows), options.group)
        steps.insert(0, ("lags", lags))
    if options.selection != "none":
        steps.append(("selection", Selection(options.selection, options.keep, regression, seed)))
    return Pipeline(steps) if len(steps) > 1 else encoder


def _parts(
    plan: Plan, lagged: list[str], regression: bool, seed: int, family: Family, options: FeatureOptions
) -> list[Part]:
    from agentkit_ml.features.categories import Codes, OneHot, Ordered, TargetMeans
    from agentkit_ml.features.dates import DateParts
    from agentkit_ml.features.interactions import Interactions
    from agentkit_ml.features.text import TextParts

    text_parts = min(_TEXT_PARTS[family], max(5, _MOST_TEXT_PARTS // max(1, len(plan.text))))
    parts: list[Part] = [
        ("numbers", Plain(), [*plan.numbers, *lagged]),
        ("dates", DateParts(cyclic=family == "linear"), list(plan.dates)),
        ("two", Ordered(plan.two), list(plan.two)),
        ("ordered", Ordered(plan.ordered), list(plan.ordered)),
        ("target", TargetMeans(regression, seed), list(plan.target)),
        ("text", TextParts(text_parts, regression, seed), list(plan.text)),
        ("interactions", Interactions(), list(plan.numbers) if options.interactions and len(plan.numbers) > 1 else []),
    ]
    finished = [(name, _finished(step, family, options), columns) for name, step, columns in parts if columns]
    # levels are whole already: nothing is missing and nothing has a scale
    whole: list[Part] = [("one_hot", OneHot(), list(plan.one_hot)), ("codes", Codes(), list(plan.codes))]
    return finished + [part for part in whole if part[2]]


def _lag_columns(plan: Plan, used: dict[str, str], options: FeatureOptions) -> list[str]:
    """The numbers to look back at; none if no lags are asked for."""
    if not (options.lags or options.windows):
        return []
    for role, column in (("time", options.time), ("group", options.group)):
        if column is not None and column not in used:
            raise BadInput(f"{role} {column!r} is not among the columns to learn from.{suggest(column, list(used))}")
    if used[options.time or ""] not in ("date", "number"):
        raise BadInput(f"time {options.time!r} holds neither dates nor numbers. Name the column that orders the rows.")
    columns = list(options.lag_columns or plan.numbers)
    for column in columns:
        if column not in plan.numbers:
            raise BadInput(f"lag column {column!r} is not a number to learn from. There are: {listed(plan.numbers)}.")
    return [c for c in columns if c != options.time]


def _finished(step: Any, family: Family, options: FeatureOptions) -> Any:
    """The step, followed by filling and scaling where the family needs it."""
    from sklearn.pipeline import Pipeline

    from agentkit_ml.features.numbers import Numbers

    missing = options.missing_for(family)
    missing = "median" if missing == "drop" else missing
    # neighbours need comparable scales, and trees do not mind them
    scaling = options.scaling if family == "linear" else "standard" if missing == "knn" else "none"
    if (missing, scaling) == ("keep", "none"):
        return step
    return Pipeline([("values", step), ("numbers", Numbers(missing, scaling))])


class Plain(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers as they are."""

    def fit(self, frame: DataFrame, target: Any = None) -> Plain:
        self.names_ = [str(c) for c in frame.columns]
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        return frame.to_numpy(dtype="float64")

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        return np.asarray(self.names_, dtype="object")
