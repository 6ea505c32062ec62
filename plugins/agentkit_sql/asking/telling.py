"""What an answer says beside its rows: how it came about, what was assumed, what to ask next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentkit_sql.asking.trying import Candidate, Trial
from agentkit_sql.card.choose import rank
from agentkit_sql.card.words import near, telling

if TYPE_CHECKING:
    from sqlglot import exp

    from agentkit_sql.answer import SqlAnswer
    from agentkit_sql.card.card import Card

_GUESSES = ("is ambiguous", "stands in", "contains", "stands as")
_ASKS_TIME = frozenset(
    ("day", "week", "month", "quarter", "year", "today", "yesterday", "recent", "recently", "latest", "last", "since")
)
_ASKED_OF_ALL = _ASKS_TIME | frozenset(
    re.findall(
        r"\w+",
        "after ascending before best between column compare descending different distinct during exactly find "
        "first group highest largest least lowest match mean median most only order per percent percentage "
        "proportion rank ratio record result row share show smallest sort string sum table top unique worst ",
    )
)


def finished(chosen: Candidate, tried: Sequence[Candidate], trial: Trial) -> SqlAnswer:
    """The answer of the chosen candidate, with its explanation, assumptions, steps and further questions."""
    from agentkit_sql.asking.explaining import explanation, further
    from agentkit_sql.binder.parsing import parsed

    assert chosen.answer is not None
    tree, _, _ = parsed(chosen.sql, trial.card.schema.dialect)
    words = explanation(tree) if tree is not None else ""
    answer = chosen.answer.model_copy(
        update={
            "explanation": words,
            "assumptions": _assumptions(chosen, tree, trial),
            "steps": _steps(chosen, tried),
            "suggestions": further(tree, trial.card) if tree is not None and not trial.dry else [],
        }
    )
    units = _units(answer.table.columns, trial.card)
    return answer.model_copy(update={"table": answer.table.model_copy(update={"units": units})}) if units else answer


def nothing_found(question: str, card: Card, tried: Sequence[Candidate]) -> str:
    """Why a question could not be answered, and what could be asked."""
    names = list(card.names)
    strange = unknown_words(question, card)
    causes = [c.cause for c in tried if c.cause]
    about = ", ".join(repr(w) for w in strange[:4])
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    first = f"nothing in the database is about {about}. " if strange else ""
    last = f" The last statement failed: {causes[-1]}" if causes else ""
    return f"the question could not be answered: {first}The tables are {listed}.{last}"


def unknown_words(question: str, card: Card) -> list[str]:
    """The telling words of a question that no name, comment or frequent value of the database has, in their order."""
    known: set[str] = set()
    for name, table in card.names.items():
        said = card.meaning.table(name)
        known |= telling(" ".join([name, card.comment(table), *said.synonyms]))
        for column in table.columns:
            known |= telling(" ".join([column.name, card.comment(table, column), *card.frequent(table, column)]))
    known |= telling(" ".join([*card.meaning.metrics, *card.meaning.notes])) | _ASKED_OF_ALL
    asked = telling(question)
    order = question.lower()
    strange = [w for w in asked if w not in known and not near(w, known)]
    return sorted(strange, key=order.find)


def off_topic(question: str, card: Card) -> bool:
    """Whether not one word of the question hints at the database."""
    asked = telling(question)
    strange = set(unknown_words(question, card))
    return bool(strange) and not (asked - strange - _ASKED_OF_ALL) and not any(s > 0 for _, s in rank(card, question))


def beside_the_point(chosen: Candidate, trial: Trial) -> bool:
    """Whether a statement picks rows by what its question does not speak of, and the database lacks what it asks for.

    "Which of these patients smoke?" where nothing tells who smokes: a small model picks them by something else.
    """
    from sqlglot import exp

    from agentkit_sql.binder.parsing import parsed

    tree, _, _ = parsed(chosen.sql, trial.card.schema.dialect)
    if tree is None or tree.find(exp.Where) is None or _speaks_of(tree, trial):
        return False
    return bool(unknown_words(trial.question, trial.card))


def _assumptions(chosen: Candidate, tree: exp.Expr | None, trial: Trial) -> list[str]:
    from agentkit_sql.binder.figures import uses_today
    from agentkit_sql.binder.parsing import parsed

    drafted, _, _ = parsed(chosen.draft, trial.card.schema.dialect)
    strange = [w for w in unknown_words(trial.question, trial.card) if w not in chosen.sql.lower()]
    # a single verb among known things is no cause for alarm where the statement reads what is asked for
    most = len(strange) * 2 > len(telling(trial.question) - _ASKED_OF_ALL)
    found = []
    if strange and (most or not _speaks_of(tree, trial)):
        found.append(f"nothing in the database is called {', '.join(repr(w) for w in strange[:4])}")
    found += [r for r in chosen.repairs if any(g in r for g in _GUESSES)]
    found += [f"{u}, so nothing matches it" for u in chosen.unknown]
    if trial.today is not None:
        if any(r.startswith("today is") for r in chosen.repairs):
            found.append(f"today is {trial.today.isoformat()}")
    elif drafted is not None and uses_today(drafted):
        from datetime import UTC, datetime

        found.append(f"today is {datetime.now(UTC).date().isoformat()}")
    found += _date_chosen(trial, chosen)
    return list(dict.fromkeys(found))


def _speaks_of(tree: exp.Expr | None, trial: Trial) -> bool:
    """Whether a column or a value of a statement is in its question, by its name or what the card says of it."""
    from sqlglot import exp

    if tree is None:
        return False
    asked = telling(trial.question)
    read = {c.name.lower() for c in tree.find_all(exp.Column)}
    said = {w for literal in tree.find_all(exp.Literal) for w in telling(literal.name)}
    for table in trial.card.names.values():
        for column in table.columns:
            if column.name.lower() in read:
                said |= telling(" ".join([column.name, trial.card.comment(table, column)]))
    return any(w in said or near(w, said) for w in asked)


def _date_chosen(trial: Trial, chosen: Candidate) -> list[str]:
    """Which date a question about time was taken to mean, where a table has several."""
    from agentkit_sql.card.values import is_date

    if not telling(trial.question) & _ASKS_TIME:
        return []
    low = chosen.sql.lower()
    for name, table in trial.card.names.items():
        dates = [c.name for c in table.columns if is_date(c)]
        used = [d for d in dates if d.lower() in low]
        if len(dates) > 1 and len(used) == 1 and name.lower() in low:
            return [f"the date that is meant is {used[0]} of {name}"]
    return []


def _steps(chosen: Candidate, tried: Sequence[Candidate]) -> list[str]:
    steps: list[str] = []
    for number, candidate in enumerate(tried, 1):
        label = f"draft {number}" if len(tried) > 1 else "draft"
        if candidate.answer is None:
            steps.append(f"{label} failed: {candidate.cause}")
        elif not candidate.rows:
            steps.append(f"{label} found no rows")
        elif not candidate.dry:
            steps.append(f"{label} gave {candidate.answer.row_count} rows")
    if len(tried) > 1:
        agreeing = sum(c.key == chosen.key for c in tried if c.answer is not None)
        number = next(i for i, c in enumerate(tried, 1) if c is chosen)
        steps.append(f"draft {number} was taken" + (f", {agreeing} agree" if agreeing > 1 else ""))
    steps += [f"repaired: {r}" for r in chosen.repairs]
    steps += [f"completed: {c}" for c in chosen.completions]
    return [*steps, *(chosen.answer.steps if chosen.answer else [])]


def _units(columns: Sequence[str], card: Card) -> dict[str, str]:
    """The units of result columns that are columns of the database, where users told them."""
    found: dict[str, str] = {}
    for name, table in card.names.items():
        said = card.meaning.table(name)
        for column in table.columns:
            unit = said.column(column.name).unit
            if unit and column.name in columns:
                found[column.name] = unit
    return found
