"""LangChain's standard tests on the embedded chat model: the real file, and all that a model of text can do.

What stays out: images, PDF and audio, recorded HTTP (there is none), keys from the environment (there are none), and
loading from JSON, which LangChain does with the classes of its own list only.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from agentkit_local.chat import LocalChatModel, chat_model
from agentkit_local.manifest import ModelEntry, find_entry
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from agentkit.settings import load_settings

SECOND_NAME = "the-same-file"
IN_EVERY_RUN = {
    "test_invoke", "test_stream", "test_astream", "test_usage_metadata", "test_stop_sequence",
    "test_astream_with_model_override", "test_tool_calling_async", "test_structured_output_pydantic_2_v1",
    "test_no_overrides_DO_NOT_OVERRIDE",
}  # fmt: skip

for _name, _standard in inspect.getmembers(ChatModelIntegrationTests, inspect.isfunction):
    if inspect.iscoroutinefunction(_standard):
        pytest.mark.asyncio(_standard)
    if _name.startswith("test_") and _name not in IN_EVERY_RUN:
        pytest.mark.slow(_standard)


class TestUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return LocalChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "a-model", "file": Path("a-model.gguf"), "identity": "0123"}


class TestIntegration(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _a_second_name(self, workspace: Path) -> None:
        """A manifest entry of the user's own, for calls that name another model than the instance has."""
        entry: ModelEntry = find_entry(load_settings())
        (workspace / "agentkit.toml").write_text(
            f'[local.models.{SECOND_NAME}]\nfile = "{entry.file}"\nsize = {entry.size}\nsha256 = "{entry.sha256}"\n'
        )

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return LocalChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        model = chat_model("", load_settings())
        return {"model": model.model, "file": model.file, "identity": model.identity}

    @property
    def model_override_value(self) -> str:
        return SECOND_NAME

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        """The same long request twice: the second time its beginning is known."""
        model = self.chat_model_class(**self.chat_model_params, max_tokens=8)
        request = "Continue: " + ", ".join(str(n) for n in range(100))
        model.invoke(request)
        answer: AIMessage | None = None
        for chunk in model.stream(request) if stream else [model.invoke(request)]:
            answer = chunk if answer is None else answer + chunk  # type: ignore[assignment]
        assert answer is not None
        return answer
