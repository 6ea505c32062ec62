"""Anthropic's chat models."""

from __future__ import annotations

from agentkit import hookimpl
from agentkit.specs import ModelSpec


@hookimpl
def register_models() -> list[ModelSpec]:
    """`anthropic:NAME`."""
    target = "agentkit_anthropic.models:chat_model"
    return [
        ModelSpec(
            "anthropic", target, "Anthropic: anthropic:NAME, key in ANTHROPIC_API_KEY", key_variable="ANTHROPIC_API_KEY"
        )
    ]
