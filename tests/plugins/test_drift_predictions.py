"""check_predictions: what a model says of new data, against what it said at training."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_drift.answers import Answers
from agentkit_drift.performance import estimate, metrics
from agentkit_drift.prediction_shift import class_shift, score_shift

from agentkit import Agent
from agentkit.errors import DatasetError, HandleError
from agentkit.prediction_profiles import PREDICTIONS, profile_predictions
from agentkit.testing import ScriptedChatModel
from tests.plugins.drift_models import kinds, loan_model, loans, rents, trained

Tool = Callable[..., Any]


@pytest.fixture
def model(tool: Tool) -> str:
    return loan_model(tool)


def saved(frame: pd.DataFrame, name: str) -> str:
    frame.to_csv(name, index=False)
    return name


def binary(scores: Any, truth: Any = None) -> Answers:
    scores = np.asarray(scores, dtype=float)
    chances = np.column_stack([1 - scores, scores])
    predicted = np.where(scores > 0.5, "yes", "no").astype("object")
    labels = None if truth is None else np.asarray(truth, dtype="object")
    return Answers("binary", "repaid", predicted, chances, ["no", "yes"], "yes", labels)


class TestWithoutLabels:
    def test_new_rows_of_the_same_kind_are_no_change(self, tool: Tool, model: str) -> None:
        found = tool("check_predictions", model=model, dataset=saved(loans(3_000, 7).drop(columns="repaid"), "new.csv"))
        assert found.verdict == "none"
        assert found.score.psi < 0.1
        assert abs(found.score.mean_shift) < 0.2
        assert found.labelled == 0
        assert found.metrics == {}
        assert found.rows == 3_000
        assert found.reference_rows == 400

    def test_a_shift_of_what_the_model_uses_shows_in_scores_and_classes(self, tool: Tool, model: str) -> None:
        name = saved(loans(3_000, 8, income=12).drop(columns="repaid"), "richer.csv")
        found = tool("check_predictions", model=model, dataset=name)
        assert found.verdict == "drift"
        assert found.score.mean_shift > 0.5
        assert found.score.level == "strong"
        assert found.classes.current["yes"] > found.classes.reference["yes"] + 0.2
        assert "standard deviations" in found.brief()
        assert len(found.brief()) <= 1_200

    def test_the_estimate_is_near_what_labels_show_when_only_the_mix_of_rows_changed(
        self, tool: Tool, model: str
    ) -> None:
        frame = loans(4_000, 9, income=6)
        blind = tool("check_predictions", model=model, dataset=saved(frame.drop(columns="repaid"), "blind.csv"))
        seen = tool("check_predictions", model=model, dataset=saved(frame, "seen.csv"))
        for metric in ("roc_auc", "accuracy"):
            guessed = blind.estimated[metric]
            assert guessed.low - 0.02 < seen.metrics[metric].value < guessed.high + 0.02
        assert len(blind.assumptions) == 2
        assert "Holds only if" in blind.brief()

    def test_numbers_have_no_estimate_and_the_result_says_so(self, tool: Tool) -> None:
        handle = trained(tool, rents(600), "drift_rents", "rent")
        name = saved(rents(500, 3, size=20).drop(columns="rent"), "larger.csv")
        found = tool("check_predictions", model=handle, dataset=name)
        assert found.verdict == "drift"
        assert found.score.mean_shift > 1
        assert found.classes is None
        assert found.estimated == {}
        assert any("needs labels" in f for f in found.findings)


class TestWithLabels:
    def test_a_model_that_is_as_good_as_before_is_left_alone(self, tool: Tool, model: str) -> None:
        found = tool("check_predictions", model=model, dataset=saved(loans(2_000, 11), "labelled.csv"))
        assert found.verdict == "none"
        assert found.metrics["roc_auc"].change == "same"
        assert found.calibration.ok
        assert found.estimated == {}

    def test_a_relation_that_turned_is_seen_by_labels_alone(self, tool: Tool, model: str) -> None:
        frame = loans(2_000, 12, turned=True)
        blind = tool("check_predictions", model=model, dataset=saved(frame.drop(columns="repaid"), "blind.csv"))
        seen = tool("check_predictions", model=model, dataset=saved(frame, "turned.csv"))
        assert blind.verdict == "none"
        assert seen.verdict == "drift"
        assert seen.metrics["roc_auc"].value < 0.5 < seen.metrics["roc_auc"].reference
        assert seen.metrics["roc_auc"].change == "worse"
        assert not seen.calibration.ok

    def test_labels_that_arrived_for_some_rows_are_used(self, tool: Tool, model: str) -> None:
        frame = loans(1_000, 13)
        frame.loc[300:, "repaid"] = None
        found = tool("check_predictions", model=model, dataset=saved(frame, "some.csv"))
        assert (found.rows, found.labelled) == (1_000, 300)
        assert "roc_auc" in found.metrics

    def test_a_handful_of_labels_is_too_few(self, tool: Tool, model: str) -> None:
        frame = loans(500, 14)
        frame.loc[10:, "repaid"] = None
        found = tool("check_predictions", model=model, dataset=saved(frame, "few.csv"))
        assert found.metrics == {}
        assert "roc_auc" in found.estimated
        assert any("too few" in f for f in found.findings)

    def test_metrics_are_those_of_evaluate(self, tool: Tool, model: str) -> None:
        name = saved(loans(800, 15), "same.csv")
        found = tool("check_predictions", model=model, dataset=name)
        evaluated = tool("evaluate", model=model, dataset=name)
        shared = set(found.metrics) & set(evaluated.metrics)
        assert len(shared) >= 6
        for metric in shared:
            assert found.metrics[metric].value == pytest.approx(evaluated.metrics[metric], abs=1e-9), metric

    def test_three_classes(self, tool: Tool) -> None:
        handle = trained(tool, kinds(1_500), "drift_kinds", "kind")
        found = tool("check_predictions", model=handle, dataset=saved(kinds(1_500, 4, big=3), "big.csv"))
        assert found.classes.current["big"] > 2 * found.classes.reference["big"]
        assert found.classes.level == "strong"
        assert "accuracy" in found.metrics
        blind = tool(
            "check_predictions", model=handle, dataset=saved(kinds(1_500, 5).drop(columns="kind"), "blind.csv")
        )
        assert abs(blind.estimated["accuracy"].value - blind.estimated["accuracy"].reference) < 0.05


class TestReference:
    def test_other_data_can_be_the_reference(self, tool: Tool, model: str) -> None:
        may, june = saved(loans(1_500, 16, income=12), "may.csv"), saved(loans(1_500, 17, income=12), "june.csv")
        found = tool("check_predictions", model=model, dataset=june, reference=may)
        assert found.score.level == "none"
        assert found.reference == "may.csv"
        assert found.reference_rows == 1_500

    def test_the_training_file_as_reference_is_said_to_flatter(self, tool: Tool, model: str) -> None:
        name = saved(loans(300, 18), "new.csv")
        found = tool("check_predictions", model=model, dataset=name, reference="drift_loans.csv")
        assert any("has learned from drift_loans.csv" in n for n in found.notes)
        itself = tool("check_predictions", model=model, dataset="drift_loans.csv")
        assert any("has learned from drift_loans.csv" in n for n in itself.notes)

    def test_a_model_without_stored_answers_says_what_to_do(
        self, tool: Tool, model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("agentkit.stored_models.StoredModels.has", lambda *_: False)
        found = tool("check_predictions", model=model, dataset=saved(loans(300, 19), "new.csv"))
        assert any("name reference data, or train it again" in n for n in found.notes)
        assert found.score is None
        assert found.reference_rows == 0
        assert found.verdict == "watch"
        assert found.metrics["roc_auc"].reference is None
        with_data = tool("check_predictions", model=model, dataset="new.csv", reference="drift_loans.csv")
        assert with_data.score is not None

    def test_a_query_is_a_data_set_too(self, tool: Tool, model: str) -> None:
        saved(loans(400, 20), "asked.csv")
        found = tool("check_predictions", model=model, dataset="sql:SELECT * FROM asked WHERE region = 'north'")
        assert 150 < found.rows < 250
        assert found.labelled == found.rows


def test_classes_are_not_named_to_a_model_that_may_not_see_values(tool: Tool, model: str) -> None:
    saved(loans(500, 23), "new.csv")
    Path("agentkit.toml").write_text("[privacy]\nsend_values = false\n")
    with Agent(model=ScriptedChatModel(script=[])) as agent:
        brief = agent.call("check_predictions", model=model, dataset="new.csv").brief()
    assert "probability of the positive class" in brief
    assert "'yes'" not in brief


class TestBadInput:
    def test_an_unknown_model(self, tool: Tool) -> None:
        saved(loans(50), "new.csv")
        with pytest.raises(HandleError, match="there is no model"):
            tool("check_predictions", model="model:nothing_of_this_name", dataset="new.csv")

    def test_a_column_that_the_model_needs_is_named(self, tool: Tool, model: str) -> None:
        saved(loans(50).drop(columns="debt"), "new.csv")
        with pytest.raises(DatasetError, match="'debt'"):
            tool("check_predictions", model=model, dataset="new.csv")

    def test_one_row_is_too_few_to_judge(self, tool: Tool, model: str) -> None:
        found = tool("check_predictions", model=model, dataset=saved(loans(1, 21), "one.csv"))
        assert found.rows == 1
        assert found.verdict == "none"
        assert any("too few to tell" in f for f in found.findings)

    def test_nothing_stays_behind(self, tool: Tool, model: str, home: Path) -> None:
        tool("check_predictions", model=model, dataset=saved(loans(100, 22), "new.csv"))
        assert [p.name for p in (home / "artifacts" / "tables").glob("*answers-*")] == []


class TestFormulas:
    def test_a_constant_reference_divides_by_nothing(self) -> None:
        before = binary(np.full(500, 0.3)).profile()
        same = score_shift(before, binary(np.full(400, 0.3)))
        assert (same.mean_shift, same.level) == (None, "none")
        for other in (0.1, 0.9):
            moved = score_shift(before, binary(np.full(400, other)))
            assert moved.mean_shift is None
            assert moved.level == "strong"
            assert math.isfinite(moved.psi)

    def test_psi_is_that_of_the_formula(self) -> None:
        random = np.random.default_rng(0)
        old, new = random.beta(2, 2, 5_000), random.beta(3, 2, 5_000)
        edges = np.quantile(old, np.linspace(0, 1, 11))[1:-1]
        a, b = (np.bincount(np.searchsorted(edges, x), minlength=10) / 5_000 for x in (old, new))
        found = score_shift(binary(old).profile(), binary(new))
        assert found.psi == pytest.approx(float(((b - a) * np.log(b / a)).sum()), rel=0.02)
        assert found.mean_shift == pytest.approx((new.mean() - old.mean()) / old.std(ddof=1))

    def test_chance_alone_seldom_moves_scores(self) -> None:
        random = np.random.default_rng(1)
        alarms = 0
        for _ in range(300):
            before, now = binary(random.beta(2, 3, 60)).profile(), binary(random.beta(2, 3, 80))
            classes = class_shift(before, now)
            alarms += score_shift(before, now).level != "none" or (classes is not None and classes.level != "none")
        assert alarms / 300 <= 0.08

    def test_the_estimate_is_the_truth_for_probabilities_that_are_right(self) -> None:
        random = np.random.default_rng(2)

        def drawn(rows: int, a: float) -> Answers:
            scores = random.beta(a, 2, rows)
            return binary(scores, np.where(random.random(rows) < scores, "yes", "no"))

        before = drawn(4_000, 2)
        profile = before.profile(metrics=metrics(before))
        now = drawn(20_000, 4)
        found, why = estimate(now, profile)
        assert why == ""
        for metric, value in metrics(now).items():
            assert found[metric].value == pytest.approx(value, abs=0.02), metric
            assert found[metric].low <= found[metric].value <= found[metric].high

    def test_scores_that_were_too_high_are_corrected_by_the_reference(self) -> None:
        random = np.random.default_rng(3)
        chance = random.beta(2, 2, 8_000)
        truth = np.where(random.random(8_000) < chance, "yes", "no")
        flattering = binary(chance**0.4, truth)
        half = np.arange(4_000)
        found, _ = estimate(flattering.take(half + 4_000), flattering.take(half).profile())
        assert found["accuracy"].value == pytest.approx(metrics(flattering.take(half + 4_000))["accuracy"], abs=0.02)

    def test_few_rows_of_the_reference_give_no_estimate(self) -> None:
        few = binary(np.linspace(0.1, 0.9, 60), ["yes", "no"] * 30)
        found, why = estimate(few, few.profile())
        assert found == {}
        assert "at least 100 rows" in why


def test_training_stores_the_profile_of_its_answers(tool: Tool, model: str, workspace: Path) -> None:
    from agentkit.calls import CallContext, Services
    from agentkit.prediction_profiles import PredictionProfile
    from agentkit.settings import load_settings
    from agentkit.stored_models import StoredModels

    services = Services(load_settings(workspace))
    models = StoredModels(CallContext(services))
    kept = PredictionProfile.model_validate_json(models.read(models.find(model).run_id, PREDICTIONS))
    services.close()
    assert (kept.task, kept.target, kept.rows, kept.positive) == ("binary", "repaid", 400, "yes")
    assert len(kept.quantiles) == 257
    assert sum(b.rows for b in kept.calibration) == 400
    assert kept.metrics["roc_auc"] > 0.8


def test_a_profile_of_answers_can_be_read_back() -> None:
    made = profile_predictions("regression", "rent", np.array([1.0, 2.0, 4.0]))
    assert type(made).model_validate_json(made.model_dump_json()) == made
