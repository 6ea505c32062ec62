"""What a person may ask of the features; the defaults need no thought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from agentkit.errors import BadInput, suggest

Family = Literal["trees", "linear", "native", "forest"]
"""trees: gradient boosting of scikit-learn. native: LightGBM, XGBoost and others that read categories as they are.
forest: trees that should not meet NaN. linear: whatever multiplies and adds, neural networks too."""

Missing = Literal["auto", "keep", "mean", "median", "knn", "indicator", "drop"]
Scaling = Literal["auto", "none", "standard", "minmax", "log", "power"]
Selection = Literal["none", "mutual_info", "l1", "recursive"]

FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True)
class FeatureOptions:
    """How columns become features.

    `missing`: auto keeps NaN for gradient boosting and takes the median and an indicator otherwise (`indicator`);
    `drop` leaves out training rows (`complete_rows`) and is `median` when predicting.
    `scaling`: for the linear family alone; auto picks by skewness. `orders`: column -> its levels from low to high.
    `interactions`: products and ratios of the strongest numbers. `selection` keeps `keep` features, or what is
    better than chance. `lags` and `windows` (in rows) look back along the column `time`, within `group`, at
    `lag_columns` (all numbers, if empty). Raises BadInput for what cannot be.
    """

    missing: Missing = "auto"
    scaling: Scaling = "auto"
    interactions: bool = False
    selection: Selection = "none"
    keep: int | None = None
    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lags: tuple[int, ...] = ()
    windows: tuple[int, ...] = ()
    time: str | None = None
    group: str | None = None
    lag_columns: tuple[str, ...] = ()

    def missing_for(self, family: Family) -> Missing:
        """What `missing` means for this family: a linear model cannot keep NaN."""
        if self.missing == "auto":
            return "keep" if family in ("trees", "native") else "indicator"
        return "indicator" if self.missing == "keep" and family == "linear" else self.missing

    def __post_init__(self) -> None:
        for name, allowed in (("missing", Missing), ("scaling", Scaling), ("selection", Selection)):
            value, known = getattr(self, name), get_args(allowed)
            if value not in known:
                raise BadInput(f"{name} {value!r} is not known. Use one of: {', '.join(known)}.{suggest(value, known)}")
        if self.keep is not None and self.keep < 1:
            raise BadInput(f"keep {self.keep} leaves no feature. Give 1 or more.")
        if any(n < 1 for n in (*self.lags, *self.windows)):
            raise BadInput("lags and windows look back: give whole numbers from 1.")
        if (self.lags or self.windows) and not self.time:
            raise BadInput("lags and windows need `time`, the column that orders the rows.")
