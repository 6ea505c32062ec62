"""The rows that all trials are compared on: folds of the training rows, encoded once for each kind of model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit_ml.engine.families import Data
from agentkit_ml.features import Family as Encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.splits import Pair

MUCH_WORK = 3_000_000
"""Rows x columns x trees a round (one, or one for each of several classes) beyond which one fold is compared on: a
default is then fitted once for every family instead of three times for one."""


@dataclass
class Folds:
    """`frame` are the typed training rows, `values` class numbers or floats, `encoder` makes an unfitted encoder.

    `trees`: of a boosted model's round.
    """

    frame: DataFrame
    values: NDArray[Any]
    pairs: Sequence[Pair]
    encoder: Callable[[Encoding], Any]
    trees: int = 1
    _encoded: dict[tuple[int, Encoding], tuple[Data, Data]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frame.size * self.trees > MUCH_WORK:
            self.pairs = self.pairs[-1:]

    def __len__(self) -> int:
        return len(self.pairs)

    def plain(self, fold: int) -> tuple[Data, Data]:
        """The same rows as they are, for what looks at no column."""
        train, test = self.pairs[fold]
        one, other = (Data(self.frame.iloc[rows], self.values[rows]) for rows in (train, test))
        return one, other

    def get(self, fold: int, encoding: Encoding) -> tuple[Data, Data]:
        """The rows to fit on and those to score, the encoder fitted on the former alone."""
        if (fold, encoding) not in self._encoded:
            train, test = self.pairs[fold]
            encoder = self.encoder(encoding)
            fitted = encoder.fit_transform(self.frame.iloc[train], self.values[train])
            other = encoder.transform(self.frame.iloc[test])
            self._encoded[fold, encoding] = (Data(fitted, self.values[train]), Data(other, self.values[test]))
        return self._encoded[fold, encoding]
