"""The table `[rag]` of agentkit.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec


class RagSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`store`: where collections live. `largest_file`: megabytes of a file that is read."""

    store: str = "postgres"
    largest_file: Annotated[float, msgspec.Meta(gt=0)] = 50.0
