"""Units for agentkit. What is listed here is imported when it is used."""

from __future__ import annotations

from pathlib import Path

from agentkit import Decision, PromptSource, RunContext, ToolCall, ToolSpec, hookimpl


@hookimpl
def register_tools() -> list[ToolSpec]:
    summary = "Convert a number from one unit to another: lengths, masses, times and temperatures."
    return [ToolSpec("convert_units", "agentkit_units.convert:convert_units", summary)]


@hookimpl
def register_prompts() -> list[PromptSource]:
    return [PromptSource(Path(__file__).parent / "prompts")]


@hookimpl
def register_commands() -> dict[str, str]:
    return {"units": "agentkit_units.command:units"}


@hookimpl
def review_tool_call(run: RunContext, call: ToolCall) -> Decision | None:
    """With `[units] si_only = true` the agent converts to SI units only."""
    if call.name != "convert_units":
        return None
    from agentkit_units.convert import SI, UnitSettings

    wanted = call.args["to"]
    if run.settings.section("units", UnitSettings).si_only and wanted not in SI:
        return Decision("deny", f"[units] si_only allows {', '.join(SI)}, not {wanted}")
    return None
