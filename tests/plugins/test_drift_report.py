"""The outputs of a drift check: the HTML report, figures, metrics for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_drift.checks import worst
from agentkit_drift.reports.figures import Point, draw_columns, draw_history
from agentkit_drift.reports.prometheus import prometheus_text
from agentkit_drift.reports.report import html, write_report
from agentkit_drift.result import ColumnDrift, DriftResult, Histogram, Window

from agentkit.errors import BadInput, WorkspaceError
from tests.plugins.drift_models import loan_model, loans

Tool = Callable[..., Any]
HOSTILE = '<script>alert("1")</script>&"\\'


class Page(HTMLParser):
    """Tags with their attributes, and whether each that was opened is closed in its place."""

    VOID = ("meta", "img", "br", "path", "td", "tr", "th", "li")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def column(name: str, level: Any = "none", effect: float = 0.0, **more: Any) -> ColumnDrift:
    edges = list(np.linspace(-3, 3, 21))
    shares = [0.05] * 20
    known: dict[str, Any] = {"ks": 0.123, "psi": 0.2, "js": 0.1, "wasserstein": 0.3, "p_value": 1e-9, "kind": "number"}
    histogram = Histogram(edges=edges, reference=shares, current=shares[::-1])
    return ColumnDrift(
        name=name, level=level, drifted=level != "none", effect=effect, histogram=histogram, **(known | more)
    )


def result(columns: list[ColumnDrift], **more: Any) -> DriftResult:
    drifted = sum(c.drifted for c in columns) / max(len(columns), 1)
    known: dict[str, Any] = {
        "reference": "may.csv", "current": "june.csv", "method": "exact", "rows_reference": 1000,
        "rows_current": 2000, "verdict": "drift" if drifted else "none", "recommendation": "Retrain.",
        "drifted_share": drifted, "weighted_share": drifted, "columns": {c.name: c for c in columns},
    }  # fmt: skip
    return DriftResult(**(known | more))


class TestReport:
    def test_the_verdict_and_what_to_do_come_first(self) -> None:
        page = html(result([column("income", "strong", 4.0), column("age")]))
        assert page.index("Drift: the data are no longer") < page.index("Retrain.") < page.index("income")
        assert page.index("<h3>income") < page.index("<h3>age")
        assert Page(page).open == []

    def test_it_needs_nothing_else(self) -> None:
        page = Page(html(result([column("income", "strong", 4.0)])))
        assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in page.tags}
        assert [a for _, attrs in page.tags for a in ("src", "href", "onload", "onerror") if a in attrs] == []
        policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
        assert policy is not None
        assert "default-src 'none'" in policy

    def test_names_and_findings_from_data_are_escaped(self) -> None:
        labels = Histogram(labels=[HOSTILE, "b"], reference=[0.5, 0.5], current=[0.9, 0.1])
        bad = column(HOSTILE, "strong", 9.0, kind="category", findings=[HOSTILE], new_levels=[HOSTILE]).model_copy(
            update={"histogram": labels}
        )
        window = Window(
            start="2026-01-01", end="2026-01-02", rows=3, verdict="drift", drifted_share=1, drifted=[HOSTILE]
        )
        page = html(
            result(
                [bad], reference=HOSTILE, current=HOSTILE, recommendation=HOSTILE, findings=[HOSTILE],
                missing_columns=[HOSTILE], added_columns=[HOSTILE], renamed={HOSTILE: HOSTILE}, windows=[window],
                notes=[HOSTILE],
            )
        )  # fmt: skip
        assert "<script" not in page
        assert page.count("&lt;script&gt;") > 10

    def test_five_thousand_columns_stay_below_a_megabyte(self) -> None:
        many = [column(f"a_column_with_a_rather_long_name_{i:05}" * 3, "strong", 9.0) for i in range(5_000)]
        page = html(result(many))
        assert len(page.encode()) < 1_000_000
        assert "columns that changed least are left" in page
        few = html(result(many[:3_000]))
        assert len(few.encode()) < 1_000_000
        wide = [column("長い列の名前" * 20 + str(i), "strong", 9.0, findings=["何か" * 200]) for i in range(5_000)]
        assert len(html(result(wide)).encode()) < 1_000_000

    def test_two_histograms_lie_over_each_other(self) -> None:
        page = Page(html(result([column("income", "strong", 4.0)])))
        shapes = [a for t, a in page.tags if t == "path"]
        assert [s["class"] for s in shapes] == ["before", "now"]
        assert all(s["d"] for s in shapes)

    def test_a_result_of_the_tool_with_dates_and_categories(self, tool: Tool) -> None:
        before, now = loans(1_500, 1), loans(1_500, 2, income=15)
        for frame, start in ((before, "2026-01-01"), (now, "2026-03-01")):
            frame["day"] = pd.Timestamp(start) + pd.to_timedelta(np.arange(1_500) % 30, unit="D")
        before.to_csv("before.csv", index=False)
        now.to_csv("now.csv", index=False)
        found = tool("detect_drift", reference="before.csv", current="now.csv", time_column="day")
        page = html(found)
        assert Page(page).open == []
        assert "income" in page
        assert "Since when" in page

    def test_predictions_have_their_part(self, tool: Tool) -> None:
        model = loan_model(tool)
        loans(1_000, 5, income=10).to_csv("now.csv", index=False)
        check = tool("check_predictions", model=model, dataset="now.csv")
        alone, both = html(None, check), html(result([column("income")]), check)
        for page in (alone, both):
            assert "roc auc" in page
            assert "probability of" in page
            assert Page(page).open == []
        assert worst("none", check.verdict, "watch") == check.verdict

    def test_it_appears_whole_or_not_at_all(self, workspace: Path) -> None:
        path = write_report(workspace / "deep" / "drift.html", result([column("a")]))
        assert path.read_text(encoding="utf-8").endswith("</html>\n") or path.read_text().endswith("</html>")
        assert [p.name for p in path.parent.iterdir()] == ["drift.html"]
        (workspace / "file").write_text("")
        with pytest.raises(WorkspaceError, match="cannot be written"):
            write_report(workspace / "file" / "drift.html", result([column("a")]))


class TestFigures:
    def test_the_worst_columns_are_drawn(self, workspace: Path) -> None:
        labels = Histogram(labels=["a", "$b$"], reference=[0.5, 0.5], current=[0.9, 0.1])
        odd = column("cost $x$ 列", "strong", 9.0).model_copy(update={"histogram": labels})
        path = draw_columns(result([odd, *(column(f"c{i}") for i in range(9))]), workspace / "drift.png")
        assert path.read_bytes().startswith(b"\x89PNG")
        assert [p.name for p in workspace.iterdir()] == ["drift.png"]

    def test_nothing_to_draw_is_said(self, workspace: Path) -> None:
        with pytest.raises(BadInput, match="no column"):
            draw_columns(result([]), workspace / "drift.png")
        with pytest.raises(BadInput, match="no finished run"):
            draw_history([], workspace / "history.png", "loans")

    def test_the_history_is_drawn(self, workspace: Path) -> None:
        start = datetime(2026, 3, 1, tzinfo=UTC)
        verdicts: list[Any] = ["none", "none", "watch", "drift"]
        points = [Point(start + timedelta(days=i), v, i / 4) for i, v in enumerate(verdicts)]
        assert draw_history(points, workspace / "h.png", "loans").read_bytes().startswith(b"\x89PNG")
        assert draw_history(points[:1], workspace / "one.png", "loans").is_file()


SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')


def parsed(text: str) -> dict[tuple[str, str], float]:
    """The samples of an exposition, each line checked against the format."""
    found: dict[tuple[str, str], float] = {}
    declared: list[str] = []
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert kind == "gauge"
            assert name not in declared, "the samples of a metric stand together"
            declared.append(name)
        elif not line.startswith("# HELP "):
            matched = SAMPLE.match(line)
            assert matched, line
            assert matched[1] == declared[-1]
            key = (matched[1], matched[2] or "")
            assert key not in found
            found[key] = float(matched[3])
    return found


class TestPrometheus:
    def test_every_line_has_the_format_and_labels_are_escaped(self) -> None:
        odd = 'a"b\\c\nd'
        found = parsed(prometheus_text(result([column(odd, "strong", 3.0), column("age")])))
        assert found["agentkit_drift_verdict", ""] == 2
        assert found["agentkit_drift_column_psi", r'column="a\"b\\c\nd"'] == 0.2
        assert found["agentkit_drift_rows", 'side="current"'] == 2000
        assert found["agentkit_drift_columns_drifted_ratio", ""] == 0.5

    def test_what_cannot_be_measured_is_left_out_and_infinities_have_their_names(self) -> None:
        text = prometheus_text(result([column("a", ks=None, psi=float("inf"), wasserstein=float("nan"))]))
        assert "column_ks{" not in text
        assert 'agentkit_drift_column_psi{column="a"} +Inf' in text
        assert 'agentkit_drift_column_wasserstein_stddevs{column="a"} NaN' in text

    def test_names_carry_their_units(self, tool: Tool) -> None:
        model = loan_model(tool)
        loans(500, 6).to_csv("now.csv", index=False)
        check = tool("check_predictions", model=model, dataset="now.csv")
        text = prometheus_text(result([column("a")]), check, {"watch": "loans"})
        found = parsed(text)
        assert all('watch="loans"' in labels for _, labels in found)
        names = {name for name, _ in found}
        assert "agentkit_drift_check_duration_seconds" in names
        assert "agentkit_drift_prediction_mean_shift_stddevs" in names
        assert {n for n in names if "share" in n or "percent" in n} == set()
        assert (
            found["agentkit_drift_model_metric", f'watch="loans",model="{model}",metric="roc_auc",source="labels"']
            > 0.8
        )
