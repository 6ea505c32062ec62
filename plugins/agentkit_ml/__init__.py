"""Machine learning on the workspace's tables: profile, train, evaluate, predict, list."""

from __future__ import annotations

from agentkit import hookimpl
from agentkit.specs import ToolSpec


@hookimpl
def register_tools() -> list[ToolSpec]:
    """The tools of this plugin; their modules load when they are first used."""
    return [
        ToolSpec(
            "profile_data",
            "agentkit_ml.profile_data:profile_data",
            "Describe a data file (x.csv) as a whole: an overview of its columns, types, ranges and missing values. "
            "What is in it?",
        ),
        ToolSpec(
            "train",
            "agentkit_ml.train:train",
            "Train, build or fit a model that learns to predict, forecast or classify one column of a data file from "
            "the others: who will, how much, which kind? Returns a handle and a score on held-back rows.",
            risk="costly",
        ),
        ToolSpec(
            "evaluate",
            "agentkit_ml.evaluate:evaluate",
            "Test or check a trained model: how good is it on a data file that contains the true values?",
        ),
        ToolSpec(
            "compare_models",
            "agentkit_ml.compare_models:compare_models",
            "Compare two or more trained models on the same data file: which is best, and is the difference real or "
            "chance?",
        ),
        ToolSpec(
            "explain",
            "agentkit_ml.explain:explain",
            "Explain a trained model: which columns matter and in which direction, or why it predicts what it does for "
            "one row.",
        ),
        ToolSpec(
            "review_training",
            "agentkit_ml.review_training:review_training",
            "Review how a model was trained: leaks, split, metric, overfitting, records. Says READY, NEEDS WORK or "
            "BLOCKED. Use it for: can this model be trusted or released?",
        ),
        ToolSpec(
            "predict",
            "agentkit_ml.predict:predict",
            "Apply a trained model to a data file and write one prediction per row to a new file.",
            risk="write",
        ),
        ToolSpec(
            "list_models",
            "agentkit_ml.list_models:list_models",
            "List the trained models with their handles, targets and scores: which models are there, which were "
            "trained so far?",
        ),
    ]


@hookimpl
def register_commands() -> dict[str, str]:
    """`agentkit ml`: promote a model, read its card."""
    return {"ml": "agentkit_ml.commands:ml"}
