"""Claims and groups in plain sentences."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.report.statistics.paired import MeanEstimate
from orchestrator.report.statistics.power import MOST_SEEDS, Limit, Settled
from orchestrator.units import named_list

TITLES = {
    "methods": "Methods against each other",
    "domains": "Domains of pretraining against each other",
    "models": "Models against each other",
    "frontier": "Steps along the frontier",
    "teachers": "Students against their teachers",
}
_OVER = {
    "methods": "models and domains",
    "domains": "models and methods",
    "models": "domains and methods",
}


class SetVerdict(StrEnum):
    """What the set of the best says of another cell than the one that scored highest."""

    WORSE = "worse"  # than that one, which alone is in the set
    NOT_THE_BEST = "not the best"  # left out, though it need not be worse than each one in the set
    KEPT = "kept"


# Where the test of a pair and the set of the best differ.
_LEFT_OUT = (
    "The set of the best does show it: {better} alone is compared with each other cell there, one-sided, so "
    "a smaller difference is enough."
)
_NOT_THE_BEST = (
    "That {worse} is not the best of all is shown by the set of the best, where {better} alone is compared "
    "with each other cell, one-sided, so a smaller difference is enough."
)
_BY_WORKED = (
    "The set of the best does show it: there, seeds that failed are left out of the one that scored less."
)
_KEPT = (
    "The set of the best still holds {worse}: there, {better} is compared with each other cell at 5 % over "
    "their number, which takes a larger difference."
)
_MOST_NAMED = 6
MORE = {
    Limit.SEEDS: "more seeds",
    Limit.DOCUMENTS: "more test documents",
    Limit.BOTH: "more seeds and more test documents",
}


class DifferenceUnit(NamedTuple):
    """The unit of a difference: points, hundredths of a metric that goes from 0 to 1, or plain numbers, which
    may be in a `unit` of the task. `marks` are notes on the names of what is compared."""

    task: str
    points: bool  # else of a loss or an error
    marks: Mapping[str, str] = MappingProxyType({})
    advises: bool = True  # else what would show a smaller difference is not said: no cell learnt anything
    unit: str | None = None

    def name(self, name: str) -> str:
        return f"{name} ({self.marks[name]})" if name in self.marks else name

    def limit(self, value: float) -> float:
        """Return an end of an interval. Scores from 0 to 1 differ by 1 at most, whatever few seeds allow."""
        return max(-1.0, min(value, 1.0)) if self.points else value

    def amount(self, value: float) -> str:
        if self.points:
            return f"{100 * value:.1f}"
        return f"{value:.3f}" if self.unit else f"{value:.4f}"

    def with_unit(self, value: float) -> str:
        text = self.amount(value)
        if not self.points:
            return f"{text} {self.unit}" if self.unit else text
        return f"{text} point" if text == "1.0" else f"{text} points"


def claim_sentence(
    names: tuple[str, str],
    amount: float,
    interval: tuple[float, float] | None,
    adjusted: float | None,
    distinguishable: bool | None,
    behind: tuple[MeanEstimate, int],
    scale: DifferenceUnit,
    by_set: SetVerdict | None = None,
) -> str:
    """`lora-r8 beats ia3 on “Triage” by 1.2 points (95 % 0.3 to 2.1 over 5 seeds; …p = 0.012).` Where
    `by_set` the worse one is so, and not by this test, the sentence says why."""
    estimate, size = behind
    better, worse = (scale.name(name) for name in names)
    by = scale.with_unit(amount)
    if adjusted is None or (interval is None and amount > 0):
        text = f"{better} scored {by} above {worse} on “{scale.task}”; {_why_not(estimate)}"
        return f"{text.removesuffix('.')} by this test. {_BY_WORKED}" if by_set is SetVerdict.WORSE else text
    if interval is None:
        return f"{better} and {worse} scored the same on “{scale.task}” ({_on(estimate)})."
    low, high = (scale.amount(scale.limit(end)) for end in interval)
    at_once = f", for {size:,} comparisons at once" if size > 1 else ""
    details = f"95 % {low} to {high} over {_on(estimate)}{at_once}; Holm-adjusted{_p(adjusted)}"
    if distinguishable:
        text = f"{better} beats {worse} on “{scale.task}” by {by}{_higher(estimate)} ({details})."
        if not _mostly(estimate):
            text = (
                f"{better} scored {by} above {worse} on “{scale.task}” in the mean alone{_higher(estimate)} "
                f"({details})."
            )
        return text
    if by_set is SetVerdict.WORSE:
        corrected = f" and corrected for {size:,} comparisons" if size > 1 else ""
        return (
            f"{better} scored {by} above {worse} on “{scale.task}”, which this test, two-sided{corrected}, "
            f"does not show ({details}). {_LEFT_OUT.format(better=better)}"
        )
    return (
        f"{better} and {worse} cannot be distinguished on “{scale.task}”: {by} between "
        f"them{_higher(estimate)} ({details})."
    )


def differing(
    names: tuple[str, str], distinguishable: bool | None, by_set: SetVerdict | None, scale: DifferenceUnit
) -> str:
    """Return what follows a claim of which the set of the best says something else, without the worse being
    shown to be so."""
    better, worse = (scale.name(name) for name in names)
    if distinguishable and by_set is SetVerdict.KEPT:
        return f" {_KEPT.format(better=better, worse=worse)}"
    if not distinguishable and by_set is SetVerdict.NOT_THE_BEST:
        return f" {_NOT_THE_BEST.format(better=better, worse=worse)}"
    return ""


def below_title(sentence: str, title: str) -> str:
    """Return the sentence of a claim as it reads below the title of its task."""
    return sentence.replace(f" on “{title}”", "")


def _higher(estimate: MeanEstimate) -> str:
    """Say in how many of the combinations the better one scored higher, which a mean over them may hide."""
    if estimate.signs is None:
        return ""
    above, below, of = estimate.signs
    return f", higher in {below if estimate.mean < 0 else above} of {of} combinations"


def _mostly(estimate: MeanEstimate) -> bool:
    """Return whether the better one scored higher in more than half of the combinations."""
    if estimate.signs is None:
        return True
    above, below, of = estimate.signs
    return 2 * (below if estimate.mean < 0 else above) > of


def shown_from(detectable: float | None, limit: Limit | None, scale: DifferenceUnit) -> str:
    """Return what follows "cannot be distinguished"."""
    if detectable is None or limit is None or not scale.advises:
        return ""
    if scale.points and detectable >= 1:
        return f" No difference would have been shown with so few seeds; {MORE[limit]} would help."
    return (
        f" A difference of {scale.with_unit(detectable)} would have been shown; {MORE[limit]} would show a "
        "smaller one."
    )


def _p(value: float) -> str:
    return " p < 0.001" if value < 0.001 else f" p = {value:.3f}" if value < 0.1 else f" p = {value:.2f}"


def _on(estimate: MeanEstimate) -> str:
    seeds = f"{estimate.seeds} seeds"
    return seeds if estimate.documents is None else f"{seeds}, {estimate.documents:,} test {estimate.unit}"


def _why_not(estimate: MeanEstimate) -> str:
    if estimate.seeds == 0:
        return "they share no seed, so nothing is claimed."
    if estimate.seeds == 1:
        return "they share one seed, which gives no interval, so nothing is claimed."
    if estimate.scattered:
        return "seeds that failed and seeds that worked have no common scatter, so nothing is claimed."
    return f"the {estimate.seeds} seeds agree to the last digit, so there is no scatter to judge it by."


def combinations_covered(name: str, counts: Collection[int]) -> tuple[str, ...]:
    """Say which combinations the means of a family cover."""
    low, high = min(counts), max(counts)
    number = str(low) if low == high else f"{low} to {high}"
    rest = _OVER[name]
    if number == "1":
        return (f"On the one combination of {rest} that both have a score for, on the same seeds.",)
    return (f"Means over the {number} combinations of {rest} that both have a score for, on the same seeds.",)


def left_out(combinations: Sequence[tuple[str, str, tuple[str, str]]]) -> tuple[str, ...]:
    """List the combinations that no mean covers, each with the two that it would have compared."""
    if not combinations:
        return ()
    named = [f"{left} against {right} with {' and '.join(rest)}" for left, right, rest in combinations]
    more = f"; {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return (f"Excluded from these means because seeds are missing: {'; '.join(named[:_MOST_NAMED])}{more}.",)


def too_many(name: str, levels: int, first: str) -> str:
    return f"There are {levels} {name}: each is compared with {first} alone, and of many only the first ones."


def not_shown(members: int, most: int) -> str:
    """Say how many points of a long frontier are not compared."""
    return (
        f"Only the {most} cheapest of the {members} points of the frontier are compared and grouped; "
        f"{members - most} more are not."
    )


def picked(scored: int) -> str:
    return (
        f"These points were picked by their results, so they are corrected for every two of the {scored} "
        "scored points: a difference that holds here would hold if any other two had come out ahead."
    )


def helps(limit: Limit, settled: Settled | None, scale: DifferenceUnit) -> str:
    """`more seeds (with 9 seeds, a cell measured 1.0 point below the best could be ruled out)`."""
    if settled is None:
        return MORE[limit]
    below = f"measured {scale.with_unit(settled.margin)} below the best could be ruled out"
    if settled.seeds is None:
        more = f"more than {MOST_SEEDS} seeds" if limit is Limit.SEEDS else MORE[limit]
        return f"{more}, or a wider margin (with {MOST_SEEDS} seeds not every cell {below})"
    return f"{MORE[limit]} (with {settled.seeds} seeds, a cell {below})"


def narrowed(
    detectable: float | None, limit: Limit | None, settled: Settled | None, scale: DifferenceUnit
) -> str:
    """Return what follows a set of the best that holds several cells."""
    if detectable is None or limit is None or not scale.advises:
        return ""
    more = helps(limit, settled, scale)
    if scale.points and detectable >= 1:
        return (
            " With so few seeds, some of them could not have been left out, however low they had scored. "
            f"What would help: {more}."
        )
    return (
        f" Those that could be judged would have been left out {scale.with_unit(detectable)} below the "
        f"first. What would narrow the set: {more}."
    )


def best_set_sentence(
    names: Sequence[str], silent: Sequence[str], judged: int, one_seed: tuple[int, str | None], over: str
) -> str:
    """Describe the 95 % set of the best. `silent` are the cells of it whose difference to the first has no
    scatter to judge it by. `one_seed` gives how many cells could not be judged, and which of them scored
    above all."""
    left_out, above = one_seed
    of = f"{judged} cells" + (" with two seeds or more" if left_out else "")
    if len(names) == 1:
        text = f"{names[0]} is the best of the {of}, with 95 % confidence {over}."
    else:
        text = (
            f"With 95 % confidence {over}, the best of the {of} is one of these {len(names)}: "
            f"{named_list(names, _MOST_NAMED)}. "
            f"{names[0]} scored highest of them; these results do not settle whether it is the best."
        )
    if silent:
        text += (
            f" {named_list(silent, _MOST_NAMED)} cannot be judged against {names[0]}: they share fewer than "
            "two seeds that worked, or differ by the same amount on each."
        )
    if left_out:
        cells = "cell has" if left_out == 1 else "cells have"
        text += f" {left_out} more {cells} one seed and cannot be judged"
        text += f"; {above} is one of them, and scored above all others." if above else "."
    return text


def run_sentence(
    names: Sequence[str], scored: int, left_out: Sequence[str] = (), *, alone: bool = False
) -> str:
    """Name the points of a run along the frontier, which is corrected for every two of the `scored` points.
    `left_out`: those of them that the first of them keeps out of the set of the best; `alone`: it is the
    only one in it."""
    run = f"{', '.join(names[:-1])} and {names[-1]}"
    if not left_out:
        return f"Along the frontier, these results do not distinguish {run}."
    others = named_list(left_out, _MOST_NAMED)
    what = f"{others} {'is' if len(left_out) == 1 else 'are'} not the best of all"
    if alone:
        what = f"{names[0]} is better than {others}"
    return (
        f"Along the frontier, tests that are two-sided and corrected for every two of the {scored} cells do "
        f"not distinguish {run}. That {what} is shown by the set of the best, where {names[0]} alone is "
        "compared with each other cell, one-sided, so a smaller difference is enough."
    )
