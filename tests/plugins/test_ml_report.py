"""The HTML report: everything in one file, readable, and inert whatever the data hold."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.assess.assessment import assess
from agentkit_ml.assess.fairness import fairness
from agentkit_ml.assess.slices import measure_slices
from agentkit_ml.metrics import Outcome
from agentkit_ml.record import Baseline, Candidate, Finding, Training, baseline_of, baseline_outcome
from agentkit_ml.reports.pictures import draw
from agentkit_ml.reports.report import Report, html, write_report

from agentkit.errors import WorkspaceError
from agentkit.results import Table
from tests.plugins.test_ml_metrics import binary, numbers, several

Tool = Callable[..., Any]

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'$x_{$"
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div", "b", "span", "ul", "li",
    "table", "caption", "tr", "th", "td", "figure", "figcaption", "img", "dl", "dt", "dd", "footer", "details",
    "summary",
}  # fmt: skip


class Page(HTMLParser):
    """What is on a page: tags with their attributes, and the text."""

    VOID = ("meta", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _training(outcome: Outcome, **more: Any) -> Training:
    known: dict[str, Any] = {
        "dataset": "t.csv", "digest": "ab" * 32, "target": "y", "task": outcome.task, "classes": list(outcome.classes),
        "positive": outcome.positive, "algorithm": "linear", "metric": "roc_auc", "metrics": {"roc_auc": 0.8},
        "baseline": Baseline(), "baseline_metrics": {"roc_auc": 0.5}, "columns": {"a": "number"}, "left_out": {},
        "split": "random", "seed": 1, "train_rows": 800, "test_rows": 200, "seconds": 3.2,
        "candidates": [Candidate(algorithm="linear", score=0.8, folds=5, seconds=1)],
    }  # fmt: skip
    return Training(**(known | more))


def _report(outcome: Outcome, metric: str, folder: Path, **more: Any) -> Report:
    guess = baseline_outcome(
        baseline_of(outcome.truth, outcome.classes), outcome.truth, outcome.task, outcome.classes, outcome.positive
    )
    found = assess(outcome, guess, metric=metric, resamples=200)
    known = more.pop("training", {"metric": metric, "metrics": {metric: 1.0}})
    return Report(
        title="A report", model="model:m/1", dataset="t.csv", training=_training(outcome, **known), assessment=found,
        pictures=draw(folder, outcome, found, target="y"), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "metric", "pictures"),
    [(binary(), "roc_auc", 5), (several(), "f1_macro", 2), (numbers(), "rmse", 2)],
)
def test_a_page_has_the_score_its_interval_and_every_picture_inside(
    outcome: Outcome, metric: str, pictures: int, workspace: Path
) -> None:
    report = _report(outcome, metric, workspace / "pictures")
    path = write_report(workspace / "deep" / "report.html", report)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= ALLOWED
    main = report.assessment.main
    assert main.low is not None
    for shown in (main.value, main.low, main.baseline):
        assert f"{shown:.3f}" in page.text or f"{shown:.1f}" in page.text
    images = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(images) == pictures
    for source in images:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_names_and_cells_that_are_html_do_nothing(workspace: Path) -> None:
    made = binary()
    assert made.probabilities is not None
    truth, said = (np.where(a == "yes", EVIL, "no").astype("object") for a in (made.truth, made.predicted))
    outcome = Outcome("binary", truth, said, made.probabilities, ("no", EVIL), EVIL)
    frame = pd.DataFrame({EVIL: [EVIL, "b"] * 150})
    report = _report(
        outcome, "roc_auc", workspace / "p",
        training={
            "target": EVIL, "dataset": EVIL, "columns": {EVIL: "number"}, "left_out": {EVIL: EVIL}, "split_why": EVIL,
            "findings": [Finding(gate=EVIL, level="warn", text=EVIL)],
            "candidates": [Candidate(algorithm="linear", score=None, folds=0, seconds=1, skipped=EVIL)],
        },
        tables=[Table(title=EVIL, columns=[EVIL], rows=[[EVIL]])], notes=[EVIL], next_steps=[EVIL],
        slices=measure_slices(frame, [EVIL], outcome, "roc_auc"), fairness=[fairness(frame[EVIL], outcome)],
    )  # fmt: skip
    text = html(report)
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= ALLOWED
    attributes = {name for _, given in page.tags for name in given}
    assert attributes <= {"lang", "charset", "name", "content", "http-equiv", "class", "src", "alt", "open"}
    assert all((given.get("src") or "data:").startswith("data:") for _, given in page.tags)
    assert page.text.count(EVIL) >= 12
    assert "default-src 'none'" in text


def test_the_page_needs_nothing_else(workspace: Path) -> None:
    text = html(_report(binary(), "roc_auc", workspace / "p"))
    assert re.findall(r"https?://|<script|<link|@import|url\(", text) == []
    assert "prefers-color-scheme: dark" in text


def test_what_checks_found_comes_before_the_figures(workspace: Path) -> None:
    findings = [
        Finding(gate="leak", level="block", text="'paid_until' tells the target", columns=["paid_until"], value=0.99),
        Finding(gate="rows", level="ok", text="enough rows"),
    ]
    text = html(
        _report(
            binary(), "roc_auc", workspace / "p",
            training={"metric": "roc_auc", "metrics": {"roc_auc": 0.8}, "findings": findings},
        )
    )  # fmt: skip
    assert "The score cannot be believed" in text
    assert text.index("tells the target") < text.index("checks passed") < text.index("enough rows")
    assert text.index("tells the target") < text.index("data:image")


def test_a_report_that_cannot_be_written_is_an_error_and_leaves_nothing(workspace: Path) -> None:
    report = _report(binary(100), "roc_auc", workspace / "p")
    (workspace / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_report(workspace / "file" / "r.html", report)
    (workspace / "r.html").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_report(workspace / "r.html", report)
    assert sorted(p.name for p in workspace.iterdir()) == ["file", "p", "r.html"]


def test_every_member_of_a_committee_is_named_with_its_weight(workspace: Path) -> None:
    members = {"linear": 0.25, "lightgbm": 0.75}
    report = _report(binary(), "roc_auc", workspace / "p", training={"members": members})
    text = Page(html(report)).text
    assert "LightGBM + linear model" in text
    assert "weights LightGBM 0.75, linear model 0.25" in text
    assert report.training.together == "lightgbm + linear"
    assert _training(binary()).together == "linear"
