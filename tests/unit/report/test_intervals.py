"""The interval that is printed: what it is over, and that it holds for the cell that was chosen."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task
from rich.console import Console

from orchestrator.cli.results.report import show_report
from orchestrator.contracts import layout
from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.report import Report, build_report, report_json, write_report
from orchestrator.report.recommendation.summary import sentences
from orchestrator.report.statistics.held_out import held_out_score
from orchestrator.report.statistics.moderation import prior_of_means
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.simultaneous import simultaneous

ROOT = Path(__file__).parents[3]
LEVEL = re.compile(r"95(?: |\\,|&nbsp;)\\?%([^)|<&]*)")


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def finish(built: LedgerBuilder, documents: int, spread: float = 0.02) -> Report:
    """All trials, dearer and better with the rank; told document by document where there are `documents`."""
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
        rank = int(trial.cell.method.removeprefix("lora-r"))
        right = rng.random(documents or 1000) < 0.6 + 0.01 * rank + spread * rng.standard_normal()
        path = built.attempt(trial, Fate(quality=float(right.mean()), seconds=100 + 10 * rank))
        if documents:
            record = ScoredExamples(
                metric=built.sweep.tasks[trial.cell.task].metric,
                test_set=trial.cell.task,
                numerator=floats(right.astype(float)),
                denominator=floats([1.0] * documents),
            )
            (path / layout.EXAMPLES).write_bytes(record.to_bytes())
    ledger = built.ledger
    return build_report(ledger.sweep(), ledger.trials(), (), None, ledger.examples)


def printed(report: Report, directory: Path) -> str:
    """All that a reader sees: the pages, the console, the JSON."""
    paths = write_report(report, directory)
    console = Console(file=io.StringIO(), width=100)
    show_report(report, paths, console)
    # The page of methods defines what each level is, instead of printing figures.
    pages = [path.read_text() for kind, path in paths.items() if kind not in ("csv", "methods")]
    return "\n".join([*pages, console.file.getvalue()])


def unqualified(text: str) -> list[str]:
    """Each "95 %" that does not say in its bracket, cell or heading what it is over."""
    flat = re.sub(r"([>|] ?)\d+ %( ?[<|])", r"\1\2", " ".join(text.split()))  # cells that hold a probability
    return [found.group(0) for found in LEVEL.finditer(flat) if not re.search(r"\bover\b", found.group(1))]


@pytest.mark.parametrize("documents", [0, 150])
def test_no_95_percent_stands_without_what_it_is_over(built, documents):
    built.plan(["tiny", "mini"], ["general"], lora_ranks([2, 4, 8]), [task("one"), task("two")])
    text = printed(finish(built, documents), built.ledger.directory / "report")
    assert text.count("95 %") > 20
    assert unqualified(text) == []


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/gallery.md", "docs/tutorial.md"])
def test_no_page_with_figures_shows_a_95_percent_without_what_it_is_over(page):
    assert unqualified((ROOT / page).read_text()) == []


def test_the_answer_names_seeds_documents_and_the_choice(built):
    built.plan(["tiny", "mini"], ["general"], lora_ranks([2, 4, 8]))
    report = finish(built, documents=150)
    [answer] = report.tasks[0].answers
    assert "over 3 seeds and 150 documents, for all 6 cells at once)" in answer
    assert "among 6 cells and so tend" in answer
    assert "to be too good: chosen by some seeds and documents and scored on the others" in answer
    [judged] = report.tasks[0].good_enough
    assert f"{judged.best_held_out:.3f}" in answer
    volume = report.tasks[0].frontiers[0].hypervolume
    assert "over seeds and documents) in the mean over the logarithm of the budget" in volume.sentence
    best = max(report.tasks[0].points, key=lambda p: p.quality.mean)
    low, high = best.simultaneous.interval
    assert low < best.quality.mean < high
    assert f"{low:.3f} to {high:.3f}" in " ".join(report.tasks[0].answers)
    [point] = [p for p in report_json(report)["tasks"][0]["points"] if p["method"] == best.cell.method][:1]
    assert point["simultaneous_interval"]["documents"] == 150


def test_without_documents_the_answer_says_seeds_alone(built):
    built.plan(["tiny", "mini"], ["general"], lora_ranks([2, 4, 8]))
    report = finish(built, documents=0)
    [answer] = report.tasks[0].answers
    assert "over 3 seeds alone, for all 6 cells at once)" in answer
    assert "chosen by some seeds and scored on the others" in answer
    assert "95 % over seeds alone" in " ".join(sentences(report))


def test_one_cell_was_not_chosen_and_is_told_alone(built):
    built.plan(["tiny"], ["general"], lora_ranks([2]))
    [answer] = finish(built, documents=150).tasks[0].answers
    assert "over 3 seeds and 150 documents) at" in answer
    assert "too good" not in answer


def cells_of(scores: np.ndarray) -> list[Replicates]:
    seeds = tuple(range(scores.shape[1]))
    return [Replicates(f"m{i}", seeds, row, np.ones(len(row)), None, None) for i, row in enumerate(scores)]


def test_a_held_out_score_is_of_the_seeds_that_did_not_choose():
    """Each cell has one lucky seed, by which it is best; on the others it has 0."""
    assert held_out_score(cells_of(np.eye(3)), lambda scores: int(np.argmax(scores))) == pytest.approx(
        0, abs=0.34
    )
    same = held_out_score(cells_of(np.array([[0.5, 0.7], [0.1, 0.3]])), lambda scores: int(np.argmax(scores)))
    assert same == pytest.approx(0.6)
    assert held_out_score(cells_of(np.array([[0.5], [0.1]])), lambda scores: 0) is None


def test_what_seeds_do_to_all_cells_alike_is_known_from_few_seeds_only():
    rng = np.random.default_rng(1)
    own = rng.standard_normal((12, 3))
    assert prior_of_means(cells_of(own)).pooled > 12
    assert prior_of_means(cells_of(own * 0.01 + rng.standard_normal(3))).pooled == pytest.approx(2, rel=0.05)


def test_an_interval_of_a_share_ends_where_the_share_does():
    rng = np.random.default_rng(2)
    found = simultaneous(cells_of(0.98 + 0.03 * rng.standard_normal((4, 2))), MetricName.ACCURACY)
    assert all(0 <= held.interval[0] < held.interval[1] <= 1 for held in found.values())
