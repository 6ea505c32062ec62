"""Leaving out training rows with gaps, for those who ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

MOST_DROPPED = 0.05


def complete_rows(prepared: DataFrame, most: float = MOST_DROPPED) -> NDArray[Any]:
    """Which training rows to keep: those without gaps if fewer than `most` (a share) have some, otherwise all.

    Takes what `columns_step` gives. A step of a pipeline cannot leave out rows, so this comes before the fit; rows to
    predict are never left out.
    """
    import numpy as np

    complete = prepared.notna().all(axis=1).to_numpy()
    few = 1 - complete.mean() < most if len(complete) else False
    return complete if few else np.ones(len(prepared), dtype=bool)
