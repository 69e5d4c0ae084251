"""A user's words, and names of files, are shown and never obeyed: by a terminal, by Markdown, by rich."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from virtual_sweeps import Project

from orchestrator.cli.plan.view import show_plan
from orchestrator.cli.results.report import summary_note
from orchestrator.cli.terminal import Terminal, styled
from orchestrator.contracts.markdown import plain, without_links
from orchestrator.contracts.trial import Cell
from orchestrator.report import build_report, write_report
from orchestrator.tracking.mlflow_summary import experiment_tags, summary_run
from orchestrator.tracking.trial_costs import totals_of

MARKUP = "[/] [/red] [bold]x[/bold] [link=https://a.example]y[/link] :smile: \\[z]"
ESCAPES = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b1m \u202egnp.exe\r"
MARKDOWN = (
    "<script>alert(1)</script> ![i](https://a.example/i) [l](https://a.example) \\[m](https://a.example)"
)


@pytest.mark.parametrize("words", [MARKUP, ESCAPES])
def test_a_terminal_shows_words_as_they_are(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().print(styled(words, "red"), words, soft_wrap=True)
    printed = capsys.readouterr().out
    shown = words.replace("\x1b", "\\x1b").replace("\x07", "\\x07").replace("\x9b", "\\x9b")
    shown = shown.replace("\u202e", "\\u202e").replace("\r", "\\r")
    assert printed == f"{shown} {shown}\n"


def test_a_plan_of_hostile_words_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = [{"match": {"method": "full"}, "exclude": MARKUP}]
    show_plan(Project(tmp_path).plan(question=MARKUP, rules=rules), Terminal())
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(MARKUP) == 2


def test_markdown_and_the_notes_of_mlflow_make_no_html_links_or_images(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    refused = Cell(model="tiny", domain="general", method="ia3", task="outcome")
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[11], refused={refused: MARKDOWN})
    built.finish_all()
    tasks = {
        name: task.model_copy(update={"title": MARKDOWN, "note": MARKDOWN})
        for name, task in built.sweep.tasks.items()
    }
    built.ledger.write_sweep(built.sweep.model_copy(update={"question": MARKDOWN, "tasks": tasks}))
    sweep, trials = built.ledger.sweep(), built.ledger.trials()
    report = build_report(sweep, trials)
    run = summary_run(sweep, totals_of(trials, 0), summary_note(report))
    documents = [
        write_report(report, tmp_path / "report")["markdown"].read_text(),
        *run.tags.values(),
        experiment_tags(sweep)["mlflow.note.content"],  # MLflow renders this one as Markdown
    ]
    assert not any("<" in tag for tag in experiment_tags(sweep).values())
    assert sum("&lt;script" in document for document in documents) >= 3
    for document in documents:
        unescaped = document.replace("\\\\", "").replace("\\[", "").replace("\\!", "")
        assert "<script" not in document
        assert "[" not in unescaped
        assert without_links(document) == document


def test_escaped_words_stay_escaped() -> None:
    for words in ("[a](b)", "\\[a](b)", "\\\\[a](b)", "\\\\\\[a](b)"):
        assert without_links(plain(words)) == plain(words)
        assert without_links(without_links(words)) == without_links(words)
        shown = without_links(words)
        assert (len(shown[: shown.index("[")]) % 2) == 1  # an odd number of backslashes escapes it
