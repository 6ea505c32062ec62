"""What is done to which column, in sentences."""

from __future__ import annotations

from agentkit.profiles import Profile, listed
from agentkit_ml.features.options import Family, FeatureOptions
from agentkit_ml.features.plan import plan_columns


def decisions(
    profile: Profile, used: dict[str, str], options: FeatureOptions | None = None, family: Family = "trees"
) -> list[str]:
    """Short sentences, columns of one treatment in one: as many for 2,000 columns as for 20."""
    plan = plan_columns(profile, used, family, options or FeatureOptions())
    return [f"{listed(plan.numbers)}: numbers."] if plan.numbers else []
