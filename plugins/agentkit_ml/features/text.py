"""Free text as a few numbers: which words a text has, folded into some tens of directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from agentkit_ml.features.words import counted, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_WORDS = 2_000
_FIT_ROWS = 5_000
_LETTERS = 1_000
_SHORT = 2.5
_LONG = 40
_CHANCE = 0.05


class TextParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Per column the number of characters and words, and `parts` directions of its TF-IDF (latent semantic analysis).

    Words and pairs of words that occur in at least two texts, the 2,000 most frequent, from at most 5,000 training
    rows and the first 1,000 characters of each text; of texts of one or two words pieces of 2 to 4 characters, of
    texts of 40 words and more single words.
    With a target, directions that an F-test cannot tell from chance (p >= 0.05) are left out: names that say nothing
    add nothing. `regression`: the target is a number.
    TfidfVectorizer (sublinear) and TruncatedSVD of scikit-learn; Deerwester et al. (1990).
    """

    def __init__(self, parts: int = 30, regression: bool = False, seed: int = 0) -> None:
        self.parts = parts
        self.regression = regression
        self.seed = seed

    def fit(self, frame: DataFrame, target: Any = None) -> TextParts:
        self._fit(frame, target)
        return self

    def fit_transform(self, frame: DataFrame, target: Any = None, **params: Any) -> NDArray[Any]:
        """As `fit` and then `transform`, but no text is taken apart twice: that is what takes the time."""
        import numpy as np

        step, known = self._fit(frame, target)
        blocks = []
        for name, fold in self.folds_.items():
            blocks.append(_sizes(frame[name]))
            if fold is None:
                continue
            made = np.empty((len(frame), len(self.kept_[name])))
            made[::step] = fold[-1].transform(known[name])[:, self.kept_[name]]
            others = np.arange(len(frame)) % step > 0
            if others.any():
                made[others] = _along(fold, _shortened(frame[name][others]))[:, self.kept_[name]]
            blocks.append(made)
        return np.hstack(blocks)

    def _fit(self, frame: DataFrame, target: Any) -> tuple[int, dict[str, Any]]:
        """Every how manyth row was fitted on, and for each column the word weights of these."""
        import numpy as np

        self.folds_: dict[str, Any] = {}
        self.kept_: dict[str, list[int]] = {}
        step, known = max(1, -(-len(frame) // _FIT_ROWS)), {}
        for name in frame.columns:
            fold, known[name], directions = self._fold(_shortened(frame[name].iloc[::step]))
            kept = self._telling(directions, None if target is None else np.asarray(target)[::step])
            self.folds_[name], self.kept_[name] = fold if kept else None, kept
        return step, known

    def transform(self, frame: DataFrame) -> NDArray[Any]:
        import numpy as np

        blocks = []
        for name, fold in self.folds_.items():
            blocks.append(_sizes(frame[name]))
            if fold is not None:
                blocks.append(_along(fold, _shortened(frame[name]))[:, self.kept_[name]].astype("float64"))
        return np.hstack(blocks)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        import numpy as np

        made = []
        for name in self.folds_:
            made += [f"{name}.characters", f"{name}.words"]
            made += [f"{name}.text{i + 1}" for i in self.kept_[name]]
        return np.asarray(made, dtype="object")

    def _telling(self, directions: NDArray[Any], target: Any) -> list[int]:
        """The directions to keep."""
        import numpy as np
        from sklearn.feature_selection import f_classif, f_regression

        every = list(range(directions.shape[1]))
        if target is None or not every:
            return every
        if len(np.unique(target)) < 2 or len(directions) < 3:
            return []
        with np.errstate(all="ignore"):
            chance = (f_regression if self.regression else f_classif)(directions, target)[1]
        return [i for i in every if chance[i] < _CHANCE]

    def _fold(self, texts: list[str]) -> tuple[Any, Any, NDArray[Any]]:
        """TF-IDF and its directions, the texts' word weights and where they are along these; none if no word occurs
        twice."""
        import numpy as np
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import Pipeline

        length = sum(len(t.split()) for t in texts) / max(1, len(texts))
        # a long text says enough by its single words, and pairs of them take most of the time
        pairs: dict[str, Any] = {"ngram_range": (1, 2 if length < _LONG else 1)}
        grams = {"analyzer": "char_wb", "ngram_range": (2, 4)} if length < _SHORT else pairs
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
            words, found = counted(texts, words)
        except ValueError:  # scikit-learn's word for an empty vocabulary
            return None, None, np.empty((len(texts), 0))
        directions = min(self.parts, min(found.shape) - 1)
        if directions < 1:
            return None, None, np.empty((len(texts), 0))
        svd = TruncatedSVD(directions, n_iter=2, random_state=self.seed)
        made = svd.fit_transform(found)
        return Pipeline([("words", words), ("directions", svd)]), found, made


def _along(fold: Any, texts: list[str]) -> NDArray[Any]:
    """Where these texts are along the directions."""
    places: NDArray[Any] = fold[-1].transform(weighed(texts, fold[0]))
    return places


def _shortened(column: Any) -> list[str]:
    return [str(text)[:_LETTERS] for text in column]


def _sizes(column: Any) -> NDArray[Any]:
    import numpy as np

    return np.asarray([(len(t), len(t[:_LETTERS].split())) for t in map(str, column)], dtype="float64").reshape(-1, 2)
