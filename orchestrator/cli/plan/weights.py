"""What a plan says about the disk that whole models will take."""

from __future__ import annotations

from rich.console import Console

from orchestrator.cli.strict.gate import sensitive_tasks
from orchestrator.cli.terminal import styled
from orchestrator.planning import Plan
from orchestrator.planning.kept_weights import logged_bytes, weights_forecast
from orchestrator.units import byte_size, named_list, plain_number, quantity

_MOST = 3  # names


def weights_json(plan: Plan) -> dict[str, object] | None:
    """Stable keys: kept, each, too_large."""
    forecast = weights_forecast(plan)
    return None if forecast is None else forecast.model_dump(mode="json")


def show_logged(plan: Plan, console: Console) -> None:
    """Say what `log_models` will upload."""
    if not plan.sweep.config.log_models:
        return
    size = logged_bytes(plan)
    much = "" if size is None else f": at most {byte_size(size)}, and small adapters"
    console.print(
        f"  models       those that are kept are also logged to MLflow (log_models){much}",
        highlight=False,
    )
    if tasks := sensitive_tasks(plan.sweep):
        console.print(
            styled("models", "yellow"),
            f"the data of {named_list(tasks, _MOST)} are sensitive: weights can give away text that they "
            "were trained on, and users of the MLflow server can download them",
            highlight=False,
        )


def show_weights(plan: Plan, console: Console) -> None:
    forecast = weights_forecast(plan)
    if forecast is None or not plan.to_run:
        return
    limit = f"keep_gib: {plain_number(plan.sweep.config.keep_gib)}"
    if cells := forecast.too_large:
        console.print(
            styled("weights", "yellow"),
            f"the whole model of {quantity(len(cells), 'cell')} is larger than {limit} and is not saved: "
            f"{named_list(cells, _MOST)}\n    -> set keep_gib higher, or train one again with "
            "`frontier export --retrain`",
            highlight=False,
        )
    if forecast.kept:
        each = "" if not forecast.each else f", and {byte_size(forecast.each)} for each trial that runs"
        console.print(
            f"  weights      at most {byte_size(forecast.kept)} of whole models are kept ({limit}){each}",
            highlight=False,
        )
