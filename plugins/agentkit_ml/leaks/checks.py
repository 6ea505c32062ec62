"""Leakage: whether the score of a split can be believed. Every check gives a finding, passed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.profiles import Profile
from agentkit_ml.leaks.columns import copies, exact_sum, too_good_alone
from agentkit_ml.leaks.rows import enough_rows, many_levels, other_test_rows, shared_groups, shared_rows
from agentkit_ml.leaks.sample import take_sample
from agentkit_ml.leaks.text import telling_texts
from agentkit_ml.leaks.time import later_dates, predicting_ids, repeated_entities, shuffled_time
from agentkit_ml.leaks.unread import unread_values
from agentkit_ml.record import Finding

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.target import Target

_ORDER = ("block", "warn", "ok")


def find_leaks(
    frame: DataFrame,
    target: Target,
    columns: dict[str, str],
    profile: Profile,
    train: NDArray[Any],
    test: NDArray[Any],
    *,
    time_column: str | None = None,
    group_column: str | None = None,
) -> list[Finding]:
    """Look for leaks; the worst first, one finding of level `ok` for each check that passed.

    `columns`: those learned from -> number, category, date or text. `train` and `test`: positions within
    `target.rows`, as `Splitter.hold_out` gives them. `time_column` and `group_column`: what the split follows, None
    if it does not. Columns are judged on a sample of the training rows, about a second for 50 columns.
    """
    sample = take_sample(frame, target, columns, profile, train)
    found = copies(sample, target.name)
    known = [c for f in found for c in f.columns]
    found += too_good_alone(sample, target.name, known)[0] + exact_sum(sample, target.name, known)
    found += telling_texts(frame, sample, columns, target.name)
    found.append(shared_rows(frame, target, profile, sample, columns, train, test))
    found.append(enough_rows(target, len(columns), test))
    found.append(many_levels(columns, profile))
    found.append(other_test_rows(frame, target, columns, profile, train, test))
    found.append(unread_values(frame, target.name, profile))
    found.append(predicting_ids(frame, target, profile, sample))
    found += later_dates(frame, columns, profile, time_column)
    if group_column:
        found.append(shared_groups(frame, target, group_column, train, test))
    elif not time_column:
        found.append(repeated_entities(frame, target, profile))
    if not time_column:
        found.append(shuffled_time(frame, target, profile))
    return sorted(found, key=lambda f: _ORDER.index(f.level))
