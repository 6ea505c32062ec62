"""`agentkit rag`: documents into collections, searched and asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from agentkit.cli.common import (
    ProgressLine,
    json_option,
    model_option,
    plugins,
    print_json,
    print_table,
    settings,
    yes_option,
)
from agentkit.errors import BadInput

if TYPE_CHECKING:
    from agentkit.calls import CallContext, Services
    from agentkit.results import ToolResult
    from agentkit_rag.store.contract import Collection

collection_option = click.option(
    "--collection", "-c", default="default", show_default=True, help="Name of the collection."
)
filter_option = click.option(
    "--filter", "filters", multiple=True, help="Condition KEY=VALUE on source, page or metadata; may be repeated."
)


@click.group()
def rag() -> None:
    """Index documents, search them, and ask them; the answer shows its sources.

    \b
    Examples:
      agentkit rag index docs
      agentkit rag search "how long do refunds take"
      agentkit rag ask "How long do refunds take?"
      agentkit rag list
    """


@rag.command()
@click.argument("path", required=False)
@collection_option
@click.option("--reembed", is_flag=True, help="Embed all chunks anew with the embeddings that are set now.")
@json_option
def index(path: str | None, collection: str, reembed: bool, as_json: bool) -> None:
    """Bring a collection up to date with a file or a folder: only what changed is read.

    PATH can be left out with --reembed.

    \b
    Examples:
      agentkit rag index docs
      agentkit rag index reports/2026.pdf -c reports
      agentkit rag index --reembed -c reports
    """
    if path is None and not reembed:
        raise click.UsageError("Missing argument 'PATH'.")
    with _services() as services:
        if reembed:
            number = _reembed(services, collection)
            click.echo(f"{collection}: {number:,} chunks embedded", err=True)
        if path is None:
            if as_json:
                print_json({"collection": collection, "embedded": number})
            return
        result = _called(services, "index_documents", path=path, collection=collection)
    _show(result, as_json)


@rag.command()
@click.argument("query")
@collection_option
@click.option("-k", default=5, show_default=True, help="Number of passages.")
@click.option("--mode", type=click.Choice(["hybrid", "dense", "lexical", "mmr"]), help="hybrid unless said otherwise.")
@click.option("--neighbours", default=0, show_default=True, help="Chunks before and after each hit to join.")
@filter_option
@json_option
def search(
    query: str, collection: str, k: int, mode: str | None, neighbours: int, filters: tuple[str, ...], as_json: bool
) -> None:
    """Find the passages that a query is about.

    \b
    Examples:
      agentkit rag search "refund period"
      agentkit rag search "error E1234" --mode lexical -k 3
      agentkit rag search "refund period" --filter 'source=docs/*' --json
    """
    args: dict[str, Any] = {"query": query, "collection": collection, "k": k, "filters": _filters(filters)}
    with _services() as services:
        result = _called(services, "search_documents", **args, mode=mode, neighbours=neighbours)
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    for number, hit in enumerate(result.hits, 1):  # type: ignore[attr-defined]
        click.echo(f"[{number}] {hit.place}, characters {hit.start:,}-{hit.end:,} ({hit.score:.3f})")
        click.echo(f"{hit.text.strip()}\n")
    if not result.hits:  # type: ignore[attr-defined]
        click.echo(result.brief())


@rag.command()
@click.argument("question")
@collection_option
@click.option("-k", default=5, show_default=True, help="Passages to read for the answer.")
@click.option(
    "--expand",
    type=click.Choice(["none", "multi-query", "hyde"]),
    default="none",
    show_default=True,
    help="More searches: the question in other words, or the passage that would answer it.",
)
@filter_option
@model_option
@json_option
def ask(
    question: str, collection: str, k: int, expand: str, filters: tuple[str, ...], model: str | None, as_json: bool
) -> None:
    """Answer a question from documents, every claim with its source, or say that they do not say it.

    \b
    Examples:
      agentkit rag ask "How long do refunds take?"
      agentkit rag ask "What did we earn in May?" -c reports --filter page=3
      agentkit rag ask "How long do refunds take?" --model anthropic:claude-sonnet-5 --json
    """
    args: dict[str, Any] = {"question": question, "collection": collection, "k": k, "expand": expand}
    with _services(model) as services:
        result = _called(services, "ask_documents", **args, filters=_filters(filters))
    _show(result, as_json)


@rag.command(name="list")
@json_option
def list_collections(as_json: bool) -> None:
    """List the collections: sources, chunks, size, and the embeddings behind them.

    \b
    Examples:
      agentkit rag list
      agentkit rag list --json
    """
    with _services() as services:
        store = _store(services)
        found = [store.open(name).info() for name in store.names()]
    rows = [
        {
            "name": i.name, "sources": i.sources, "chunks": i.chunks, "bytes": i.bytes, "index": i.index,
            "embeddings": i.embedding.model, "dimension": i.embedding.dimension,
        }
        for i in found
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("There is no collection yet: agentkit rag index PATH", err=True)
    else:
        columns = ["name", "sources", "chunks", "MB", "index", "embeddings"]
        told = [r | {"MB": f"{r['bytes'] / 1e6:.1f}"} for r in rows]
        print_table(columns, [[r[c] for c in columns] for r in told])


@rag.command()
@click.argument("collection")
@yes_option
def drop(collection: str, yes: bool) -> None:
    """Remove a collection with all that is in it. The files stay.

    \b
    Examples:
      agentkit rag drop reports
      agentkit rag drop reports --yes
    """
    with _services() as services:
        found = _store(services).open(collection)
        info = found.info()
        if not yes:
            click.confirm(f"Drop {collection!r} with {info.sources:,} sources?", abort=True, err=True)
        found.drop()
    click.echo(f"{collection}: dropped ({info.sources:,} sources, {info.chunks:,} chunks)", err=True)


@rag.command()
@click.argument("collection", default="default")
@click.option("--rebuild", is_flag=True, help="Build the index anew first.")
@json_option
def check(collection: str, rebuild: bool, as_json: bool) -> None:
    """Measure whether the index finds what reading all vectors finds, and say what to change.

    \b
    Examples:
      agentkit rag check
      agentkit rag check reports --rebuild
      agentkit rag check reports --json
    """
    from dataclasses import asdict

    from agentkit_rag.checking import check_index
    from agentkit_rag.store.postgres import PostgresCollection

    with _services() as services:
        found: Collection = _store(services).open(collection)
        if not isinstance(found, PostgresCollection):
            raise BadInput(f"`agentkit rag check` measures the index of Postgres; {collection!r} is in another store.")
        if rebuild:
            found.settle(anew=True)
        measured = check_index(found)
    if as_json:
        print_json(asdict(measured) | {"advice": measured.advice})
        return
    click.echo(
        f"{collection}: {measured.chunks:,} chunks, index {measured.index}. Recall@10 {measured.recall:.3f} over "
        f"{measured.queries} searches; {measured.index_ms:.1f} ms a search, {measured.exact_ms:.1f} ms without index."
    )
    click.echo(measured.advice)


def _filters(given: tuple[str, ...]) -> dict[str, Any] | None:
    """KEY=VALUE as filters; a value that is JSON (a number, a condition) is that. Raises BadInput."""
    found: dict[str, Any] = {}
    for condition in given:
        key, equals, value = condition.partition("=")
        if not (key and equals):
            raise BadInput(f"--filter {condition!r} is not KEY=VALUE, such as source=docs/* or page=3.")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found or None


def _reembed(services: Services, collection: str) -> int:
    """The number of chunks that were embedded now."""
    from agentkit_rag.opening import embedded, model_of
    from agentkit_rag.store.postgres import PostgresCollection
    from agentkit_rag.store.reembedding import reembed

    found = _store(services).open(collection)
    if not isinstance(found, PostgresCollection):
        raise BadInput(f"--reembed works on Postgres; drop {collection!r} and index it anew.")
    embeddings = services.embeddings()
    with _progress() as tell:
        return reembed(found, model_of(embeddings), lambda texts: embedded(embeddings, texts), tell)


def _called(services: Services, tool: str, **args: Any) -> ToolResult:
    from agentkit.calls import call_directly

    with _progress() as tell:
        return call_directly(tool, {k: v for k, v in args.items() if v is not None}, services, tell)


@contextmanager
def _progress() -> Iterator[Any]:
    line = ProgressLine()
    try:
        yield line.tell
    finally:
        line.clear()


def _show(result: ToolResult, as_json: bool) -> None:
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        click.echo(result.whole())


@contextmanager
def _services(model: str | None = None) -> Iterator[Services]:
    from agentkit.calls import Services

    with closing(Services(settings(), model=model, plugins=plugins())) as services:
        yield services


def _store(services: Services) -> Any:
    from agentkit_rag.opening import store_of

    return store_of(_context(services))


def _context(services: Services) -> CallContext:
    from agentkit.calls import CallContext

    return CallContext(services)
