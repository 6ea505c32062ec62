"""Free text as a few numbers: which words a text has, folded into some tens of directions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_WORDS = 2_000
_FIT_ROWS = 5_000
_LETTERS = 1_000
_SHORT = 2.5


class TextParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Per column the number of characters and words, and `parts` directions of its TF-IDF (latent semantic analysis).

    Words and pairs of words that occur in at least two texts, the 2,000 most frequent, from at most 5,000 training
    rows and the first 1,000 characters of each text; of texts of one or two words, pieces of 2 to 4 characters.
    TfidfVectorizer (sublinear) and TruncatedSVD of scikit-learn; Deerwester et al. (1990).
    """

    def __init__(self, parts: int = 30, seed: int = 0) -> None:
        self.parts = parts
        self.seed = seed

    def fit(self, frame: DataFrame, target: Any = None) -> TextParts:
        self.folds_: dict[str, Any] = {}
        step = max(1, -(-len(frame) // _FIT_ROWS))
        for name in frame.columns:
            self.folds_[name] = self._fold(_shortened(frame[name].iloc[::step]))
        return self

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        blocks = []
        for name, fold in self.folds_.items():
            blocks.append(_sizes(frame[name]))
            if fold is not None:
                blocks.append(fold.transform(_shortened(frame[name])).astype("float64"))
        return np.hstack(blocks)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        made = []
        for name, fold in self.folds_.items():
            made += [f"{name}.characters", f"{name}.words"]
            if fold is not None:
                made += [f"{name}.text{i + 1}" for i in range(fold[-1].components_.shape[0])]
        return np.asarray(made, dtype="object")

    def _fold(self, texts: list[str]) -> Any:
        """TF-IDF and its directions, or None if no word occurs twice."""
        import numpy as np
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import Pipeline

        short = sum(len(t.split()) for t in texts) < _SHORT * max(1, len(texts))
        grams: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (2, 4)} if short else {"ngram_range": (1, 2)}
        words = TfidfVectorizer(
            max_features=_WORDS,
            min_df=2,
            max_df=0.9,
            sublinear_tf=True,
            strip_accents="unicode",
            dtype=np.float32,
            **grams,
        )
        try:
            found = words.fit_transform(texts)
        except ValueError:  # scikit-learn's word for an empty vocabulary
            return None
        directions = min(self.parts, min(found.shape) - 1)
        if directions < 1:
            return None
        svd = TruncatedSVD(directions, n_iter=2, random_state=self.seed).fit(found)
        return Pipeline([("words", words), ("directions", svd)])


def _shortened(column: Any) -> list[str]:
    return [str(text)[:_LETTERS] for text in column]


def _sizes(column: Any) -> NDArray[Any]:
    import numpy as np

    return np.asarray(
        [(len(t), len(re.findall(r"\S+", t[:_LETTERS]))) for t in map(str, column)], dtype="float64"
    ).reshape(-1, 2)
