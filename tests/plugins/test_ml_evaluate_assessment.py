"""Assessments: intervals, comparison with the baseline, calibration, threshold, costs; and rows that allow little."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from agentkit_ml.assess.assessment import Assessment, assess
from agentkit_ml.assess.calibration import calibration
from agentkit_ml.assess.costs import cheapest, read_costs, row_costs
from agentkit_ml.assess.threshold import best_threshold
from agentkit_ml.metrics import METRICS, Outcome
from agentkit_ml.record import baseline_of, baseline_outcome

from agentkit.errors import BadInput
from tests.plugins.test_ml_metrics import binary, numbers, several


def _baseline(o: Outcome) -> Outcome:
    return baseline_outcome(baseline_of(o.truth, o.classes), o.truth, o.task, o.classes, o.positive)


def _assess(o: Outcome, metric: str, **more: Any) -> Assessment:
    return assess(o, _baseline(o), metric=metric, resamples=500, **more)


def test_each_metric_has_an_interval_around_it_and_a_test_against_the_baseline() -> None:
    for made, metric in ((binary(), "roc_auc"), (several(), "log_loss"), (numbers(), "rmse")):
        found = _assess(made, metric)
        assert next(iter(found.metrics)) == metric
        for name, m in found.metrics.items():
            assert m.low is not None
            assert m.high is not None
            assert m.low <= m.value <= m.high
            assert m.value == METRICS[name].compute(made)
            assert m.p is not None
            assert m.test == ("McNemar" if name == "accuracy" else "paired bootstrap")
        assert found.beats_baseline
        assert found.score == found.values[metric]
        assert found.intervals[metric] == (found.main.low, found.main.high)
        assert "95% interval" in found.line()
        assert Assessment.model_validate_json(found.model_dump_json()) == found


def test_accuracy_never_comes_before_the_others_where_classes_are_unequal() -> None:
    made = binary(400)
    assert list(_assess(made, "roc_auc").metrics)[-1] == "accuracy"
    equal = made.take(np.r_[np.flatnonzero(made.truth == "yes")[:100], np.flatnonzero(made.truth == "no")[:100]])
    assert list(_assess(equal, "roc_auc").metrics)[1] == "accuracy"


def test_noise_does_not_beat_the_baseline() -> None:
    made = binary()
    shuffled = np.random.default_rng(0).permutation(made.truth)
    noise = Outcome("binary", shuffled, made.predicted, made.probabilities, made.classes, made.positive)
    found = _assess(noise, "roc_auc")
    assert not found.beats_baseline
    assert "can NOT be told from chance" in found.line() or "NOT better" in found.line()


def test_rows_of_one_class_one_row_and_unknown_classes_are_measured_with_what_they_allow() -> None:
    made = binary()
    alone = _assess(made.take(made.truth == "no"), "roc_auc")
    assert alone.metric == "accuracy"
    assert "these rows have one class only" in alone.notes[0]
    assert alone.threshold is None

    single = _assess(made.take(np.array([3])), "roc_auc")
    assert (single.rows, single.main.low, single.main.p) == (1, None, None)
    assert "1 row is few" in single.notes[-1]
    assert _assess(numbers(1), "rmse").main.low is None

    strange = made.truth.copy()
    strange[:9] = "perhaps"
    odd = Outcome("binary", strange, made.predicted, made.probabilities, made.classes, made.positive)
    found = _assess(odd, "roc_auc", costs={"yes>no": 1, "no>yes": 1})
    assert found.calibration is None
    assert found.costs is None
    assert "class that the model does not know" in " ".join(found.notes)
    assert found.class_rows["perhaps"] == 9


def test_a_perfect_score_is_not_told_without_doubt() -> None:
    truth = np.array(["yes", "no"] * 10, "object")
    chances = np.where(truth == "yes", 0.9, 0.1)
    made = Outcome("binary", truth, truth, np.c_[1 - chances, chances], ("no", "yes"), "yes")
    found = _assess(made, "roc_auc")
    assert found.metrics["accuracy"].low == pytest.approx(0.8316, abs=1e-4)
    assert found.metrics["recall"].low == pytest.approx(0.6915, abs=1e-4)
    assert any("the interval has no width" in n for n in found.notes)


class TestCalibration:
    def test_bins_are_those_of_scikit_learn(self) -> None:
        from sklearn.calibration import calibration_curve

        made = binary(1_000)
        found = calibration(made)
        assert found is not None
        assert made.probabilities is not None
        observed, said = calibration_curve(
            made.truth == "yes", made.probabilities[:, 1], n_bins=10, strategy="quantile"
        )
        assert [b.observed for b in found.bins] == pytest.approx(list(observed))
        assert [b.said for b in found.bins] == pytest.approx(list(said))
        rows = np.array([b.rows for b in found.bins])
        assert found.error == pytest.approx(float((abs(observed - said) * rows).sum() / 1_000))

    def test_true_probabilities_are_calibrated_and_stretched_ones_are_not(self) -> None:
        alarms = [not c.ok for c in (calibration(binary(500, seed)) for seed in range(40)) if c]
        assert sum(alarms) <= 6
        assert (c := calibration(several(1_000))) is not None
        assert (c.ok, c.of) == (True, "")
        for power, told in ((3.0, "too far from the middle"), (0.3, "too near to the middle")):
            found = calibration(_bent(binary(2_000), lambda odds, power=power: odds * power))
            assert found is not None
            assert (found.ok, found.tendency) == (False, told)
        shifted = calibration(_bent(binary(2_000), lambda odds: odds + 1))
        assert shifted is not None
        assert shifted.tendency == "too high"

    def test_few_rows_have_none(self) -> None:
        assert calibration(binary(49)) is None
        assert calibration(numbers()) is None


def _bent(o: Outcome, change: Any) -> Outcome:
    assert o.probabilities is not None
    chance = np.clip(o.probabilities[:, 1], 1e-6, 1 - 1e-6)
    bent = 1 / (1 + np.exp(-change(np.log(chance / (1 - chance)))))
    return Outcome("binary", o.truth, o.predicted, np.c_[1 - bent, bent], o.classes, o.positive)


class TestThreshold:
    def test_it_is_the_best_of_all_by_scikit_learns_f1(self) -> None:
        from sklearn.metrics import f1_score

        made = binary(500)
        found = best_threshold(made, "roc_auc")
        assert found is not None
        assert made.probabilities is not None
        chance, hit = made.probabilities[:, 1], made.truth == "yes"
        best = max(f1_score(hit, chance >= t) for t in np.unique(chance))
        assert f1_score(hit, chance >= found.threshold) == pytest.approx(best)
        assert found.default == pytest.approx(f1_score(hit, chance >= 0.5))
        # cross-fitted: what the best threshold promises on its own rows is more than it keeps
        assert found.value <= best
        assert (found.metric, found.metrics["f1"]) == ("f1", found.value)

    @pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "mcc", "f1_macro"])
    def test_it_is_the_best_of_all_by_the_metric_itself(self, metric: str) -> None:
        made = binary(300, digits=2)
        found = best_threshold(made, metric)
        assert found is not None
        assert made.probabilities is not None
        chance = made.probabilities[:, 1]

        def value(threshold: float) -> float:
            said = np.where(chance >= threshold, "yes", "no").astype("object")
            decided = Outcome("binary", made.truth, said, made.probabilities, made.classes, made.positive)
            return METRICS[metric].compute(decided)

        assert value(found.threshold) == pytest.approx(max(value(t) for t in [0, *np.unique(chance), 2]))

    def test_there_is_no_advice_where_one_half_is_best(self) -> None:
        made = binary(400)
        found = best_threshold(made, "accuracy")
        assert found is not None
        assert not found.pays
        assert best_threshold(made.take(np.arange(15)), "f1") is None

    def test_costs_decide_it(self) -> None:
        made = binary(2_000)
        found = best_threshold(made, "roc_auc", read_costs({"yes>no": 9, "no>yes": 1}, made.classes))
        assert found is not None
        # Elkan: with true probabilities 1 / (1 + 9)
        assert found.threshold == pytest.approx(0.1, abs=0.04)
        assert found.pays
        assert found.value < found.default


class TestCosts:
    def test_costs_are_those_counted_by_hand(self) -> None:
        made = several(200, 3)
        given = {"c0>c1": 5, "c0>c2": 2, "*": 1, "c2>c2": -1}
        costs = read_costs(json.dumps(given), made.classes)
        pairs = [f"{t}>{p}" for t, p in zip(made.truth, made.predicted, strict=True)]
        by_hand = [given.get(p, 0 if p[:2] == p[3:] else 1) for p in pairs]
        found = _assess(made, "f1_macro", costs=given).costs
        assert found is not None
        assert found.now == pytest.approx(np.mean(by_hand))
        assert found.now_interval[0] < found.now < found.now_interval[1]
        assert found.best <= found.now
        assert found.best < found.baseline
        assert made.probabilities is not None
        for row, decided in zip(made.probabilities[:20], cheapest(costs, made.probabilities[:20]), strict=True):
            expected = [sum(row[t] * costs.matrix[t][p] for t in range(3)) for p in range(3)]
            assert expected[decided] == pytest.approx(min(expected))
        assert row_costs(costs, made, cheapest(costs, made.probabilities)).mean() == pytest.approx(found.best)

    def test_classes_may_hold_the_sign_itself(self) -> None:
        costs = read_costs({">50K > <=50K": 3, "<=50K>>50K": 1}, ["<=50K", ">50K"])
        assert costs.matrix == ((0.0, 1.0), (3.0, 0.0))

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("{", "not JSON"),
            ("[1]", "at least one pair"),
            ({}, "at least one pair"),
            ({"yes>no": 1}, "no cost is given for 'no>yes'"),
            ({"yes>maybe": 1, "*": 1}, "not 'TRUE>PREDICTED' of the classes 'no', 'yes'"),
            ({"yes": 1, "*": 1}, "not 'TRUE>PREDICTED'"),
            ({"yes>no": "much", "no>yes": 1}, "has the cost 'much'"),
            ({"yes>no": True, "no>yes": 1}, "has the cost True"),
            ({"yes>no": float("nan"), "no>yes": 1}, "has the cost nan"),
            ({"yes>no": float("inf"), "no>yes": 1}, "has the cost inf"),
            ({"yes>no": 0, "no>yes": 0}, "every cost is 0"),
        ],
    )
    def test_a_matrix_that_is_wrong_is_told_with_the_remedy(self, given: Any, told: str) -> None:
        with pytest.raises(BadInput) as raised:
            read_costs(given, ("no", "yes"))
        assert told in str(raised.value)

    def test_numbers_have_no_costs(self) -> None:
        assert "predicts numbers" in " ".join(_assess(numbers(), "rmse", costs={"a>b": 1}).notes)
