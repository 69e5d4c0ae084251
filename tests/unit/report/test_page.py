"""The page as a document: well-formed, and walkable without a mouse, without eyes, without a script."""

from __future__ import annotations

import math
import re
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task
from page_ledgers import rich_ledger

from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report import build_report, with_curves, write_report
from orchestrator.report.recommendation.summary import recommendations
from orchestrator.report.render.plot_library import packed
from orchestrator.report.render.scales import span, ticks
from orchestrator.units import time_of_hours

VOID = {"meta", "wbr", "link", "br", "hr", "img", "input", "col", "path"}


class Page(HTMLParser):
    """Every element with its attributes, in order; `faults` are tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.words: dict[int, str] = {}  # index of an element -> text right inside it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len({name for name, _ in attrs}) < len(attrs):
            self.faults.append(f"<{tag}> names an attribute twice")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.elements:
            at = len(self.elements) - 1
            self.words[at] = self.words.get(at, "") + data.strip()

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [found for tag, found in self.elements if tag in tags]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> str:
    built = rich_ledger(tmp_path_factory.mktemp("page"))
    report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
    return write_report(report, built.ledger.directory / "report")["html"].read_text()


@pytest.fixture(scope="module")
def page(source) -> Page:
    found = Page()
    library = source.index("<script>")  # Plotly's own text is no part of the document
    found.feed(source[:library] + source[source.rindex("</script>") + len("</script>") :])
    found.close()
    return found


def test_every_tag_is_closed_where_it_belongs(page):
    assert page.faults == []
    assert page.open == []


def test_ids_are_unique_and_what_refers_to_one_finds_it(page):
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    links = {found["href"].removeprefix("#") for found in page.all("a") if found["href"].startswith("#")}
    labels = {found["aria-labelledby"] for _, found in page.elements if "aria-labelledby" in found}
    plots = {found["data-plot"] for _, found in page.elements if "data-plot" in found}
    assert links | labels | plots <= set(ids)


def test_headings_go_down_one_level_at_a_time_from_one_title(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_language_the_landmarks_and_the_way_past_them_are_there(page):
    assert page.all("html")[0]["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("header", "nav", "main")] == [1, 1, 1]
    first_link = page.all("a")[0]
    assert (first_link["class"], first_link["href"]) == ("skip", "#content")
    assert page.all("main")[0]["id"] == "content"
    assert all("aria-labelledby" in section for section in page.all("section"))


def test_every_table_has_a_caption_and_every_head_a_scope_and_words(page):
    tables = [i for i, (tag, _) in enumerate(page.elements) if tag == "table"]
    assert len(tables) > 10
    assert all(page.elements[i + 1][0] == "caption" for i in tables)
    heads = [(i, found) for i, (tag, found) in enumerate(page.elements) if tag == "th"]
    assert all(found.get("scope") in {"col", "row", "rowgroup"} for _, found in heads)
    bare = [i for i, _ in heads if not page.words.get(i) and page.elements[i + 1][0] not in ("a", "span")]
    assert bare == []


def test_plots_say_what_they_show_and_controls_have_names(page):
    plots = [found for _, found in page.elements if found.get("role") == "img"]
    assert len(plots) >= 4
    assert all(len(found["aria-label"] or "") > 60 for found in plots)
    buttons = [i for i, (tag, _) in enumerate(page.elements) if tag == "button"]
    assert buttons
    for i in buttons:  # an svg that is hidden from readers, then the name
        assert page.elements[i][1]["aria-pressed"] == "true"
        assert page.elements[i + 1][1]["aria-hidden"] == "true"
        paths = next(n for n in range(i + 2, len(page.elements)) if page.elements[n][0] != "path")
        assert page.words.get(paths - 1)
    boxes = [found for _, found in page.elements if found.get("role") == "region"]
    assert all(found["tabindex"] == "0" and found["aria-label"] for found in boxes)


@pytest.mark.parametrize("scheme", ["light", "dark", "paper"])
def test_colours_can_be_told_from_what_is_behind_them(source, scheme):
    """WCAG 2.2: 4.5 for text, 3 for the parts of a plot."""
    blocks = re.findall(r":root(?:\[data-paper\])? \{(.*?)\}", source, re.DOTALL)
    colours = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[["light", "dark", "paper"].index(scheme)])
    )
    behind = [colours[name] for name in ("paper", "card", "mark", "warn")]
    for name in ("ink", "link"):
        assert all(_contrast(colours[name], other) >= 4.5 for other in behind), name
    assert _contrast(colours["muted"], colours["paper"]) >= 4.5
    for number in range(6):
        assert _contrast(colours[f"s{number}"], colours["paper"]) >= 3


def _contrast(one: str, other: str) -> float:
    """By https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_answer_comes_first_with_a_model_for_each_budget(tmp_path):
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny", "mini", "base"], ["general"], ["full"], [task("outcome", invented=False)], [1, 2])
    built.finish_all(
        {
            "tiny/general/full/outcome": 0.70,
            "mini/general/full/outcome": 0.705,  # dearer, and less than a point better
            "base/general/full/outcome": 0.80,
        }
    )
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    paths = write_report(report, tmp_path / "report")
    text = re.sub("<[^>]+>", "", paths["html"].read_text().split("<main")[1].split("</section>")[0])
    assert text.index("For “Outcome”, take base/general/full") < text.index("What to take at which budget")
    table = text[text.index("What to take at which budget") :]
    assert table.index("tiny/general/full") < table.index("base/general/full")
    assert "mini/general/full" not in table
    assert "All 6 planned trials have finished." in text
    assert "For “Outcome”, take base/general/full" in paths["markdown"].read_text()


def test_the_correction_of_p_values_is_explained_where_it_is_named_first(source):
    explained = source.index("p is corrected for the number of comparisons by Holm's method")
    assert source.index("Holm") == source.index("Holm", explained)


