"""From where on a change counts: every threshold of this plugin, with its source (docs/drift.md)."""

from __future__ import annotations

from typing import Literal

Level = Literal["none", "moderate", "strong"]
"""How far a column changed: `moderate` and `strong` count as drifted."""

SMALL = 1_000
"""Values of the smaller side up to which p-values decide, above it effect sizes (as Evidently does)."""

ALPHA = 0.03
"""False discovery rate of the tests of all columns together (Benjamini and Hochberg 1995), in any data set.

With `AUC_ALPHA` it keeps the false alarms of a data set of unchanged distribution below 5%.
"""

PSI = {"moderate": 0.1, "strong": 0.25}
"""Population stability index (Lewis 1994; Siddiqi 2006): below 0.1 no change, from 0.25 on a major one."""

JS = {"moderate": 0.1, "strong": 0.2}
"""Jensen-Shannon distance, base 2, from 0 to 1. 0.1 is Evidently's default; 0.2 is about a PSI of 0.25."""

WASSERSTEIN = {"moderate": 0.1, "strong": 0.5}
"""In standard deviations of the reference. 0.1 is Evidently's default; 0.5 is a medium effect (Cohen 1988)."""

KS = {"moderate": 0.1, "strong": 0.2}
"""Largest difference of the distribution functions; a mean shift of 0.25 and 0.5 deviations gives these."""

MISSING = {"moderate": 0.05, "strong": 0.2}
"""Difference of the shares of missing values."""

OUTSIDE = {"moderate": 0.01, "strong": 0.1}
"""Share of the current values outside of the reference's range, or in levels that it never had."""

VOCABULARY = {"moderate": 0.1, "strong": 0.3}
"""Share of words that the reference's texts do not have, beyond the share that one half of them lacks of the other."""

DATASET_SHARE = 0.5
"""Weighted share of drifted columns from which on the data set has drifted (Evidently's default)."""

STRONG_SHARE = 0.2
"""Weighted share of strongly drifted columns from which on the data set has drifted."""

AUC = {"moderate": 0.55, "strong": 0.75}
"""Lower end of the domain classifier's interval: from the first on the columns have changed together.

0.5: they cannot be told apart; one normal column that is shifted by 0.18 deviations gives 0.55, by 0.95 gives 0.75.
"""

AUC_ALPHA = 0.01
"""One-sided level of the domain classifier's interval."""

MEAN_SHIFT = {"moderate": 0.2, "strong": 0.5}
"""Of a model's scores, in standard deviations of the reference: a small and a medium effect (Cohen 1988)."""

CALIBRATION = 0.05
"""How much a calibration error may grow over the reference's: probabilities are off by 5 points more."""

FEWEST_ROWS = 30
"""Rows of either side below which a shift of predictions is not judged: the tests' distributions do not hold yet."""

PSI_BINS = 10
"""Quantile bins of the reference for PSI and Jensen-Shannon, as is the custom for scorecards."""

MOST_LEVELS = 1_000
"""A text column of more different values is compared as text: by its length and its vocabulary."""
