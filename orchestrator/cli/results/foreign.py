"""`frontier report --from` and `--mlflow`: the report on runs that Frontier did not make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.record_files import read_record
from orchestrator.errors import ConfigError, Problem
from orchestrator.report import Report, build_report, write_report
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.foreign.mapping import RunMapping
from orchestrator.report.foreign.peft_results import read_peft_results
from orchestrator.report.foreign.records import records_of
from orchestrator.report.foreign.runs import Run, RunRow, runs_of
from orchestrator.report.foreign.tables import runs_of_table
from orchestrator.report.from_mlflow import report_from_mlflow
from orchestrator.tracking.mlflow_reader import Experiment, read_experiment
from orchestrator.tracking.mlflow_record import is_ours

_TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class Asked:
    """What the report is asked for, as on the command line."""

    sweep: str | None
    source: Path | None
    mlflow: str | None
    experiment: str | None
    mapping: Path | None
    out: Path | None

    def check(self, of_sweeps: Mapping[str, str | None]) -> None:
        """Raise ConfigError where it is not clear what to report on, or an option would be ignored.
        `of_sweeps` are the options that only a sweep of Frontier has an answer to."""
        problems = []
        places = {"SWEEP": self.sweep, "--from": self.source, "--mlflow": self.mlflow}
        given = [name for name, value in places.items() if value is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            problems.append(
                _problem("", f"expected one of SWEEP, --from and --mlflow, got {got}", "give one of them")
            )
        if self.mlflow is not None and self.experiment is None:
            problems.append(_problem("--experiment", "is missing", "name the experiment in MLflow"))
        options: dict[str, object] = dict(of_sweeps)
        if self.sweep is not None:
            options = {"--mapping": self.mapping, "--out": self.out}
        if self.mlflow is None:
            options["--experiment"] = self.experiment
        problems += [
            _problem(name, f"does not go with {given[0]}", "remove it")
            for name, value in options.items()
            if value is not None and given
        ]
        if problems:
            raise ConfigError(problems)


def report_on_runs(asked: Asked, axes: Sequence[tuple[Objective, ...]]) -> tuple[Report, Mapping[str, Path]]:
    """Build the report on runs that are in no records here, and write its files. Raises ConfigError."""
    if asked.source is not None:
        name = asked.source.stem
        report = _on(_read(asked.source, asked.mapping), name, asked.source.name, axes)
    else:
        name = asked.experiment or ""
        report = _on_experiment(read_experiment(asked.mlflow or "", name), name, asked.mapping, axes)
    return report, write_report(report, asked.out or Path(f"{_file_name(name)}-report"))


def _file_name(name: str) -> str:
    """Return a name for a file here: that of an experiment may be a path, as on Databricks."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "runs"


def _on(runs: Sequence[Run], name: str, source: str, axes: Sequence[tuple[Objective, ...]]) -> Report:
    sweep, trials = records_of(runs, name, source)
    return build_report(sweep, trials, axes=axes)


def _on_experiment(
    experiment: Experiment, name: str, mapping: Path | None, axes: Sequence[tuple[Objective, ...]]
) -> Report:
    """Report on an experiment in MLflow: of a sweep of Frontier, or with a mapping on anybody's."""
    if mapping is not None:
        where = f"experiment {name}"
        rows = [RunRow(where, f"run {r.identity}", r.values, r.ended, r.ended_at) for r in experiment.runs]
        runs = runs_of(rows, read_record(RunMapping, mapping), where, str(mapping))
        return _on(runs, name, f"the experiment {name} in MLflow", axes)
    if not is_ours(experiment.tags):
        problem = f"is missing, and Frontier did not write the experiment {name}"
        fix = (
            "write a mapping: which param is the model, which metric the quality (docs/how-to/other-runs.md)"
        )
        raise ConfigError([_problem("--mapping", problem, fix)])
    return report_from_mlflow(experiment, name, axes)


def _problem(key: str, problem: str, fix: str) -> Problem:
    return Problem("the command line", key, problem, fix)


def _read(source: Path, mapping: Path | None) -> list[Run]:
    if source.is_dir():
        if mapping is not None:
            problem = f"{source} is a folder of PEFT's results, which need none"
            raise ConfigError([Problem("--mapping", "", problem, "remove it")])
        return read_peft_results(source)
    if source.suffix.casefold() not in _TABLES:
        problem = "is no CSV file" if source.exists() else "there is no such file"
        fix = "name a CSV file, or a folder of PEFT's method_comparison results"
        raise ConfigError([Problem(str(source), "", problem, fix)])
    return runs_of_table(source, None if mapping is None else read_record(RunMapping, mapping), str(mapping))
