"""What an explanation explains: one number a row, a predicted value or the probability of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit_ml.record import Training


@dataclass(frozen=True)
class Response:
    """`of` is the class whose probability is explained, '' for a predicted number."""

    pipeline: Any
    training: Training
    of: str = ""

    def __call__(self, frame: DataFrame) -> NDArray[Any]:
        """Shape (rows,)."""
        import numpy as np

        if not self.of:
            return np.asarray(self.pipeline.predict(frame), dtype=float)
        return self.probabilities(frame)[:, self.training.classes.index(self.of)]

    def probabilities(self, frame: DataFrame) -> NDArray[Any]:
        """Of all classes, in the order of the training; 0 for one that the model never met."""
        import numpy as np

        classes = self.training.classes
        made = np.zeros((len(frame), len(classes)))
        made[:, [classes.index(str(c)) for c in self.pipeline.classes_]] = self.pipeline.predict_proba(frame)
        return made

    @property
    def label(self) -> str:
        """'probability of yes' or 'predicted price'."""
        return f"probability of {self.of}" if self.of else f"predicted {self.training.target}"
