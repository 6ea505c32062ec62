"""One run of a watch, and one after the other on a schedule."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentkit.calls import CallContext, Services, guarded
from agentkit.errors import AgentkitError, Cancelled, StorageError, ThreadBusy
from agentkit.pages import is_page
from agentkit_drift.checks import Check, run_check, write_outputs
from agentkit_drift.reports.report import PICTURES
from agentkit_drift.result import DriftResult
from agentkit_drift.watching.config import WatchFile, question
from agentkit_drift.watching.history import History, Run
from agentkit_drift.watching.mlflow_log import log_run
from agentkit_drift.watching.notify import addressed, message, tell

KEPT_COLUMNS = 200
"""Of the columns that did not drift, how many the history keeps; all that drifted are kept."""

_NULL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

Say = Callable[[str], None]


class WatchBusy(AgentkitError):
    """Another process runs this watch at this moment."""


@dataclass
class Watcher:
    """A watch in this process. `say` hears, in sentences, what a person should know."""

    watch: WatchFile
    services: Services
    ctx: CallContext
    say: Say
    _history: History | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Raises SettingsError for a variable of the webhook that is not set: now, not when there is a change."""
        if self.watch.webhook is not None:
            addressed(self.watch.webhook)

    @property
    def history(self) -> History:
        if self._history is None:
            self._history = History(self.services.storage)
        return self._history

    def once(self) -> Run:
        """Check now, store the run, and tell of a change. A check that fails is a run, too: its state is `failed`.

        Raises WatchBusy if another process is at it, StorageError if the run cannot be stored, Cancelled.
        """
        with self._alone():
            history = self.history
            run, check = self._checked()
            stored = history.add(run, _kept(check), keep=self.watch.keep, tells=self._tells)
            if check is not None:
                self._write(check)
            self._catch_up()
        return history.run(stored.watch, stored.id)

    def go_on(self, ended: Callable[[Run], None]) -> None:
        """Run until it is cancelled, every `every_minutes` from now on; a run that takes longer skips the next ones.

        `ended` hears each finished run.
        """
        period = 60 * self.watch.every_minutes
        due = time.monotonic()
        while not self.ctx.cancelled.is_set():
            try:
                ended(self.once())
            except (WatchBusy, StorageError) as error:
                self.say(str(error))
            due += period * max(1, -(-(time.monotonic() - due) // period))
            self.ctx.cancelled.wait(max(0.0, due - time.monotonic()))

    @property
    def _tells(self) -> bool:
        return self.watch.webhook is not None or self.watch.command is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(self.services.storage.locks().held(f"agentkit_drift:{self.watch.name}"))
            except ThreadBusy as error:
                raise WatchBusy(
                    f"the watch {self.watch.name!r} is at work in another process; this run was left out."
                ) from error
            yield

    def _checked(self) -> tuple[Run, Check | None]:
        """The run, not stored yet. What is wrong with the data or the model is its error; a stop is none."""
        begun = datetime.now(UTC)
        run = Run(
            self.watch.name, begun, "failed", self.watch.reference, self.watch.current,
            log_owed=bool(self.watch.experiment),
        )  # fmt: skip
        try:
            asked = question(self.watch, self.services.settings.root)
            with guarded(self.services.settings, f"the check of {self.watch.name!r}", self.ctx.cancelled):
                check = run_check(asked, self.ctx)
        except Cancelled:
            raise
        except AgentkitError as error:
            return replace(run, error=str(error)), None
        found = check.drift
        return replace(
            run, state=check.verdict, current=found.current, rows=found.rows_current,
            drifted_share=found.drifted_share, weighted_share=found.weighted_share, drifted=found.drifted,
            recommendation=_recommendation(check),
        ), check  # fmt: skip

    def _write(self, check: Check) -> None:
        """The files that each run writes. One that cannot be written is said, and the run stays."""
        html, prometheus = (self._path(name) for name in (self.watch.html, self.watch.prometheus))
        if html is not None and html.exists() and not is_page(html):
            self.say(f"{str(html)!r} is no report of agentkit, and was not replaced. Give another name for html.")
            html = None
        try:
            write_outputs(check, html=html, prometheus=prometheus, labels={"watch": self.watch.name})
        except AgentkitError as error:
            self.say(str(error))

    def _path(self, name: str | None) -> Path | None:
        return None if name is None else self.services.settings.root / Path(name).expanduser()

    def _catch_up(self) -> None:
        """Do what is owed, of this run and of those that died before they could."""
        history = self.history
        for run in history.unlogged(self.watch.name) if self.watch.experiment else ():
            result = history.result(run)
            check = Check.from_json(result, run.watch) if result else None
            try:
                history.logged(run, log_run(self.ctx, self.watch.experiment, run, check))
            except AgentkitError as error:
                self.say(f"MLflow did not take run {run.id}; the next run tries again. {error}")
                break
        owed = history.owed(self.watch.name)
        if owed is not None and self._tells:
            wrong = tell(self.watch, message(owed, self.watch.html), self.services.settings.root, self._pause)
            for problem in wrong:
                self.say(str(problem))
            if not wrong:
                history.told(owed)

    def _pause(self, seconds: float) -> None:
        if self.ctx.cancelled.wait(seconds):
            raise Cancelled("the watch was stopped.")


def _recommendation(check: Check) -> str:
    """That of the graver part; of the columns if both are alike."""
    found = check.predictions
    if found is not None and found.verdict == check.verdict != check.drift.verdict:
        return found.recommendation
    return check.drift.recommendation


def _kept(check: Check | None) -> dict[str, Any] | None:
    """A result as the history keeps it: without the columns that least changed, and as JSON of Postgres."""
    if check is None:
        return None
    columns = {
        name: column if number < PICTURES else column.model_copy(update={"histogram": None})
        for number, (name, column) in enumerate(check.drift.columns.items())
        if column.drifted or number < KEPT_COLUMNS
    }
    small: DriftResult = check.drift.model_copy(update={"columns": columns})
    parts = {
        "verdict": json.dumps(check.verdict),
        "drift": small.model_dump_json(),
        "predictions": check.predictions.model_dump_json() if check.predictions else "null",
    }
    made: dict[str, Any] = {name: json.loads(_NULL.sub(r"\1", text)) for name, text in parts.items()}
    return made
