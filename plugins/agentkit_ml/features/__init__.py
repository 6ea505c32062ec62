"""From raw columns to what a model can learn from: the first steps of every pipeline, fitted on training rows only.

`columns_step` makes typed columns of raw ones, `encode_step` makes numbers of these, `decisions` tells what it does.
"""

from agentkit_ml.features.columns import USED, Columns, chosen_columns, columns_step
from agentkit_ml.features.decisions import decisions
from agentkit_ml.features.encode import Encoder, encode_step
from agentkit_ml.features.lags import LagFeatures
from agentkit_ml.features.options import FAMILIES, Family, FeatureOptions
from agentkit_ml.features.plan import MISSING, Plan, plan_columns
from agentkit_ml.features.rows import complete_rows

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
