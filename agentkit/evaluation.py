"""Evaluations: conversations with an agent, and what has to happen in them.

A suite is a folder with `suite.yaml`, cases in JSON Lines, and files that each case finds in a fresh workspace.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agentkit.errors import AgentkitError, EvaluationError
from agentkit.figures import tells_figure
from agentkit.settings import load_settings

if TYPE_CHECKING:
    from agentkit.runs import Reply

ANY = "*"
"""An expected argument that may have any value."""


class Expected(BaseModel):
    """A call that must succeed; arguments that are not named may be anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    args: dict[str, Any] = {}


class Turn(BaseModel):
    """What is said, and what must come of it.

    `calls`: these, in this order, others between them allowed; an empty list allows none at all. `never`: tools that
    must not succeed. `text`: a regular expression that the answer matches. `figure`: the answer has a number of the
    last result. `rows`: rows of the files that were asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    calls: tuple[Expected, ...] | None = None
    never: tuple[str, ...] = ()
    text: str = ""
    figure: bool = False
    rows: dict[str, int] = {}


class Case(BaseModel):
    """One conversation. `about` groups cases in the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    about: str
    turns: tuple[Turn, ...]


class Suite(BaseModel):
    """A suite as `suite.yaml` tells it: `cases` are files of JSON Lines, `files` a folder, both beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    cases: tuple[str, ...]
    files: str


class CaseResult(BaseModel):
    """How a case went. `why` is '' if it passed; `log` has what was said, called and answered in each turn."""

    id: str
    about: str
    model: str
    why: str
    seconds: float
    log: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        return not self.why


def load_suite(folder: Path) -> tuple[Suite, list[Case]]:
    """The suite and its cases. Raises EvaluationError that names file and line."""
    import yaml

    file = folder / "suite.yaml"
    try:
        suite = Suite.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise EvaluationError(f"there is no suite in {str(folder)!r}: it needs a suite.yaml.") from error
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{file}: {_reason(error)}") from error
    cases = [case for name in suite.cases for case in _read_cases(folder / name)]
    doubled = {c.id for c in cases if [x.id for x in cases].count(c.id) > 1}
    if doubled:
        raise EvaluationError(f"{folder}: the id {doubled.pop()!r} is used twice.")
    if not (folder / suite.files).is_dir():
        raise EvaluationError(f"{file}: there is no folder {suite.files!r} beside it.")
    return suite, cases


def run_case(case: Case, files: Path, model: str | None = None) -> CaseResult:
    """Hold the conversation in a fresh workspace and home, with every call approved."""
    from agentkit.agent import Agent

    started = time.perf_counter()
    log: list[dict[str, Any]] = []
    why, name = "", model or ""
    with tempfile.TemporaryDirectory(prefix="agentkit-eval-", ignore_cleanup_errors=True) as place:
        workspace = Path(place) / "workspace"
        shutil.copytree(files, workspace)
        with Agent(model, settings=load_settings(workspace, home=Path(place) / "home")) as agent:
            name = agent.services.model_name
            thread: str | None = None
            for turn in case.turns:
                try:
                    reply = agent.ask(turn.ask, thread=thread, yes=True)
                except AgentkitError as error:
                    why = f"{turn.ask!r}: {error}"
                    break
                thread = reply.thread_id
                log.append({"ask": turn.ask, "text": reply.text, "calls": [c.as_json() for c in reply.tool_calls]})
                if problem := judge(turn, reply, workspace):
                    why = f"{turn.ask!r}: {problem}"
                    break
    seconds = round(time.perf_counter() - started, 1)
    return CaseResult(id=case.id, about=case.about, model=name, why=why, seconds=seconds, log=log)


def judge(turn: Turn, reply: Reply, workspace: Path) -> str:
    """What is wrong with the reply, '' if nothing is."""
    done = [c for c in reply.tool_calls if c.status == "success"]
    if turn.calls is not None and not turn.calls and reply.tool_calls:
        return f"no call was needed, but {reply.tool_calls[0].name} was called"
    rest = iter(done)
    for expected in turn.calls or ():
        if not any(c.name == expected.tool and _fits(expected.args, c.args) for c in rest):
            return f"no call of {expected.tool} with {expected.args}"
    if wrong := [c.name for c in done if c.name in turn.never]:
        return f"{wrong[0]} was called"
    if turn.text and not re.search(turn.text, reply.text, re.IGNORECASE | re.DOTALL):
        return f"the answer lacks /{turn.text}/"
    if turn.figure and not (done and tells_figure(reply.text, done[-1].result)):
        return "the answer has no figure of the last result"
    return "; ".join(filter(None, (_wrong_rows(workspace / name, rows) for name, rows in turn.rows.items())))


def _fits(expected: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    return all(name in given and _same(value, given[name]) for name, value in expected.items())


def _same(expected: Any, given: Any) -> bool:
    if isinstance(expected, list):
        return any(_same(one, given) for one in expected)
    if isinstance(expected, str) and isinstance(given, str):
        return expected == ANY or expected.casefold() == given.casefold().strip().removeprefix("./")
    return expected == ANY or bool(expected == given)


def _wrong_rows(file: Path, rows: int) -> str:
    if not file.is_file():
        return f"{file.name} was not written"
    found = len(file.read_text(encoding="utf-8").splitlines()) - 1
    return "" if found == rows else f"{file.name} has {found} rows, not {rows}"


def _read_cases(file: Path) -> Iterator[Case]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Case.model_validate_json(line)
            except ValidationError as error:
                raise EvaluationError(f"{file}, line {number}: {_reason(error)}") from error


def shares(results: Sequence[CaseResult]) -> dict[str, tuple[int, int]]:
    """`about` -> (passed, all), and `all` last."""
    groups = dict.fromkeys(sorted({r.about for r in results}))
    table = {g: (sum(r.passed for r in results if r.about == g), sum(r.about == g for r in results)) for g in groups}
    return table | {"all": (sum(r.passed for r in results), len(results))}


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
    return " ".join(str(error).split())
