"""A conversation with a database: questions, questions that go on from them, and SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from agentkit.cli.common import keep_history
from agentkit.errors import AgentkitError, BadInput, Cancelled
from agentkit_sql.commands.showing import Format, aligned, counted, show
from agentkit_sql.typed import statement

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer
    from agentkit_sql.card.meaning import Example
    from agentkit_sql.commands.session import Session

HELP = """Ask in words, or type a SELECT. A question can go on from the one before: "and by month?"
  /sql              the last statement
  /tables [NAME]    the tables, or the columns of one
  /keep [QUESTION]  keep the last answer as an example for questions like it
  /export FILE      write all rows of the last answer to FILE.csv or FILE.parquet
  /new              forget what was asked before
  /help             this; a line that ends with \\ goes on in the next one
  /exit             end"""

_GOES_ON = re.compile(
    r"\W*(and|but|or|only|just|now|then|also|instead|same|again|without|except|what about|how about|by|per|und|et|y)\b"
    r"|.*\b(them|those|these|they|that one|the same|of it|instead|again)\b",
    re.IGNORECASE | re.DOTALL,
)


def goes_on(question: str) -> bool:
    """Whether a question cannot be understood without the one before: 'and by month?', 'only those in Bern'."""
    return _GOES_ON.match(question) is not None


def converse(session: Session, form: Format, *, show_sql: bool, steps: bool) -> int:
    """Read and answer until /exit or the end of input. An error or Ctrl-C ends a question, not the session."""
    keep_history(session.services.settings.home / "sql_history")
    database = session.database
    click.echo(f"{database.name} ({database.dialect}). /help shows what can be typed, /exit ends.", err=True)
    talk = Talk(session, form, show_sql=show_sql, steps=steps)
    while True:
        try:
            said = _typed()
        except EOFError:
            click.echo()
            return 0
        except KeyboardInterrupt:
            click.echo("\n(/exit ends)", err=True)
            continue
        if said in ("/exit", "/quit"):
            return 0
        try:
            talk.turn(said)
        except (KeyboardInterrupt, Cancelled):
            click.echo("\n(stopped)", err=True)
        except AgentkitError as error:
            click.echo(f"agentkit: {error}", err=True)


def _typed() -> str:
    """What a person says; a line that ends with a backslash goes on in the next one."""
    said = input("\nsql> ").strip()
    while said.endswith("\\"):
        said = f"{said[:-1].rstrip()}\n{input('...> ')}".strip()
    return said


class Talk:
    """What was asked last, and what is done with it."""

    def __init__(self, session: Session, form: Format, *, show_sql: bool, steps: bool) -> None:
        self._session = session
        self._form = form
        self._show_sql = show_sql
        self._steps = steps
        self._last: SqlAnswer | None = None
        self._question = ""
        self._commands: dict[str, Callable[[str], None]] = {
            "/sql": self._sql, "/tables": self._tables, "/keep": self._keep, "/export": self._export,
            "/new": self._new, "/help": lambda _: click.echo(HELP),
        }  # fmt: skip

    def turn(self, said: str) -> None:
        """One line of a person: a command, a question or a statement."""
        if said.startswith("/"):
            name, _, rest = said.partition(" ")
            command = self._commands.get(name)
            if command is None:
                raise BadInput(f"there is no command {name!r}. /help shows them.")
            command(rest.strip())
        elif said:
            self._answer(said)

    def _answer(self, said: str) -> None:
        answer = self._session.answer(said, self._earlier(said))
        self._last, self._question = answer, "" if answer.sql == statement(said) else said
        home = self._session.services.settings.home
        show(answer, self._form, home, sql=self._show_sql, steps=self._steps)
        if answer.suggestions:
            click.secho(f"Ask next: {' / '.join(answer.suggestions)}", err=True, dim=True)

    def _earlier(self, said: str) -> list[Example]:
        from agentkit_sql.card.meaning import Example

        if self._last is None or not goes_on(said):
            return []
        return [Example(self._question or "(typed as SQL)", self._last.sql)]

    def _answered(self) -> SqlAnswer:
        if self._last is None:
            raise BadInput("nothing was asked yet.")
        return self._last

    def _sql(self, _rest: str) -> None:
        click.echo(self._answered().sql)

    def _tables(self, name: str) -> None:
        from agentkit_sql.listing import columns_of, tables_of

        database = self._session.database
        told = columns_of(database, name) if name else tables_of(database)
        click.echo("\n".join(aligned(told.columns, told.rows, missing="")))

    def _keep(self, rest: str) -> None:
        from agentkit_sql.keeping import keep_verified

        answer = self._answered()
        question = rest or self._question
        if not question:
            raise BadInput("the statement was typed as SQL: say which question it answers, `/keep QUESTION`.")
        kept = keep_verified(self._session.database, question, answer.sql, self._session.services.settings)
        click.echo(f"{'kept in' if kept.new else 'is already in'} {kept.file.name}", err=True)

    def _export(self, name: str) -> None:
        from agentkit_sql.export import SUFFIXES, export, export_limits
        from agentkit_sql.outputs import output_file

        answer = self._answered()
        if not name:
            raise BadInput("say where to: `/export FILE.csv` or `/export FILE.parquet`.")
        path = output_file(name, SUFFIXES, force=False)
        done = export(self._session.database.run(answer.sql, export_limits(self._session.limits)), path)
        click.echo(f"{counted(done.rows)} in {path}", err=True)

    def _new(self, _rest: str) -> None:
        self._last, self._question = None, ""
