"""What would help, by its cause: longer training, another learning rate, more seeds, more test documents."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.vocabulary import FailureKind, Signature
from orchestrator.report.analysis.learned import NOT_SHOWN
from orchestrator.report.results.point import Point

_MOST_NAMED = 3
REHEARSAL = "The weights of all backbones are random, so no score here is a result."


def training(points: Sequence[Point], contenders: Sequence[str], floor: float | None) -> list[str]:
    """What training itself leaves open, each as what would help. `contenders`: those that may be the best;
    `floor`: the quality of guessing, where it is known."""
    scored = [p for p in points if p.quality is not None]
    rising = [p for p in scored if p.name in contenders and _most(p, Signature.IMPROVING)]
    top = max((p.quality.mean for p in scored if p.quality is not None), default=0.0)
    half = top if floor is None else (floor + top) / 2
    flat = [p for p in scored if _most(p, Signature.PLATEAUED) and p.quality and p.quality.mean < half]
    advice = []
    if rising:
        advice.append(
            f"longer training of {_names(rising)} ({_share(rising, Signature.IMPROVING)} were still rising "
            "at the end)"
        )
    if flat:
        advice.append(
            f"another learning rate, say a higher one, for {_names(flat)} "
            f"({_share(flat, Signature.PLATEAUED)} never rose)"
        )
    return advice


def instead(points: Sequence[Point], why: str) -> str:
    """What to do where no cell learnt anything, as a sentence."""
    if why == REHEARSAL:
        return "So nothing is recommended: this was a rehearsal."
    scored = [p for p in points if p.quality is not None]
    failed = sum(p.quality.failed for p in scored if p.quality is not None)
    if 2 * failed > sum(p.quality.n for p in scored if p.quality is not None):
        advice = _against_failures(scored, failed)
    elif any(_most(p, Signature.IMPROVING) for p in scored):
        rising = [p for p in scored if _most(p, Signature.IMPROVING)]
        advice = f"train longer ({_share(rising, Signature.IMPROVING)} of {_names(rising)} were still rising)"
    elif scored and all(_most(p, Signature.PLATEAUED) for p in scored):
        share = _share(scored, Signature.PLATEAUED)
        advice = f"try another learning rate, say a higher one ({share} never rose)"
    elif why == NOT_SHOWN:
        advice = "add seeds or test documents"
    else:
        advice = "train longer, on more rows, or with another learning rate"
    return f"So nothing is recommended: {advice} first."


def _against_failures(points: Sequence[Point], failed: int) -> str:
    """Seeds diverge at too high a learning rate. One answer to everything may also be one of few steps."""
    diverged = sum(p.failed.get(FailureKind.DIVERGED, 0) for p in points)
    if 2 * diverged > failed:
        return "lower the learning rate, or warm up for longer"
    return "train for more steps, or with another learning rate"


def _most(point: Point, signature: Signature) -> bool:
    return 2 * point.signatures.get(signature, 0) > point.seeds > 0


def _share(points: Sequence[Point], signature: Signature) -> str:
    count, seeds = sum(p.signatures.get(signature, 0) for p in points), sum(p.seeds for p in points)
    return f"{count} of {seeds} seeds"


def _names(points: Sequence[Point]) -> str:
    names = [p.name for p in points[:_MOST_NAMED]]
    if len(points) > _MOST_NAMED:
        return f"{', '.join(names)} and {len(points) - _MOST_NAMED} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
