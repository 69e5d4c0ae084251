"""The report as documents, from the templates beside this file: HTML, Markdown and LaTeX."""

from __future__ import annotations

import platform
from importlib.metadata import version

from orchestrator import units
from orchestrator.contracts.vocabulary import FailureRule
from orchestrator.report import text
from orchestrator.report.analysis.caveats import INVENTED
from orchestrator.report.analysis.cell_names import marks_of
from orchestrator.report.analysis.heat_map import heat
from orchestrator.report.analysis.methods import PARAGRAPH, STATEMENTS
from orchestrator.report.recommendation.picks import Pick, picks
from orchestrator.report.recommendation.summary import (
    Recommendation,
    caveat,
    headlines,
    recommendations,
    sentences,
)
from orchestrator.report.record import Report
from orchestrator.report.render.filters import environment, latex_environment, markdown_environment
from orchestrator.report.render.frontier_plot import Style, plot, style
from orchestrator.report.render.learning_plot import curve_plot
from orchestrator.report.render.plot_library import plot_library
from orchestrator.report.render.sensitivity_plot import axis_plot
from orchestrator.report.render.text_alternatives import (
    axis_alternative,
    curves_alternative,
    frontier_alternative,
)


def html(report: Report) -> str:
    """One file with everything in it: it opens from disk and asks the network for nothing."""
    look = style(report)
    plots, alts = _plots(report, look)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            headlines=headlines(report),
            caveat=caveat(report),
            invented=[notice for notice in report.notices if notice.startswith(INVENTED)],
            notices=[notice for notice in report.notices if not notice.startswith(INVENTED)],
            mixed=len({task.invented for task in report.tasks}) > 1,
            marks={task.task: marks_of(task.points) for task in report.tasks},
            all_marks=marks_of(p for task in report.tasks for p in task.points),
            advice=_advice(report),
            plots=plots,
            alts=alts,
            look=look,
            library=plot_library() if plots else None,
            heats={
                task.task: [heat_map for c in task.comparisons if (heat_map := heat(task, c))]
                for task in report.tasks
            },
        )
    )


def report_markdown(report: Report) -> str:
    template = markdown_environment().get_template("report.md.j2")
    return template.render(
        report=report,
        sentences=sentences(report),
        advice=_advice(report),
        marks={task.task: marks_of(task.points) for task in report.tasks},
        all_marks=marks_of(p for task in report.tasks for p in task.points),
    )


def latex(report: Report) -> str:
    """Tables to \\input into a paper: they need booktabs and longtable."""
    template = latex_environment().get_template("tables.tex.j2")
    return template.render(
        report=report,
        advice=_advice(report),
        marks={task.task: marks_of(task.points) for task in report.tasks},
        all_marks=marks_of(p for task in report.tasks for p in task.points),
    )


def methods_html(report: Report) -> str:
    """How each kind of statement is computed, with the versions of what computed it."""
    template = environment().get_template("methods.html.j2")
    points = [p for task in report.tasks for p in task.points if p.seeds]
    seeds = sorted({p.seeds for p in points})
    number = (
        f"{units.count_range((seeds[0], seeds[-1])) if seeds else 'no'} {'seed' if seeds == [1] else 'seeds'}"
    )
    leaves_out = report.config.get("failures") == FailureRule.LEAVE_OUT
    sure = text.over(points)
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    versions = f"Frontier {report.frontier_version}, Python {platform.python_version()}, {libraries}"
    paragraph = PARAGRAPH.format(
        seeds=number,
        over=sure,
        documents=" and documents" if "documents" in sure else "",
        failed="are left out" if leaves_out else "count with what guessing gives",
        versions=versions,
    )
    return template.render(report=report, statements=STATEMENTS, paragraph=paragraph)


def methods_markdown() -> str:
    """The same without a report: METHODS.md beside this file."""
    return markdown_environment().get_template("methods.md.j2").render(statements=STATEMENTS)


def _advice(report: Report) -> list[tuple[Pick, tuple[Recommendation, ...]]]:
    return [
        (pick, recommendations(pick.task, pick.comparison))
        for pick in picks(report)
        if pick.unlearned is None
    ]


def _plots(report: Report, look: Style) -> tuple[dict[str, object], dict[str, str]]:
    """By the id of their place in the page: the figures, and what they show in words."""
    plots: dict[str, object] = {}
    alts: dict[str, str] = {}
    for t, task in enumerate(report.tasks):
        for c, comparison in enumerate(task.comparisons):
            if (drawn := plot(task, comparison, look)) is not None:
                plots[f"plot-{t}-{c}"] = drawn
                alts[f"plot-{t}-{c}"] = frontier_alternative(task, comparison)
            if (curves := curve_plot(task, comparison)) is not None:
                plots[f"curve-{t}-{c}"] = curves
                alts[f"curve-{t}-{c}"] = curves_alternative(task, comparison)
        for a, axis in enumerate(task.axes):
            plots[f"axis-{t}-{a}"] = axis_plot(task, axis)
            alts[f"axis-{t}-{a}"] = axis_alternative(task, axis)
    return plots, alts
