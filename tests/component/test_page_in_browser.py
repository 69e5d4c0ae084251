"""The report page in a real browser: offline, on a phone, in the dark, by keyboard and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import Tab, chromium, tab
from ledger_builder import LedgerBuilder, task
from page_ledgers import rich_ledger

from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report import build_report, with_curves, write_report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = rich_ledger(tmp_path_factory.mktemp("page"))
    report = with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)
    return write_report(report, built.ledger.directory / "report")["html"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    binary = chromium()
    if binary is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one in FRONTIER_CHROMIUM")
    with tab(binary) as found:
        yield found


WIDE, PHONE = (1280, 900), (390, 844)


def look(browser: Tab, page: Path, size: tuple[int, int] = WIDE, *, dark: bool = False) -> None:
    browser.requests.clear()
    browser.problems.clear()
    browser.resize(*size)
    browser.emulate(dark=dark)
    browser.open(page.as_uri())
    browser.untouched = None


def glance(browser: Tab, page: Path, size: tuple[int, int] = WIDE, *, dark: bool = False) -> None:
    """As `look`, for tests that change nothing: they may see what the one before them has left."""
    if browser.untouched != (page, size, dark):
        look(browser, page, size, dark=dark)
        browser.untouched = page, size, dark


def test_the_page_asks_for_nothing_and_complains_of_nothing(browser, page):
    look(browser, page)
    assert [url for url in browser.requests if not url.startswith(("data:", "blob:"))] == [page.as_uri()]
    assert browser.problems == []


def test_every_plot_is_drawn(browser, page):
    glance(browser, page)
    points = "p.querySelectorAll('.scatterlayer path.point').length"
    drawn = browser.evaluate(f"[...document.querySelectorAll('.plot')].map(p => {points})")
    assert len(drawn) >= 4
    assert all(drawn)
    results = "document.querySelectorAll('#plot-0-0 .scatterlayer path.point').length"
    told = "JSON.parse(document.getElementById('plots').textContent)['plot-0-0'].y.length"
    assert browser.evaluate(f"{results} === {told}")


@pytest.mark.parametrize("size", [WIDE, PHONE, (320, 640)], ids=["desktop", "phone", "narrow"])
def test_the_page_does_not_scroll_sideways_and_wide_tables_do_in_their_box(browser, page, size):
    look(browser, page, size)
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]
    beyond = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre, svg, .plot')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert browser.evaluate(beyond) == []


def test_plots_follow_the_colours_of_the_page(browser, page):
    ink = "getComputedStyle(document.querySelector('#plot-0-0 .xtitle')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    look(browser, page)
    light = browser.evaluate(ink), browser.evaluate(paper)
    look(browser, page, dark=True)
    assert browser.evaluate(ink) != light[0]
    assert browser.evaluate(paper) != light[1]
    browser.emulate(dark=False)  # while the page is open
    browser.painted()
    assert (browser.evaluate(ink), browser.evaluate(paper)) == light


def test_a_domain_is_hidden_and_the_skip_link_taken_by_keyboard(browser, page):
    look(browser, page)
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    points = "document.querySelectorAll('#plot-0-0 .scatterlayer path.point').length"
    before = browser.evaluate(points)
    browser.evaluate("document.querySelector('[data-plot=\"plot-0-0\"]').focus()")
    browser.press(" ", 32)
    browser.painted()
    assert 0 < browser.evaluate(points) < before
    pressed = "document.querySelector('[data-plot=\"plot-0-0\"]').getAttribute('aria-pressed')"
    assert browser.evaluate(pressed) == "false"
    browser.press(" ", 32)
    browser.painted()
    assert browser.evaluate(points) == before


def test_hover_says_cell_seeds_and_cost(browser, page):
    look(browser, page)
    spot = browser.evaluate("""(() => {
        const p = document.querySelector('#plot-0-0');
        p.scrollIntoView({behavior: 'instant', block: 'center'});
        const points = p.querySelectorAll('.scatterlayer path.point');
        const r = points[points.length - 1].getBoundingClientRect();
        return [r.left + r.width / 2, r.top + r.height / 2];
    })()""")
    for x, y in ([spot[0] - 40, spot[1] - 40], spot):
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        browser.painted()
    text = browser.evaluate("""new Promise(done => {
        const layer = document.querySelector('#plot-0-0 .hoverlayer');
        const look = () => layer.textContent ? done(layer.textContent) : requestAnimationFrame(look);
        look();
    })""")
    assert "a training run takes" in text
    assert "on one core" in text
    assert "seeds" in text
    assert "/" in text


@pytest.mark.parametrize("table", ["Recommended by budget", "Results of Outcome"])
def test_quality_interval_and_probability_are_seen_on_a_phone_without_a_swipe(browser, page, table):
    glance(browser, page, PHONE)
    heads = f"""[...document.querySelectorAll('[aria-label="{table}"] thead th')]
        .map(h => [h.textContent, h.getBoundingClientRect().right])"""
    seen = [text for text, right in browser.evaluate(heads) if right <= PHONE[0]]
    assert any(text == "Quality" for text in seen)
    assert any(text.startswith("95 %") for text in seen)
    assert any("probability" in text.replace("\u00ad", "") for text in seen)


def test_ticks_on_a_phone_are_told_apart(browser, page):
    glance(browser, page, PHONE)
    boxes = """[...document.querySelectorAll('#plot-0-0 .xtick text')].filter(t => t.textContent.trim())
        .map(t => [t.getBoundingClientRect().left, t.getBoundingClientRect().right])"""
    found = sorted(browser.evaluate(boxes))
    assert len(found) >= 3
    assert all(one[1] < other[0] for one, other in pairwise(found))


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "desktop"])
def test_what_is_pressed_is_24_pixels_high(browser, page, size):
    """WCAG 2.2, target size (minimum); links inside a sentence are exempt."""
    glance(browser, page, size)
    small = """[...document.querySelectorAll('a, button, summary, select, .modebar-btn')]
        .filter(e => e.offsetParent && !e.closest('p, .skip') && e.getBoundingClientRect().height < 24)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert browser.evaluate(small) == []


