"""How much one statement may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """`seconds` covers running and fetching. `bytes` of the whole result, `cell` characters or bytes of one value.

    What exceeds `rows`, `bytes` or `cell` is cut and told; what exceeds `seconds` or `memory` (MiB, where the engine
    can bound it) fails.
    """

    rows: int = 10_000
    bytes: int = 16 << 20
    cell: int = 64 << 10
    seconds: float = 30.0
    memory: int = 512
