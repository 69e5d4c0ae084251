"""The page on how the figures are computed: it leaves out no kind of statement, and no row of the bench."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bench.statistics_honest import ROWS
from page_ledgers import rich_ledger

from orchestrator.report import Report, build_report, write_report
from orchestrator.report.analysis.claim_text import TITLES
from orchestrator.report.analysis.methods import STATEMENTS
from orchestrator.report.recommendation.summary import sentences
from orchestrator.report.render.documents import methods_markdown

PAGE = Path(__file__).parents[3] / "orchestrator" / "report" / "METHODS.md"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    built = rich_ledger(tmp_path_factory.mktemp("rich"))
    return build_report(built.ledger.sweep(), built.ledger.trials())


def judged(report: Report) -> set[str]:
    """The sentences that tell how sure something is."""
    found = {sentences(report)[1]}
    for task in report.tasks:
        found |= set(task.answers)
        found |= {claim.sentence for family in task.claims for claim in family.claims}
        found |= {group.sentence for group in task.groups}
        found |= set(task.scores.scores.warnings if task.scores else ())
    clauses = {clause for text in found for clause in clauses_of(text)}
    whole = {
        view.hypervolume.sentence for task in report.tasks for view in task.frontiers if view.hypervolume
    }
    whole |= {" ".join(view.notes) for view in report.across}
    return whole | clauses


def clauses_of(text: str) -> list[str]:
    """Without what stands in brackets: a clause that names nothing has no way to be taken for another."""
    while (bare := re.sub(r"\s*\([^()]*\)", "", text)) != text:
        text = bare
    return [clause for clause in re.split(r"[.;]\s+|: (?=the model named)", text.rstrip(".")) if clause]


def test_every_row_that_is_named_exists_and_every_row_is_named() -> None:
    assert {row for statement in STATEMENTS for row in statement.rows} == set(ROWS)


def test_every_clause_on_how_sure_something_is_has_one_entry_and_no_other(report: Report) -> None:
    entries = {
        said: [s.title for s in STATEMENTS if any(words in said for words in s.says)]
        for said in judged(report)
    }
    assert not [said for said, titles in entries.items() if not titles]
    assert not [(said, titles) for said, titles in entries.items() if len(titles) > 1]
    assert {family.name for task in report.tasks for family in task.claims} <= set(TITLES)


def test_the_page_in_the_repository_is_what_its_source_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == methods_markdown(), "run `make methods`"


def test_the_page_beside_a_report_names_versions_and_is_linked(report: Report, tmp_path: Path) -> None:
    paths = write_report(report, tmp_path)
    page = paths["methods"].read_text(encoding="utf-8")
    assert all(statement.title.split(",")[0] in page for statement in STATEMENTS)
    assert re.search(r"numpy \d\S+, scipy \d", page)
    assert re.search(r"means over \d+ to 3 seeds", page)
    assert "<script" not in page
    assert f'href="{paths["methods"].name}"' in paths["html"].read_text(encoding="utf-8")
