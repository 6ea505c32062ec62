"""Which settings are tried, in which order: defaults, variants that are known to do well, then a search.

The order depends on the scores alone, never on the clock: as many trials give the same trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from agentkit_ml.engine.families import FAMILIES, MANY_TREES, Algorithm, Params

_SEARCHED = 2
"""Families that the search looks at: the best of those that were tried."""
_SMALL = 2_000
_IDLE, _IDLE_SMALL = 24, 10
"""Settings of the search in a row that are no better than the best so far: then it ends. Many trials on few rows find
what fits the folds by chance."""
_RANDOM = 6
"""Settings of a family drawn at random before its search models what they gave (TPE)."""


@dataclass(frozen=True)
class Proposal:
    """A setting to try. `prunable`: it may be given up after a fold in which most others did better."""

    algorithm: Algorithm
    params: Params
    prunable: bool = True


Proposals = Generator[Proposal, float | None, None]
"""Takes the score of each proposal, the greater the better; None for one that was given up."""


def in_order(algorithms: Sequence[Algorithm], trees: int) -> list[Algorithm]:
    """The families in the order in which their defaults are tried: forests before boosting where a round of boosting
    has many trees, one for each class, as one tree of a forest does for all classes."""
    return sorted(algorithms, key=lambda a: FAMILIES[a].encoding == "native") if trees > MANY_TREES else [*algorithms]


def proposals(algorithms: Sequence[Algorithm], rows: int, seed: int) -> Proposals:
    """Defaults of all families, variants of all from the best family down, then a search over the best two
    until it gets no further."""
    scores: dict[Algorithm, float] = {}
    for algorithm in algorithms:
        score = yield Proposal(algorithm, FAMILIES[algorithm].defaults(rows), prunable=False)
        if score is not None and algorithm != "dummy":
            scores[algorithm] = score
    ranked = sorted(scores, key=lambda a: -scores[a])
    for algorithm in ranked:
        for params in FAMILIES[algorithm].variants:
            yield Proposal(algorithm, params)
    best = max(scores.values(), default=0.0)
    searched = [a for a in ranked if FAMILIES[a].space][:_SEARCHED]
    studies = {a: _study(seed) for a in searched}
    idle = 0
    while studies and idle < (_IDLE_SMALL if rows < _SMALL else _IDLE):
        for algorithm in searched:
            score = yield from _step(studies[algorithm], algorithm)
            idle = 0 if score is not None and score > best else idle + 1
            best = best if score is None else max(best, score)


def _study(seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate sampling is marked experimental
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_RANDOM)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _step(study: Any, algorithm: Algorithm) -> Generator[Proposal, float | None, float | None]:
    """One setting that the study asks for; gives its score."""
    import optuna

    space = FAMILIES[algorithm].space
    assert space is not None
    trial = study.ask()
    score = yield Proposal(algorithm, space(trial))
    if score is None:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, score)
    return score
