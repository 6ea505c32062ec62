"""One question to a chat model that is answered in JSON, under a schema where the model takes one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError
from agentkit.models import explain

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agentkit.prompts import Prompt

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def asked(
    model: BaseChatModel, prompt: Prompt, inputs: Mapping[str, Any], most: int, schema: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The JSON object that a model answers with, {} if it is none. Raises ProviderError.

    `most`: tokens of the answer. `schema`: instead of the one in the prompt file.
    """
    constrained = bool((model.profile or {}).get("structured_output"))
    messages = [(m.role, m.text) for m in prompt.render(**inputs, plain=not constrained)]
    options: dict[str, Any] = {"max_tokens": most}
    if constrained:
        shape = {"name": "answer", "schema": schema or prompt.header.output or {}}
        options["response_format"] = {"type": "json_schema", "json_schema": shape}
    try:
        return object_in(model.bind(**options).invoke(messages).text)
    except AgentkitError:
        raise
    except Exception as error:  # noqa: BLE001 - providers raise what they like
        explained = explain(error, str(model._llm_type))  # noqa: SLF001 - the only name that all have
        # not from the error itself: its text may hold a part of the key
        raise explained from explained.__cause__


def object_in(answer: str) -> dict[str, Any]:
    """The JSON object in a text, {} if there is none that is whole."""
    found = _OBJECT.search(answer)
    try:
        value = json.loads(found[0]) if found else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
