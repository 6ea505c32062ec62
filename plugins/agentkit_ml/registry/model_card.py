"""A model card: what a model is, how good, where its limits are and how to use it, made from the training's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.profiles import listed
from agentkit_ml.engine.families import label
from agentkit_ml.metrics import METRICS, number, shown

if TYPE_CHECKING:
    from agentkit.profiles import Profile
    from agentkit_ml.record import Training

_MOST_COLUMNS = 40
_TASKS = {"binary": "binary classification", "multiclass": "multiclass classification", "regression": "regression"}
_SPLITS = {
    "random": "at random (stratified by class where there are classes)",
    "time": "by time: the newest rows",
    "group": "by group: no group is on both sides",
}


def model_card(handle: str, training: Training, profile: Profile, kept: dict[str, str]) -> str:
    """Markdown after "Model Cards for Model Reporting" (Mitchell et al., 2019).

    `kept`: lines about how it is stored, label -> text, such as format and library versions.
    """
    parts = [
        _title(handle, training),
        _section("What it predicts", _predicts(training)),
        _section("Data and split", _data(training, profile)),
        *([_section("Features", _features(training))] if training.features else []),
        _section(f"Scores on {training.test_rows} held-back rows", _scores(training)),
        _section("Findings", _findings(training)),
        _section("Limits", _limits(training)),
        _section("How to use it", _usage(handle)),
        _section("How it is kept", "\n".join(f"- {label}: {text}" for label, text in kept.items())),
    ]
    return "\n".join(parts)


def summary(training: Training) -> str:
    """The model in one sentence."""
    algorithm = " + ".join(map(label, training.weights))
    return (
        f"Predicts {training.target!r} ({_TASKS.get(training.task, training.task)}) from {len(training.columns)} "
        f"columns of {training.dataset}: {algorithm}, {shown(training.metric, training.score)} on "
        f"{training.test_rows} held-back rows."
    )


def _title(handle: str, training: Training) -> str:
    return f"# {handle}\n\n{_plain(summary(training))}\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}\n"


def _predicts(training: Training) -> str:
    columns = [f"| {_plain(name)} | {kind} |" for name, kind in list(training.columns.items())[:_MOST_COLUMNS]]
    if (more := len(training.columns) - _MOST_COLUMNS) > 0:
        columns.append(f"| and {more} more | |")
    target, what = _plain(repr(training.target)), "a number"
    if training.classes:
        what = f"one of {len(training.classes)} classes ({_plain(listed(training.classes, 20))})"
    lines = [f"{target}, {what}, from these columns:", "", "| column | kind |", "|---|---|", *columns]
    if training.positive:
        lines += ["", f"Precision and recall are about {_plain(repr(training.positive))}."]
    return "\n".join(lines)


def _data(training: Training, profile: Profile) -> str:
    held_back = _SPLITS.get(training.split, training.split)
    lines = [
        f"- Data set: {_plain(training.dataset)}, {profile.rows} rows, SHA-256 `{training.digest[:16]}`.",
        f"- Learned from {training.learned_rows} rows; {training.test_rows} were held back {held_back}.",
        f"- Seed: {training.seed}.",
    ]
    if training.split_why:
        lines.append(f"- Why this split: {_plain(training.split_why)}")
    if training.left_out:
        left_out = list(training.left_out.items())[:_MOST_COLUMNS]
        lines.append("- Left out: " + "; ".join(f"{_plain(repr(c))} ({_plain(why)})" for c, why in left_out) + ".")
    return "\n".join(lines)


def _features(training: Training) -> str:
    return "\n".join(f"- {_plain(text)}" for text in training.features[:_MOST_COLUMNS])


def _scores(training: Training) -> str:
    lines = ["| metric | model | 95% interval | without a model |", "|---|---|---|---|"]
    ordered = [training.metric, *(m for m in training.metrics if m != training.metric)]
    for name in ordered:
        label = METRICS[name].label if name in METRICS else name
        low_high = training.intervals.get(name)
        interval = f"{number(low_high[0])} to {number(low_high[1])}" if low_high else ""
        base = training.baseline_metrics.get(name)
        lines.append(
            f"| {label} | {number(training.metrics[name])} | {interval} | {'' if base is None else number(base)} |"
        )
    told = [f"Chosen by {METRICS[training.metric].label} in cross-validation on the training rows."]
    if training.train_score is not None:
        told.append(f"On the training rows: {shown(training.metric, training.train_score)}.")
    if training.trials:
        told.append(f"{training.trials} settings were tried.")
    if len(training.members) > 1:
        members = ", ".join(f"{_plain(name)} ({weight:.2f})" for name, weight in training.members.items())
        told.append(f"An ensemble of: {members}.")
    if training.refit:
        told.append("The model to use has then learned from all rows, with the same settings.")
    return "\n".join([*lines, "", " ".join(told)])


def _findings(training: Training) -> str:
    raised = [f for f in training.findings if f.level != "ok"]
    if not raised:
        checked = len(training.findings)
        return f"{checked} checks, none raised." if checked else "No checks were recorded."
    return "\n".join(f"- **{f.level}** {f.gate}: {_plain(f.text)}" for f in raised)


def _limits(training: Training) -> str:
    uses = f"The scores are estimates from {training.test_rows} rows"
    lines = [
        "- It holds for data like that it was trained on; their profile is kept with it, to compare new data with.",
        f"- {uses}; the more often these rows are used to choose, the more they flatter.",
    ]
    if training.split == "random":
        lines.append("- Rows were held back at random: on later data it may be worse than the scores say.")
    if training.classes:
        lines.append("- A class that was not in the training data is never predicted.")
    else:
        lines.append("- Tree models do not predict beyond the range of the target in the training data.")
    return "\n".join(lines)


def _usage(handle: str) -> str:
    name, _, version = handle.removeprefix("model:").partition("/")
    return "\n".join(
        [
            "```bash",
            f"agentkit tool predict --model {handle} --dataset NEW.csv --output predictions.csv",
            f"agentkit tool evaluate --model {handle} --dataset LABELLED.csv",
            "```",
            "",
            "```python",
            "from agentkit import Agent",
            "",
            "with Agent() as agent:",
            f'    agent.call("predict", model="{handle}", dataset="NEW.csv", output="predictions.csv")',
            "```",
            "",
            "With MLflow alone, where `MLFLOW_TRACKING_URI` is that of the store:",
            "",
            "```python",
            "import mlflow",
            "",
            f'model = mlflow.pyfunc.load_model("models:/{name}/{version}")',
            "model.predict(frame)  # a pandas DataFrame with the columns above",
            "```",
        ]
    )


def _plain(text: str) -> str:
    """Text of the data as inert Markdown: one line, no HTML, no links, no table borders."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*[]|":
        flat = flat.replace(mark, f"\\{mark}")
    return flat
