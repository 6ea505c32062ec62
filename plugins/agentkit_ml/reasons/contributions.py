"""Why a model says what it says of one row: how much each column moves the answer away from the usual one.

Shapley values by sampling (Strumbelj and Kononenko 2014), model-agnostic: from a usual row, columns take on this row's
values one after the other, in random orders; what a column changes when its turn comes, averaged over orders and usual
rows, is its contribution. Contributions add up to the difference between this row's answer and the usual answer.
Each order is also walked backwards (antithetic sampling, Mitchell et al. 2022), which halves the noise or better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit_ml.reasons.background import usual_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit.profiles import Profile
    from agentkit_ml.reasons.response import Response

METHOD = "Shapley values by sampling (Strumbelj and Kononenko 2014) against usual rows"
OTHERS = "(all other columns)"

FEWEST_OTHERS = 50

_PAIRS = (40, 200)
_WORK = 4_000
_MOST_COLUMNS = 25
_TRIALS = 12
_ROWS_AT_ONCE = 20_000


class Contribution(BaseModel):
    """What a column adds to the answer, in its own unit; `error` is the standard error of the sampling."""

    model_config = ConfigDict(frozen=True)

    column: str
    value: str
    contribution: float
    error: float


class Contributions(BaseModel):
    """The largest first. `usual` is the mean answer for usual rows: with all contributions it makes `answer`."""

    model_config = ConfigDict(frozen=True)

    answer: float
    usual: float
    columns: list[Contribution]


def contributions(
    response: Response, row: DataFrame, profile: Profile, others: DataFrame | None = None, seed: int = 20
) -> Contributions:
    """Of the columns of one row (a frame of one row). Above 25 columns those that matter least are taken together.

    Usual rows are drawn from `others`, if these are at least 50; else cell by cell from the training's profile, which
    knows how values are spread in each column but not which go together.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    columns = response.training.columns
    row = row[list(columns)]

    def drawn(count: int) -> DataFrame:
        if others is None or len(others) < FEWEST_OTHERS:
            return usual_rows(profile, columns, count, random)
        return others[list(columns)].iloc[random.choice(len(others), count, replace=len(others) < count)]

    groups = _groups(response, row, drawn(_TRIALS))
    pairs = min(_PAIRS[1], max(_PAIRS[0], _WORK // (len(groups) + 1)))
    usual = drawn(pairs)
    orders = [random.permutation(len(groups)) for _ in range(pairs)]
    walks = np.stack([_walked(response, row, usual, orders, groups, turn) for turn in (1, -1)]).mean(axis=0)
    steps, starts = walks[:, :-1], walks[:, -1]
    answer = float(response(row)[0])
    made = [
        Contribution(
            column=names[0] if len(names) == 1 else OTHERS, value=_shown(row, names),
            contribution=float(steps[:, i].mean()), error=float(steps[:, i].std(ddof=1) / pairs**0.5),
        )
        for i, names in enumerate(groups)
    ]  # fmt: skip
    made.sort(key=lambda c: -abs(c.contribution))
    return Contributions(answer=answer, usual=float(starts.mean()), columns=made)


def _groups(response: Response, row: DataFrame, usual: DataFrame) -> list[tuple[str, ...]]:
    """Each column for itself; of many, those that change least when they alone become usual are one group."""
    import numpy as np
    import pandas as pd

    columns = list(row.columns)
    if len(columns) <= _MOST_COLUMNS:
        return [(c,) for c in columns]
    answer = response(row)[0]
    changed: list[float] = []
    size = max(1, _ROWS_AT_ONCE // _TRIALS)
    for start in range(0, len(columns), size):
        part = columns[start : start + size]
        frames = [_repeated(row, _TRIALS).assign(**{c: usual[c].to_numpy()}) for c in part]
        said = response(pd.concat(frames, ignore_index=True)).reshape(len(part), _TRIALS)
        changed += list(abs(said - answer).mean(axis=1))
    order = [columns[i] for i in np.argsort(-np.array(changed), kind="stable")]
    return [*((c,) for c in order[: _MOST_COLUMNS - 1]), tuple(order[_MOST_COLUMNS - 1 :])]


def _walked(
    response: Response,
    row: DataFrame,
    usual: DataFrame,
    orders: list[NDArray[Any]],
    groups: list[tuple[str, ...]],
    turn: int,
) -> NDArray[Any]:
    """Shape (orders, groups + 1): what each group changed in each walk, and last the answer at its start."""
    import numpy as np

    count, pairs = len(groups), len(orders)
    # after step s of walk w group g has the row's value if its place in the order is below s
    place = np.empty((pairs, count), int)
    for w, order in enumerate(orders):
        place[w, order[::turn]] = np.arange(count)
    taken = place[:, None, :] < np.arange(count + 1)[None, :, None]
    frame = _mixed(row, usual, taken.reshape(-1, count), groups, np.repeat(np.arange(pairs), count + 1))
    answers = response(frame).reshape(pairs, count + 1)
    gained = np.diff(answers, axis=1)
    made: NDArray[Any] = np.empty((pairs, count + 1))
    made[:, :count] = np.take_along_axis(gained, place, axis=1)
    made[:, count] = answers[:, 0]
    return made


def _mixed(
    row: DataFrame, usual: DataFrame, taken: NDArray[Any], groups: list[tuple[str, ...]], of: NDArray[Any]
) -> DataFrame:
    """Rows with this row's cells where `taken`, and those of the usual row number `of` elsewhere."""
    import numpy as np
    import pandas as pd

    made: dict[str, Any] = {}
    for g, names in enumerate(groups):
        for name in names:
            cell = row[name].to_numpy(dtype="object")[0]
            made[name] = np.where(taken[:, g], cell, usual[name].to_numpy(dtype="object")[of])
    return pd.DataFrame(made)


def _repeated(row: DataFrame, count: int) -> DataFrame:
    return row.loc[row.index.repeat(count)].reset_index(drop=True)


def _shown(row: DataFrame, names: tuple[str, ...]) -> str:
    from agentkit_ml.reasons.what_if import cell_text

    return cell_text(row[names[0]].iloc[0]) if len(names) == 1 else f"{len(names)} columns"
