"""One line of JSON for each statement that was asked for, whether it ran or not: `logs/sql.jsonl` of the home."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from agentkit.errors import Cancelled, SqlRefused, SqlTimeout
from agentkit.redaction import redact
from agentkit.sqlguard.rows import Rows

Outcome = Literal["done", "closed", "refused", "failed", "timeout", "cancelled", "explained"]
FILE = "sql.jsonl"
_MOST = 4_000
"""Characters of a statement that are kept."""


class Audit:
    """The log of one home. A log that cannot be written stops nothing."""

    def __init__(self, home: Path) -> None:
        self._path = home / "logs" / FILE

    def ran(self, database: str, sql: str, rows: Rows) -> None:
        """A statement whose rows were read, or closed before their end, or broke off."""
        outcome: Outcome = _outcome_of(rows.error) if rows.error else "done" if rows.exhausted else "closed"
        told = {"rows": rows.count, "seconds": round(rows.seconds, 4), "cut": sorted(rows.cut)}
        self._write(database, sql, outcome, told)

    def explained(self, database: str, sql: str, seconds: float) -> None:
        """A statement whose plan was made; it did not run."""
        self._write(database, sql, "explained", {"seconds": round(seconds, 4)})

    def stopped(self, database: str, sql: str, error: BaseException) -> None:
        """A statement that was refused, or failed before its first row."""
        told: dict[str, Any] = {"error": str(error)[:500]}
        if isinstance(error, SqlRefused):
            told["rule"] = error.rule
        self._write(database, sql, _outcome_of(error), told)

    def _write(self, database: str, sql: str, outcome: Outcome, told: dict[str, Any]) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "process": os.getpid(),
            "database": redact(database), "outcome": outcome, "sql": redact(sql[:_MOST]), **told,
        }  # fmt: skip
        text = redact(json.dumps(line, ensure_ascii=False)) + "\n"
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # one write of a line that is appended is whole, whoever else writes
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, text.encode("utf-8", "replace"))
            finally:
                os.close(descriptor)


def _outcome_of(error: BaseException) -> Outcome:
    """How a statement ended that raised this."""
    if isinstance(error, SqlRefused):
        return "refused"
    if isinstance(error, SqlTimeout):
        return "timeout"
    stopped = isinstance(error, Cancelled) or not isinstance(error, Exception)
    return "cancelled" if stopped else "failed"
