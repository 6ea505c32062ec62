"""How often questions in words are answered right, how long it takes, and what each step is worth.

    python evals/bench_sql.py                                  # own questions on own tables (evals/sql), embedded model
    python evals/bench_sql.py --ablation                       # once with every step, then once without each
    python evals/bench_sql.py --without votes,feedback
    python evals/bench_sql.py --questions FILE --url postgresql://USER@HOST/   # questions on databases of that server

A question is a JSON line of id, db, question and gold; `instructions`, `today` and `ordered` are optional. Gold
alternatives are separated by `;`, `{a,b}` stands for any of these columns, '' for a question that cannot be answered.
An answer is right if every gold column is, by content, a column of the result and the rows agree. What the model said
is remembered in a file, so that a second run asks it only what is new; seconds are those of the first time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from agentkit_sql.asking.ask import Asking, ask, without
from agentkit_sql.asking.settings import Steps, sql_settings

from agentkit import Agent
from agentkit.databases import Database
from agentkit.errors import AgentkitError

HERE = Path(__file__).parent / "sql"
GROUPS = {
    "comments and values": ("comments", "values"),
    "constrained output": ("constrained",),
    "binder": ("binder",),
    "values as written": ("literals",),
    "completion": ("completion",),
    "examples": ("examples",),
    "feedback": ("feedback",),
    "votes": ("votes",),
}


@dataclass
class Said:
    """What a bound model answered."""

    text: str


@dataclass
class Remembering:
    """A chat model that is asked the same only once; `seconds` are what the answers took, remembered ones too."""

    model: Any
    file: Path | None
    known: dict[str, list[Any]] = field(default_factory=dict)
    seconds: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                key, *said = json.loads(line)
                self.known[key] = said

    @property
    def profile(self) -> Any:
        return self.model.profile

    def bind(self, **options: Any) -> Remembering:
        self.options = options
        return self

    def invoke(self, messages: Sequence[tuple[str, str]]) -> Said:
        key = json.dumps([list(map(list, messages)), self.options], ensure_ascii=False, sort_keys=True)
        if key not in self.known:
            start = time.perf_counter()
            text = self.model.bind(**self.options).invoke(list(messages)).text
            self.known[key] = [text, round(time.perf_counter() - start, 3)]
            if self.file is not None:
                with self.file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps([key, *self.known[key]], ensure_ascii=False) + "\n")
        text, seconds = self.known[key]
        self.seconds += seconds
        return Said(text)


def expanded(gold: str) -> list[str]:
    """The statements that a gold entry stands for."""
    found = []
    for statement in filter(None, map(str.strip, gold.split(";"))):
        columns = re.search(r"\{([^}]+)\}", statement)
        if not columns:
            found.append(statement)
            continue
        names = columns[1].split(",")
        for count in range(1, len(names) + 1):
            for chosen in itertools.combinations(names, count):
                listed = ", ".join(chosen)
                found.append(statement.replace(columns[0], listed, 1).replace("GROUP BY {}", f"GROUP BY {listed}"))
    return found


def agrees(gold: list[tuple[Any, ...]], rows: list[tuple[Any, ...]], *, ordered: bool) -> bool:
    """Whether columns of the result, chosen by content, are the gold result; repeated rows count once."""
    if not gold or not rows:
        return not gold and not rows
    wanted, have = (
        [[_cell(v) for v in c] for c in zip(*gold, strict=True)],
        [[_cell(v) for v in c] for c in zip(*rows, strict=True)],
    )
    choices = [[i for i, c in enumerate(have) if set(c) == set(w)] for w in wanted]
    for chosen in itertools.islice(itertools.product(*choices), 200):
        if len(set(chosen)) < len(chosen):
            continue
        mine, theirs = list(zip(*(have[i] for i in chosen), strict=True)), list(zip(*wanted, strict=True))
        if ordered and list(dict.fromkeys(mine)) == list(dict.fromkeys(theirs)):
            return True
        if not ordered and set(mine) == set(theirs):
            return True
    return False


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    try:
        return f"{float(value):.6g}"
    except (TypeError, ValueError):
        return str(value).removesuffix(" 00:00:00").removesuffix("T00:00:00")


def databases(folder: Path, into: Path) -> Iterator[tuple[str, str]]:
    """SQLite files of the scripts of a folder: name and URL."""
    for script in sorted(folder.glob("*.sql")):
        file = into / f"{script.stem}.db"
        connection = sqlite3.connect(file)
        connection.executescript(script.read_text(encoding="utf-8"))
        connection.close()
        yield script.stem, f"sqlite:///{file}"


def answered(item: dict[str, Any], database: Database, asking: Asking) -> dict[str, Any]:
    """One question: what was said, whether it ran, and whether it is right."""
    question = item["question"] + (f"\nInstructions: {item['instructions']}" if item.get("instructions") else "")
    row: dict[str, Any] = {"id": item["id"], "valid": False, "correct": False, "sql": "", "error": ""}
    try:
        answer = ask(question, asking)
    except AgentkitError as error:
        return row | {"error": str(error)[:200], "correct": item["gold"] == "", "valid": item["gold"] == ""}
    row |= {"sql": answer.sql, "valid": True, "steps": answer.steps}
    if item["gold"] == "":
        return row | {"correct": not answer.table.rows or any("nothing in" in a for a in answer.assumptions)}
    ordered = bool(item.get("ordered")) or bool(re.search(r"\b(order|sort|arrange)", item["question"], re.IGNORECASE))
    rows = list(database.run(answer.sql))
    for gold in expanded(item["gold"]):
        if agrees([tuple(r) for r in database.run(gold)], [tuple(r) for r in rows], ordered=ordered):
            return row | {"correct": True}
    return row


def run(items: list[dict[str, Any]], urls: dict[str, str], agent: Agent, steps: Steps, model: Remembering) -> list[Any]:
    """All questions under these steps; prints one line each."""
    services, rows = agent.services, []
    for item in items:
        database = services.databases.open(urls[item["db"]])
        stated = date.fromisoformat(item["today"]) if item.get("today") else None
        options = sql_settings(agent.settings)
        asking = Asking(database, model, services.prompts, agent.settings, options, steps, today=stated)  # type: ignore[arg-type]
        before, start = model.seconds, time.perf_counter()
        row = answered(item, database, asking)
        row["seconds"] = round(max(time.perf_counter() - start, model.seconds - before), 2)
        rows.append(row)
        print(f"{'ok  ' if row['correct'] else 'FAIL'} {row['id']} {row['seconds']} {row['error'][:100]}", flush=True)
    return rows


def line(label: str, rows: list[dict[str, Any]]) -> str:
    count = Counter(k for row in rows for k in ("valid", "correct") if row[k])
    middle = statistics.median(row["seconds"] for row in rows)
    shares = " | ".join(f"{count[k] / len(rows):.1%}" for k in ("correct", "valid"))
    return f"| {label} | {shares} | {middle:.1f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, default=HERE / "questions.jsonl")
    parser.add_argument("--url", help="a server's URL; the questions' databases are those of the server")
    parser.add_argument("--model", help="provider:name; default: as everywhere")
    parser.add_argument("--without", default="", help=f"steps to leave out: {', '.join(Steps.__dataclass_fields__)}")
    parser.add_argument("--ablation", action="store_true", help="with every step, then without each in turn")
    parser.add_argument("--only", help="only the questions on this database")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--remember", type=Path, help="file of what the model said; it grows")
    parser.add_argument("--out", type=Path, help="JSON lines of all answers")
    given = parser.parse_args(arguments)
    items = [json.loads(text) for text in given.questions.read_text(encoding="utf-8").splitlines() if text.strip()]
    items = sorted((i for i in items if given.only in {None, i["db"]}), key=lambda i: (i["db"], i["id"]))[: given.limit]
    variants = {"every step": without(Steps(), *filter(None, given.without.split(",")))}
    if given.ablation:
        variants |= {f"without {name}": without(Steps(), *names) for name, names in GROUPS.items()}
    table = ["| steps | correct | valid | median s |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, Agent(given.model) as agent:
        urls = dict(databases(HERE, Path(folder)))
        if given.url:
            base, _, query = given.url.partition("?")
            names = {i["db"] for i in items}
            urls = {n: f"{base.rsplit('/', 1)[0]}/{n}{'?' + query if query else ''}" for n in names}
        model = Remembering(agent.services.model, given.remember)
        for label, steps in variants.items():
            rows = run(items, urls, agent, steps, model)
            table.append(line(label, rows))
            if given.out:
                with given.out.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps({"variant": label} | row) + "\n" for row in rows)
    sys.stdout.write("\n".join(table) + f"\n{len(items)} questions\n")


if __name__ == "__main__":
    main()
