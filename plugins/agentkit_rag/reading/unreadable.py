"""Why a file cannot be indexed."""

from __future__ import annotations

from agentkit.errors import BadInput


class Unreadable(BadInput):
    """A file has no text that can be read; the message is the reason, without the file's name."""
