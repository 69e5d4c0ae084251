"""How sure the recommendation is, in the sentence that follows it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.evidence import Group
from orchestrator.report.picks import Pick
from orchestrator.report.points import figures
from orchestrator.report.saying import Scale
from orchestrator.report.statistics import Summary

Judged = tuple[Pick, Group]
Amount = tuple[bool, float]  # whether in points, and how much


def sureness(found: Sequence[Pick]) -> str:
    """From the sets of the best where they are known, else from the intervals over seeds."""
    sets = [
        (one, group)
        for one in found
        for group in one.task.groups
        if group.best and group.comparison in (None, one.comparison.label)
    ]
    if sets:
        return f"How sure: {'; '.join(_parts(sets, found))}."
    known = [one for one in found if _interval(one.pick.quality) is not None]
    if not known:
        return (
            "How sure: nothing here has seeds that scatter, so no interval; run more seeds before deciding."
        )
    widest = max((_points(one), _half(one.pick.quality)) for one in known)
    single = len(found) - len(known)
    rest = f"; {_where(single, len(found))} it has none, for want of seeds that scatter" if single else ""
    return (
        f"How sure: other seeds would move the quality of the model named by up to {_amount(widest)} "
        f"(95 % intervals of the mean){rest}."
    )


def _parts(sets: Sequence[Judged], found: Sequence[Pick]) -> list[str]:
    total = len(found)
    open_sets = [(one, group) for one, group in sets if len(group.cells) > 1]
    among = " with two seeds or more" if any(group.one_seed for _, group in sets) else ""
    if open_sets:
        parts = [_unsettled(open_sets, total, among), "more seeds would narrow this down"]
    else:
        parts = [f"the best of the cells{among} is told apart from all others {_where(len(sets), total)}"]
    single = sorted({one.pick.name for one in found if one.pick.quality is None or one.pick.quality.n < 2})
    if single:
        verb = "has" if len(single) == 1 else "have"
        parts.append(f"{', '.join(single)} {verb} one seed, so how good that is cannot be judged")
    unjudged = total - len(sets)
    if unjudged:
        parts.append(f"{_where(unjudged, total)} nothing can be judged, for want of seeds")
    return parts


def _unsettled(sets: Sequence[Judged], total: int, among: str) -> str:
    sizes = sorted(len(group.cells) for _, group in sets)
    span = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    text = f"{_where(len(sets), total)} these results do not settle which of {span} cells{among} is the best"
    named = max((amount for one, group in sets if (amount := _risk(one, group))), default=None)
    cheap = max((amount for one, group in sets if (amount := _risk_of_cheaper(one, group))), default=None)
    if named is not None:
        text += f": the model named may be up to {_amount(named)} worse than another of them"
        text += f", and a cheaper one up to {_amount(cheap)}" if cheap is not None else ""
        return f"{text} (95 %)"
    return f"{text}: a cheaper one may be up to {_amount(cheap)} worse (95 %)" if cheap is not None else text


def _risk(one: Pick, group: Group) -> Amount | None:
    """How much better another cell of the set may be than the one named, beyond which no interval reaches."""
    first, *others = group.cells
    if one.pick.name == first:
        found = [-group.behind[name][0] for name in others if name in group.behind]
    else:
        found = [group.behind[one.pick.name][1]] if one.pick.name in group.behind else []
    return (_points(one), max(found)) if found and max(found) > 0 else None


def _risk_of_cheaper(one: Pick, group: Group) -> Amount | None:
    """How much worse than the first a cell of the set may be that costs less than the one named."""
    limit = figures(one.pick)[0]
    here = [p for p in one.task.points if p.comparison == one.comparison.label]
    costs = ((p.name, figures(p)[0]) for p in here)
    cheaper = {name for name, cost in costs if cost is not None and limit is not None and cost < limit}
    found = [group.behind[name][1] for name in group.cells if name in cheaper & group.behind.keys()]
    return (_points(one), max(found)) if found else None


def _points(one: Pick) -> bool:
    return not one.task.loss


def _amount(found: Amount) -> str:
    points, amount = found
    return Scale("", points).with_unit(min(amount, 1.0) if points else amount)  # shares differ by 1 at most


def _interval(quality: Summary | None) -> tuple[float, float] | None:
    return None if quality is None else quality.interval


def _half(quality: Summary | None) -> float:
    low, high = _interval(quality) or (0.0, 0.0)
    return (high - low) / 2


def _where(count: int, total: int) -> str:
    if total == 1:
        return "on this task"
    return f"on all {total} tasks" if count == total else f"on {count} of {total} tasks"
