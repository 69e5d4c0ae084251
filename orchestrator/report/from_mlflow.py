"""The report of a sweep from MLflow alone, where its records are out of reach."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from orchestrator.errors import ConfigError, Problem
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.build import build_report
from orchestrator.report.record import Report
from orchestrator.tracking.mlflow_reader import Experiment
from orchestrator.tracking.mlflow_record import sweep_of
from orchestrator.tracking.mlflow_runs import KIND, SUMMARY_KIND
from orchestrator.tracking.mlflow_trials import recipe_of, trial_of

NOTICE = (
    "This report was made from MLflow alone. MLflow does not have the scores of test documents, so intervals "
    "are over seeds and paired tests use seeds only; nor refused cells, trials that have not begun, and what "
    "attempts before the last one cost. Metrics, hours and the frontier are those of the records."
)


def report_from_mlflow(
    experiment: Experiment, name: str, axes: Sequence[tuple[Objective, ...]] = ()
) -> Report:
    """Build the report from an experiment that `frontier sync` or a sweep wrote. Raises ConfigError where
    its runs or tags were changed beyond reading."""
    try:
        records = [(run, record) for run in experiment.runs if (record := trial_of(run)) is not None]
        trials = [record for _, record in records if record.planned.candidate is None]
        candidates = [record for _, record in records if record.planned.candidate is not None]
        recipes = {record.planned.cell.name: recipe_of(run) for run, record in records if record in trials}
        summary = next((r for r in experiment.runs if r.values.get(f"tags.{KIND}") == SUMMARY_KIND), None)
        params = {} if summary is None else summary.values
        provenance = {
            key.removeprefix("params."): value
            for key, value in params.items()
            if key.startswith("params.") and key != "params.frontier_version"
        }
        sweep = sweep_of(experiment.tags, [record.planned for record in trials], recipes, provenance)
    except (ValidationError, ValueError, KeyError) as error:
        fix = "`frontier sync` writes them again, where the records are"
        problem = f"its runs or tags are not those that Frontier writes ({type(error).__name__})"
        raise ConfigError([Problem(f"experiment {name}", "", problem, fix)]) from error
    if not trials:
        fix = "wait for its first trial to end, or `frontier sync` it"
        raise ConfigError([Problem(f"experiment {name}", "", "has no runs of trials", fix)])
    report = build_report(sweep, trials, candidates, axes=axes)
    return report.model_copy(update={"notices": (NOTICE, *report.notices)})
