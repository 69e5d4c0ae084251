"""Which values a tuning search tries next. Pure: the same space, seed and results give the same candidates.

Candidates are drawn in rounds, whose sizes are fixed here and depend on no machine. A round is a function of
the search and of the results of all earlier rounds, by number; what has come back from the round itself, and
in which order, plays no part. So a search that was killed anywhere draws the same candidates again.

The first round is random, later ones come from the tree-structured Parzen estimator of Optuna (Bergstra et
al. 2011; Watanabe 2023). A space of no more combinations than the search has trials is tried whole, in order.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

from orchestrator.contracts.methods import Settings
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.tuning import Range, Tune, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

Values = dict[str, Value]

FIRST_ROUND = 10  # drawn at random: below this number the estimator has nothing to go by
LATER_ROUNDS = 5
_DIGITS = 4  # significant ones of a drawn figure: what is found can be read and typed in again


def rounds(tune: Tune) -> list[int]:
    """Sizes of the rounds."""
    if _is_small(tune):
        return [math.prod(len(values) for values in tune.space.values() if isinstance(values, tuple))]
    sizes = [min(FIRST_ROUND, tune.trials)]
    while (left := tune.trials - sum(sizes)) > 0:
        sizes.append(min(LATER_ROUNDS, left))
    return sizes


def draw(tune: Tune, settings: Settings, qualities: Sequence[float | None]) -> list[Values]:
    """Draw the round that follows `qualities`: the dev qualities of all candidates of the earlier rounds, by
    number, None for one that failed. `settings` are the method's; their types say which keys are integers."""
    integers = frozenset(key for key in tune.space if _holds_whole_numbers(key, settings))
    sizes = rounds(tune)
    size = next(
        size for size, end in zip(sizes, itertools.accumulate(sizes), strict=True) if end > len(qualities)
    )
    return [dict(values) for values in _round(tune.model_dump_json(), integers, tuple(qualities))[:size]]


def _is_small(tune: Tune) -> bool:
    """Return whether every combination can be tried."""
    choices = [values for values in tune.space.values() if isinstance(values, tuple)]
    return len(choices) == len(tune.space) and math.prod(map(len, choices)) <= tune.trials


def _holds_whole_numbers(key: str, settings: Settings) -> bool:
    fields = Recipe.model_fields if key in Recipe.model_fields else type(settings).model_fields
    kind = fields[key].annotation
    kinds = {getattr(part, "__origin__", part) for part in get_args(kind) or (kind,)}
    return int in kinds and float not in kinds


@lru_cache(maxsize=4096)  # many cells share a first round, and a plan is made more than once in a run
def _round(search: str, integers: frozenset[str], qualities: tuple[float | None, ...]) -> tuple[Values, ...]:
    tune = Tune.model_validate_json(search)
    if _is_small(tune):
        choices = [values for values in tune.space.values() if isinstance(values, tuple)]
        return tuple(dict(zip(tune.space, values, strict=True)) for values in itertools.product(*choices))
    study = _study(tune, len(qualities))
    distributions = {key: _distribution(values, key in integers) for key, values in tune.space.items()}
    for values, quality in zip(_earlier(search, integers, qualities), qualities, strict=True):
        _tell(study, distributions, values, quality)
    size = LATER_ROUNDS if qualities else FIRST_ROUND
    return tuple(_readable(study.ask(distributions).params, tune) for _ in range(size))


def _earlier(search: str, integers: frozenset[str], qualities: tuple[float | None, ...]) -> list[Values]:
    """Return the candidates that the qualities belong to."""
    drawn: list[Values] = []
    while len(drawn) < len(qualities):
        drawn += _round(search, integers, qualities[: len(drawn)])
    return drawn[: len(qualities)]


def _study(tune: Tune, begins_after: int) -> Study:
    """Return a study with a sampler of the round's own, so that its random state does not depend on how often
    rounds were drawn."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    digest = hashlib.sha256(f"{tune.seed}/{begins_after}".encode()).digest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the multivariate estimator is experimental, in older versions
        sampler = optuna.samplers.TPESampler(
            seed=int.from_bytes(digest[:4], "big"),
            n_startup_trials=FIRST_ROUND,
            multivariate=True,
            constant_liar=True,  # what the round holds already counts as poor: the next is drawn elsewhere
        )
    return optuna.create_study(direction="maximize", sampler=sampler)


def _tell(
    study: Study, distributions: dict[str, BaseDistribution], values: Values, quality: float | None
) -> None:
    """Add the candidates to the study. A failed one is added as pruned, which ranks below all that were
    scored: without it, the search might return to where training diverges."""
    from optuna.trial import TrialState, create_trial

    state = TrialState.PRUNED if quality is None else TrialState.COMPLETE
    study.add_trial(create_trial(state=state, value=quality, params=values, distributions=distributions))


def _distribution(values: Range | tuple[Value, ...], is_integer: bool) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, tuple):
        return CategoricalDistribution(values)
    if is_integer:
        return IntDistribution(math.ceil(values.low), math.floor(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _readable(drawn: Values, tune: Tune) -> Values:
    rounded: Values = {}
    for key, values in tune.space.items():
        value = drawn[key]
        if isinstance(values, Range) and isinstance(value, float):
            value = min(max(float(f"{value:.{_DIGITS}g}"), values.low), values.high)
        rounded[key] = value
    return rounded
