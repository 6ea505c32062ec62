"""`SqlAnswer`: what run_sql and query_database give back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from agentkit.results import Artifact, Table, ToolResult

FigureKind = Literal["bar", "line", "none"]
_BRIEF_ROWS, _BRIEF_ROOM, _BRIEF_CELL = 12, 700, 60
_MOST_BARS = 40


class SqlAnswer(ToolResult):
    """A statement, its rows, and how it came about.

    `table` holds all rows, or the first ones if there are many: then `table.handle` names the whole. `row_count` is the
    number of all rows that were fetched; `truncated` says that a limit cut rows or values off, `cut` which limit.
    `figure` is the picture that suits the result. `steps` tells how the statement came about.
    """

    sql: str
    database: str
    table: Table
    types: list[str] = Field(default_factory=list)
    explanation: str = ""
    assumptions: list[str] = Field(default_factory=list)
    row_count: int = 0
    seconds: float = 0.0
    truncated: bool = False
    cut: list[str] = Field(default_factory=list)
    figure: FigureKind = "none"
    suggestions: list[str] = Field(default_factory=list)
    steps: list[str] = Field(default_factory=list)

    def brief(self) -> str:
        # a small model passes on what stands first
        lines = [f"Assumed: {a}." for a in self.assumptions[:3]]
        lines += [self.explanation] if self.explanation else []
        lines += self._result()
        if self.truncated:
            lines.append(f"Cut by a limit ({', '.join(self.cut)}): ask for less, or aggregate.")
        if self.table.handle:
            lines.append(f"All rows: {self.table.handle}")
        if len(self.sql) <= 300:
            lines.append(f"SQL: {' '.join(self.sql.split())}")
        return "\n".join(lines)

    def _result(self) -> list[str]:
        """One value as `name: value`; rows as lines under their header, as many as there is room for."""
        if not self.table.rows:
            return ["No rows."]
        if len(self.table.rows) == 1 and self.row_count <= 1:
            pairs = zip(self.table.columns, self.table.rows[0], strict=True)
            told = "; ".join(f"{name}: {self._shown(value)}{self._unit(name)}" for name, value in pairs)
            return [told if len(told) <= _BRIEF_ROOM else told[: _BRIEF_ROOM - 3] + "..."]
        header = " | ".join(f"{name}{self._unit(name)}" for name in self.table.columns)
        lines, room = [f"{self.row_count} rows. {header}"[:_BRIEF_ROOM]], _BRIEF_ROOM - len(header)
        for row in self.table.rows[:_BRIEF_ROWS]:
            line = " | ".join(self._shown(value) for value in row)
            if len(line) > room:
                break
            lines.append(line)
            room -= len(line)
        if len(lines) - 1 < self.row_count:
            lines.append(f"and {self.row_count - len(lines) + 1} more rows")
        return lines

    def _unit(self, column: str) -> str:
        unit = self.table.units.get(column)
        return f" ({unit})" if unit else ""

    @staticmethod
    def _shown(value: Any) -> str:
        if value is None:
            return "missing"
        text = f"{value:.6g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)
        text = " ".join(text.split())
        return text if len(text) <= _BRIEF_CELL else text[: _BRIEF_CELL - 3] + "..."

    @property
    def artifacts(self) -> list[Artifact]:
        return [self.table]


def suits(types: list[str], rows: list[list[Any]]) -> FigureKind:
    """The picture for a result: a line over dates, bars over few names, none for anything else."""
    if len(types) < 2 or len(rows) < 2:
        return "none"
    first = [row[0] for row in rows]
    numeric = all(isinstance(row[-1], (int, float)) or row[-1] is None for row in rows)
    if not numeric or len(set(map(str, first))) < len(first):
        return "none"
    kind = types[0].lower()
    if kind.startswith(("date", "timestamp")) or all(isinstance(v, str) and moment(v) for v in first):
        return "line"
    return "bar" if len(rows) <= _MOST_BARS and all(isinstance(v, str) for v in first) else "none"


def moment(value: Any) -> datetime | None:
    """A date, a month `2024-03` or an instant, without its zone; None for what is none: missing, 'infinity'."""
    text = str(value)
    try:
        return datetime.fromisoformat(text if len(text) > 7 else f"{text}-01").replace(tzinfo=None)
    except ValueError:
        return None
