"""What is done to which column, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentkit.profiles import Profile, listed
from agentkit_ml.features.categories import rare_below
from agentkit_ml.features.options import Family, FeatureOptions
from agentkit_ml.features.plan import Plan, plan_columns
from agentkit_ml.features.rows import MOST_DROPPED

_SHOWN = 5

_FILLED = {
    "keep": "stays missing, which these models read",
    "indicator": "becomes the median, with a feature that says so",
    "mean": "becomes the mean",
    "median": "becomes the median",
    "knn": "becomes the mean of the 5 nearest training rows",
    "drop": f"leaves out training rows if they are under {MOST_DROPPED:.0%}, and is the median when predicting",
}
_SCALED = {
    "auto": "Standardised; skewed ones after a logarithm or a power if that goes better with the target.",
    "none": "Not scaled.",
    "standard": "Standardised to mean 0 and deviation 1.",
    "minmax": "Scaled to between 0 and 1.",
    "log": "The logarithm is taken of those without negative values; then standardised.",
    "power": "Made symmetric by a power (Yeo-Johnson), then standardised.",
}
_SELECTED = {
    "mutual_info": "whose mutual information with the target is above chance",
    "l1": "with a weight in a sparse linear model",
    "recursive": "that are left when the weakest are dropped again and again",
}


def decisions(
    profile: Profile, used: dict[str, str], options: FeatureOptions | None = None, family: Family = "trees"
) -> list[str]:
    """What becomes of the columns for this family, one sentence or two a treatment: 2,000 columns take no more lines.

    Names are shown for at most 5 columns of a treatment.
    """
    options = options or FeatureOptions()
    plan = plan_columns(profile, used, family, options)
    return [*_columns(plan, family), *_categories(profile, plan), *_general(plan, family, options)]


def _columns(plan: Plan, family: Family) -> Iterator[str]:
    if plan.numbers:
        yield f"{listed(plan.numbers)}: {'numbers' if family == 'linear' else 'numbers as they are'}."
    if plan.dates:
        cyclic = " as sine and cosine" if family == "linear" else ""
        yield f"{listed(plan.dates)}: days since the first, and the calendar parts that vary{cyclic}."
    if len(plan.dates) > 1:
        yield "Pairs of dates: the days between them."
    if plan.text:
        yield f"{listed(plan.text)}: length and TF-IDF, reduced to the directions that go with the target."


def _categories(profile: Profile, plan: Plan) -> Iterator[str]:
    levels = {c.name: c.distinct + (c.missing > 0) for c in profile.columns}

    def counted(names: Sequence[str]) -> str:
        return _and_more([f"{n!r} ({levels[n]} levels)" for n in names[:_SHOWN]], len(names))

    if plan.two:
        yield f"{listed(list(plan.two))}: 0 or 1."
    for name, order in list(plan.ordered.items())[:_SHOWN]:
        yield f"{name!r}: ordinal, {_and_more(order[:12], len(order), ' < ')}."
    if len(plan.ordered) > _SHOWN:
        yield f"{len(plan.ordered) - _SHOWN} more columns: ordinal."
    if plan.one_hot:
        merged = f"levels with fewer than {rare_below(profile.rows)} rows share one feature with unknown ones"
        yield f"{counted(plan.one_hot)}: one-hot; {merged}."
    if plan.codes:
        yield f"{counted(plan.codes)}: as categories, which the model splits itself; unknown levels are missing."
    if plan.target:
        yield f"{counted(plan.target)}: the target's mean per level, from other training rows than the own."


def _general(plan: Plan, family: Family, options: FeatureOptions) -> Iterator[str]:
    if plan.numbers or plan.dates or plan.two or plan.ordered:
        yield f"A missing number {_FILLED[options.missing_for(family)]}."
    if family == "linear":
        yield _SCALED[options.scaling]
    if options.lags or options.windows:
        looked = [f"lag {k}" for k in options.lags] + [f"mean of {w} before" for w in options.windows]
        within = f" within {options.group!r}" if options.group else ""
        of = listed(options.lag_columns or plan.numbers)
        yield f"Looking back along {options.time!r}{within} at {of}: {', '.join(looked)}."
    if options.interactions:
        yield "Products and ratios of the 6 numbers that go best with the target."
    if options.selection != "none":
        number = f"the {options.keep} best features" if options.keep else "features"
        yield f"Kept: {number} {_SELECTED[options.selection]}."


def _and_more(shown: Sequence[str], total: int, between: str = ", ") -> str:
    return between.join(shown) + (f" and {total - len(shown)} more" if total > len(shown) else "")
