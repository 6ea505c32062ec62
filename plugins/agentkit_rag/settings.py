"""The table `[rag]` of agentkit.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec


class RagSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`store`: where collections live. `largest_file`: megabytes of a file that is read.

    `ef_search`: candidates that a search keeps in the HNSW index; more of them find more and take longer.
    """

    store: str = "postgres"
    largest_file: Annotated[float, msgspec.Meta(gt=0)] = 50.0
    ef_search: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 100
