"""The first step of a pipeline: columns of the kinds that the training profile found, whatever a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit.profiles import Profile, as_numbers, as_text, parse_dates

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

USED = ("number", "category", "date", "text")

_WHY = {"id": "identifies rows", "constant": "always the same", "empty": "no values"}


class Columns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Typed columns by name: order does not matter, others are ignored, and one that is not there has no values.

    Numbers and dates become floats (dates in days since 2000-01-01 UTC; NaN for what is missing, infinite, or not of
    the kind), categories pandas categories of texts, texts texts.

    `kinds`: column -> number, category, date or text, as the training profile says. `date_formats`: of the dates.
    """

    def __init__(self, kinds: dict[str, str], date_formats: dict[str, str]) -> None:
        self.kinds = kinds
        self.date_formats = date_formats

    def fit(self, frame: DataFrame, target: Any = None) -> Columns:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        return np.asarray(list(self.kinds), dtype="object")

    def transform(self, frame: DataFrame) -> DataFrame:
        import numpy as np
        import pandas as pd

        floats = [n for n, kind in self.kinds.items() if kind in ("number", "date")]
        # one block: a fold takes its rows in one go, however many columns there are
        block = np.empty((len(frame), len(floats)), order="F")
        for position, name in enumerate(floats):
            is_date = self.kinds[name] == "date"
            block[:, position] = (
                _days(_found(frame, name), self.date_formats[name]) if is_date else _floats(frame, name)
            )
        made: dict[str, Any] = {}
        for name, kind in self.kinds.items():
            if kind == "category":
                made[name] = as_levels(_found(frame, name))
            elif kind == "text":
                made[name] = as_text(_found(frame, name)).fillna("").astype("object")
        typed = pd.DataFrame(block, index=frame.index, columns=floats)
        return pd.concat([typed, pd.DataFrame(made, index=frame.index)], axis=1) if made else typed


def _found(frame: DataFrame, name: str) -> Series:
    import pandas as pd

    return frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="object", name=name)


def _floats(frame: DataFrame, name: str) -> NDArray[Any]:
    import numpy as np

    column = _found(frame, name)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column.to_numpy(dtype="float64")
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        values = column.to_numpy(dtype="float64")
        return np.where(np.isfinite(values), values, np.nan)
    return as_numbers(column).to_numpy()


def _days(column: Series, date_format: str) -> NDArray[Any]:
    import numpy as np
    import pandas as pd

    parsed = parse_dates(column, date_format)
    if parsed is None:
        return np.full(len(column), np.nan)
    return ((parsed[0] - pd.Timestamp(2000, 1, 1)) / pd.Timedelta(days=1)).to_numpy(dtype="float64")


def as_levels(column: Series) -> Any:
    """A pandas Categorical of the texts that `as_text` makes, with missing as missing."""
    import numpy as np
    import pandas as pd

    try:
        codes, values = pd.factorize(column)
        texts = as_text(pd.Series(values))
    except TypeError:  # lists and the like
        codes, texts = np.arange(len(column)), as_text(column)
    # values that differ may be one text
    merged, levels = pd.factorize(texts)
    return pd.Categorical.from_codes(np.append(merged, -1)[codes], pd.Index(levels, dtype="object"))


def chosen_columns(profile: Profile, target: str, left_out: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Columns to learn from (name -> kind), and those left out (name -> why). `left_out`: those excluded anyway."""
    used: dict[str, str] = {}
    dropped = dict(left_out)
    for column in profile.columns:
        if column.name == target or column.name in dropped:
            continue
        if column.kind in USED:
            used[column.name] = column.kind
        else:
            dropped[column.name] = _WHY[column.kind]
    return used, dropped


def columns_step(profile: Profile, used: dict[str, str]) -> Columns:
    """The first step of the pipeline, before `encode_step`. It learns nothing."""
    formats = {c.name: c.date_format or "" for c in profile.columns}
    return Columns(dict(used), {n: formats[n] for n, kind in used.items() if kind == "date"})
