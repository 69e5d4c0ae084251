"""How sure the recommendation is, in the sentence that follows it, and what would make it surer."""

from __future__ import annotations

from orchestrator.contracts.metrics import METRICS
from orchestrator.report.analysis.best_set import BestSet
from orchestrator.report.analysis.claim_text import DifferenceUnit, helps
from orchestrator.report.recommendation.advice import training
from orchestrator.report.recommendation.picks import Pick
from orchestrator.report.results.failed_seeds import Trainings, failure_note
from orchestrator.report.statistics.summary import CONFIDENCE, share_interval
from orchestrator.report.text import over


def uncertainty_text(one: Pick) -> str:
    """From the set of the best where it is known, else from the interval of the quality."""
    groups = [g for g in one.task.groups if g.best and g.comparison in (None, one.comparison.label)]
    interval = None if one.pick.simultaneous is None else one.pick.simultaneous.interval
    if groups:
        parts = [*_parts(one, groups[0]), *_reliable(one)]
        advice = _advice(one, groups[0])
    elif interval is not None:
        low, high = interval
        mean = one.pick.quality.mean if one.pick.quality is not None else (low + high) / 2
        most = _amount(one, max(high - mean, mean - low))
        parts = [
            f"the quality of the model named may be off by up to {most} (95 % {over([one.pick])})",
            *_reliable(one),
        ]
        advice = training(one.points, [one.pick.name], _floor(one))
    elif failed := _failed(one):
        parts, advice = [*failed, "no confidence interval, because seeds failed"], []
    else:
        parts, advice = (
            [f"no confidence interval, because {one.pick.name} has one seed (or identical ones)"],
            ["more seeds"],
        )
    if one.may_guess:
        parts.insert(0, f"{one.pick.name} is not shown to score better than guessing")
    more = f" What would help: {'; '.join(advice)}." if advice else ""
    return f"How sure: {'; '.join(parts)}.{more}"


def _parts(one: Pick, group: BestSet) -> list[str]:
    among = " with two seeds or more" if group.one_seed else ""
    if len(group.cells) > 1:
        cells = f"{len(group.cells)} cells{among}"
        parts = [f"these results do not settle which of {cells} is the best{_risk(one)}"]
    else:
        parts = [f"{group.cells[0]} is shown to be the best of the cells{among}"]
    if one.pick.quality is None or one.pick.quality.n < 2:
        parts.append(f"{one.pick.name} has one seed, so how good that is cannot be judged")
    if one.enough and one.shown:
        parts.append("the model named is shown to be good enough")
    elif one.enough:
        parts.append("that the model named is good enough is measured, but not shown yet")
    return parts


def _risk(one: Pick) -> str:
    if not one.most_below:
        return ""
    sure = f"95 % {over([one.pick])}"
    text = f": the model named may be up to {_amount(one, one.most_below)} worse than another one ({sure})"
    unjudged = 0 if one.judged is None else one.judged.unjudged
    cells = "1 other cell" if unjudged == 1 else f"{unjudged} other cells"
    return f"{text}, and {cells} cannot be judged" if unjudged else text


def _advice(one: Pick, group: BestSet) -> list[str]:
    advice = training(one.points, [one.pick.name, one.best.name, *group.cells], _floor(one))
    if len(group.cells) > 1 and group.limit is not None:
        advice.append(
            helps(group.limit, group.settled, DifferenceUnit("", not one.task.loss, unit=one.task.unit))
        )
    return advice


def _reliable(one: Pick) -> list[str]:
    """How often the training of the model named fails, and where it never did, how often it still may (the
    rule of three: Hanley and Lippman-Hand 1983)."""
    failed, quality = _failed(one), one.pick.quality
    if failed or quality is None or quality.n < 2:
        return failed
    trained = Trainings.of(quality.n, one.pick.folds)
    most = 1 - (1 - CONFIDENCE) ** (1 / trained.number)
    return [
        f"no {trained.noun.removesuffix('s')} of {trained.number} failed; the failure rate may still be up "
        f"to {100 * most:.0f} % (95 % over {trained})"
    ]


def _failed(one: Pick) -> list[str]:
    quality, note = one.pick.quality, failure_note(one.pick.failed, one.pick.trainings)
    if not note:
        return []
    text = f"{one.pick.name}: {note}"
    if quality is not None and quality.failed and one.pick.folds is None:
        low, high = (100 * end for end in share_interval(quality.failed, quality.n))
        text += f", so {low:.0f} to {high:.0f} % of its seeds may fail (95 % over {quality.n} seeds)"
    return [text]


def _floor(one: Pick) -> float | None:
    value = one.task.guessing.get(one.task.metric)
    return value if value is None or METRICS[one.task.metric].higher_is_better else -value


def _amount(one: Pick, amount: float) -> str:
    scale = DifferenceUnit("", points=not one.task.loss, unit=one.task.unit)
    return scale.with_unit(scale.limit(amount))
