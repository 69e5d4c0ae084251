"""Turn YAML and the catalogue into one resolved sweep, or report all problems at once."""

from orchestrator.config.catalogue import Catalogue, MethodEntry, TaskEntry, builtin_catalogue, load_catalogue
from orchestrator.config.grid import Grid, GridCell
from orchestrator.config.inputs import Inputs, digest_inputs
from orchestrator.config.schema import SweepConfig, sweep_schema
from orchestrator.config.sweep import ResolvedSweep, load_sweep
from orchestrator.config.task_files import task_schema

__all__ = [
    "Catalogue",
    "Grid",
    "GridCell",
    "Inputs",
    "MethodEntry",
    "ResolvedSweep",
    "SweepConfig",
    "TaskEntry",
    "builtin_catalogue",
    "digest_inputs",
    "load_catalogue",
    "load_sweep",
    "sweep_schema",
    "task_schema",
]
