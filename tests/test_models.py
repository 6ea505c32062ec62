"""Which chat model is meant by a name or by none, and what is said when its provider fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel

from agentkit import Agent, ModelSpec, Settings, hookimpl, load_settings
from agentkit.errors import MissingExtra, ModelNotFound, ProviderError
from agentkit.models import choose, create, explain, spec_of
from agentkit.plugins import Plugins
from agentkit.testing import ScriptedChatModel

KEY = "sk-proj-abcdefghijklmnop1234"
order: list[str] = []


def named_model(name: str, settings: Settings) -> BaseChatModel:
    if name == "unpaid":
        raise MissingExtra("pip install 'agentkit-ml[zoo]'")
    if name == "down":
        raise ConnectionError(f"refused with {KEY}")
    return ScriptedChatModel(script=[f"{name}|{settings.folder.name}"])


class Zoo:
    @hookimpl
    def register_models(self) -> list[ModelSpec]:
        return [
            ModelSpec("zoo", f"{__name__}:named_model", "A zoo", key_variable="ZOO_KEY"),
            ModelSpec("ftp", f"{__name__}:named_model", "By address"),
            ModelSpec("gone", "a_module_that_is_not_there:f", "Broken"),
        ]


@pytest.fixture
def plugins() -> Plugins:
    return Plugins(load_settings(), [Zoo()])


class TestChoosing:
    def test_the_first_that_holds_is_taken(self, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
        """From the last to the first: embedded, another plugin's key, Anthropic's, OpenAI's, set, asked for."""
        settings = load_settings()
        assert choose(settings, plugins) == "local"
        for variable, chosen in (("ZOO_KEY", "zoo"), ("ANTHROPIC_API_KEY", "anthropic"), ("OPENAI_API_KEY", "openai")):
            monkeypatch.setenv(variable, KEY)
            assert choose(settings, plugins) == chosen
        configured = load_settings(model="anthropic:claude-x")
        assert choose(configured, plugins) == "anthropic:claude-x"
        assert choose(configured, plugins, "zoo:lion") == "zoo:lion"

    def test_an_empty_key_counts_as_none(self, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "")
        assert choose(load_settings(), plugins) == "local"

    def test_a_key_of_a_disabled_plugin_chooses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        settings = load_settings(plugins={"disabled": ["openai"]})
        assert choose(settings, Plugins(settings)) == "local"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "handed_over"),
        [
            ("zoo:lion", "lion"),
            ("zoo", ""),
            ("zoo:family/lion:q4", "family/lion:q4"),
            ("ftp://host/v1#lion", "ftp://host/v1#lion"),
        ],
    )
    def test_the_provider_gets_what_follows_or_the_whole_address(
        self, workspace: Path, plugins: Plugins, name: str, handed_over: str
    ) -> None:
        model = create(name, load_settings(), plugins)
        assert model.invoke("who?").text == f"{handed_over}|{workspace.name}"

    @pytest.mark.parametrize(
        "name", ["openai:gpt-5.5", "anthropic:claude-x", "local", "http://h/v1#m", "https://h/v1#m"]
    )
    def test_every_form_has_a_provider(self, plugins: Plugins, name: str) -> None:
        assert spec_of(name, plugins).provider == name.partition(":")[0]

    def test_only_the_embedded_model_stays_on_this_machine(self, plugins: Plugins) -> None:
        assert [p for p, given in plugins.models.items() if not given.spec.remote] == ["local"]

    def test_an_unknown_provider_names_the_nearest_and_all(self, plugins: Plugins) -> None:
        with pytest.raises(ModelNotFound) as raised:
            spec_of("opnai:gpt-5.5", plugins)
        assert "model 'opnai:gpt-5.5': no plugin offers 'opnai'. The nearest name is 'openai'." in str(raised.value)
        assert "zoo:NAME" in str(raised.value)


class TestCreating:
    def test_what_a_provider_says_in_our_words_stays(self, plugins: Plugins) -> None:
        with pytest.raises(MissingExtra, match=r"agentkit-ml\[zoo\]"):
            create("zoo:unpaid", load_settings(), plugins)

    def test_anything_else_becomes_a_sentence_without_the_key(self, plugins: Plugins) -> None:
        with pytest.raises(ProviderError, match="model 'zoo:down': the provider cannot be reached") as raised:
            create("zoo:down", load_settings(), plugins)
        assert KEY not in str(raised.value)

    def test_a_missing_key_is_named(self, plugins: Plugins) -> None:
        with pytest.raises(ProviderError, match="set OPENAI_API_KEY"):
            create("openai:gpt-5.5", load_settings(), plugins)


class StatusError(Exception):
    def __init__(self, status_code: object) -> None:
        super().__init__(f"HTTP {status_code}: your key {KEY} was not liked")
        self.status_code = status_code


class ReadTimeout(Exception):
    pass


class APIConnectionError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StatusError(401), "refused the key; check the environment variable that holds it (HTTP 401)"),
        (StatusError(403), "does not allow this key to use the model (HTTP 403)"),
        (StatusError(404), "does not know this model; check its name (HTTP 404)"),
        (StatusError(400), "malformed or too long (HTTP 400)"),
        (StatusError(418), "refused the request (HTTP 418)"),
        (StatusError(429), "out of quota or limits the rate; wait, or name a fallback"),
        (StatusError(500), "failed; try again, or name a fallback in `fallbacks` (HTTP 500)"),
        (StatusError(529), "overloaded"),
        (StatusError("401"), "failed (StatusError)"),
        (ReadTimeout(KEY), "no answer in time"),
        (APIConnectionError(KEY), "cannot be reached"),
        (ConnectionRefusedError(KEY), "cannot be reached"),
        (ValueError(KEY), "failed (ValueError)"),
    ],
)
def test_an_error_is_explained_without_the_providers_own_text(error: Exception, said: str) -> None:
    explained = explain(error, "zoo:lion")
    assert isinstance(explained, ProviderError)
    assert str(explained).startswith("model 'zoo:lion'")
    assert said in str(explained)
    assert KEY not in str(explained)
    assert "not liked" not in str(explained)


def test_a_model_prepares_itself_before_it_is_made(workspace: Path) -> None:
    class Plugin:
        @hookimpl
        def register_models(self) -> list[ModelSpec]:
            return [ModelSpec("slow", f"{__name__}:slow", "takes long", remote=False, prepare=f"{__name__}:begin")]

    order.clear()
    with Agent("slow:one", plugins=[Plugin()]) as agent:
        assert order == []
        assert agent.ask("Hello").text == "Here I am."
    assert order == ["begin one", "make one"]


def begin(name: str, settings: Settings) -> None:
    order.append(f"begin {name}")


def slow(name: str, settings: Settings) -> ScriptedChatModel:
    order.append(f"make {name}")
    return ScriptedChatModel(script=["Here I am."])
