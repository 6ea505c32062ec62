"""What speaks for a column's drift: measures against their thresholds, each with the p-value that goes with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from agentkit_drift.result import ColumnDrift

_LARGEST = 1e6
_LN2 = math.log(2)


@dataclass(frozen=True)
class Evidence:
    """A measure of a column as a multiple of its `moderate` and `strong` threshold; `p`: its chance if nothing changed.

    `p` None: needs no test. `small`: there are so few values that p alone decides.
    """

    measure: str
    moderate: float
    strong: float
    p: float | None = None
    small: bool = False


@dataclass
class Compared:
    """A column before it is judged: what `ColumnDrift` will tell of it, and the evidence."""

    name: str
    told: dict[str, Any] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def result(self, **verdict: Any) -> ColumnDrift:
        """The column as the result has it."""
        return ColumnDrift(name=self.name, findings=self.findings, **self.told, **verdict)


def weighed(measure: str, value: float, limits: dict[str, float], p: float | None, small: bool) -> Evidence:
    """A value against its thresholds."""
    moderate, strong = (min(value / limits[level], _LARGEST) for level in ("moderate", "strong"))
    return Evidence(measure, moderate, strong, p, small)


def beyond_chance(js: float, chance: float) -> float:
    """The distance without what chance alone makes: its square is about the stability index over 8 (in bits)."""
    return math.sqrt(max(js * js - chance / (8 * _LN2), 0.0))


def percent(share: float) -> str:
    """A share in per cent, with a digit where it is small."""
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}"


def short(value: float) -> str:
    """Four digits, but never an exponent for a large number."""
    return f"{value:.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def finite(value: float | None) -> float | None:
    """The value, None for infinity and NaN."""
    return value if value is not None and abs(value) < float("inf") else None
