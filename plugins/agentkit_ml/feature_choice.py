"""What a call says about features, as an object of names and values: checked, and made `FeatureOptions`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from agentkit.errors import TrainingError, suggest
from agentkit.profiles import listed
from agentkit_ml.features.options import FeatureOptions

_COLUMNS = ("time", "group")


def read_features(
    given: Mapping[str, Any] | None,
    used: Collection[str],
    time_column: str | None = None,
    group_column: str | None = None,
) -> FeatureOptions | None:
    """The options that an object such as `{"lags": [1, 7], "scaling": "power"}` names; None for none.

    Lags and windows are ordered by `time_column` and kept apart by `group_column` unless `time` and `group` say
    otherwise. `used`: the columns to learn from. Raises TrainingError or BadInput that names what cannot be.
    """
    if not given:
        return None
    known = [f.name for f in fields(FeatureOptions)]
    for name in given:
        if name not in known:
            raise TrainingError(
                f"features: there is no option {name!r}.{suggest(name, known)} There are: {listed(known, 20)}."
            )
    chosen = {name: _value(name, value) for name, value in given.items() if value is not None}
    if chosen.get("lags") or chosen.get("windows"):
        chosen.setdefault("time", time_column)
        if group_column in used:
            chosen.setdefault("group", group_column)
        if chosen["time"] is None:
            raise TrainingError("features: lags and windows need time_column, the column that orders the rows.")
    named = [*(chosen[c] for c in _COLUMNS if chosen.get(c)), *chosen.get("lag_columns", ()), *chosen.get("orders", {})]
    for column in named:
        if column not in used:
            raise TrainingError(
                f"features: {column!r} is not among the columns to learn from.{suggest(column, list(used))}"
            )
    return FeatureOptions(**chosen)


def _value(name: str, value: Any) -> Any:
    """The value in the type that the option has. Raises TrainingError."""
    if name in ("lags", "windows"):
        numbers = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            raise TrainingError(f"features: {name} are whole numbers of rows, such as [1, 7], not {value!r}.")
        return tuple(numbers)
    if name == "lag_columns":
        return (value,) if isinstance(value, str) else tuple(map(str, value))
    kinds: dict[str, Any] = {"interactions": bool, "keep": int, "orders": dict}
    kind = kinds.get(name, str)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {bool: "true or false", int: "a whole number", dict: "an object: column -> its levels from low to high"}
        raise TrainingError(f"features: {name} is {words.get(kind, 'a word')}, not {value!r}.")
    if name == "orders" and not all(isinstance(levels, list | tuple) for levels in value.values()):
        raise TrainingError('features: orders lists the levels from low to high, such as {"risk": ["low", "high"]}.')
    return value
