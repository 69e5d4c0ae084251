"""How often what the report claims holds, on results with a known truth.

    python tests/bench/interval_coverage.py [SIMULATIONS]

Intervals: how often a nominal 95 % interval holds the truth of a paired difference, over further seeds and
documents: as the report makes it, and whether that lies within 93 to 97 %; beside it a t-interval over the
seeds alone and, on the first simulations, percentile bootstraps (scipy) over seeds and over documents.
Claims: how often a family claims anything where nothing differs, and how often the set of the best misses the
best. Probability: how often points with so much of it are on the frontier.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated import World, point_of, true_f1

from orchestrator.report.analysis.best_set import best_set
from orchestrator.report.analysis.claim_text import DifferenceUnit
from orchestrator.report.analysis.claims import LEVEL, frontier_family
from orchestrator.report.analysis.frontiers import DEFAULT
from orchestrator.report.analysis.probabilities import frontier_probabilities
from orchestrator.report.statistics.bootstrap import draws
from orchestrator.report.statistics.moderation import prior_of
from orchestrator.report.statistics.multiple_testing import holm
from orchestrator.report.statistics.paired import difference, mean_estimate
from orchestrator.report.statistics.pareto import as_costs, pareto_mask
from orchestrator.report.statistics.replicates import Replicates

SEEDS, DOCUMENTS = (2, 3, 5), (100, 400)
SCATTER = {"none": 0.0, "little": 0.03, "some": 0.15, "much": 0.5}  # of a cell's skill over seeds
ONE, OTHER = 0.80, 0.75
LOW, HIGH = 0.93, 0.97  # what the coverage of a 95 % interval is to lie between
BOOTSTRAPPED = 200  # simulations of a line
Interval = tuple[float, float] | None


def seeds_alone(one: Replicates, other: Replicates) -> Interval:
    return mean_estimate(one.quality - other.quality, None).interval


def bootstrap(values: np.ndarray, rng: np.random.Generator) -> Interval:
    found = stats.bootstrap((values,), np.mean, n_resamples=400, method="percentile", rng=rng)
    return tuple(found.confidence_interval)


def coverage(simulations: int, rng: np.random.Generator) -> None:
    print(f"95 % intervals of a paired difference, {simulations:,} simulations a line")
    heads = ("crossed", "93 to 97 %", "seeds, t", "seeds, boot", "docs, boot")
    print(f"{'metric':>9} {'scatter':>8} {'seeds':>5} {'docs':>5}", *(f"{head:>11}" for head in heads))
    lines = list(product((False, True), SCATTER.items(), SEEDS, DOCUMENTS))
    outside = 0
    for f1, (name, scatter), k, n in lines:
        truth = true_f1(ONE) - true_f1(OTHER) if f1 else ONE - OTHER
        held: list[list[bool]] = [[] for _ in range(4)]
        for simulation in range(simulations):
            one, other = World(seed=scatter).draw([ONE, OTHER], k, n, rng, f1=f1)
            found = [difference(one, other).interval, seeds_alone(one, other)]
            if simulation < BOOTSTRAPPED:
                parts = one.parts - other.parts
                found += [bootstrap(parts.mean(axis=1), rng), bootstrap(parts.mean(axis=0), rng)]
            for told, ends in zip(held, found, strict=False):
                told.append(ends is not None and ends[0] <= truth <= ends[1])
        crossed, *others = (np.mean(told) for told in held)
        within = LOW <= crossed <= HIGH
        outside += not within
        shares = (f"{100 * share:9.1f} %" for share in others)
        print(
            f"{'F1' if f1 else 'accuracy':>9} {name:>8} {k:>5} {n:>5} {100 * crossed:9.1f} %",
            f"{'in' if within else 'OUT':>11}",
            *shares,
            flush=True,
        )
    error = 100 * float(np.sqrt(0.95 * 0.05 / simulations))
    print(
        f"{len(lines) - outside} of {len(lines)} settings lie within 93 to 97 %; the simulation errs by "
        f"{error:.1f} points (one standard error)"
    )


def any_claim(cells: Sequence[Replicates]) -> bool:
    """In a planned family of every two."""
    prior = prior_of(cells)
    found = [difference(one, other, prior).p for one, other in combinations(cells, 2)]
    return any(p is not None and p < LEVEL for p in holm(found, len(found)))


def any_step(cells: Sequence[Replicates]) -> bool:
    """In the family of the points that came out on the frontier."""
    here = {cell.name: cell for cell in cells}
    points = [point_of(cell) for cell in cells]
    flags = pareto_mask(as_costs([(p.device_hours.mean, p.quality.mean) for p in points]))
    members = sorted(
        (p for p, on in zip(points, flags, strict=True) if on), key=lambda p: p.device_hours.mean
    )
    family = frontier_family(members, None, here, len(cells), DifferenceUnit("t", True), prior_of(cells))
    return family is not None and any(claim.distinguishable for claim in family.claims)


def misses_the_best(cells: Sequence[Replicates]) -> bool:
    """The set of the best, where the last cell is the best."""
    here = {cell.name: cell for cell in cells}
    group = best_set([point_of(cell) for cell in cells], here, prior_of(cells))
    return group is not None and cells[-1].name not in group.cells


def false_claims(simulations: int, rng: np.random.Generator) -> None:
    print(f"\nFalse claims, nominal 5 %, {simulations:,} simulations a line, 200 documents")
    cases: list[tuple[str, int, Callable[[Sequence[Replicates]], bool]]] = [
        ("planned family, 4 equal cells", 4, any_claim),
        ("steps along the frontier, 8 equal cells", 8, any_step),
        ("set of the best misses it, 8 equal cells", 8, misses_the_best),
    ]
    for (name, cells, wrong), (scatter, seed), k in product(cases, SCATTER.items(), (2, 3, 5)):
        drawn = (World(seed=seed).draw([ONE] * cells, k, 200, rng) for _ in range(simulations))
        rate = sum(map(wrong, drawn)) / simulations
        print(f"  {name:<42} {scatter:>6} scatter, {k} seeds  {100 * rate:5.1f} %", flush=True)


def calibration(simulations: int, rng: np.random.Generator) -> None:
    """Six cells whose true accuracies are drawn anew each time, dearer ones a little better."""
    said, true = [], []
    for simulation in range(simulations):
        hours = np.sort(rng.uniform(1, 10, 6))
        accuracies = np.clip(0.74 + 0.004 * hours + 0.02 * rng.standard_normal(6), 0.6, 0.9)
        drawn = World(seed=0.05).draw(list(accuracies), 3, 200, rng)
        cells = [replace(c, device_hours=c.device_hours * h) for c, h in zip(drawn, hours, strict=True)]
        points, here = [point_of(c) for c in cells], {c.name: c for c in cells}
        found = frontier_probabilities(
            DEFAULT, points, here, draws(f"simulation {simulation}", cells), near=False
        )
        said.append([chance.on for chance in found.values() if chance is not None])
        true.append(pareto_mask(as_costs(list(zip(hours, accuracies, strict=True)))))
    chance, on = np.concatenate(said), np.concatenate(true)
    print(f"\nProbability of being on the frontier, {simulations:,} simulations of 6 cells with 3 seeds")
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        here = (chance >= low) & (chance < high)
        if here.any():
            shares = f"said {100 * chance[here].mean():5.1f} %, true {100 * on[here].mean():5.1f} %"
            print(f"  {shares} of {here.sum():,}")


def main() -> None:
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = np.random.default_rng(20240216)
    coverage(simulations, rng)
    false_claims(simulations, rng)
    calibration(simulations, rng)


if __name__ == "__main__":
    main()
