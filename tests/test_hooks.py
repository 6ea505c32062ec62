"""Each hook does what its page says: implemented by a plugin, used by a real agent and a real command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from langchain.agents.middleware import AgentMiddleware
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel

from agentkit import (
    Agent,
    Decision,
    EmbeddingSpec,
    MiddlewareSpec,
    ModelSpec,
    PromptSource,
    RunContext,
    Settings,
    ToolCall,
    ToolContext,
    ToolResult,
    ToolSpec,
    VectorStoreSpec,
    hookimpl,
    load_settings,
)
from agentkit.embeddings import describe
from agentkit.errors import BadInput, ModelNotFound
from agentkit.events import Event, Finished, TextDelta, ToolFinished, ToolStarted
from agentkit.testing import ScriptedChatModel, call

planted: list[str] = []
"""What the tool `plant` did."""


class Planted(ToolResult):
    tree: str

    def brief(self) -> str:
        return f"planted: {self.tree}"


def plant(tree: str) -> Planted:
    """Plant a tree."""
    planted.append(tree)
    return Planted(tree=tree)


class Garden:
    """A plugin with one tool."""

    def __init__(self, risk: Any = "read") -> None:
        self.risk = risk

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [ToolSpec("plant", f"{__name__}:plant", "Plant a tree", risk=self.risk)]


@pytest.fixture(autouse=True)
def _nothing_planted() -> Iterator[None]:
    planted.clear()
    yield


def scripted(*plugins: object, risk: str = "read", answer: str = "done") -> Agent:
    """An agent whose model plants an oak and then says `answer`."""
    model = ScriptedChatModel(script=[call("plant", tree="oak"), answer])
    return Agent(model, plugins=[Garden(risk), *plugins])


def test_hook_register_tools() -> None:
    with scripted() as agent:
        direct = agent.call("plant", tree="elm")
        reply = agent.ask("plant an oak")
    assert direct == Planted(tree="elm")
    assert planted == ["elm", "oak"]
    assert [(c.name, c.status, c.result, c.value) for c in reply.tool_calls] == [
        ("plant", "success", "planted: oak", Planted(tree="oak"))
    ]
    offered = {t.name: t.description for t in agent.services.model.tools}  # type: ignore[attr-defined]
    assert offered["plant"] == "Plant a tree"


def echo_model(name: str, settings: Settings) -> BaseChatModel:
    return ScriptedChatModel(script=[f"I am {name} in {settings.folder.name}"])


def test_hook_register_models(workspace: Path) -> None:
    class Echo:
        @hookimpl
        def register_models(self) -> list[ModelSpec]:
            return [ModelSpec("echo", f"{__name__}:echo_model", "Says its name", remote=False)]

    with Agent("echo:parrot-7", plugins=[Echo()]) as agent:
        reply = agent.ask("who are you?")
    assert reply.text == f"I am parrot-7 in {workspace.name}"
    assert reply.model == "echo:parrot-7"


class Wordlengths(Embeddings):
    """A vector of two: characters and words."""

    model_name, dimension, normalised = "lengths", 2, False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(t)), float(len(t.split()))] for t in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def wordlengths(name: str, settings: Settings) -> Embeddings:
    made = Wordlengths()
    made.model_name = f"lengths-{name or 'default'}-{settings.folder.name}"
    return made


class Measured(ToolResult):
    model: str
    vector: list[float]

    def brief(self) -> str:
        return f"{self.model}: {self.vector}"


def measure(text: str, *, ctx: ToolContext) -> Measured:
    """Embed a text."""
    found = ctx.embeddings()
    assert ctx.embeddings() is found, "made once"
    return Measured(model=describe(found).model, vector=found.embed_query(text))


def test_hook_register_embeddings(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lengths:
        @hookimpl
        def register_embeddings(self) -> list[EmbeddingSpec]:
            return [EmbeddingSpec("lengths", f"{__name__}:wordlengths", "Lengths", remote=False)]

        @hookimpl
        def register_tools(self) -> list[ToolSpec]:
            return [ToolSpec("measure", f"{__name__}:measure", "Embed a text")]

    (workspace / "agentkit.toml").write_text('embeddings = "lengths:a"\n')
    with Agent(ScriptedChatModel(script=["hi"]), plugins=[Lengths()]) as agent:
        assert agent.call("measure", text="an oak") == Measured(model=f"lengths-a-{workspace.name}", vector=[6, 2])
    monkeypatch.setenv("AGENTKIT_EMBEDDINGS", "lengths")
    with Agent(ScriptedChatModel(script=["hi"]), plugins=[Lengths()], settings=load_settings()) as agent:
        assert agent.call("measure", text="elm").model == f"lengths-default-{workspace.name}"  # type: ignore[attr-defined]
    with (
        Agent(ScriptedChatModel(script=["hi"]), settings=load_settings(embeddings="lenghts:a")) as agent,
        pytest.raises(ModelNotFound, match=r"no plugin offers 'lenghts'"),
    ):
        agent.services.embeddings()


class Shelf:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        return [f"books of {self.folder}"]


def open_shelf(settings: Settings, storage: Any) -> Shelf:
    assert storage.url
    return Shelf(settings.folder.name)


def look(*, ctx: ToolContext) -> Planted:
    """Tell the collections on the shelf."""
    assert ctx.vector_store("shelf") is ctx.vector_store("shelf"), "opened once"
    return Planted(tree=ctx.vector_store("shelf").names()[0])


def test_hook_register_vector_stores(workspace: Path) -> None:
    class Shelves:
        @hookimpl
        def register_vector_stores(self) -> list[VectorStoreSpec]:
            return [VectorStoreSpec("shelf", f"{__name__}:open_shelf", "A shelf")]

        @hookimpl
        def register_tools(self) -> list[ToolSpec]:
            return [ToolSpec("look", f"{__name__}:look", "Look at the shelf")]

    with Agent(ScriptedChatModel(script=["hi"]), plugins=[Shelves()]) as agent:
        assert agent.call("look").tree == f"books of {workspace.name}"  # type: ignore[attr-defined]
        with pytest.raises(BadInput, match=r"'shelv'\. The nearest name is 'shelf'"):
            agent.services.vector_store("shelv")


def test_hook_register_prompts(workspace: Path) -> None:
    folder = workspace / "of_plugin"
    folder.mkdir()
    (folder / "ode.prompt.md").write_text(
        "---\ndescription: An ode\ninputs:\n  tree: {type: string}\n---\n# user\nSing of the {{ tree }}.\n"
    )

    class Poet:
        @hookimpl
        def register_prompts(self) -> list[PromptSource]:
            return [PromptSource(folder)]

    model = ScriptedChatModel(script=["O elm!"])
    with Agent(model, plugins=[Poet()]) as agent:
        reply = agent.run("ode", {"tree": "elm"})
    assert reply.text == "O elm!"
    assert "Sing of the elm." in model.seen[0][-1].text


class Shout(AgentMiddleware[Any, Any]):
    """Makes the system message louder."""

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(request.override(system_prompt=request.system_prompt.upper()))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        return await handler(request.override(system_prompt=request.system_prompt.upper()))


def shout(settings: Settings) -> Shout:
    return Shout()


def test_hook_register_middleware() -> None:
    class Loud:
        @hookimpl
        def register_middleware(self, settings: Settings) -> list[MiddlewareSpec]:
            return [MiddlewareSpec("shout", f"{__name__}:shout")]

    model = ScriptedChatModel(script=["done"])
    with Agent(model, plugins=[Loud()]) as agent:
        agent.ask("hello")
    assert model.seen[0][0].type == "system"
    assert model.seen[0][0].text.startswith("YOU ARE AGENTKIT")


@click.command()
@click.option("--times", default=1)
def prune(times: int) -> None:
    """Cut the hedge."""
    click.echo("snip " * times)


def test_hook_register_commands(workspace: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    info = workspace / "site" / "hedge-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hedge\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentkit]\nhedge = hedge_plugin\n")
    (workspace / "site" / "hedge_plugin.py").write_text(
        "from agentkit import hookimpl\n"
        f"@hookimpl\ndef register_commands():\n    return {{'prune': '{__name__}:prune', 'rot': 'nowhere:rot'}}\n"
    )
    monkeypatch.syspath_prepend(workspace / "site")
    assert "prune" in cli("--help").out
    assert cli("prune", "--times", "2").out == "snip snip \n"
    assert cli("prune", "--thymes", "2").code == 2
    broken = cli("rot")
    assert broken.code == 1
    assert "'nowhere:rot' cannot be loaded" in broken.err
    assert "no command 'prun'" in cli("prun").err
    del sys.modules["hedge_plugin"]


class TestReviewToolCall:
    class Review:
        """Says what it is told to, and notes what it was asked."""

        def __init__(self, answer: Any) -> None:
            self.answer = answer
            self.asked: list[tuple[RunContext, ToolCall]] = []

        @hookimpl
        def review_tool_call(self, run: RunContext, call: ToolCall) -> Decision | None:
            self.asked.append((run, call))
            if isinstance(self.answer, Exception):
                raise self.answer
            answer: Decision | None = self.answer
            return answer

    def reviews(self, *verdicts: Any) -> list[object]:
        """One plugin for each verdict, of a class of its own: plugins are told apart by their names."""
        kinds = [type(f"Review{i}", (self.Review,), {}) for i in range(len(verdicts))]
        return [kind(v) for kind, v in zip(kinds, verdicts, strict=True)]

    def test_hook_review_tool_call(self) -> None:
        """A review sees the run and the call with its arguments, and its no reaches the model with the reason."""
        review = self.Review(Decision("deny", "oaks are protected"))
        with scripted(review) as agent:
            reply = agent.ask("plant an oak")
        assert planted == []
        assert [(c.status, c.result) for c in reply.tool_calls] == [
            ("error", "plant was not run: oaks are protected. Do not try it again.")
        ]
        run, seen = review.asked[0]
        assert (run.thread_id, run.trace_id, run.model) == (reply.thread_id, reply.trace_id, "ScriptedChatModel")
        assert (seen.name, seen.args, seen.risk, seen.plugin) == ("plant", {"tree": "oak"}, "read", "Garden")

    @pytest.mark.parametrize(
        ("verdicts", "outcome"),
        [
            ([None], "runs"),
            ([Decision("allow")], "runs"),
            ([Decision("allow"), Decision("ask", "is it spring?"), Decision("allow")], "waits"),
            ([Decision("deny"), Decision("allow"), Decision("ask")], "refused"),
            ([Decision("allow"), None, Decision("deny")], "refused"),
            ([ValueError("broken guard"), Decision("allow")], "waits"),
            ([ValueError("broken guard"), Decision("deny")], "refused"),
        ],
    )
    def test_the_strictest_answer_wins(self, verdicts: list[Any], outcome: str) -> None:
        with scripted(*self.reviews(*verdicts)) as agent:
            reply = agent.ask("plant an oak")
        assert (planted == ["oak"]) is (outcome == "runs")
        assert bool(reply.pending) is (outcome == "waits")
        assert [c.status for c in reply.tool_calls] == {"runs": ["success"], "waits": [], "refused": ["error"]}[outcome]

    def test_a_review_that_raises_asks_and_names_the_plugin(self) -> None:
        with scripted(self.Review(ValueError("a secret"))) as agent:
            reply = agent.ask("plant an oak")
        assert reply.pending[0].reason == "the review of plugin 'Review' failed (ValueError)"

    @pytest.mark.parametrize("answer", [True, "deny", Decision("maybe")])  # type: ignore[arg-type]
    def test_a_review_that_gives_nonsense_does_not_open_the_door(self, answer: Any) -> None:
        with scripted(self.Review(answer)) as agent:
            reply = agent.ask("plant an oak")
        assert planted == []
        assert "Review" in reply.pending[0].reason

    def test_an_allow_does_not_overrule_the_risk_of_a_tool(self) -> None:
        with scripted(self.Review(Decision("allow")), risk="write") as agent:
            assert [p.name for p in agent.ask("plant an oak").pending] == ["plant"]
        assert planted == []

    def test_yes_answers_a_question_but_never_a_no(self) -> None:
        with scripted(self.Review(Decision("ask", "is it spring?"))) as agent:
            agent.ask("plant an oak", yes=True)
        assert planted == ["oak"]
        planted.clear()
        with scripted(self.Review(Decision("deny", "oaks are protected"))) as agent:
            reply = agent.ask("plant an oak", yes=True)
        assert planted == []
        assert reply.tool_calls[0].status == "error"


class TestOnEvent:
    class Listener:
        def __init__(self, error: Exception | None = None) -> None:
            self.error = error
            self.heard: list[tuple[RunContext, Event]] = []

        @hookimpl
        def on_event(self, run: RunContext, event: Event) -> None:
            self.heard.append((run, event))
            if self.error:
                raise self.error

    def test_hook_on_event(self) -> None:
        """A plugin hears what the caller of `stream` hears."""
        listener = self.Listener()
        with scripted(listener, answer="it stands now") as agent:
            events = list(agent.stream("plant an oak"))
        assert [type(e) for e in events] == [ToolStarted, ToolFinished, TextDelta, TextDelta, TextDelta, Finished]
        assert [e for _, e in listener.heard] == events
        assert {run.thread_id for run, _ in listener.heard} == {events[-1].reply.thread_id}  # type: ignore[union-attr]

    def test_one_that_raises_does_not_disturb_and_is_reported_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        listener = self.Listener(RuntimeError("deaf"))
        after = type("After", (self.Listener,), {})()
        with scripted(listener, after, answer="it stands now") as agent:
            reply = agent.ask("plant an oak")
        assert reply.text == "it stands now"
        assert planted == ["oak"]
        assert len(listener.heard) == len(after.heard) > 1
        assert capsys.readouterr().err.count("'Listener'") == 1


def test_hooks_get_the_settings_of_the_agent(workspace: Path) -> None:
    class Curious:
        seen: Settings | None = None

        @hookimpl
        def register_tools(self, settings: Settings) -> list[ToolSpec]:
            self.seen = settings
            return []

    (workspace / "agentkit.toml").write_text("[curious]\ndepth = 3\n")
    plugin = Curious()
    Agent(ScriptedChatModel(script=["hi"]), plugins=[plugin], settings=load_settings()).close()
    assert plugin.seen is not None
    assert plugin.seen.sections["curious"] == {"depth": 3}
