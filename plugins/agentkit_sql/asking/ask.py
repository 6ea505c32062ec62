"""Ask a database: draft, bind, run, and only then look again where something is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from agentkit.errors import BadInput
from agentkit_sql.asking.doubts import without_invented
from agentkit_sql.asking.drafting import Drafter, Failure, Request, nearest_examples
from agentkit_sql.asking.settings import SqlSettings, Steps
from agentkit_sql.asking.telling import beside_the_point, finished, nothing_found, off_topic
from agentkit_sql.asking.trying import Candidate, Clock, Trial
from agentkit_sql.binder.parsing import parsed
from agentkit_sql.card.cache import card_of, with_values
from agentkit_sql.card.choose import fitting
from agentkit_sql.card.meaning import Example

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agentkit.databases import Database
    from agentkit.prompts import Prompts
    from agentkit.settings import Settings
    from agentkit.sqlguard.limits import Limits
    from agentkit_sql.answer import SqlAnswer
    from agentkit_sql.card.card import Card

Progress = Callable[[str, float | None], None]
_LETTERS_A_TOKEN = 3
"""Of sentences, with room for the form of the answer."""
_LEAST_ROOM = 400


@dataclass
class Asking:
    """What one question is asked with. `dry`: statements are checked and planned by the database, not run."""

    database: Database
    model: BaseChatModel
    prompts: Prompts
    settings: Settings
    options: SqlSettings = field(default_factory=SqlSettings)
    steps: Steps = field(default_factory=Steps)
    limits: Limits | None = None
    today: date | None = None
    dry: bool = False
    progress: Progress = lambda _message, _fraction: None


def ask(question: str, asking: Asking, earlier: Sequence[Example] = ()) -> SqlAnswer:
    """Answer a question in words. `earlier`: the questions before in the conversation, with their statements.

    Raises BadInput if the data cannot answer it, or no statement for it worked, with the last cause.
    """
    if not question.strip():
        raise BadInput("the question is empty: say what you want to know.")
    asking.progress("reading the schema", 0.1)
    steps = asking.steps
    card = card_of(asking.database, asking.settings, values=steps.values, comments=steps.comments)
    if not card.schema.tables:
        raise BadInput(f"database {asking.database.name!r} has no tables that may be read.")
    if steps.values:
        card = with_values(card, question, asking.database, asking.settings)
    request = _request(question, card, asking, earlier)
    trial = Trial(
        asking.database, card, question, asking.settings.home, asking.limits, asking.today, steps, dry=asking.dry
    )
    tried = _tried(request, trial, asking)
    chosen = choose(tried)
    if chosen is None or (not chosen.rows and off_topic(question, card)) or beside_the_point(chosen, trial):
        raise BadInput(nothing_found(question, card, tried))
    return finished(chosen, tried, trial)


def _request(question: str, card: Card, asking: Asking, earlier: Sequence[Example]) -> Request:
    meaning = card.meaning
    near = nearest_examples(question, meaning.examples) if asking.steps.examples else ()
    request = Request(question, "", dict(meaning.metrics), meaning.notes, near, tuple(earlier))
    prompt = asking.prompts.get(f"sql-{card.schema.dialect}")
    beside = sum(len(m.text) for m in prompt.render(**request.inputs()))
    room = max(_LEAST_ROOM, asking.options.prompt_tokens - beside // _LETTERS_A_TOKEN)
    shown = fitting(card, " ".join([question, *(e.question + e.sql for e in earlier)]), room)
    return replace(request, card=shown.text, hints=tuple(shown.hints))


def _tried(request: Request, trial: Trial, asking: Asking) -> list[Candidate]:
    """Drafts until one works; further ones where it is worth it."""
    prompts, options, steps = asking.prompts, asking.options, asking.steps
    prompt = prompts.get(f"sql-{trial.card.schema.dialect}")
    drafter = Drafter(asking.model, prompt, prompts.get("sql-correction"), constrained=steps.constrained)
    clock = Clock(options.seconds)
    asking.progress("writing SQL", 0.3)
    tried = [trial.run(drafter.draft(request))]
    if tried[0].good:
        return tried
    if steps.votes and (options.candidates or drafter.worth) > 1 and clock.left:
        asking.progress("writing SQL another way", 0.5)
        tried.append(trial.run(drafter.draft(request, plain=True)))
    left = options.corrections if steps.feedback else 0
    while left and clock.left and not any(c.good for c in tried):
        asking.progress("correcting the SQL", 0.7)
        # the latest one after a correction; before, the one that is nearest to a good one
        nearest = tried[-1] if len(tried) > 2 else choose(tried) or min(tried, key=lambda c: len(c.problems))
        failed = Failure(nearest.sql, cause_of(nearest))
        again = trial.run(drafter.draft(request, failed=failed))
        # with an answer at hand a doubt is worth one more look, and so is a model that repeats itself
        left = 0 if any(c.rows or c.sql == again.sql for c in tried) else left - 1
        tried.append(again)
    return [*tried, *_without_invented(tried, trial)]


def _without_invented(tried: Sequence[Candidate], trial: Trial) -> list[Candidate]:
    """One more candidate if the best has conditions that the question does not speak of: the same without them."""
    best = choose(tried)
    if best is None or not best.doubts or not trial.steps.completion:
        return []
    tree, _, _ = parsed(best.sql, trial.card.schema.dialect)
    plainer = without_invented(tree, trial.question) if tree is not None else None
    return [trial.run(plainer.sql(dialect=trial.card.schema.dialect))] if plainer is not None else []


def cause_of(candidate: Candidate) -> str:
    """What a model is told about a statement that failed, found nothing or is odd."""
    if candidate.answer is None:
        return "; ".join([candidate.cause, *candidate.problems[:3]])
    if candidate.rows:
        return f"it runs, but {'; '.join(candidate.doubts)}."
    found = "; ".join(candidate.unknown)
    return f"it finds no rows{f': {found}' if found else ''}. Check joins, conditions and how values are written."


def choose(tried: Sequence[Candidate]) -> Candidate | None:
    """The candidate to answer with; None if none ran.

    One with rows goes before an empty one, then the one with fewer doubts, then the one that more agree with, then the
    first.
    """
    ran = [c for c in tried if c.answer is not None]
    if not ran:
        return None
    votes = Counter(c.key for c in ran)
    return max(ran, key=lambda c: (c.rows, -len(c.doubts), votes[c.key], -ran.index(c)))


def without(steps: Steps, *names: str) -> Steps:
    """The steps with some switched off. Raises BadInput for a name that is none."""
    known = set(Steps.__dataclass_fields__)
    for name in names:
        if name not in known:
            raise BadInput(f"there is no step {name!r}: {', '.join(sorted(known))}.")
    return replace(steps, **dict.fromkeys(names, False))
