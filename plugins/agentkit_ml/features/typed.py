"""Typed columns of a big table, made when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.features.columns import Columns


class Typed:
    """What `columns` makes of these rows of a raw frame, a few columns or rows at a time.

    A big table then lies in memory once, in the types that its values need, and not once more as floats.
    `typed[[...]]` are whole columns, `typed.iloc[rows]` (a slice or positions) is a frame of all columns.
    """

    def __init__(self, columns: Columns, frame: DataFrame, rows: NDArray[Any]) -> None:
        self._columns = columns
        self._frame = frame
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def iloc(self) -> _Rows:
        return _Rows(self)

    def __getitem__(self, names: list[str]) -> DataFrame:
        return self._made(names, self._rows)

    def some(self, rows: Any) -> DataFrame:
        """All columns of some rows."""
        return self._made(list(self._columns.kinds), self._rows[rows])

    def _made(self, names: list[str], rows: NDArray[Any]) -> DataFrame:
        import pandas as pd

        from agentkit_ml.features.columns import Columns

        raw = pd.DataFrame({n: self._frame[n].iloc[rows] for n in names if n in self._frame}, copy=False)
        kinds, formats = self._columns.kinds, self._columns.date_formats
        own = Columns({n: kinds[n] for n in names}, {n: f for n, f in formats.items() if n in names})
        made: DataFrame = own.transform(raw)
        return made


class _Rows:
    def __init__(self, typed: Typed) -> None:
        self._typed = typed

    def __getitem__(self, rows: Any) -> DataFrame:
        return self._typed.some(rows)
