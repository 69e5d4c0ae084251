"""What the console says about the whole models that a sweep keeps."""

from __future__ import annotations

from orchestrator.contracts.kept_weights import KeptWeights
from orchestrator.units import byte_size, named_list, plain_number, quantity

_MOST = 3  # names


def kept_line(weights: KeptWeights) -> str:
    """Return `3 whole models kept, 1.2 GiB of 10 GiB`."""
    size = byte_size(weights.bytes)
    return (
        f"{quantity(len(weights.kept), 'whole model')} kept, {size} of {plain_number(weights.keep_gib)} GiB"
    )


def over_limit_line(weights: KeptWeights) -> str | None:
    """Return what no other cell beats and did not fit, None where all of it did."""
    names = weights.over_limit
    if not names:
        return None
    those = f"{quantity(len(names), 'whole model')} that no other cell beats did not fit in keep_gib: "
    fix = "set keep_gib higher, or train one again with `frontier export --retrain`"
    return f"{those}{named_list(names, _MOST)}\n    -> {fix}"
