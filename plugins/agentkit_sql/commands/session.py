"""From what a person typed to an answer, with one database and one model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentkit.cli.common import ProgressLine, plugins, settings
from agentkit_sql.typed import is_sql, statement

if TYPE_CHECKING:
    from agentkit.calls import Services
    from agentkit.databases import Database
    from agentkit.sqlguard.limits import Limits
    from agentkit_sql.answer import SqlAnswer
    from agentkit_sql.card.meaning import Example


@contextmanager
def services(model: str | None = None) -> Iterator[Services]:
    """What the commands of the current folder work with."""
    from agentkit.calls import Services

    with closing(Services(settings(), model=model, plugins=plugins())) as opened:
        yield opened


@contextmanager
def interruptible(opened: Services, what: str) -> Iterator[None]:
    """Ctrl-C stops the statement or the model, and nothing unexpected leaves as a bare exception."""
    from agentkit.calls import guarded

    with guarded(opened.settings, what, threading.Event()):
        yield


@dataclass
class Session:
    """Questions and statements to one database. `db`: a name, URL or file, None for the only one."""

    services: Services
    db: str | None = None
    limit: int | None = None
    today: str | None = None
    dry: bool = False
    progress: ProgressLine = field(default_factory=ProgressLine)
    _asked: bool = False

    @property
    def database(self) -> Database:
        return self.services.databases.open(self.db)

    @property
    def limits(self) -> Limits:
        return self.services.databases.limits(self.db, self.limit)

    def answer(self, text: str, earlier: Sequence[Example] = ()) -> SqlAnswer:
        """Run a statement, or answer a question in words. `earlier`: what the question goes on from."""
        with interruptible(self.services, "the question"):
            try:
                if is_sql(text, self.database.schema()):
                    return self.run(text)
                return self._ask(text, earlier)
            finally:
                self.progress.clear()

    def run(self, sql: str) -> SqlAnswer:
        """The rows of a statement, all fetched before anything is shown."""
        from agentkit_sql.collect import answered, planned

        shown = statement(sql)
        if self.dry:
            return planned(self.database, sql, shown)
        return answered(self.database.run(sql, self.limits), shown, self.database.name, self.services.settings.home)

    def plan(self, answer: SqlAnswer) -> str:
        """The database's plan of an answer's statement."""
        with interruptible(self.services, "the plan"):
            return self.database.explain(answer.sql)

    def _ask(self, question: str, earlier: Sequence[Example]) -> SqlAnswer:
        from agentkit_sql.asking.ask import Asking, ask
        from agentkit_sql.asking.settings import sql_settings, stated_day

        self._offer_model()
        options = sql_settings(self.services.settings)
        asking = Asking(
            self.database, self.services.model, self.services.prompts, self.services.settings, options,
            limits=self.limits, today=stated_day(self.today or options.today), dry=self.dry,
            progress=self.progress.tell,
        )  # fmt: skip
        return ask(question, asking, earlier)

    def _offer_model(self) -> None:
        """On a terminal a person is asked whether to fetch the embedded model, if it is needed and not here."""
        if self._asked or not sys.stdin.isatty():
            return
        from agentkit.cli.models import offer_embedded

        self._asked = True
        offer_embedded(self.services)
