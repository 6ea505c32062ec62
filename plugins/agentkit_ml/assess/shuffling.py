"""Predictions with one column shuffled, without doing again what does not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

Shuffled = Callable[[str, "NDArray[Any]"], tuple[Any, "DataFrame"]]
"""Column and order of its rows -> an estimator, and the frame that it is to predict."""


def shuffler(pipeline: Any, frame: DataFrame) -> Shuffled:
    """How to predict `frame` with one column's values in another order.

    Of the pipelines that `train` makes only the part of the encoding that reads the column is done again: taking
    texts apart would else be most of the work. Any other pipeline gets the whole frame.
    """
    reused = _Reused.of(pipeline, frame)
    if reused is not None:
        return reused.shuffled

    def whole(column: str, order: NDArray[Any]) -> tuple[Any, DataFrame]:
        return pipeline, frame.assign(**{column: frame[column].take(order).set_axis(frame.index)})

    return whole


@dataclass(frozen=True)
class _Made:
    """What an encoder made of the rows; stands for it in a committee."""

    features: Any

    def transform(self, frame: DataFrame) -> Any:
        return self.features


@dataclass(frozen=True)
class _Reused:
    """`typed`: the rows after the first step. `blocks`: encoder -> what each of its parts makes of them."""

    committee: Any
    frame: DataFrame
    typed: DataFrame
    blocks: dict[str, list[Any]]

    @classmethod
    def of(cls, pipeline: Any, frame: DataFrame) -> _Reused | None:
        """None for a pipeline of other steps, or with an encoder that looks at several rows at once."""
        from agentkit_ml.engine.committee import Committee
        from agentkit_ml.features import Columns, Encoder

        steps = [step for _, step in getattr(pipeline, "steps", [])]
        if len(steps) != 2 or not (isinstance(steps[0], Columns) and isinstance(steps[1], Committee)):
            return None
        columns, committee = steps
        if not all(isinstance(encoder, Encoder) for encoder in committee.encoders.values()):
            return None
        typed = columns.transform(frame)
        blocks = {kind: encoder.blocks(typed) for kind, encoder in committee.encoders.items()}
        return cls(committee, frame, typed, blocks)

    def shuffled(self, column: str, order: NDArray[Any]) -> tuple[Any, DataFrame]:
        from agentkit_ml.engine.committee import Committee

        typed = self.typed.assign(**{column: self.typed[column].take(order).set_axis(self.typed.index)})
        made = {}
        for kind, encoder in self.committee.encoders.items():
            blocks = [
                block
                if column not in columns
                else block[order]
                if columns == [column]
                else step.transform(typed[columns])
                for (_, step, columns), block in zip(encoder.parts_, self.blocks[kind], strict=True)
            ]
            made[kind] = _Made(encoder.joined(blocks, typed))
        return Committee(made, self.committee.members, self.committee.classes), self.frame
