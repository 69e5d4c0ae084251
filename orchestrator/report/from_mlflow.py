"""The report of a sweep from MLflow alone, where its records are out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from orchestrator.errors import ConfigError, Problem
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.build import build_report
from orchestrator.report.record import Report
from orchestrator.tracking.mlflow_reader import Experiment, ExperimentRun
from orchestrator.tracking.mlflow_record import sweep_id_of, sweep_of
from orchestrator.tracking.mlflow_runs import DIGEST, KIND, REMOVED, SUMMARY_KIND, SWEEP_ID, TRIAL
from orchestrator.tracking.mlflow_trials import recipe_of, standalone_of, trial_of

NOTICE = (
    "This report was made from MLflow alone. MLflow does not have the scores of test documents, so intervals "
    "are over seeds and paired tests use seeds only; nor refused cells, trials that have not begun, and what "
    "attempts before the last one cost. Metrics, hours and the frontier are those of the records."
)
OF_FOLDS = (
    "Of tasks with folds, MLflow has the scores of each fold and not their answers: scores here are means "
    "over the folds, and those of the records may differ."
)


def report_from_mlflow(
    experiment: Experiment, name: str, axes: Sequence[tuple[Objective, ...]] = ()
) -> Report:
    """Build the report from an experiment that `frontier sync` or a sweep wrote. Raises ConfigError where
    its runs or tags were changed beyond reading."""
    try:
        runs = _runs_of_sweep(experiment.runs, sweep_id_of(experiment.tags))
        records = [(run, record) for run in runs if (record := trial_of(run)) is not None]
        in_grid = [
            (run, record)
            for run, record in records
            if record.planned.candidate is None and not _was_removed(run)
        ]
        trials = [record for _, record in in_grid]
        beside = [r for run, r in records if r.planned.candidate is not None or _was_removed(run)]
        sweep = sweep_of(
            experiment.tags,
            [record.planned for record in trials],
            recipes={record.planned.cell.name: recipe_of(run) for run, record in in_grid},
            provenance=_provenance(runs),
            standalone={
                record.planned.cell.name: calibrated
                for run, record in in_grid
                if (calibrated := standalone_of(run)) is not None
            },
        )
    except (ValidationError, ValueError, KeyError) as error:
        fix = "`frontier sync` writes them again, where the records are"
        problem = f"its runs or tags are not those that Frontier writes ({type(error).__name__})"
        raise ConfigError([Problem(f"experiment {name}", "", problem, fix)]) from error
    if not trials:
        fix = "wait for its first trial to end, or `frontier sync` it"
        raise ConfigError([Problem(f"experiment {name}", "", "has no runs of trials", fix)])
    report = build_report(sweep, trials, beside, axes=axes)
    folds = [OF_FOLDS] if any(trial.planned.fold is not None for trial in trials) else []
    return report.model_copy(update={"notices": (NOTICE, *folds, *report.notices)})


def _runs_of_sweep(runs: Iterable[ExperimentRun], sweep_id: str | None) -> list[ExperimentRun]:
    """Return the runs of one sweep, of each trial the newest that was written to its end: a crash may leave
    the run that another one replaces. A run without the id of a sweep is of an older version, and counts."""
    newest: dict[str, ExperimentRun] = {}
    for run in runs:
        name, digest, of = (run.values.get(f"tags.{tag}") for tag in (TRIAL, DIGEST, SWEEP_ID))
        if name is None or digest is None or of not in (None, sweep_id):
            continue
        if name not in newest or _age(newest[name]) <= _age(run):
            newest[name] = run
    return list(newest.values())


def _age(run: ExperimentRun) -> tuple[bool, float, float]:
    """Return what is greater for the newer one of two runs of a trial. A stale run has an empty digest."""
    return bool(run.values[f"tags.{DIGEST}"]), run.started_at, run.ended_at


def _was_removed(run: ExperimentRun) -> bool:
    """Return whether the trial or candidate is no longer in the grid."""
    return run.values.get(f"tags.{REMOVED}") == "true"


def _provenance(runs: Iterable[ExperimentRun]) -> dict[str, str]:
    """Return the params of the summary run, but for the version of Frontier."""
    summary = next((run for run in runs if run.values.get(f"tags.{KIND}") == SUMMARY_KIND), None)
    params = {} if summary is None else summary.values
    return {
        key.removeprefix("params."): value
        for key, value in params.items()
        if key.startswith("params.") and key != "params.frontier_version"
    }
