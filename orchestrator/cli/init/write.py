"""`frontier init`: look, settle, check by reading every row, write two files, and say what to run."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.cli.catalogue.task import counts_of, show_splits
from orchestrator.cli.init.asking import Asking, on_terminal
from orchestrator.cli.init.columns import Question
from orchestrator.cli.init.files import sweep_text, task_text
from orchestrator.cli.init.lengths import backbones_here, length_by_tokenizers
from orchestrator.cli.init.models import Start, Weights, start
from orchestrator.cli.init.source import DataSource
from orchestrator.cli.init.study import Flags, Study, settle, title_of
from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.paths import cache_of
from orchestrator.cli.sweep_files import SWEEP_FILE
from orchestrator.cli.terminal import Terminal, plain_table
from orchestrator.cli.worker_calls import WorkerAnswer, ask
from orchestrator.config import load_catalogue
from orchestrator.config.data_digests import digest_data
from orchestrator.config.known_counts import remember_counts
from orchestrator.config.problems import validate
from orchestrator.config.task_files import DescribedTask
from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.contracts.data_look import DataLook
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.requests import InspectTask
from orchestrator.contracts.separators import Separator
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError, DataError, Problem, did_you_mean
from orchestrator.execution.devices import first_gpu
from orchestrator.units import quantity

_FOLDS = (
    "with {rows}, consider `--folds 5`: it tests each of them instead of a fifth, so that intervals "
    "are clearly narrower, and trains 5 times per seed"
)
_SMALL = 0.05  # of the standard deviation of a number


@dataclass(frozen=True)
class Wishes:
    """What the user wants of the study, beside what the data are."""

    name: str | None
    into: Path | None
    within: float | None
    at_least: float | None
    weights: Weights | None
    models: Sequence[str]
    sensitive: bool
    storage: Path
    catalogues: Sequence[Path] = ()  # beside the folder that is written


def init(
    source: DataSource, flags: Flags, separator: Separator | None, wishes: Wishes, console: Terminal
) -> None:
    """Write the task and the sweep of a data file, or of a data set of a hub.

    Raises ConfigError for wrong flags, open questions and files that exist already, DataError where a row is
    malformed or a score would say nothing. Then nothing is written.
    """
    catalogue = load_catalogue(wishes.catalogues)
    title, name = title_of(wishes.name or source.stem, list(catalogue.tasks))
    target = wishes.into or Path(name)
    task_file, sweep_file = target / "tasks" / f"{name}.yaml", target / SWEEP_FILE
    _refuse_existing((task_file, sweep_file))
    asking = Asking(on_terminal())
    if unknown := [model for model in wishes.models if model not in catalogue.models]:
        asking.refuse(
            "--model", f"not in the catalogue, got {unknown[0]!r}", did_you_mean(unknown[0], catalogue.models)
        )
    if wishes.within is not None and wishes.at_least is not None:
        asking.refuse("--within", "expected one of --within and --at-least, got both", "remove one")
    cache = cache_of(wishes.storage).resolve()
    look = source.look(separator, cache)
    data_dir, below = source.placed(look)
    root = source.root(data_dir, look, cache)
    study = settle(look, below, flags, asking)
    weights = _weights(wishes, asking)
    good_enough = _good_enough(wishes, study.kind, asking)
    text = task_text(study.task(title, wishes.sensitive), study)
    backbones = backbones_here(catalogue, start(catalogue, weights, wishes.models, look.rows), cache)
    length = length_by_tokenizers(_checked(text, name, task_file), root, backbones, cache)
    study = replace(study, tokenised=length)
    text = task_text(study.task(title, wishes.sensitive), study)
    spec = _checked(text, name, task_file)
    answer = _inspected(spec, root, cache)
    if not good_enough:  # an error has a unit of its own, in which nothing is small for all tasks
        deviation = answer["splits"]["train"]["deviation"]
        good_enough = {"within": float(f"{_SMALL * deviation:.1g}")}
    begin = start(catalogue, weights, wishes.models, answer["splits"]["train"]["examples"])
    paths = ["" if data_dir is None else _relative(data_dir, target)]
    paths += [_relative(path.resolve(), target) for path in wishes.catalogues]
    unit = study.value("unit") or "its unit" if study.kind is TaskKind.REGRESSION else None
    sweep = sweep_text(name, title, paths, begin, good_enough, first_gpu() is not None, unit)
    _show(source, study, begin, good_enough, _why_good_enough(wishes, unit), console)
    show_splits(spec, answer, console)
    if study.may_have_folds:
        console.print(_FOLDS.format(rows=quantity(look.rows, _row(look))), highlight=False)
    try:
        task_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(task_file, text)
        write_atomically(sweep_file, sweep)
    except OSError as refused:
        with suppress(OSError):
            task_file.unlink(missing_ok=True)
        problem, fix = (
            f"cannot be written ({refused.strerror})",
            "give --into another directory",
        )
        raise ConfigError([Problem(str(target), "", problem, fix)]) from None
    console.print(f"\nwrote {task_file} and {sweep_file}; next:", highlight=False, soft_wrap=True)
    for verb in ("plan", "run"):
        print(f"  {_program()} {verb} {shlex.quote(str(sweep_file))}{_storage(wishes.storage)}")


def _refuse_existing(paths: Sequence[Path]) -> None:
    fix = "remove it, or give --into DIRECTORY or --name NAME"
    if problems := [
        Problem(str(path), "", "this file exists already", fix) for path in paths if path.exists()
    ]:
        raise ConfigError(problems)


def _relative(path: Path, target: Path) -> str:
    """Return a path as the sweep file names it: relative to it if both are in the working directory."""
    here = Path.cwd().resolve()
    if path.is_relative_to(here) and target.resolve().is_relative_to(here):
        return os.path.relpath(path, target.resolve())
    return str(path)


def _weights(wishes: Wishes, asking: Asking) -> Weights:
    """Return where weights may come from."""
    weights = wishes.weights
    if weights is None and not wishes.models:
        question = Question(
            "--weights",
            "Where may weights come from: this machine, or a download from the hub?",
            "",
            tuple(Weights),
            Weights.HERE,
        )
        weights = Weights(str(asking.assumed(question).value))
    return weights or Weights.HERE


def _good_enough(wishes: Wishes, kind: TaskKind, asking: Asking) -> dict[str, float]:
    """Return what is good enough; nothing for a regression whose user does not say it."""
    number = kind is TaskKind.REGRESSION
    if wishes.at_least is not None and number:
        asking.refuse("--at-least", "an error has no least value", "give --within, in the unit of the number")
        asking.end()
    if wishes.at_least is not None:
        return {"at_least": wishes.at_least}
    within = wishes.within
    if within is not None and within > 1 and not number:
        asking.refuse("--within", f"expected a share from 0 to 1, got {within:g}", "0.01 is one point")
        asking.end()
    if within is None and number:
        return {}
    if within is None:
        asked = Question(
            "--within",
            "How much worse than the best is still good enough (0.01 is one point)?",
            "",
            (),
            "0.01",
            is_share=True,
        )
        within = float(str(asking.assumed(asked).value))
    return {"within": within}


def _why_good_enough(wishes: Wishes, unit: str | None) -> str:
    if unit is None:
        return "0.01 is one point; --within or --at-least sets it"
    if wishes.within is not None:
        return f"in {unit}; as you said"
    return f"in {unit}; about a twentieth of the standard deviation, --within sets it"


def _checked(text: str, name: str, file: Path) -> TaskSpec:
    """Return the task as the catalogue will read it from its file. Raises ConfigError."""
    raw, problems = parse_yaml(text, str(file), "")
    if problems:
        raise ConfigError(problems)
    assert isinstance(raw, dict)
    task, invalid = validate(DescribedTask, raw | {"name": name}, str(file))
    if task is None:
        raise ConfigError(invalid)
    return task.spec()


def _inspected(spec: TaskSpec, root: Path, cache: Path) -> WorkerAnswer:
    """Read every row in a worker, and remember its counts for the plan. Raises DataError."""
    [answer] = ask("workers.inspect", InspectTask(task=spec, root=str(root)), "task")
    digest = digest_data(spec, root, own_cache())
    if (unscorable := answer["unscorable"]) is not None:
        raise DataError(f"task {spec.name}", None, unscorable["problem"], unscorable["fix"])
    if digest is not None:
        remember_counts(cache, spec, digest, {spec.max_length: counts_of(answer)})
    return answer


def _show(
    source: DataSource,
    study: Study,
    begin: Start,
    good_enough: Mapping[str, float],
    why: str,
    console: Terminal,
) -> None:
    look = study.look
    columns = f", {quantity(len(look.columns) + look.other_columns, 'column')}" if look.columns else ""
    rows = quantity(look.rows, _row(look))
    console.print(f"{source.shown}: {look.format}, {rows}{columns}", highlight=False, soft_wrap=True)
    table = plain_table("", "choice", "why")
    for key, answer in study.settled.items():
        table.add_row(key.replace("_", " "), answer.value or "–", answer.why)
    table.add_row("max_length", str(study.max_length), study.why_max_length)
    table.add_row("models", ", ".join(begin.models), begin.why)
    [(rule, figure)] = good_enough.items()
    table.add_row("good enough", f"{rule} {figure:g}", why)
    console.print(table)


def _row(look: DataLook) -> str:
    return "sentence" if look.format == "conll" else "row"


def _program() -> str:
    """Return what the user has to type for `frontier` here: its path if the shell does not find it."""
    started = sys.argv[0]
    unknown = Path(started).name == "frontier" and shutil.which("frontier") is None
    return shlex.quote(started) if unknown else "frontier"


def _storage(storage: Path) -> str:
    from orchestrator.cli.options import STORAGE

    return "" if str(storage) == STORAGE else f" --storage {shlex.quote(str(storage))}"
