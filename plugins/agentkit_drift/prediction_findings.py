"""What a check of predictions found, in sentences, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit_drift.prediction_result import Measured, PredictionCheck
from agentkit_drift.result import Verdict
from agentkit_drift.thresholds import FEWEST_ROWS

_NAMES = {
    "roc_auc": "ROC-AUC", "log_loss": "log loss", "f1": "F1", "f1_macro": "macro F1", "rmse": "RMSE", "mae": "MAE",
    "r2": "R2", "brier": "Brier score", "average_precision": "average precision",
    "median_ae": "median absolute error",
}  # fmt: skip
_SHOWN = ("roc_auc", "accuracy", "rmse", "mae")
_BIG = 0.05


def findings(check: PredictionCheck, *, show_values: bool = True) -> list[str]:
    """Sentences with the figures, the weightiest first. `show_values`: classes, values of a column, may be named."""
    return list(_findings(check, show_values))


def _findings(check: PredictionCheck, show_values: bool) -> Iterator[str]:
    if check.metrics:
        yield f"On {check.labelled:,} rows with labels: {_told(check, check.metrics)}."
    if check.calibration:
        found = check.calibration
        known = "" if found.reference is None else f", {found.reference:.3f} before"
        end = "" if found.ok else ": not calibrated any more"
        yield f"Calibration error {found.error:.3f} (chance makes up to {found.chance:.3f}){known}{end}."
    if check.estimated:
        yield (f"Estimated without labels: {_told(check, check.estimated)}. Holds only if {check.assumptions[0]}.")
    if check.labelled and not check.metrics:
        yield f"{check.labelled} rows with labels are too few to measure by (at least {FEWEST_ROWS})."
    if check.reference_rows and min(check.rows, check.reference_rows) < FEWEST_ROWS:
        yield f"{min(check.rows, check.reference_rows)} rows are too few to tell a shift by (at least {FEWEST_ROWS})."
    if check.score:
        yield _score(check, show_values)
    if check.classes:
        found_classes = check.classes
        moved = sorted(
            found_classes.current, key=lambda c: -abs(found_classes.current[c] - found_classes.reference.get(c, 0.0))
        )
        shares = ", ".join(
            f"{name!r} {found_classes.reference.get(name, 0.0):.1%} -> {found_classes.current[name]:.1%}"
            for name in moved[:3]
        )
        yield f"Predicted classes: {shares if show_values else 'their shares'}; PSI {found_classes.psi:.3f}."


def _score(check: PredictionCheck, show_values: bool) -> str:
    score = check.score
    assert score is not None
    name = score.of if show_values or check.task != "binary" else "probability of the positive class"
    if score.mean_shift is None:
        same = score.mean_current == score.mean_reference
        moved = "as it is now" if same and score.level == "none" else f"now the mean is {score.mean_current:.4g}"
        return f"The {name} was {score.mean_reference:.4g} for every row of the reference; {moved}."
    chance = "" if score.level != "none" else " (no change that matters)"
    return (
        f"Mean {name} {score.mean_reference:.4g} -> {score.mean_current:.4g}: {score.mean_shift:+.2f} standard "
        f"deviations, PSI {score.psi:.3f}{chance}."
    )


def _told(check: PredictionCheck, measured: dict[str, Measured]) -> str:
    """The metric that the model was chosen by first, then one or two that everybody knows."""
    names = [n for n in dict.fromkeys([check.metric, *_SHOWN]) if n in measured][:2] or list(measured)[:2]
    return ", ".join(_one(name, measured[name]) for name in names)


def _one(name: str, found: Measured) -> str:
    text = f"{_NAMES.get(name, name)} {found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    if found.reference is None:
        return text
    end = {"same": "no clear change", "worse": "worse", "better": "better", None: ""}[found.change]
    return f"{text}, {found.reference:.3f} before: {end}"


def main_metric(check: PredictionCheck, measured: dict[str, Measured]) -> Measured | None:
    """The metric that the model was chosen by, or the best known one that could be had."""
    name = next((n for n in dict.fromkeys([check.metric, *_SHOWN]) if n in measured), None)
    return measured[name] if name else None


def judged(check: PredictionCheck) -> tuple[Verdict, str]:
    """The verdict and what to do. Labels go before estimates, and these before the mere shift of scores."""
    levels = [s.level for s in (check.score, check.classes) if s is not None]
    moved = "strong" if "strong" in levels else "moderate" if "moderate" in levels else "none"
    target = repr(check.target)
    measured = main_metric(check, check.metrics)
    if measured is not None and measured.change == "worse":
        return "drift", "Train it again with these labels among the data, and find out by detect_drift what changed."
    if measured is not None and measured.change is not None:
        if check.calibration and not check.calibration.ok:
            return (
                "watch",
                "It ranks as well as before, but do not read its probabilities as frequencies: calibrate it.",
            )
        if moved != "none":
            return "watch", "It is as good as before on the labels; the mix of rows changed: see detect_drift."
        return "none", "Nothing to do."
    guessed = main_metric(check, check.estimated)
    if guessed is not None and guessed.change == "worse":
        lost = abs(guessed.value - (guessed.reference or 0.0)) > _BIG
        return (
            "drift" if lost or moved == "strong" else "watch",
            f"Get true values of {target} for some rows, check again.",
        )
    if moved == "strong":
        return "drift", f"Find out by detect_drift which columns moved; get true values of {target} before retraining."
    if moved == "moderate":
        return "watch", "Find out by detect_drift which columns moved, and check again with the next data."
    if check.reference_rows == 0:
        return "watch", "Name reference data, so that there is something to compare with."
    if min(check.rows, check.reference_rows) < FEWEST_ROWS:
        return "none", f"Nothing can be told from so few rows: check again with at least {FEWEST_ROWS}."
    return "none", "Nothing to do."
