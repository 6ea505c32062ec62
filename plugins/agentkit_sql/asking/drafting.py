"""A draft of the statement by a chat model: the prompt, and the SQL in what the model answers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError
from agentkit.models import explain
from agentkit_sql.card.meaning import Example
from agentkit_sql.card.words import telling

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agentkit.prompts import Prompt

_FENCE = re.compile(r"```(?:sql|postgresql|sqlite|duckdb)?\s*(.*?)(?:```|$)", re.DOTALL | re.IGNORECASE)
_START = re.compile(r"\b(?:WITH|SELECT|VALUES)\b", re.IGNORECASE)
_MOST_TOKENS = 320
_NEAR_EXAMPLES = 3
_SMALL_CONTEXT = 16_000
_ANOTHER_WAY = {"temperature": 0.6, "seed": 1}
"""A small model that decodes greedily gives the statement back as it was, whatever is said about it."""


@dataclass(frozen=True)
class Request:
    """What is asked: the question, the card's text, and what stands beside it."""

    question: str
    card: str
    metrics: dict[str, str]
    notes: tuple[str, ...] = ()
    near: tuple[Example, ...] = ()
    earlier: tuple[Example, ...] = ()
    hints: tuple[str, ...] = ()

    def inputs(self) -> dict[str, Any]:
        """As the prompt file takes it."""
        return {
            "card": self.card, "question": self.question, "metrics": self.metrics, "notes": list(self.notes),
            "hints": list(self.hints),
            "examples_near": [{"question": e.question, "sql": e.sql} for e in self.near],
            "earlier": [{"question": e.question, "sql": e.sql} for e in self.earlier],
        }  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A statement that failed, and why."""

    sql: str
    cause: str


class Drafter:
    """Asks one chat model. The beginning of its prompts is the same for all questions about a database."""

    def __init__(self, model: BaseChatModel, prompt: Prompt, correction: Prompt, *, constrained: bool = True) -> None:
        self._model = model
        self._prompt = prompt
        self._correction = correction
        self._constrained = constrained and takes_schema(model)

    @property
    def worth(self) -> int:
        """How many drafts are worth their time: two of a small model, which is one that takes a short context."""
        takes = (self._model.profile or {}).get("max_input_tokens")
        return 2 if takes is not None and takes <= _SMALL_CONTEXT else 1

    def draft(self, request: Request, *, plain: bool = False, failed: Failure | None = None) -> str:
        """One statement, '' if the model gave none. `plain`: as text even where JSON could be asked for.

        `failed`: the statement before, given back with the cause. Raises ProviderError.
        """
        constrained = self._constrained and not plain
        messages: list[tuple[str, str]] = [
            (m.role, m.text) for m in self._prompt.render(**request.inputs(), plain=not constrained)
        ]
        if failed is not None:
            said = json.dumps({"sql": failed.sql}, ensure_ascii=False) if constrained else failed.sql
            messages += [("assistant", said), ("user", self._correction.text("user", cause=failed.cause))]
        options: dict[str, Any] = {"max_tokens": _MOST_TOKENS}
        if constrained:
            options["response_format"] = self._shape()
        if failed is not None and self.worth > 1:
            options |= _ANOTHER_WAY
        try:
            return statement_in(self._model.bind(**options).invoke(messages).text)
        except AgentkitError:
            raise
        except Exception as error:  # noqa: BLE001 - providers raise what they like
            explained = explain(error, str(self._model._llm_type))  # noqa: SLF001 - the only name that all have
            # not from the error itself: its text may hold a part of the key
            raise explained from explained.__cause__

    def _shape(self) -> dict[str, Any]:
        schema = self._prompt.header.output or {}
        return {"type": "json_schema", "json_schema": {"name": "statement", "schema": schema}}


def takes_schema(model: BaseChatModel) -> bool:
    """Whether a model decodes its answer under a JSON schema."""
    return bool((model.profile or {}).get("structured_output"))


def statement_in(answer: str) -> str:
    """The SQL of an answer: of its JSON, of its first fenced block, or from its first SELECT on."""
    text = answer.strip()
    if text.startswith("{"):
        try:
            found = json.loads(text).get("sql", "")
        except (ValueError, AttributeError):
            # cut before its end: what there is of the string
            inner = re.search(r'"sql"\s*:\s*"((?:[^"\\]|\\.)*)', text, re.DOTALL)
            found = json.loads(f'"{inner[1]}"') if inner else ""
        text = str(found).strip()
    fenced = _FENCE.search(text)
    if fenced and fenced[1].strip():
        text = fenced[1].strip()
    start = _START.search(text)
    return text[start.start() :].strip() if start else ""


def nearest_examples(question: str, examples: Sequence[Example], most: int = _NEAR_EXAMPLES) -> tuple[Example, ...]:
    """The examples whose questions share most words with this one, the nearest last; those that share none left out."""
    asked = telling(question)
    scored = []
    for example in examples:
        words = telling(example.question)
        shared = len(asked & words) / (len(asked | words) or 1)
        if shared > 0:
            scored.append((shared, example))
    scored.sort(key=lambda item: -item[0])
    return tuple(example for _, example in reversed(scored[:most]))
