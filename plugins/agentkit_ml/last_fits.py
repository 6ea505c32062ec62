"""The last fits, and big tables: settings are compared on a part of the rows, what was chosen learns from more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit_ml.engine.families import growth
from agentkit_ml.features.encode import BIG_CELLS, Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from sklearn.pipeline import Pipeline

    from agentkit_ml.engine.committee import Choice
    from agentkit_ml.engine.families import Setting
    from agentkit_ml.engine.folds import Folds
    from agentkit_ml.features import Columns
    from agentkit_ml.target import Target

BIG_SEARCH = 5_000_000
"""Rows x columns of the training rows beyond which settings are compared on a part of the rows, and on one fold."""
SEARCH_CELLS = (500_000, 5_000_000)
"""Rows x columns of that part, at least and at most; between them 15,000 for each second of the budget."""
_CELLS_A_SECOND = 15_000
LAST_CELLS = 40_000_000
"""Rows x columns of the last fit: the libraries' own copies take three times what the features do."""
SEARCH_SHARE = 0.5
"""Of the seconds, where the last fits are on more rows than the comparison was."""

_OF_A_CLASS = 100
_ROOM = 1.3
_STEP = 0.9


@dataclass(frozen=True)
class LastFits:
    """Fits what was chosen on rows of the table. `frame` is the whole file's, as it was read."""

    frame: DataFrame
    target: Target
    columns: Columns
    choice: Choice
    folds: Folds
    setting: Setting

    def on(self, rows: NDArray[Any], prepared: DataFrame | None = None) -> Pipeline:
        """The pipeline, fitted on `rows`, positions within the target's; `prepared` are their typed columns if known.

        The columns of a big table are typed as they are needed, and never lie there as a whole.
        """
        from sklearn.pipeline import Pipeline

        from agentkit_ml.engine.committee import fitted
        from agentkit_ml.features.typed import Typed

        frame: Any = prepared
        if frame is None:
            typed = Typed(self.columns, self.frame, self.target.rows[rows])
            big = len(rows) * len(self.columns.kinds) > BIG_CELLS
            # features that look at other rows need whole frames
            frame = typed if big and isinstance(self.folds.encoder("trees"), Encoder) else typed.iloc[:]
        values = self.target.numbers(rows)
        model = fitted(self.choice, frame, values, self.folds, self.setting, list(self.target.classes))
        return Pipeline([("columns", self.columns), ("model", model)])


def compared_rows(target: Target, train: NDArray[Any], columns: int, seconds: float | None, seed: int) -> NDArray[Any]:
    """All of `train` up to 5 million cells, of more a part at random; of each class at least 100 rows if there are.

    `seconds`: the budget, None without one.
    """
    import numpy as np
    import pandas as pd

    if len(train) * columns <= BIG_SEARCH:
        return train
    cells = max(SEARCH_CELLS[0], min(SEARCH_CELLS[1], int(_CELLS_A_SECOND * seconds) if seconds else SEARCH_CELLS[1]))
    wanted = max(1, cells // columns)
    order = np.random.default_rng(seed).permutation(train)
    if not target.classes:
        return np.sort(order[:wanted])
    first = order[:wanted]
    labels = pd.factorize(target.values[order], sort=True)[0].astype("int16")
    few = np.concatenate([np.flatnonzero(labels == i)[:_OF_A_CLASS] for i in range(len(target.classes))])
    return np.unique(np.concatenate([first, order[few]]))


def last_rows(choice: Choice, train: NDArray[Any], compared: int, columns: int, room: float, seed: int) -> NDArray[Any]:
    """As many of `train` as can be fitted on in `room` seconds, at random; at least as many as were compared on.

    A fit is taken to need time in proportion to its rows and its rounds, which grow with the rows. Of a part of the
    rows more do more good than a second fit with the held-back ones.
    """
    import numpy as np

    rows = min(len(train), max(compared, LAST_CELLS // max(1, columns)))
    seconds = sum(trial.refit for trial, _ in choice.members)
    while rows > compared and _ROOM * seconds * rows / compared * growth(rows / compared) > room:
        rows = max(compared, int(_STEP * rows))
    return train if rows == len(train) else np.sort(np.random.default_rng(seed).choice(train, rows, replace=False))
