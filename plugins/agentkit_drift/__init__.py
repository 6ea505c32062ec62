"""Drift: which columns changed, by how much, since when, and whether it matters for the model."""

from __future__ import annotations

from agentkit import hookimpl
from agentkit.specs import ToolSpec


@hookimpl
def register_tools() -> list[ToolSpec]:
    """The tools of this plugin; their modules load when they are first used."""
    return [
        ToolSpec(
            "detect_drift",
            "agentkit_drift.detect_drift:detect_drift",
            "Find drift: compare a new data file with the older one, or with the data a model was trained on. Which "
            "columns changed, by how much, and does it matter for the model?",
        ),
        ToolSpec(
            "check_predictions",
            "agentkit_drift.check_predictions:check_predictions",
            "Check a model's predictions for new data against those at training, with or without true values: have "
            "scores or classes shifted, are probabilities still calibrated?",
        ),
    ]


@hookimpl
def register_commands() -> dict[str, str]:
    """`agentkit drift`: check, watch, report."""
    return {"drift": "agentkit_drift.commands:drift"}
