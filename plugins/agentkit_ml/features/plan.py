"""Which column is encoded in which way: settled by the training profile, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from agentkit.profiles import Profile
from agentkit_ml.features.options import Family, FeatureOptions
from agentkit_ml.features.orders import ordered_levels

MISSING = "(missing)"
"""The level of categories without a value."""

FEW_LEVELS = 10
"""One-hot below, the target's mean from here on."""

NATIVE_LEVELS = 30
"""Categories up to here are given as they are to models that can split them; beyond, such splits fit noise."""


@dataclass(frozen=True)
class Plan:
    """Columns by encoding. `ordered` has the levels from low to high; `two` are columns of two levels."""

    numbers: tuple[str, ...]
    dates: tuple[str, ...]
    two: dict[str, list[str]]
    ordered: dict[str, list[str]]
    one_hot: tuple[str, ...]
    target: tuple[str, ...]
    codes: tuple[str, ...]
    text: tuple[str, ...]


def plan_columns(profile: Profile, used: dict[str, str], family: Family, options: FeatureOptions) -> Plan:
    """The encoding of each used column for this family."""
    known = {c.name: c for c in profile.columns}
    of = {kind: tuple(n for n, k in used.items() if k == kind) for kind in ("number", "category", "date", "text")}
    two: dict[str, list[str]] = {}
    ordered: dict[str, list[str]] = {}
    rest: dict[str, int] = {}
    for name in of["category"]:
        column = known[name]
        order = list(options.orders.get(name, ())) or ordered_levels(column.levels)
        if order and (name in options.orders or family != "linear" or column.distinct >= FEW_LEVELS):
            ordered[name] = order
        elif column.distinct == 2 and column.levels:
            two[name] = sorted(column.levels)
        else:
            rest[name] = column.distinct + (column.missing > 0)
    codes = tuple(n for n, levels in rest.items() if family == "native" and levels <= NATIVE_LEVELS)
    return Plan(
        numbers=of["number"], dates=of["date"], two=two, ordered=ordered, codes=codes, text=of["text"],
        one_hot=tuple(n for n, levels in rest.items() if levels < FEW_LEVELS and n not in codes),
        target=tuple(n for n, levels in rest.items() if levels >= FEW_LEVELS and n not in codes),
    )  # fmt: skip
