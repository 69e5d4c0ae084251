"""How often an interval over the folds of a small data set holds the truth.

    python tests/bench/folds_coverage.py [SIMULATIONS]

A data set of n documents is drawn, and a logistic regression and a decision tree are cross-validated on it as
a sweep with `folds` does it: for each seed the documents are dealt to the folds, each fold trains on the
others less a dev part, and the answers to all documents make the score of the seed. The truth is the mean
score, on other documents, of models trained on data sets of the size of a fold's training part. The training
parts of the folds overlap, and so do those of the seeds: the columns say how often the nominal 95 % intervals
that the report makes hold the truth all the same, of each of the two and of their paired difference. Beside
them stands what one test part of a fifth of the documents gives for the regression, and how wide both are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier

from orchestrator.report.statistics.paired import difference, of_cell
from orchestrator.report.statistics.replicates import Replicates

FOLDS, SEEDS, DEV = 5, 3, 0.1
DOCUMENTS, FEATURES = (100, 300), (4, 20)
METRICS = ("accuracy", "macro F1")
POPULATION = 20_000  # documents that the truth is scored on
FRESH = 400  # data sets that it is the mean of
Data = tuple[np.ndarray, np.ndarray]
Learner = Callable[[], LogisticRegression | DecisionTreeClassifier]
LEARNERS: tuple[Learner, ...] = (
    lambda: LogisticRegression(C=1.0, max_iter=200),
    lambda: DecisionTreeClassifier(max_depth=4),  # changes with every document that it learns from
)


def draw(n: int, features: int, rng: np.random.Generator) -> Data:
    """Return documents whose class depends on the first features most; a third are of the smaller class."""
    x = rng.standard_normal((n, features))
    weights = 1.5 / np.sqrt(np.arange(1, features + 1))
    chance = 1 / (1 + np.exp(-(x @ weights - 1.2)))
    return x, (rng.random(n) < chance).astype(int)


def answers(learner: Learner, data: Data, train: np.ndarray, asked: np.ndarray) -> np.ndarray:
    x, y = data
    if len(set(y[train])) < 2:
        return np.full(len(asked), y[train[0]])
    return learner().fit(x[train], y[train]).predict(asked)


def effects(gold: np.ndarray, found: np.ndarray, metric: str) -> np.ndarray:
    """Return what each document adds to the score of its part, as `workers.contributions` records it."""
    if metric == "accuracy":
        return (gold == found).astype(float)
    classes = np.union1d(gold, found)
    is_gold, is_found = gold[:, None] == classes, found[:, None] == classes
    both = is_gold.astype(float) + is_found
    sizes = both.sum(axis=0)
    scores = 2.0 * (is_gold & is_found).sum(axis=0) / sizes
    each = ((2.0 * (is_gold & is_found) - scores * both) / sizes).sum(axis=1)
    return scores.mean() + len(gold) / len(classes) * each


def cross_validated(learner: Learner, data: Data, metric: str, partitions: list[np.ndarray]) -> Replicates:
    """`partitions`: by seed, the order in which the documents are dealt."""
    (x, y), n = data, len(data[1])
    parts = np.empty((len(partitions), n))
    for seed, order in enumerate(partitions):
        found = np.empty(n, dtype=int)
        for fold in range(FOLDS):
            test, rest = order[fold::FOLDS], np.delete(order, np.s_[fold::FOLDS])
            train = rest[round(DEV * len(rest)) :]
            found[test] = answers(learner, data, train, x[test])
            parts[seed, test] = effects(y[test], found[test], metric)
        parts[seed] += score(y, found, metric) - parts[seed].mean()
    return replicates(parts, FOLDS)


def held_out(learner: Learner, data: Data, metric: str, partitions: list[np.ndarray]) -> Replicates:
    """One test part for all seeds, which differ in their dev part."""
    n, test = len(data[1]), partitions[0][::FOLDS]
    rest = np.setdiff1d(np.arange(n), test)
    parts = np.empty((len(partitions), len(test)))
    for seed, order in enumerate(partitions):
        mixed = order[np.isin(order, rest)]
        train = mixed[round(DEV * len(mixed)) :]
        parts[seed] = effects(data[1][test], answers(learner, data, train, data[0][test]), metric)
    return replicates(parts)


def score(gold: np.ndarray, found: np.ndarray, metric: str) -> float:
    return float((gold == found).mean() if metric == "accuracy" else f1_score(gold, found, average="macro"))


def replicates(parts: np.ndarray, folds: int | None = None) -> Replicates:
    seeds = tuple(range(len(parts)))
    return Replicates("cell", seeds, parts.mean(axis=1), np.ones(len(seeds)), parts, "one", folds=folds)


def true_scores(n: int, features: int, metric: str, rng: np.random.Generator) -> list[float]:
    """Return the mean score of each learner."""
    asked, gold = draw(POPULATION, features, rng)
    size = round((1 - DEV) * (n - n // FOLDS))
    scores: list[list[float]] = [[] for _ in LEARNERS]
    for _ in range(FRESH):
        data = draw(size, features, rng)
        for learner, found in zip(LEARNERS, scores, strict=True):
            said = answers(learner, data, np.arange(size), asked)
            found.append(score(gold, said, metric))
    return [float(np.mean(found)) for found in scores]


def main(simulations: int) -> None:
    rng = np.random.default_rng(20)
    heads = ("regression", "tree", "difference", "held out", "width", "held out")
    print(f"{FOLDS} folds, {SEEDS} seeds, {simulations:,} simulations a line")
    print(f"{'metric':>9} {'docs':>5} {'features':>8}", *(f"{head:>10}" for head in heads))
    for metric, n, features in product(METRICS, DOCUMENTS, FEATURES):
        truths = true_scores(n, features, metric, rng)
        held: list[list[bool]] = [[] for _ in range(4)]
        widths: list[list[float]] = [[], []]
        for _ in range(simulations):
            data = draw(n, features, rng)
            partitions = [rng.permutation(n) for _ in range(SEEDS)]
            one, other = (cross_validated(learner, data, metric, partitions) for learner in LEARNERS)
            alone = held_out(LEARNERS[0], data, metric, partitions)
            estimates = of_cell(one), of_cell(other), difference(one, other), of_cell(alone)
            ends = [estimate.interval for estimate in estimates]
            expected = *truths, truths[0] - truths[1], truths[0]
            for told, interval, truth in zip(held, ends, expected, strict=True):
                told.append(interval is not None and interval[0] <= truth <= interval[1])
            for width, interval in zip(widths, (ends[0], ends[3]), strict=True):
                width.append(np.nan if interval is None else interval[1] - interval[0])
        shares = (f"{100 * np.mean(told):8.1f} %" for told in held)
        sizes = (f"{np.nanmedian(width):10.3f}" for width in widths)
        print(f"{metric:>9} {n:>5} {features:>8}", *shares, *sizes, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
