"""`agentkit traces`: what runs did, step by step."""

from __future__ import annotations

from typing import Any

import click

from agentkit.cli.common import json_option, print_json, print_table, settings


@click.group()
def traces() -> None:
    """Look at traced runs in the local store.

    \b
    Examples:
      agentkit traces list --last 5
      agentkit traces list --errors-only --json
      agentkit traces show 0f6c2a
    """


@traces.command(name="list")
@click.option("--last", default=20, show_default=True, help="How many.")
@click.option("--errors-only", is_flag=True, help="Only traces in which something failed.")
@click.option("--thread", help="Only traces of this thread.")
@json_option
def list_traces(last: int, errors_only: bool, thread: str | None, as_json: bool) -> None:
    """List the newest traces."""
    from agentkit import tracing
    from agentkit.storage import Storage

    with Storage(settings()) as storage:
        rows = tracing.list_traces(storage, last, errors_only=errors_only, thread=thread)
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            r["trace_id"][:8],
            f"{r['started_at']:%Y-%m-%d %H:%M:%S}",
            _seconds(r),
            r["status"],
            r["model_calls"],
            r["tool_calls"],
            r["thread_id"],
        )
        for r in rows
    ]
    print_table(["trace", "started", "seconds", "status", "model", "tools", "thread"], shown)


@traces.command()
@click.argument("trace_id")
@json_option
def show(trace_id: str, as_json: bool) -> None:
    """Show the run tree of one trace. TRACE_ID may be its first characters."""
    from agentkit import tracing
    from agentkit.storage import Storage

    with Storage(settings()) as storage:
        runs = tracing.show_trace(storage, trace_id)
    if as_json:
        print_json(runs)
        return
    children: dict[Any, list[dict[str, Any]]] = {}
    for run in runs:
        children.setdefault(run["parent_id"], []).append(run)
    _show_tree(children, None, 0)


def _show_tree(children: dict[Any, list[dict[str, Any]]], parent: str | None, depth: int) -> None:
    for run in children.get(parent, []):
        text = f"{'  ' * depth}{run['name']} [{run['kind']}] {_seconds(run)} s"
        click.echo(text + ("" if run["status"] == "success" else f"  {run['status']}: {run['error'] or ''}"))
        if run["kind"] == "tool":
            click.echo(f"{'  ' * depth}  in:  {run['inputs']}\n{'  ' * depth}  out: {str(run['outputs'])[:300]}")
        _show_tree(children, run["run_id"], depth + 1)


def _seconds(run: dict[str, Any]) -> str:
    return f"{(run['ended_at'] - run['started_at']).total_seconds():.2f}" if run["ended_at"] else "-"