def test_claims_do_not_repeat_the_title_of_their_task(source):
    rows = re.findall(r'<th scope="row" class="wrap">(.*?)</th>', source)
    assert any(" beats " in row for row in rows)
    assert [row for row in rows if "“" in row] == []


def test_budgets_whose_costs_are_not_distinguishable_name_what_the_model_takes(tmp_path):
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny", "mini"], ["general"], ["full"], [task("outcome")], [1, 2])
    for trial in trials:
        tiny, slow = trial.cell.model == "tiny", 100 * (trial.seed - 1)
        built.attempt(trial, Fate(quality=0.5 if tiny else 0.7, seconds=(200 if tiny else 220) + slow))
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    [task_report] = report.tasks
    [row] = recommendations(task_report, task_report.comparisons[0])
    assert row.point.cell.model == "mini"
    assert row.own_cost > row.cost
    html = write_report(report, tmp_path / "report")["html"].read_text()
    assert f"({time_of_hours(row.own_cost)} a run)" in html


def test_learning_curves_are_means_over_seeds_and_leave_out_what_was_done_again(tmp_path):
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3])
    built.attempt(trials[0], Fate(quality=0.6))
    built.attempt(trials[1], Fate(quality=0.7))
    built.attempt(trials[2], Fate(seconds=50))  # killed after the checkpoint of step 10
    built.attempt(trials[2], Fate(quality=0.8, resumed_from_step=10))
    report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
    [curve] = report.tasks[0].curves
    assert curve.cell == "tiny/general/full"
    assert [(v.step, round(v.quality.mean, 6), v.quality.n) for v in curve.values] == [
        (10, 0.2, 3),
        (20, 0.4, 3),
        (30, 0.6, 3),
    ]


def test_a_task_has_few_curves_however_many_cells(tmp_path):
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general", "clinical"], lora_ranks(range(1, 15)), seeds=[1])
    built.finish_all()
    report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
    assert len(report.tasks[0].points) == 28
    assert len(report.tasks[0].curves) == 8


def test_device_hours_by_phase_add_up_to_what_was_billed(tmp_path):
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    built.finish_all()
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    billed = sum(s.billed for s in report.totals.spending) / 3600
    assert sum(cost.device_hours for cost in report.phases) == pytest.approx(billed)
    assert sum(cost.share for cost in report.phases) == pytest.approx(1)
    assert report.phases[-1].title == "in no phase"


@pytest.mark.parametrize("costs", [[0.003, 0.0135], [0.3, 0.31], [0.02, 900.0], [0.00001, 0.00002]])
def test_ticks_of_time_are_round_and_have_their_unit(costs):
    axis = ticks(costs, time=True)
    assert len(axis["tickvals"]) >= 2
    assert all(re.fullmatch(r"[\d.,]+ (s|min|h)", text) for text in axis["ticktext"])
    low, high = axis["range"]
    assert all(low <= math.log10(value) <= high for value in axis["tickvals"])


def test_guessing_is_on_the_axis_where_it_is_not_far_below():
    near, far = span([0.5, 0.6], [], 0.45), span([0.8, 0.85], [], 0.1)
    assert near[0] < 0.45
    assert far[0] > 0.7


def test_latex_is_escaped_and_its_environments_match(tmp_path):
    refused = Cell(model="tiny", domain="general", method="ia3", task="q_a")
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full", "ia3"], [task("q_a", TaskKind.NER)], refused={refused: "50 %"})
    odd = built.sweep.tasks["q_a"].model_copy(update={"title": r"50 % of {A} & B_c #1 ~ $\x$"})
    built.sweep = built.sweep.model_copy(update={"tasks": {"q_a": odd}})
    built.ledger.write_sweep(built.sweep)
    built.finish_all()
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    text = write_report(report, tmp_path / "report")["latex"].read_text()
    escaped = r"50 \% of \{A\} \& B\_c \#1 \textasciitilde{} \$\textbackslash{}x\$"
    assert escaped in text
    assert "tiny/general/full" in text
    opened, closed = re.findall(r"\\begin\{(\w+)\}", text), re.findall(r"\\end\{(\w+)\}", text)
    assert sorted(opened) == sorted(closed)
    body = re.sub(r"\\[&%$#_{}]", "", re.sub(r"(?m)^%.*$", "", text))
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "&" in line]
    assert rows
    assert body.count("{") == body.count("}")


def test_the_same_ledger_gives_the_same_page_with_its_curves(tmp_path):
    built = rich_ledger(tmp_path)

    def files(name: str) -> dict[str, bytes]:
        report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
        return {kind: path.read_bytes() for kind, path in write_report(report, tmp_path / name).items()}

    assert files("one") == files("two")


def test_a_page_without_results_draws_nothing_and_says_so(tmp_path: Path):
    built = LedgerBuilder(tmp_path)
    built.plan(seeds=[1])
    report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
    text = write_report(report, tmp_path / "report")["html"].read_text()
    assert "No result yet: 0 of" in text
    assert "<script" not in text


def test_the_page_is_small_enough_for_a_mail(source):
    assert len(source.encode()) < 2 * 2**20  # of a ledger with 90 cells


def test_the_packed_library_holds_nothing_that_ends_its_element():
    content = bytes(range(256)) * 50
    text, size = packed(content)
    assert "<" not in text
    words = [text[at : at + 5] for at in range(0, len(text), 5)]
    digits = [[(60 if c == "y" else ord(c)) - 35 for c in word] for word in words]
    numbers = [sum(digit * 85 ** (4 - place) for place, digit in enumerate(word)) for word in digits]
    assert zlib.decompress(b"".join(n.to_bytes(4, "big") for n in numbers)[:size]) == content
