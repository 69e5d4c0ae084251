"""How sure the recommendation is, in the sentence that follows it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.evidence import Group
from orchestrator.report.failed_seeds import mark
from orchestrator.report.picks import Pick
from orchestrator.report.power import joint_limit
from orchestrator.report.saying import MORE, Scale
from orchestrator.report.statistics import CONFIDENCE, share_interval
from orchestrator.report.wording import over

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
        return f"How sure: {'; '.join([*_parts(sets, found), *_reliable(found)])}."
    known = [one for one in found if _interval(one) is not None]
    failed = _failed(found)
    if not known and failed:
        return f"How sure: {'; '.join(failed)}; nothing here has an interval."
    if not known:
        return (
            "How sure: nothing here has seeds that scatter, so no interval; run more seeds before deciding."
        )
    widest = max((_points(one), _half(one)) for one in known)
    single = len(found) - len(known)
    rest = f"; {_where(single, len(found))} it has none, for want of seeds that scatter" if single else ""
    text = (
        f"How sure: the quality of the model named may be off by up to {_amount(widest)} "
        f"(95 % {over([one.pick for one in known])}){rest}"
    )
    return f"{'; '.join([text, *_reliable(found)])}."


def _reliable(found: Sequence[Pick]) -> list[str]:
    """How often the training of the models named fails, and where it never did, how often it still may (the
    rule of three: Hanley and Lippman-Hand 1983)."""
    failed = _failed(found)
    fewest = min((one.pick.quality.n for one in found if one.pick.quality is not None), default=0)
    if failed or fewest < 2:
        return failed
    most = 1 - (1 - CONFIDENCE) ** (1 / fewest)
    return [
        f"no seed of {fewest} failed; the failure rate may still be up to {100 * most:.0f} % "
        f"(95 % over {fewest} seeds)"
    ]


def _failed(found: Sequence[Pick]) -> list[str]:
    parts = []
    for one in found:
        quality, told = one.pick.quality, mark(one.pick.failed, one.pick.planned_seeds)
        if told:
            where = f" on {one.place}" if len(found) > 1 else ""
            parts.append(f"{one.pick.name}{where}: {told}")
            if quality is not None and quality.failed:
                low, high = (100 * end for end in share_interval(quality.failed, quality.n))
                parts[-1] += (
                    f", so {low:.0f} to {high:.0f} % of its seeds may fail (95 % over {quality.n} seeds)"
                )
    return parts


def _parts(sets: Sequence[Judged], found: Sequence[Pick]) -> list[str]:
    total = len(found)
    open_sets = [(one, group) for one, group in sets if len(group.cells) > 1]
    among = " with two seeds or more" if any(group.one_seed for _, group in sets) else ""
    if open_sets:
        parts = [_unsettled(open_sets, total, among)]
        limit = joint_limit(group.limit for _, group in open_sets)
        parts += [f"{MORE[limit]} would narrow this down"] if limit is not None else []
    else:
        each = " (95 % on each task)" if len(sets) > 1 else ""
        parts = [
            f"the best of the cells{among} is told apart from all others {_where(len(sets), total)}{each}"
        ]
    single = sorted({one.pick.name for one in found if one.pick.quality is None or one.pick.quality.n < 2})
    if single:
        verb = "has" if len(single) == 1 else "have"
        parts.append(f"{', '.join(single)} {verb} one seed, so how good that is cannot be judged")
    parts += _close([one for one in found if one.enough])
    unjudged = total - len(sets)
    if unjudged:
        parts.append(f"{_where(unjudged, total)} nothing can be judged, for want of seeds")
    return parts


def _close(found: Sequence[Pick]) -> list[str]:
    """On how many tasks it is shown that the model named is good enough."""
    shown, total = sum(one.shown for one in found), len(found)
    if shown == 0:
        return ["that the model named is good enough is measured, but not shown yet"] if found else []
    rest = "" if shown == total else ", and open on the others"
    return [f"the model named is shown to be good enough {_where(shown, total)}{rest}"]


def _unsettled(sets: Sequence[Judged], total: int, among: str) -> str:
    sizes = sorted(len(group.cells) for _, group in sets)
    span = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    text = f"{_where(len(sets), total)} these results do not settle which of {span} cells{among} is the best"
    risk = max(((_points(one), most) for one, _ in sets if (most := one.most_below)), default=None)
    if risk is None:
        return text
    sure = over([one.pick for one, _ in sets])
    return f"{text}: the model named may be up to {_amount(risk)} worse than another one (95 % {sure})"


def _points(one: Pick) -> bool:
    return not one.task.loss


def _amount(found: Amount) -> str:
    points, amount = found
    return Scale("", points).with_unit(min(amount, 1.0) if points else amount)  # shares differ by 1 at most


def _interval(one: Pick) -> tuple[float, float] | None:
    return None if one.pick.simultaneous is None else one.pick.simultaneous.interval


def _half(one: Pick) -> float:
    low, high = _interval(one) or (0.0, 0.0)
    return (high - low) / 2


def _where(count: int, total: int) -> str:
    if total == 1:
        return "on this task"
    return f"on all {total} tasks" if count == total else f"on {count} of {total} tasks"
