"""How much disk the whole models of a sweep take at most, here and in MLflow. Pure."""

from __future__ import annotations

from orchestrator.contracts.backbone import HubWeights
from orchestrator.contracts.kept_weights import GIB
from orchestrator.contracts.record import Record
from orchestrator.planning.model_size import shape_of
from orchestrator.planning.plan import Plan

_BYTES = 4  # of a weight: a fully trained model is saved in full precision


class WeightsForecast(Record):
    """Bytes of whole models with `keep_weights: frontier`. `kept` is the most that stay, of all seeds while
    their cells are undecided; `each` is written for every trial that runs, until its result has arrived.
    None: the catalogue does not say the size."""

    kept: int | None
    each: int | None
    too_large: tuple[str, ...] = ()  # cells whose model alone is over keep_gib: none is written


def logged_bytes(plan: Plan) -> int | None:
    """Return the bytes of the models that log_models uploads at most, without adapters, which are small.

    All other methods give whole models, also those that train a part: their weights, being small, are kept of
    every seed whatever keep_gib is. An adapter has its backbone with it where no hub has that. None: the
    catalogue does not say a size.
    """
    config, whole, beside = plan.sweep.config, 0, 0
    for cell in plan.sweep.grid.cells:
        settings = cell.variant.spec.settings
        is_whole = settings.trains_everything
        if is_whole and config.keep_weights == "adapters":
            continue
        if (
            settings.is_adapter
            and isinstance(cell.backbone.weights, HubWeights)
            and not cell.backbone.keep_layers
        ):
            continue
        if (shape := shape_of(cell.backbone)) is None:
            return None
        size = len(config.seeds) * len(cell.folds) * round(_BYTES * shape.parameters)
        whole, beside = (whole + size, beside) if is_whole else (whole, beside + size)
    if config.keep_weights == "frontier":
        whole = min(whole, round(config.keep_gib * GIB))
    return whole + beside


def weights_forecast(plan: Plan) -> WeightsForecast | None:
    """Return the forecast, None where no trial of the sweep saves a whole model under this rule."""
    config = plan.sweep.config
    cells = [cell for cell in plan.sweep.grid.cells if cell.variant.spec.settings.trains_everything]
    if config.keep_weights != "frontier" or not cells:
        return None
    limit = round(config.keep_gib * GIB)
    sizes: dict[str, int] = {}
    stay = 0
    for cell in cells:
        if (shape := shape_of(cell.backbone)) is not None:
            size = sizes[cell.cell.name] = round(_BYTES * shape.parameters)
            stay += size * len(config.seeds) * len(cell.folds) if size <= limit else 0
    written = [size for size in sizes.values() if size <= limit]
    complete = len(sizes) == len(cells)
    return WeightsForecast(
        kept=min(limit, stay) if complete else limit,
        each=max(written, default=0) if complete else None,
        too_large=tuple(name for name, size in sizes.items() if size > limit),
    )
