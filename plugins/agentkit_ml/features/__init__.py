"""From raw columns to what a model can learn from: the first steps of every pipeline, fitted on training rows only.

`columns_step` makes typed columns of raw ones, `encode_step` makes numbers of these, `decisions` tells what it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentkit_ml.features.options import FAMILIES, Family, FeatureOptions
from agentkit_ml.features.plan import MISSING, Plan, plan_columns

if TYPE_CHECKING:
    from agentkit_ml.features.columns import USED, Columns, chosen_columns, columns_step
    from agentkit_ml.features.encode import Encoder, encode_step
    from agentkit_ml.features.lags import LagFeatures
    from agentkit_ml.features.rows import complete_rows
    from agentkit_ml.features.sentences import decisions

__all__ = [
    "FAMILIES",
    "MISSING",
    "USED",
    "Columns",
    "Encoder",
    "Family",
    "FeatureOptions",
    "LagFeatures",
    "Plan",
    "chosen_columns",
    "columns_step",
    "complete_rows",
    "decisions",
    "encode_step",
    "plan_columns",
]

_ROOMS = {
    "USED": "columns",
    "Columns": "columns",
    "chosen_columns": "columns",
    "columns_step": "columns",
    "decisions": "sentences",
    "Encoder": "encode",
    "encode_step": "encode",
    "LagFeatures": "lags",
    "complete_rows": "rows",
}


def __getattr__(name: str) -> Any:
    # transformers inherit from scikit-learn's: whoever only names a family does not wait for that
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