def test_the_chart_of_the_first_task_begins_in_the_first_screen(browser, page):
    glance(browser, page)
    assert (
        browser.evaluate("document.querySelector('.card figure').getBoundingClientRect().top") < WIDE[1] / 2
    )
    assert browser.evaluate("document.querySelector('#plot-0-0').getBoundingClientRect().top") < WIDE[1]


def test_each_learning_curve_looks_like_its_entry_in_the_legend_and_like_no_other(browser, page):
    glance(browser, page)
    legend = """[...document.querySelectorAll('button[data-plot="curve-0-0"] .sign')].map(s =>
        s.innerHTML)"""
    entries = browser.evaluate(legend)
    assert len(entries) > 6
    assert len(set(entries)) == len(entries)


def test_no_bar_of_a_cost_runs_out_of_its_axis(browser, page):
    glance(browser, page)
    beyond = """[...document.querySelectorAll('#plot-0-0, #plot-1-0')].flatMap(box =>
        box._fullData.filter(t => t.error_x && t.error_x.arrayminus).flatMap(t => t.x.map((x, i) =>
            [Math.log10(x - (t.error_x.arrayminus[i] || 0)), Math.log10(x + (t.error_x.array[i] || 0)),
             ...box._fullLayout.xaxis.range])))"""
    bars = browser.evaluate(beyond)
    assert bars
    assert all(low < left <= right < high for left, right, low, high in bars)


def test_labels_of_points_meet_no_other_label_and_no_marker(browser, page):
    glance(browser, page)
    boxes = """[...document.querySelectorAll('.plot[id^=plot-] WHAT')].map(e => {
        const box = e.getBoundingClientRect();
        return [e.closest('.plot').id, box.left, box.top, box.right, box.bottom];
    }).filter(box => box[3] > box[1])"""
    labels = browser.evaluate(boxes.replace("WHAT", ".textpoint text"))
    markers = browser.evaluate(boxes.replace("WHAT", ".scatterlayer path.point"))
    assert len(labels) >= 4
    assert [pair for pair in combinations(labels, 2) if _meet(*pair)] == []
    assert [(label, marker) for label in labels for marker in markers if _meet(label, marker)] == []


def _meet(one: list[Any], other: list[Any]) -> bool:
    """Return whether two boxes of one plot share more than a pixel of each side."""
    (plot, left, top, right, bottom), (of, x0, y0, x1, y1) = one, other
    return plot == of and min(right, x1) - max(left, x0) > 1 and min(bottom, y1) - max(top, y0) > 3


