"""What other libraries make of the same questions with the same model: run in an environment that has them.

PYTHON evals/sql_peers.py langchain|vanna QUESTIONS --url postgresql+psycopg2://... --api http://HOST/v1 --key KEY

QUESTIONS are JSON Lines of `id`, `db`, `question`, `instructions`; on stdout come JSON Lines of `id`, `sql`, `seconds`.
LangChain: `create_sql_query_chain`, the SQL dug out of its text. Vanna (before 1.0): `generate_sql` with all DDL given.
Neither runs anything: the statements are scored by who asked.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"```(?:sql)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_MOST_TOKENS = 400


def langchain(url: str, api: str, key: str) -> Callable[[str], str]:
    """LangChain's chain, which shows the tables with three rows of each."""
    from langchain_classic.chains import create_sql_query_chain
    from langchain_community.utilities import SQLDatabase
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="local", base_url=api, api_key=key, temperature=0, max_tokens=_MOST_TOKENS, max_retries=0)
    chain = create_sql_query_chain(model, SQLDatabase.from_uri(url))
    return lambda question: statement(str(chain.invoke({"question": question})))


def vanna(url: str, api: str, key: str) -> Callable[[str], str]:
    """Vanna without a vector store: all tables' DDL is its context."""
    from langchain_community.utilities import SQLDatabase
    from openai import OpenAI
    from vanna.base import VannaBase

    client = OpenAI(base_url=api, api_key=key, max_retries=0)
    database = SQLDatabase.from_uri(url, sample_rows_in_table_info=0)
    tables = [database.get_table_info([name]) for name in database.get_usable_table_names()]

    class AllTables(VannaBase):
        """Knows every table, and nothing else."""

        def submit_prompt(self, prompt: Any, **_: Any) -> str:
            made = client.chat.completions.create(
                model="local", messages=prompt, temperature=0, max_tokens=_MOST_TOKENS
            )
            return made.choices[0].message.content or ""

        def system_message(self, message: str) -> Any:
            return {"role": "system", "content": message}

        def user_message(self, message: str) -> Any:
            return {"role": "user", "content": message}

        def assistant_message(self, message: str) -> Any:
            return {"role": "assistant", "content": message}

        def get_related_ddl(self, question: str, **_: Any) -> list[str]:
            return tables

        def log(self, message: str, title: str = "") -> None:
            """Prints nothing: stdout is for the statements."""

    def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    for name in VannaBase.__abstractmethods__ - set(vars(AllTables)):
        setattr(AllTables, name, nothing)
    AllTables.__abstractmethods__ = frozenset()
    asked = AllTables(config={"dialect": "PostgreSQL", "max_tokens": 14_000})
    return lambda question: asked.generate_sql(question, allow_llm_to_see_data=False)


def statement(text: str) -> str:
    """The SQL in a model's words: what stands in a fence, or behind `SQLQuery:`."""
    fenced = _FENCE.search(text)
    text = fenced[1] if fenced else text
    return re.sub(r"^.*?SQLQuery:\s*", "", text, flags=re.DOTALL).split("SQLResult:")[0].strip().rstrip(";")


def main() -> None:
    """Ask each question; one that fails has no statement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("library", choices=["langchain", "vanna"])
    parser.add_argument("questions", type=Path)
    parser.add_argument("--url", required=True, help="of the server, as SQLAlchemy has it")
    parser.add_argument("--api", required=True)
    parser.add_argument("--key", required=True)
    args = parser.parse_args()
    make = {"langchain": langchain, "vanna": vanna}[args.library]

    @lru_cache
    def asker(name: str) -> Callable[[str], str]:
        address, _, query = args.url.partition("?")
        return make(f"{address.rpartition('/')[0]}/{name}?{query}", args.api, args.key)

    for line in args.questions.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        began = time.perf_counter()
        question = item["question"] + (f"\nInstructions: {item['instructions']}" if item.get("instructions") else "")
        try:
            sql = asker(item["db"])(question)
        except Exception as error:  # noqa: BLE001 - a peer that fails has not answered, and the others go on
            print(f"{item['id']}: {type(error).__name__}: {error}"[:200], file=sys.stderr)
            sql = ""
        print(json.dumps({"id": item["id"], "sql": sql, "seconds": round(time.perf_counter() - began, 2)}), flush=True)


if __name__ == "__main__":
    main()
