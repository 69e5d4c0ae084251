"""What the templates call: figures as words, and the escaping of each kind of document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator import units
from orchestrator.contracts.guessing import answer_to_all
from orchestrator.contracts.ledger import device_unit
from orchestrator.contracts.markdown import plain, without_links
from orchestrator.report import text
from orchestrator.report.analysis.cell_names import level_marks, marked, named_cell
from orchestrator.report.analysis.claim_text import below_title
from orchestrator.report.analysis.objectives import OBJECTIVES
from orchestrator.report.analysis.replication import verdict, why
from orchestrator.report.render.markers import line_marker, marker
from orchestrator.report.render.text import (
    claim_verdict,
    estimate_reasons,
    frontier_marker,
    measurement_text,
    pair_verdict,
)
from orchestrator.report.results.point import Point, PointState
from orchestrator.report.task_report import TaskReport

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "×": r"$\times$",
    "…": r"\dots{}",
    "\n": " ",
}


@cache
def environment() -> Environment:
    """For HTML, which escapes by itself."""
    env = Environment(
        loader=PackageLoader("orchestrator.report.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= _FIGURES | {"pretty": _pretty, "breakable": _breakable}
    env.globals |= {"marker": marker, "line_marker": line_marker, "OBJECTIVES": OBJECTIVES}
    return env


@cache
def markdown_environment() -> Environment:
    """Nothing that is printed makes HTML, a link or an image; of a user's words a template says that they are
    `plain`, in a table `cell`."""
    env = Environment(
        loader=PackageLoader("orchestrator.report.render"),
        autoescape=False,  # noqa: S701, Markdown, whose templates filter words
        finalize=without_links,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= _FIGURES | {"cell": _table_cell, "plain": plain}
    return env


@cache
def latex_environment() -> Environment:
    """Braces are LaTeX's own, so that a template says `<< value >>` and `<% statement %>`. Everything that is
    printed is escaped."""
    env = Environment(
        loader=PackageLoader("orchestrator.report.render"),
        autoescape=False,  # noqa: S701, `finalize` escapes for LaTeX
        finalize=tex,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    env.filters |= _FIGURES
    return env


def tex(text: object) -> str:
    """As LaTeX prints it, whatever it says."""
    return "".join(_LATEX.get(letter, letter) for letter in str(text))


def _moment(at: float | None) -> str:
    if at is None:
        return "no result yet"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _breakable(name: str) -> Markup:
    """A cell's name that may wrap to another line after each slash."""
    return escape(name).replace("/", Markup("/<wbr>"))


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _table_cell(text: object) -> str:
    """Text that cannot break a Markdown table."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _scored(points: Sequence[Point]) -> list[Point]:
    return [p for p in points if p.seeds]


def _unscored(points: Sequence[Point]) -> list[Point]:
    """Without the refused ones, which stand by reason."""
    return [p for p in points if not p.seeds and p.state is not PointState.REFUSED]


def _difference(value: float | None, task: TaskReport) -> str:
    """Return a difference of qualities in points, or of losses and errors as it is."""
    return units.signed(value) if task.loss else units.signed_points(value)


def _difference_range(interval: tuple[float, float] | None, task: TaskReport) -> str:
    if task.loss and interval is not None:
        return f"{interval[0]:.3f} to {interval[1]:.3f}"
    return units.points_range(interval)


def _difference_unit(task: TaskReport) -> str:
    """` in points`, ` in days`, or nothing for a loss."""
    if not task.loss:
        return " in points"
    return f" in {task.unit}" if task.unit else ""


_FIGURES = {
    "hours": units.hours,
    "time": units.time_of_hours,
    "device_time": units.device_time,
    "on_one": units.on_one_device,
    "marked": marked,
    "count": units.short_count,
    "score": text.mean_text,
    "interval": text.interval,
    "ends": units.interval_ends,
    "within": text.within,
    "enough": text.enough,
    "interval_of": text.interval_of,
    "over": text.over,
    "named": named_cell,
    "signed": units.signed,
    "signed_ends": units.signed_ends,
    "times": units.ratio,
    "number": units.plain_number,
    "settings": text.settings,
    "remark": text.remark,
    "verdict": verdict,
    "why": why,
    "short": text.short,
    "chance": units.percentage,
    "claim_verdict": claim_verdict,
    "below_title": below_title,
    "pair_verdict": pair_verdict,
    "frontier_marker": frontier_marker,
    "p_value": units.p_value,
    "size": units.byte_size,
    "small": units.rounded,
    "measurement": measurement_text,
    "difference": _difference,
    "estimate_reasons": estimate_reasons,
    "difference_range": _difference_range,
    "difference_unit": _difference_unit,
    "unit": device_unit,
    "answer_to_all": answer_to_all,
    "level_marks": level_marks,
    "moment": _moment,
    "scored": _scored,
    "unscored": _unscored,
}
