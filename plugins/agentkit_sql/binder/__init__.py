"""Repairs of SQL that need no model: what a schema shows to be wrong, and can be right in one way only."""

from agentkit_sql.binder.bind import Bound, bind

__all__ = ["Bound", "bind"]
