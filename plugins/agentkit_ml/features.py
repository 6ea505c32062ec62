"""From raw columns to what a model can learn from: the first steps of every pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit.profiles import ColumnProfile, Profile, as_numbers, as_text, parse_dates

if TYPE_CHECKING:
    from pandas import DataFrame, Series

USED = ("number", "category", "date")
MISSING = "(missing)"

_FEW_LEVELS = 10
_DATE_PARTS = ("days", "month", "day", "weekday", "hour")
_WHY = {
    "id": "identifies rows",
    "constant": "always the same",
    "empty": "no values",
    "text": "free text, which these models do not read",
}


class Columns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Make floats of numbers, texts of categories and parts of dates; a column that is missing counts as no value.

    `kinds`: column -> number, category or date, as the training profile says. `date_formats`: of the date columns.
    """

    def __init__(self, kinds: dict[str, str], date_formats: dict[str, str]) -> None:
        self.kinds = kinds
        self.date_formats = date_formats

    def fit(self, frame: DataFrame, target: Any = None) -> Columns:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, frame: DataFrame) -> DataFrame:
        import pandas as pd

        made: dict[str, Series] = {}
        for name, kind in self.kinds.items():
            column = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="object", name=name)
            if kind == "number":
                made[name] = as_numbers(column)
            elif kind == "category":
                made[name] = as_text(column).fillna(MISSING)
            else:
                made |= _parts(name, column, self.date_formats[name])
        return pd.DataFrame(made, index=frame.index)


def _parts(name: str, column: Series, date_format: str) -> dict[str, Series]:
    import pandas as pd

    parsed = parse_dates(column, date_format)
    dates = parsed[0].dt if parsed else pd.Series(pd.NaT, column.index).dt
    days = (parsed[0] - pd.Timestamp(2000, 1, 1)) / pd.Timedelta(days=1) if parsed else dates.day
    values = {"days": days, "month": dates.month, "day": dates.day, "weekday": dates.day_of_week, "hour": dates.hour}
    return {f"{name}.{part}": values[part].astype("float64") for part in _DATE_PARTS}


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
    """The first step of the pipeline."""
    return Columns(used, {n: profile[n].date_format or "" for n, kind in used.items() if kind == "date"})


def encode_step(profile: Profile, used: dict[str, str], task: str, seed: int) -> Any:
    """The second step: numbers as they are, few levels one-hot, many levels by the target's mean (cross-fitted)."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, TargetEncoder

    def levels(column: ColumnProfile) -> int:
        return column.distinct + (column.missing > 0)

    categories = [n for n, kind in used.items() if kind == "category"]
    few = [n for n in categories if levels(profile[n]) < _FEW_LEVELS]
    many = [n for n in categories if n not in few]
    numbers = [n for n, kind in used.items() if kind == "number"]
    numbers += [f"{n}.{part}" for n, kind in used.items() if kind == "date" for part in _DATE_PARTS]
    kind = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous"}[task]
    return ColumnTransformer(
        [
            ("numbers", "passthrough", numbers),
            ("few", OneHotEncoder(handle_unknown="ignore", sparse_output=False), few),
            ("many", TargetEncoder(target_type=kind, random_state=seed), many),
        ]
    )