def test_what_guessing_gives_stands_in_each_plot_of_quality(browser, page):
    glance(browser, page)
    words = "[...document.querySelectorAll('.plot[id^=plot-], .plot[id^=axis-]')].map(p => p.textContent)"
    drawn = browser.evaluate(words)
    assert len(drawn) >= 4
    assert all("guessing" in text for text in drawn)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_marker_of_a_plot_is_paler_than_its_colour(browser, page, dark):
    """The colours themselves are three to one against the page: see test_page."""
    glance(browser, page, dark=dark)
    pale = """[...document.querySelectorAll('.plot .scatterlayer path.point')].filter(p => {
        const s = getComputedStyle(p);
        const drawn = s.fill === 'none' || /, 0\\)$/.test(s.fill) ? s.strokeOpacity : s.fillOpacity;
        const trace = getComputedStyle(p.closest('.trace')).opacity;
        return Number(s.opacity) * Number(drawn) * Number(trace) < 1;
    }).length"""
    assert browser.evaluate("document.querySelectorAll('.plot .scatterlayer path.point').length") > 0
    assert browser.evaluate(pale) == 0


def test_the_title_of_an_axis_is_no_longer_than_its_plot_is_high(browser, tmp_path):
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny", "mini"], ["general"], ["full"], [task("long", TaskKind.RELATION)], seeds=[1])
    built.finish_all()
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    look(browser, write_report(report, tmp_path / "report")["html"])
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    ends = """(() => {
        const plot = document.getElementById('plot-0-0').getBoundingClientRect();
        const title = document.querySelector('#plot-0-0 .ytitle');
        const words = title.getBoundingClientRect();
        return [plot.top, words.top, words.bottom, plot.bottom, title.textContent.length];
    })()"""
    top, begins, finishes, bottom, letters = browser.evaluate(ends)
    assert letters > 30
    assert top <= begins < finishes <= bottom


def test_on_paper_plots_fit_the_page_in_light_colours(browser, page, tmp_path):
    look(browser, page, dark=True)
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    wide = "Math.max(...[...document.querySelectorAll('.plot .main-svg')].map(s => s.clientWidth))"
    assert browser.evaluate(wide) <= 700
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("[...document.querySelectorAll('details:not([data-long])')].every(d => d.open)")
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert not browser.evaluate("document.querySelector('details').open")
    browser.print_to_pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


RESULTS = "document.querySelector('[aria-label=\"Results of Outcome\"] table')"


def column(browser: Tab, head: str) -> list[str]:
    """The cells of a column of the results that are shown, in their order."""
    return list(
        browser.evaluate(f"""(table => {{
            const heads = [...table.tHead.rows[0].cells];
            const column = heads.findIndex(cell => cell.textContent.startsWith('{head}'));
            const rows = [...table.tBodies[0].rows].filter(r => !r.hidden && r.cells.length === heads.length);
            return rows.map(row => row.cells[column].textContent.trim());
        }})({RESULTS})""")
    )


def sort_by(browser: Tab, head: str) -> list[str]:
    """Clicks on the head of a column; returns its cells."""
    heads = f"[...{RESULTS}.tHead.rows[0].cells]"
    browser.evaluate(f"{heads}.find(cell => cell.textContent.startsWith('{head}')).firstChild.click()")
    return column(browser, head)


def test_a_table_is_sorted_by_a_click_on_its_head_with_what_was_folded_away(browser, page):
    look(browser, page)
    total = len(column(browser, "Quality"))
    qualities = sort_by(browser, "Quality")
    assert len(qualities) > total
    assert qualities == sorted(qualities, reverse=True)
    seconds = {"s": 1.0, "min": 60.0, "h": 3600.0}
    cells = [text.split() for text in sort_by(browser, "Training")]
    costs = [float(number) * seconds[unit] for number, unit in cells]
    assert costs == sorted(costs, reverse=True)


def test_a_table_is_filtered_by_words_and_saved_whole(browser, page):
    look(browser, page)
    browser.evaluate("""(() => {
        const field = document.querySelector('[aria-label="Filter: Results of Outcome"]');
        field.value = 'mini lora';
        field.dispatchEvent(new Event('input'));
    })()""")
    names = column(browser, "Model")
    assert names
    assert all("mini" in name and "lora" in name for name in names)
    lines = browser.evaluate(f"{RESULTS}.csv()").splitlines()
    assert lines[0].startswith('"Model/domain/method","Frontier","Quality"')
    assert len(lines) > len(names) + 10
