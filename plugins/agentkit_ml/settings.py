"""The table `[ml]` of agentkit.toml."""

from __future__ import annotations

import msgspec


class MLSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`budget_seconds`: how long `train` may search and fit unless the call says otherwise."""

    budget_seconds: float = 60
