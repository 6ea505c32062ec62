"""The search: what is tried in which order, what ends it, and what is put together in the end."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agentkit_ml.engine.committee import MEMBERS, choose
from agentkit_ml.engine.families import FAMILIES, Data, OutOfTime, Setting, Watch, fit, predicted
from agentkit_ml.engine.search import Trial
from agentkit_ml.engine.trials import in_order, proposals

from agentkit.context import cancellation
from agentkit.errors import Cancelled, TrainingError

Tool = Callable[..., Any]
ALL = tuple(FAMILIES)


def tried(count: int, score: Callable[[Any], float | None], algorithms: Any = ALL, rows: int = 5_000) -> list[Any]:
    """The first proposals, answered with these scores."""
    asked = proposals(algorithms, rows, 1)
    seen = [next(asked)]
    while len(seen) < count:
        try:
            seen.append(asked.send(score(seen[-1])))
        except StopIteration:
            break
    return seen


def by_family(proposal: Any) -> float:
    return {"lightgbm": 0.9, "extra_trees": 0.8}.get(proposal.algorithm, 0.5)


def test_defaults_come_first_then_variants_then_the_best_two_are_searched() -> None:
    seen = [p.algorithm for p in tried(30, by_family)]
    variants = sum(len(f.variants) for f in FAMILIES.values())
    assert seen[: len(ALL)] == list(ALL)
    assert seen[len(ALL)] == "lightgbm"
    assert set(seen[len(ALL) + variants :]) == {"lightgbm", "extra_trees"}


def test_with_many_classes_forests_come_before_boosting() -> None:
    assert in_order(ALL, 3) == list(ALL)
    many = in_order(ALL, 26)
    assert many[0] == "dummy"
    assert max(many.index("random_forest"), many.index("extra_trees")) < many.index("lightgbm") < many.index("xgboost")


def test_the_same_scores_give_the_same_settings_and_others_give_others() -> None:
    first, second = tried(40, by_family), tried(40, by_family)
    assert first == second
    worse = tried(40, lambda p: 1 - by_family(p))
    assert {p.algorithm for p in worse[-4:]} != {p.algorithm for p in first[-4:]}


def test_a_search_that_gets_no_further_ends_sooner_on_few_rows() -> None:
    few, many = (len(tried(500, by_family, rows=rows)) for rows in (300, 50_000))
    assert few < many < 100


def test_one_family_is_searched_alone_and_a_baseline_not_at_all() -> None:
    assert {p.algorithm for p in tried(20, by_family, ("dummy", "linear"))} == {"dummy", "linear"}
    assert [p.algorithm for p in tried(20, by_family, ("dummy",))] == ["dummy"]


def table(rows: int = 600, classes: int = 3) -> tuple[Data, Data]:
    random = np.random.default_rng(0)
    features = random.normal(size=(rows, 6))
    values = features[:, 0] + features[:, 1] * features[:, 2] + random.normal(0, 0.3, rows)
    if classes:
        values = np.digitize(values, np.quantile(values, np.linspace(0, 1, classes + 1)[1:-1]))
    half = rows // 2
    return Data(features[:half], values[:half]), Data(features[half:], values[half:])


@pytest.mark.parametrize("algorithm", [a for a in ALL if a != "dummy"])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_every_family_learns_numbers_and_classes(algorithm: Any, classes: int) -> None:
    train, other = table(classes=classes)
    if FAMILIES[algorithm].encoding == "native":
        train, other = (Data(pd.DataFrame(d.features).add_prefix("f"), d.values) for d in (train, other))
    setting = Setting(classes, seed=1)
    made = fit(algorithm, FAMILIES[algorithm].defaults(300), train, setting, Watch(other))
    seen = predicted(made.model, other.features, setting)
    if classes:
        assert seen.shape == (300, classes)
        np.testing.assert_allclose(seen.sum(axis=1), 1, atol=1e-6)
        assert (seen.argmax(axis=1) == other.values).mean() > 1.3 / classes
    else:
        assert np.corrcoef(seen, other.values)[0, 1] > 0.5
    again = fit(algorithm, FAMILIES[algorithm].defaults(300), train, setting, Watch(rounds=made.rounds))
    assert again.rounds is None


def test_a_class_that_a_fold_lacks_gets_no_probability() -> None:
    train, other = table()
    kept = train.values != 1
    setting = Setting(3, seed=1)
    made = fit("linear", {"C": 1.0}, Data(train.features[kept], train.values[kept]), setting, Watch())
    seen = predicted(made.model, other.features, setting)
    assert seen.shape == (300, 3)
    assert (seen[:, 1] == 0).all()


@pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost", "random_forest", "extra_trees"])
def test_a_fit_is_stopped_between_two_trees(algorithm: Any) -> None:
    train, other = table()
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OutOfTime("enough")

    with pytest.raises(OutOfTime):
        fit(algorithm, FAMILIES[algorithm].defaults(300), train, Setting(3, 1), Watch(other, check=check))
    assert len(calls) == 3


def trial(predictions: list[float], truth: np.ndarray) -> Trial:
    made = np.asarray(predictions, dtype=float)
    return Trial("linear", {}, (-float(abs(made - truth).mean()),), (made,), None, 0.1)


def test_models_that_err_in_different_places_do_better_together() -> None:
    truth = np.arange(8.0)
    high, low = trial(list(truth + 1), truth), trial(list(truth - 0.9), truth)
    wild = trial(list(truth + 30), truth)
    made = choose([high, low, wild], lambda _fold, p: -float(abs(p - truth).mean()))
    assert sum(weight for _, weight in made.members) == pytest.approx(1)
    assert {id(t) for t, _ in made.members} == {id(high), id(low)}
    assert made.score > max(high.score, low.score)


def test_the_best_stands_alone_if_nothing_helps_it() -> None:
    truth = np.arange(8.0)
    best, worse = trial(list(truth), truth), trial(list(truth + 1), truth)
    assert [t for t, _ in choose([worse, best], lambda _f, p: -float(abs(p - truth).mean())).members] == [best]


def test_a_committee_stays_small() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=200)
    many = [trial(list(truth + random.normal(size=200)), truth) for _ in range(10)]
    made = choose(many, lambda _f, p: -float(abs(p - truth).mean()))
    assert 1 < len(made.members) <= MEMBERS


def save(rows: int = 200) -> str:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["y"] = np.where(frame["a"] + frame["b"] > 0, "yes", "no")
    frame.to_csv("t.csv", index=False)
    return "t.csv"


def stopped_at(tool: Tool, trial: int, **more: Any) -> Any:
    """Train, and press Ctrl-C when this trial begins."""

    def listen(ctx: Any, message: str, fraction: float | None) -> None:
        cancellation.set(ctx.cancelled)
        if message.startswith(f"Trial {trial}:"):
            ctx.cancelled.set()

    return copy_context().run(tool, "train", dataset=save(), target="y", trials=9, on_progress=listen, **more)


def test_interrupted_it_gives_a_person_the_best_so_far(tool: Tool) -> None:
    result = stopped_at(tool, 4)
    assert result.trials == 3
    assert len(result.members) == 1
    assert any("interrupted" in note for note in result.notes)
    assert result.score > 0.9


def test_interrupted_in_a_conversation_it_stops(tool: Tool) -> None:
    with pytest.raises(Cancelled):
        stopped_at(tool, 4, by_model=True)


def test_interrupted_before_there_is_a_model_it_stops(tool: Tool) -> None:
    with pytest.raises(Cancelled):
        stopped_at(tool, 2)


def test_a_budget_for_nothing_is_refused(tool: Tool) -> None:
    with pytest.raises(TrainingError, match=r"too short.*larger budget_seconds"):
        tool("train", dataset=save(), target="y", budget_seconds=0.001)
