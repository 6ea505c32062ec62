"""Index documents, search them, and answer from them with the sources shown."""

from __future__ import annotations

from pathlib import Path

from agentkit import hookimpl
from agentkit.specs import PromptSource, ToolSpec, VectorStoreSpec


@hookimpl
def register_tools() -> list[ToolSpec]:
    """The tools of this plugin; their modules load when they are first used."""
    return [
        ToolSpec(
            "index_documents",
            "agentkit_rag.index_documents:index_documents",
            "Read a file or folder of documents into a collection, so that it can be searched and asked.",
            risk="write",
        ),
        ToolSpec(
            "search_documents",
            "agentkit_rag.search_documents:search_documents",
            "Search indexed documents: find the passages that are about something, with source and page. Where is it "
            "described?",
        ),
        ToolSpec(
            "ask_documents",
            "agentkit_rag.ask_documents:ask_documents",
            "Answer a question from indexed documents (handbook, rules, policies), with the sources: what do they say?",
        ),
    ]


@hookimpl
def register_vector_stores() -> list[VectorStoreSpec]:
    """Where collections can live; chosen with `[rag] store`."""
    return [
        VectorStoreSpec("postgres", "agentkit_rag.store.postgres:open_store", "agentkit's Postgres, with pgvector"),
        VectorStoreSpec("chroma", "agentkit_rag.chroma:open_store", "Chroma, in a folder of agentkit's home"),
    ]


@hookimpl
def register_prompts() -> list[PromptSource]:
    """The prompts that answer from passages, and those that word a question anew."""
    return [PromptSource(Path(__file__).parent / "prompts")]


@hookimpl
def register_commands() -> dict[str, str]:
    """`agentkit rag`."""
    return {"rag": "agentkit_rag.commands:rag"}
