"""An answer as people and programs read it: aligned, Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer

Format = Literal["table", "csv", "json", "markdown"]
FORMATS = ("table", "csv", "json", "markdown")
_CELL = 80


def show(
    answer: SqlAnswer, form: Format, home: Path, *, sql: bool = False, plan: str = "", steps: bool = False
) -> None:
    """Print an answer: with csv and json the data alone on stdout, what is said about it on stderr."""
    data = form in ("csv", "json")
    ran = bool(answer.table.columns)
    before = [answer.explanation] if answer.explanation else []
    if sql or not ran:
        before.append(_block(answer.sql, "sql", form))
    if before:
        click.echo("\n\n".join(before) + ("\n" if ran else ""), err=data)
    if ran:
        _show_rows(answer, form, home)
    for line in about(answer):
        click.echo(line, err=data)
    # that the first draft worked is no news
    for step in answer.steps if steps or len(answer.steps) > 1 else ():
        click.echo(f"How: {step}", err=data)
    if plan:
        click.echo("\n" + _block(plan, "", form), err=data)


def about(answer: SqlAnswer) -> Iterator[str]:
    """What a reader must know beside the rows."""
    yield from (f"Assumed: {a}" for a in answer.assumptions)
    yield from (f"Note: {n}" for n in answer.notes)
    if answer.truncated:
        yield (
            f"Cut by a limit ({', '.join(answer.cut)}): there is more than this. Aggregate, or write all of it to a "
            "file: `agentkit db export`."
        )


def _show_rows(answer: SqlAnswer, form: Format, home: Path) -> None:
    if form == "csv":
        _copy_csv(answer, home)
    elif form == "json":
        _write_json(answer, home)
    else:
        table = answer.table
        heads = [f"{c} ({table.units[c]})" if c in table.units else c for c in table.columns]
        lines = markdown(heads, table.rows) if form == "markdown" else aligned(heads, table.rows)
        click.echo("\n".join(lines) + "\n")
        click.echo(_how_many(answer))


def counted(number: int, noun: str = "row") -> str:
    """`1 row`, `1,234 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _how_many(answer: SqlAnswer) -> str:
    shown = len(answer.table.rows)
    count = f"{counted(answer.row_count)} in {answer.seconds:.2g} s"
    if shown == answer.row_count:
        return count
    return f"{count}, the first {shown} shown; all: agentkit db export {answer.table.handle} out.csv"


def aligned(columns: Sequence[str], rows: Sequence[Sequence[Any]], missing: str = "NULL") -> list[str]:
    """Lines under a heading, numbers to the right; long cells are cut. `missing` stands for None."""
    cells = [[missing if v is None else cell(v) for v in row] for row in rows]
    heads = [cell(c) for c in columns]
    widths = [max([len(h), *(len(row[i]) for row in cells)]) for i, h in enumerate(heads)]
    right = [_is_figure([row[i] for row in rows]) for i in range(len(heads))]
    rule = "  ".join("-" * w for w in widths)
    return [_line(heads, widths, right), rule, *(_line(row, widths, right) for row in cells)]


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    told = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
    return "  ".join(told).rstrip()


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A table as Markdown has it."""
    right = [_is_figure([row[i] for row in rows]) for i in range(len(columns))]
    heads = " | ".join(_escaped(c) for c in columns)
    return [
        f"| {heads} |",
        f"| {' | '.join('---:' if r else '---' for r in right)} |",
        *(f"| {' | '.join(_escaped(v) for v in row)} |" for row in rows),
    ]


def _escaped(value: Any) -> str:
    return cell(value, 10_000).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _is_figure(values: Sequence[Any]) -> bool:
    there = [v for v in values if v is not None]
    return bool(there) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in there)


def cell(value: Any, longest: int = _CELL) -> str:
    """A value in one line. What a terminal would take for a command becomes a space."""
    if value is None:
        return "NULL"
    text = f"{value:.12g}" if isinstance(value, float) else _text(value)
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


def _copy_csv(answer: SqlAnswer, home: Path) -> None:
    from agentkit.cells import csv_cell
    from agentkit.stored_tables import stored

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not answer.table.handle:
        writer.writerow(answer.table.columns)
        writer.writerows([csv_cell(v) for v in row] for row in answer.table.rows)
        return
    with stored(home, answer.table.handle).open(encoding="utf-8", newline="") as whole:
        writer.writerows(csv.reader(whole))


def _write_json(answer: SqlAnswer, home: Path) -> None:
    """A list of objects, one a line, so that a big result need not be held as a whole."""
    before = "["
    for row in _typed_rows(answer, home):
        record = dict(zip(answer.table.columns, row, strict=True))
        click.echo(f"{before}\n  {json.dumps(record, ensure_ascii=False, default=str)}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def _typed_rows(answer: SqlAnswer, home: Path) -> Iterator[Sequence[Any]]:
    """All rows. Those of a stored table are texts, and get their types back."""
    from agentkit.stored_tables import stored

    if not answer.table.handle:
        yield from answer.table.rows
        return
    kinds = [_kind(t) for t in answer.types]
    with stored(home, answer.table.handle).open(encoding="utf-8", newline="") as whole:
        rows = csv.reader(whole)
        next(rows)
        for row in rows:
            yield [_typed(text, kind) for text, kind in zip(row, kinds, strict=True)]


def _kind(declared: str) -> str:
    low = declared.lower()
    if low.startswith("bool"):
        return "truth"
    numbers = ("int", "real", "numeric", "decimal", "double", "float", "bigint", "smallint", "tinyint", "hugeint")
    return "number" if low.startswith(numbers) or (low.startswith("u") and "int" in low) else "text"


def _typed(text: str, kind: str) -> Any:
    if text == "":
        return None
    if kind == "truth":
        return {"true": True, "false": False}.get(text, text)
    if kind == "number":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _block(text: str, language: str, form: Format) -> str:
    return f"```{language}\n{text}\n```" if form == "markdown" else text
