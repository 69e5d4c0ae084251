"""The first screen: one answer per task in plain words, with its cost, its chart and who chose its margin."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.outcome import Serving
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.vocabulary import FailureKind, Phase, Signature, TaskKind
from orchestrator.report import Report, build_report, write_report

TINY = (0.78, 0.86, 0.80)
MINI = (0.84, 0.83, 0.82)


def built_of(directory: Path, tasks: Any = None, **outcome: Any) -> LedgerBuilder:
    """Two models with three seeds; the larger one scores best and takes five times as long."""
    built = LedgerBuilder(directory)
    tasks = tasks or [task("outcome", invented=False)]
    for trial in built.plan(["tiny", "mini"], ["clinical"], ["full"], tasks, [0, 1, 2]):
        tiny = trial.cell.model == "tiny"
        fate = Fate(
            quality=(TINY if tiny else MINI)[trial.seed], phases={Phase.TRAIN: 10.0 if tiny else 50.0}
        )
        built.attempt(trial, Fate(**{**fate.__dict__, "outcome": outcome}))
    return built


def report_of(built: LedgerBuilder, **sweep: Any) -> Report:
    return build_report(built.ledger.sweep().model_copy(update=sweep), built.ledger.trials())


def page_of(report: Report, directory: Path) -> str:
    return write_report(report, directory / "report")["html"].read_text().split("<script")[0]


def cards(page: str) -> list[str]:
    """The text of each answer."""
    found = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return [" ".join(html.unescape(re.sub("<[^>]+>", " ", one)).split()) for one in found]


def test_limits_beyond_what_a_score_can_be_do_not_move_the_difference(tmp_path):
    """Two seeds that scatter widely: the limits of the difference are more than a whole score apart."""
    built = LedgerBuilder(tmp_path)
    for trial in built.plan(
        ["tiny", "mini"], ["clinical"], ["full"], [task("outcome", invented=False)], [0, 1]
    ):
        qualities, seconds = ((0.1, 0.5), 10.0) if trial.cell.model == "tiny" else ((0.8, 0.9), 50.0)
        built.attempt(trial, Fate(quality=qualities[trial.seed], phases={Phase.TRAIN: seconds}))
    [answer] = cards(page_of(report_of(built), tmp_path))
    assert (
        "It scored 55.0 points below the best and is not shown to be worse: it may be up to 100.0" in answer
    )


def test_each_task_has_an_answer_of_its_own_with_its_chart_beside_it(tmp_path):
    page = page_of(report_of(built_of(tmp_path, [task("one"), task("two", TaskKind.RELATION)])), tmp_path)
    one, two = cards(page)
    assert "For “One”, take mini/clinical/full" in one
    assert "For “Two”, take mini/clinical/full" in two
    assert "Two" not in one
    answer = page[page.index("<article") : page.index("What to take at which budget")]
    assert [f'id="plot-{t}-0"' in answer for t in (0, 1)] == [True, True]
    assert page.count('id="plot-0-0"') == 1


def test_the_answer_names_the_model_in_plain_words_and_says_what_its_interval_is_over(tmp_path):
    [answer] = cards(page_of(report_of(built_of(tmp_path)), tmp_path))
    assert (
        "take mini/clinical/full, which is mini with 11.2M parameters, pretrained on clinical text, all "
        "weights trained: it scored highest, with macro F1 0.830"
    ) in answer
    assert "over 3 seeds alone, for all 2 cells at once)" in answer


def test_the_cheapest_that_is_not_shown_to_be_worse_stands_beside_the_best(tmp_path):
    report = report_of(built_of(tmp_path))
    [answer] = cards(page_of(report, tmp_path))
    [judged] = report.tasks[0].good_enough
    most = min(100 * judged.cheaper["tiny/clinical/full"][1], 100)
    assert "tiny/clinical/full, which is tiny with 4.4M parameters" in answer
    assert (
        "costs a fifth of what mini/clinical/full costs. It scored 1.7 points below the best and is not "
        f"shown to be worse: it may be up to {most:.1f} points worse (95 % over seeds alone, all cells"
    ) in answer


def test_of_cheaper_cells_that_nothing_rules_out_the_one_that_scored_near_the_best_is_offered(tmp_path):
    """The cheapest scored 30 points below the best, with seeds that scatter enough to leave that open."""
    built = LedgerBuilder(tmp_path)
    results = {"tiny": (0.3, 0.7, 10.0), "mini": (0.77, 0.79, 40.0), "base": (0.74, 0.86, 80.0)}
    for trial in built.plan(list(results), ["clinical"], ["full"], [task("outcome", invented=False)], [0, 1]):
        *qualities, seconds = results[trial.cell.model]
        built.attempt(trial, Fate(quality=qualities[trial.seed], phases={Phase.TRAIN: seconds}))
    report = report_of(built)
    [judged] = report.tasks[0].good_enough
    assert judged.cheaper["tiny/clinical/full"][0] < 0
    [answer] = cards(page_of(report, tmp_path))
    assert "mini/clinical/full, which is mini" in answer
    assert "costs half of what base/clinical/full costs. It scored 2.0 points below the best" in answer
    assert "tiny/clinical/full" not in answer.split("Why")[0]


def test_a_cheaper_cell_that_scored_below_the_interval_of_the_best_is_not_offered(tmp_path):
    """Its seeds scatter enough to leave open that it is no worse."""
    built = LedgerBuilder(tmp_path)
    scores = {"tiny": (0.38, 0.61, 0.84, 0.57), "mini": (0.800, 0.804, 0.802, 0.806)}
    for trial in built.plan(["tiny", "mini"], ["clinical"], ["full"], seeds=[0, 1, 2, 3]):
        seconds = 10.0 if trial.cell.model == "tiny" else 50.0
        quality = scores[trial.cell.model][trial.seed]
        built.attempt(trial, Fate(quality=quality, phases={Phase.TRAIN: seconds}))
    report = report_of(built)
    [judged] = report.tasks[0].good_enough
    assert judged.cheaper["tiny/clinical/full"][0] <= 0
    [answer] = cards(page_of(report, tmp_path))
    assert "not shown to be worse" not in answer


def test_a_cheaper_cell_that_is_shown_to_be_worse_is_not_offered(tmp_path):
    built = LedgerBuilder(tmp_path)
    for trial in built.plan(["tiny", "mini"], ["clinical"], ["full"], seeds=[0, 1, 2]):
        tiny = trial.cell.model == "tiny"
        level = (0.3 if tiny else 0.8) + 0.001 * (trial.seed, -trial.seed)[tiny]
        built.attempt(trial, Fate(quality=level, seconds=10 if tiny else 50))
    [answer] = cards(page_of(report_of(built), tmp_path))
    assert "not shown to be worse" not in answer


def test_costs_have_their_units_of_training_and_of_use(tmp_path):
    serving = (Serving(batch_size=1, examples_per_second=300.0, latency_seconds=0.0034, batches=9),)
    book = PriceBook(
        name="ours", currency="EUR", as_of="2026-01-01", source="us", devices={"cpu": {"on_demand": 0.36}}
    )
    report = report_of(built_of(tmp_path, serving=serving), prices=book)
    [answer] = cards(page_of(report, tmp_path))
    assert "A training run takes 50 s on one core, 0.005 EUR; in use one answer takes 3.4 ms, 1,000" in answer
    assert "1,000 one by one take 3.4 s" in answer


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (None, "Good enough is within 1 point, 0.01 of macro F1, which is the default; good_enough in the"),
        (
            {"within": 0.05},
            "within 5 points, 0.05 of macro F1, as good_enough of the sweep says.",
        ),
        ({"at_least": 0.7}, "Good enough is macro F1 0.7, as good_enough of the sweep says."),
        ({"tasks": {"other": {"within": 0.05}}}, "which is the default"),
    ],
)
def test_the_answer_says_of_what_a_point_is_one_and_who_chose_it(tmp_path, target, says):
    own = None if target is None else SweepTarget.model_validate(target)
    [answer] = cards(page_of(report_of(built_of(tmp_path), good_enough=own), tmp_path))
    assert says in answer


@pytest.mark.parametrize(
    ("signature", "helps"),
    [
        (None, "What would help: more than 50 seeds, or a wider margin ("),
        (
            Signature.IMPROVING,
            "What would help: longer training of tiny/clinical/full and mini/clinical/full (6 of 6 seeds "
            "were still rising at the end); more than 50 seeds, or a wider margin (",
        ),
    ],
)
def test_advice_goes_by_the_cause(tmp_path, signature, helps):
    report = report_of(built_of(tmp_path, **({"signature": signature} if signature else {})))
    assert helps in cards(page_of(report, tmp_path))[0]


def test_a_cell_that_never_rose_is_told_to_take_another_learning_rate(tmp_path):
    built = built_of(tmp_path)
    trials = built.plan(["tiny", "mini", "base"], ["clinical"], ["full"], seeds=[0, 1, 2])
    for trial in trials:
        if trial.cell.model == "base":
            flat = {"signature": Signature.PLATEAUED}
            built.attempt(trial, Fate(quality=0.1 + 0.01 * trial.seed, outcome=flat))
    [answer] = cards(page_of(report_of(built), tmp_path))
    assert (
        "another learning rate, say a higher one, for base/clinical/full (3 of 3 seeds never rose)" in answer
    )
    assert "longer training" not in answer


def budgets_of(directory: Path, levels: dict[str, tuple[float, float]]) -> str:
    """The table of budgets, of models with this quality and these seconds of training."""
    built = LedgerBuilder(directory)
    for trial in built.plan(list(levels), ["clinical"], ["full"], seeds=[0, 1, 2]):
        level, seconds = levels[trial.cell.model]
        fate = Fate(quality=level + 0.001 * trial.seed, phases={Phase.TRAIN: seconds + trial.seed})
        built.attempt(trial, fate)
    page = page_of(report_of(built), directory)
    return re.sub("<[^>]+>", "", page[page.index("What to take at which budget") :].split("</table>")[0])


def test_budgets_with_indistinguishable_costs_are_merged(tmp_path):
    table = budgets_of(tmp_path, {"tiny": (0.5, 10.0), "mini": (0.7, 10.2), "base": (0.8, 60.0)})
    assert "tiny/clinical/full" not in table
    assert table.index("mini/clinical/full") < table.index("✓ base/clinical/full")
    assert "11 s on one core or more" in table


def test_a_budget_that_buys_less_than_the_next_one_stays_a_row(tmp_path):
    """mini costs little more than tiny and would do for base's budget: that makes no row of tiny's go."""
    table = budgets_of(tmp_path, {"tiny": (0.800, 10.0), "mini": (0.806, 11.0), "base": (0.813, 100.0)})
    assert "11 s on one core or more" in table
    assert "tiny/clinical/full" in table
    assert table.index("tiny/clinical/full") < table.index("mini/clinical/full")


def test_a_rehearsal_names_no_best(tmp_path):
    built = built_of(tmp_path)
    sweep = built.ledger.sweep()
    random = RandomWeights(architecture="bert")
    backbones = {key: b.model_copy(update={"weights": random}) for key, b in sweep.backbones.items()}
    report = report_of(built, backbones=backbones)
    written = write_report(report, tmp_path / "report")
    texts = [written[kind].read_text() for kind in ("html", "markdown", "json", "latex")]
    page = page_of(report, tmp_path)
    assert "there is no answer. The weights of all backbones are random" in cards(page)[0]
    assert "So nothing is recommended: this was a rehearsal." in cards(page)[0]
    assert not [text for text in texts if re.search(r"[Tt]he best is|take (tiny|mini)|is the best", text)]


def test_what_guessing_gives_stands_in_each_table_of_results(tmp_path):
    report = report_of(built_of(tmp_path, train_classes={"a": 300, "b": 100}, rows={"train": 400}))
    written = write_report(report, tmp_path / "report")
    assert re.search(
        r"<th[^>]*>guessing</th>.*0\.429.*always the commonest class", written["html"].read_text()
    )
    assert re.search(r"\| guessing \|.* 0\.429 \|", written["markdown"].read_text())
    assert re.search(r"(?m)^guessing & 0\.429 &", written["latex"].read_text())


def test_nothing_stands_for_guessing_where_nobody_knows_what_it_gives(tmp_path):
    written = write_report(report_of(built_of(tmp_path)), tmp_path / "report")
    assert not re.search(
        r"guessing (\||&)|guessing 0|>guessing</th>", "".join(p.read_text() for p in written.values())
    )


def test_a_task_without_a_finished_trial_has_its_card_as_well(tmp_path):
    built = LedgerBuilder(tmp_path)
    for trial in built.plan(["tiny"], ["clinical"], ["full"], [task("one"), task("two")], [0]):
        memory = Fate(failure=FailureKind.OUT_OF_MEMORY)
        built.attempt(trial, memory if trial.cell.task == "two" else Fate(quality=0.8))
    found = cards(page_of(report_of(built), tmp_path))
    assert any("For “Two”: No result yet: 0 of 1 trials are finished." in card for card in found)


def test_that_the_text_is_invented_is_said_once(tmp_path):
    page = page_of(report_of(built_of(tmp_path, [task("one"), task("two")])), tmp_path)
    assert len(re.findall("invented", page.replace("on invented text", ""))) == 1


def test_the_task_says_how_large_its_parts_and_classes_are(tmp_path):
    counts = {"train": {"examples": 400}, "dev": {"examples": 100}, "test": {"examples": 922}}
    classes = {"Mrs Example": 300, "b": 100}
    built = built_of(tmp_path, splits=counts, train_classes=classes, rows={"train": 400})
    report = report_of(built)
    for kind in ("html", "markdown"):
        text = write_report(report, tmp_path / "report")[kind].read_text()
        assert (
            "Data: 400 texts in train, 100 in dev, 922 in test. Rows of the 2 classes in train: 300, 100."
            in text
        )
        assert "Mrs Example" not in text
    assert "Data: 400 texts in train" in cards(page_of(report, tmp_path))[0]


def test_no_heading_speaks_of_documents_where_there_are_none(tmp_path):
    page = page_of(report_of(built_of(tmp_path)), tmp_path)
    assert "95 % over seeds alone" in page
    assert not re.findall(r"<th[^>]*>[^<]*documents[^<]*</th>", page)


def test_every_table_marks_the_cells_whose_seeds_failed(tmp_path):
    built = LedgerBuilder(tmp_path)
    other = task("two", TaskKind.RELATION).model_copy(update={"domain": "general"})
    both, methods = [task("one"), other], lora_ranks([4, 8])
    for trial in built.plan(["tiny", "mini"], ["general", "clinical"], methods, both, [0, 1, 2]):
        fails = trial.cell.method == "lora-r8" and trial.cell.model == "tiny" and trial.seed == 0
        level = 0.7 + 0.01 * trial.seed + 0.05 * (trial.cell.model == "mini")
        built.attempt(trial, Fate(failure=FailureKind.COLLAPSED) if fails else Fate(quality=level))
    page = page_of(report_of(built), tmp_path)
    marked = "tiny/general/lora-r8 (1 of 3 seeds collapsed)"
    for table in ("quality against rank", "who is on the frontier"):
        assert marked in page[page.index(table) :].split("</table>")[0]
    across = page[page.index('id="across"') :]
    assert "tiny/general/lora-r8 (2 of 6 seeds collapsed)" in across.split("</table>")[0]
    assert "One, general: 1 of 12 seeds collapsed." in page[page.index('id="domains"') :]


def test_the_printed_page_has_its_sweep_and_numbers_in_the_footer_and_a_sign_at_the_chosen_row(tmp_path):
    page = page_of(report_of(built_of(tmp_path)), tmp_path)
    assert 'content: "Sweep " "made-up"' in page
    assert '"page " counter(page) " of " counter(pages)' in page
    chosen = page[page.index("What to take at which budget") :].split('<tr class="frontier">')[1]
    assert "✓" in chosen.split("</tr>")[0]
