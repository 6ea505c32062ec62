"""How strongly a column goes with the target, for choices made on training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLASSES = 10


def correlation(array: NDArray[Any], target: Any) -> NDArray[Any]:
    """Pearson's correlation of each column with the target, as an absolute value; missing values are left out.

    A target of labels counts as one 0/1 target per class, of the 10 most frequent; the strongest counts.
    """
    import numpy as np

    values = np.asarray(target)
    numbers = values.dtype.kind in "iuf"
    sides = [values.astype("float64")] if numbers else [(values == c) * 1.0 for c in _frequent(values)]
    present = ~np.isnan(array)
    rows = np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, array, 0.0)
    centred = np.where(present, array - filled.sum(axis=0) / rows, 0.0)
    best = np.zeros(array.shape[1])
    for side in sides:
        other = np.where(present, side[:, None] - (present * side[:, None]).sum(axis=0) / rows, 0.0)
        norm = np.sqrt((centred**2).sum(axis=0) * (other**2).sum(axis=0))
        best = np.maximum(best, np.abs((centred * other).sum(axis=0)) / np.where(norm > 0, norm, 1.0))
    return best


def _frequent(labels: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    classes, rows = np.unique(labels, return_counts=True)
    frequent: NDArray[Any] = classes[np.argsort(-rows, kind="stable")[:_CLASSES]]
    return frequent
