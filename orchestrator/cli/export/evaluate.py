"""`frontier evaluate`: an exported model on the test part of a task, beside what its trial scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.catalogue.arguments import parse_settings, unknown_name
from orchestrator.cli.export.folder import read_exported
from orchestrator.cli.terminal import plain_table
from orchestrator.cli.worker_calls import ask
from orchestrator.config import load_catalogue
from orchestrator.config.layouts import looked_for, resolve_layout
from orchestrator.config.overrides import WHERE
from orchestrator.contracts.exported import EvaluateAnswer, EvaluateRequest, Exported
from orchestrator.contracts.metrics import METRICS, MetricValue
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError, Problem
from orchestrator.text_files import user_path
from orchestrator.units import quantity


def evaluate(
    folder: Path, task: str, arguments: Sequence[str], catalogues: Sequence[Path], cache: Path
) -> dict[str, Any]:
    """Return the scores as JSON: `test`, and where it is the task of the trial, `recorded` and whether they
    are the `same` to the last bit. Raises ConfigError, InputError."""
    exported = read_exported(folder)
    spec, data_dir = _resolved(exported, task, arguments, catalogues)
    request = EvaluateRequest(
        folder=str(folder.resolve()),
        exported=exported,
        cache_dir=str(cache.resolve()),
        task=spec,
        data_dir=data_dir,
    )
    [scored] = [EvaluateAnswer.model_validate(line) for line in ask("workers.exported", request, "evaluate")]
    answer = {"folder": str(folder), "task": task, **scored.model_dump(mode="json")}
    if spec != exported.task:
        return answer
    recorded = {name.value: value.model_dump() for name, value in exported.test.items()}
    return answer | {
        "recorded": recorded,
        "recorded_device_type": exported.device_type,
        "same": scored.test == exported.test,
    }


def show_evaluation(answer: dict[str, Any], console: Console) -> None:
    recorded = answer.get("recorded", {})
    numbers = ["score", *(["in the sweep"] if recorded else [])]
    table = plain_table("metric", title=f"{answer['task']}: test part", numbers=numbers)
    for name, value in answer["test"].items():
        cells = [_cell(value), *([_cell(recorded[name]) if name in recorded else ""] if recorded else [])]
        table.add_row(METRICS[name].title, *cells)
    console.print(table)
    device = f"{answer['device_type']}, {answer['precision']}"
    line = f"{quantity(answer['examples'], 'example')}, on {device}"
    if "same" in answer:
        line += "; the same as in the sweep, to the last bit" if answer["same"] else _differs(answer)
    console.print(line, highlight=False)


def _differs(answer: dict[str, Any]) -> str:
    if answer["device_type"] != answer["recorded_device_type"]:
        return f"; the sweep scored on {answer['recorded_device_type']}, and other devices round differently"
    return "; not the same as in the sweep: the data, or the versions of torch or transformers, are others"


def _cell(value: dict[str, Any]) -> str:
    parsed = MetricValue.model_validate(value)
    return f"{parsed.value:.4f}" if parsed.value is not None else f"missing: {parsed.missing}"


def _resolved(
    exported: Exported, task: str, arguments: Sequence[str], catalogues: Sequence[Path]
) -> tuple[TaskSpec, str | None]:
    """Return the task and data_dir. The task of the trial is as the trial read it; another one comes from the
    catalogue."""
    settings, problems = parse_settings(arguments, {"data_dir"})
    spec = exported.task
    if task != exported.task.name:
        tasks = load_catalogue(catalogues).tasks
        problems += unknown_name(task, tasks, "task")
        spec = tasks[task].spec if task in tasks else spec
    if not problems and spec.kind is not exported.use.kind:
        fix = f"name a task of kind {exported.use.kind}, say {exported.task.name}"
        problems.append(Problem(WHERE, "TASK", f"{task} is a task of kind {spec.kind}", fix))
    data_dir = settings.get("data_dir")
    if not problems and data_dir is None and spec.reads_data_dir:
        problems.append(Problem(WHERE, "data_dir", f"{task} reads files", "give data_dir=PATH"))
    if problems:
        raise ConfigError(problems)
    root = None if data_dir is None else user_path(Path.cwd(), data_dir)
    spec = resolve_layout(spec, root)
    if spec.layouts:
        fix = "put the corpus there in one of them, or correct data_dir"
        raise ConfigError([Problem(f"task {task}", "reader.files", looked_for(spec), fix)])
    return spec, None if root is None else str(root)
