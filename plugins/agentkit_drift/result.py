"""What `detect_drift` gives back."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentkit.profiles import listed
from agentkit.results import Artifact, Table, ToolResult
from agentkit_drift.thresholds import Level

Verdict = Literal["none", "watch", "drift"]
"""Of a data set: nothing to do; look at what changed; what the model learned from is no longer what it gets."""

Kind = Literal["number", "category", "date", "text", "id", "empty"]

_TOLD = 5
_WORDS = {"none": "NO DRIFT", "watch": "WATCH", "drift": "DRIFT"}


class Histogram(BaseModel):
    """A column of both data sets, in shares of the values that are there; each list sums to 1 (or 0 if it is empty).

    Of numbers and dates `edges` has one value more than there are bins (dates: seconds since 1970, UTC); the first
    and last bin take what lies beyond. Of categories `labels` has one text a bin; the last may be 'other'.
    """

    model_config = ConfigDict(frozen=True)

    edges: list[float] = []
    labels: list[str] = []
    reference: list[float]
    current: list[float]


class ErrorBound(BaseModel):
    """How far the figures of a profile can be from the exact ones. `ks` absolute; `wasserstein` in deviations."""

    model_config = ConfigDict(frozen=True)

    ks: float
    wasserstein: float | None = None


class ColumnDrift(BaseModel):
    """How one column changed. What a kind of column has no measure for is None.

    `ks`: Kolmogorov-Smirnov statistic (numbers, dates; of texts that of their lengths). `chi2`: statistic of the
    chi-squared test (categories). `p_value`: of that test, `test` names it and how p was calculated; `p_adjusted`:
    after Benjamini and Hochberg over all columns. `wasserstein`: in standard deviations of the reference;
    `wasserstein_raw`: in the column's own unit (dates: seconds). `js`: Jensen-Shannon distance, base 2. `psi`:
    natural logarithm. `outside`: share of the current values beyond the reference's range, or in new levels.
    `effect`: the strongest measure as a multiple of its threshold, `decided_by` names it; 1 and more is drifted above
    1,000 values. `importance`: the model's, all columns together 1.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    drifted: bool = False
    level: Level = "none"
    effect: float = 0.0
    decided_by: str = ""
    findings: list[str] = []
    ks: float | None = None
    chi2: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    test: str = ""
    wasserstein: float | None = None
    wasserstein_raw: float | None = None
    js: float | None = None
    psi: float | None = None
    missing_reference: float = 0.0
    missing_current: float = 0.0
    outside: float = 0.0
    new_levels: list[str] = []
    vanished_levels: list[str] = []
    mean_reference: float | None = None
    mean_current: float | None = None
    importance: float | None = None
    since: str | None = None
    histogram: Histogram | None = None
    error: ErrorBound | None = None


class Multivariate(BaseModel):
    """A classifier that tells the data sets apart: AUC on rows it has not seen, 0.5 if it cannot.

    `low`, `high`: 95% interval. `columns`: what it tells them apart by, the most telling first. `rows`: of each side.
    """

    model_config = ConfigDict(frozen=True)

    auc: float
    low: float
    high: float
    level: Level
    rows: int
    columns: list[str] = []

    @property
    def drifted(self) -> bool:
        return self.level != "none"


class Window(BaseModel):
    """A stretch of the current data by its time column; `start` and `end` (exclusive) are ISO times."""

    model_config = ConfigDict(frozen=True)

    start: str
    end: str
    rows: int
    verdict: Verdict
    drifted_share: float
    drifted: list[str]


class DriftResult(ToolResult):
    """How the current data differ from the reference. `columns`: those that both have, the worst first.

    `weighted_share`: of drifted columns, weighted by the model's importances if `weighted`; equal to `drifted_share`
    otherwise. `renamed`: reference name -> current name. `since`: start of the first window from which on the verdict
    stays; None without windows.
    """

    reference: str
    current: str
    method: Literal["exact", "profile"]
    rows_reference: int
    rows_current: int
    verdict: Verdict
    recommendation: str
    drifted_share: float
    weighted_share: float
    weighted: bool = False
    columns: dict[str, ColumnDrift]
    findings: list[str] = Field(default_factory=list, description="Of the data set as a whole")
    missing_columns: list[str] = Field(default_factory=list)
    added_columns: list[str] = Field(default_factory=list)
    renamed: dict[str, str] = Field(default_factory=dict)
    multivariate: Multivariate | None = None
    windows: list[Window] = Field(default_factory=list)
    since: str | None = None
    seconds: float = 0.0

    @property
    def drifted(self) -> list[str]:
        """Names of the drifted columns, the worst first."""
        return [c.name for c in self.columns.values() if c.drifted]

    def brief(self) -> str:
        worst = [c for c in self.columns.values() if c.drifted]
        first = (
            f"{_WORDS[self.verdict]}: {self.current} ({self.rows_current:,} rows) against {self.reference} "
            f"({self.rows_reference:,} rows). {len(worst)} of {len(self.columns)} columns drifted{self._weight()}."
        )
        lines = [first]
        lines += [f"- {c.name}: {'; '.join(c.findings[:2])[:200]}." for c in worst[:_TOLD]]
        if len(worst) > _TOLD:
            lines.append(f"- and {listed([c.name for c in worst[_TOLD:]], 3)}.")
        lines += self.findings[:3]
        if self.since:
            lines.append(f"Since {self.since}.")
        lines.append(f"Next: {self.recommendation}")
        return "\n".join(lines)

    def _weight(self) -> str:
        return f", {self.weighted_share:.0%} of what the model relies on" if self.weighted and self.drifted else ""

    @property
    def artifacts(self) -> list[Artifact]:
        names = ["column", "kind", "drift", "KS", "p", "Wasserstein (deviations)", "PSI", "JS", "missing before",
                 "missing now", "importance", "what changed"]  # fmt: skip
        rows = [
            [c.name, c.kind, c.level, c.ks, c.p_value, c.wasserstein, c.psi, c.js, c.missing_reference,
             c.missing_current, c.importance, "; ".join(c.findings)]
            for c in self.columns.values()
        ]  # fmt: skip
        tables: list[Artifact] = [Table(title=f"{self.current} against {self.reference}", columns=names, rows=rows)]
        if self.windows:
            windows = [[w.start, w.end, w.rows, w.verdict, w.drifted_share, ", ".join(w.drifted)] for w in self.windows]
            heads = ["from", "to", "rows", "verdict", "share drifted", "drifted columns"]
            tables.append(Table(title="Windows", columns=heads, rows=windows))
        return tables
