"""What the data of a task has: `frontier task inspect`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist

from rich.table import Table

from orchestrator.cli.catalogue.arguments import parse_settings, unknown_name
from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.paths import cache_of
from orchestrator.cli.terminal import Terminal, plain_table, print_json
from orchestrator.cli.worker_calls import WorkerAnswer, ask
from orchestrator.config.catalogue import read_catalogue
from orchestrator.config.data_digests import digest_data
from orchestrator.config.known_counts import remember_counts
from orchestrator.config.layouts import looked_for, resolve_layout
from orchestrator.config.problems import validate
from orchestrator.config.used_entries import NOTHING, apart, names_with_problems
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.guessing import answer_to_all
from orchestrator.contracts.hub import snapshot_of
from orchestrator.contracts.metrics import IN_THE_UNIT, METRICS
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.requests import InspectTask, Staged, StageRequest
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, DataError, InputError, Problem
from orchestrator.text_files import user_path


def show_task(
    task: str, arguments: Sequence[str], catalogues: Sequence[Path], storage: Path, as_json: bool
) -> None:
    """Print what each split of a task has, and remember the counts for later plans.

    Raises ConfigError for a wrong argument, DataError where a row is malformed or cannot be scored.
    """
    spec, data_dir = _resolve(task, arguments, catalogues)
    cache = cache_of(storage).resolve()
    root = _data_root(spec, data_dir, cache)
    digest = digest_data(spec, root, own_cache())
    for line in ask("workers.inspect", InspectTask(task=spec, root=str(root)), "task"):
        if (named := line.get("named")) is not None:
            print(named, file=sys.stderr)
        else:
            answer = line
    if digest is not None:
        remember_counts(cache, spec, digest, {spec.max_length: counts_of(answer)})
    if as_json:
        print_json(answer)
    else:
        show_splits(spec, answer, Terminal())
    if (unscorable := answer["unscorable"]) is not None:
        raise DataError(f"task {task}", None, unscorable["problem"], unscorable["fix"])


def _resolve(task: str, arguments: Sequence[str], catalogues: Sequence[Path]) -> tuple[TaskSpec, str | None]:
    """Return the task with its settings and its corpus layout, and data_dir."""
    catalogue, of_catalogue = read_catalogue(catalogues)
    tasks, broken = catalogue.tasks, names_with_problems(of_catalogue, "tasks")
    concern, _ = apart(of_catalogue, {**NOTHING, "tasks": broken & {task}, "backbones": ()}, catalogue)
    settings, problems = parse_settings(arguments, {"data_dir", "on_bad_record"})
    if problems := [*concern, *unknown_name(task, {*tasks, *broken}, "task"), *problems]:
        raise ConfigError(problems)
    entry = tasks[task].spec
    data_dir = settings.pop("data_dir", None)
    if entry.reads_data_dir and data_dir is None:
        raise ConfigError([Problem("command line", "data_dir", f"{task} reads files", "give data_dir=PATH")])
    spec, invalid = validate(TaskSpec, entry.model_dump(mode="json") | settings, "command line")
    if spec is None:
        raise ConfigError(invalid)
    spec = resolve_layout(spec, None if data_dir is None else user_path(Path.cwd(), data_dir))
    if spec.layouts:
        fix = "put the corpus there in one of them, or correct data_dir"
        raise ConfigError([Problem(f"task {task}", "reader.files", looked_for(spec), fix)])
    return spec, data_dir


def _data_root(task: TaskSpec, data_dir: str | None, cache: Path) -> Path:
    """Return the folder where the reader finds its files, after generating invented data, or fetching a data
    set of a hub."""
    if task.reads_data_dir:
        return user_path(Path.cwd(), str(data_dir))
    [staged] = ask("workers.stage", StageRequest(cache_dir=str(cache), tasks=(task,)))
    if not isinstance(task.reader, HubReader) or task.invented:
        return made_root(cache, task)
    root = snapshot_of(cache, task.reader.dataset, task.reader.revision, "datasets")
    if root is None:
        raise InputError(str(Staged.model_validate(staged).problem))
    return root


def show_splits(spec: TaskSpec, answer: WorkerAnswer, console: Terminal) -> None:
    """Print the answer of `workers.inspect`: a column per split, and what to beware of."""
    console.print(f"{spec.title} ({spec.kind}), metric {answer['metric']}", highlight=False)
    console.print(_splits_table(answer))
    for line in _what_decides(spec, answer):
        console.print(line, highlight=False)
    for line in answer["caveats"]:
        console.print(line, style="yellow", highlight=False)
    if spec.note:
        console.print(f"note: {spec.note}", highlight=False)


_LIKELY = 0.8  # the score at which the width of an interval is shown
_FEW = 10  # units, with which no interval is worth a figure


def _what_decides(spec: TaskSpec, answer: WorkerAnswer) -> Iterator[str]:
    """Yield what a score will be compared with, and how well so many rows of test can measure it."""
    if (floor := answer["guessing"]) is not None:
        unit = f" {spec.unit}" if spec.unit and spec.metric in IN_THE_UNIT else ""
        yield f"{METRICS[spec.metric].title} of guessing ({answer_to_all(spec.kind)}): {floor:.3f}{unit}"
    if answer["units"] is None:
        return
    count, unit = answer["units"]
    noun = unit if count != 1 else unit.removesuffix("s")
    if (folds := answer["folds"]) is not None:
        yield (
            f"{folds} folds: each of the {count:,} {unit} is tested once per seed; the columns above are one "
            f"of the {folds} trainings"
        )
    if count < _FEW:
        yield f"{count} test {noun}: too few to measure any score"
        return
    if spec.kind is TaskKind.REGRESSION:
        return
    half = NormalDist().inv_cdf(0.975) * math.sqrt(_LIKELY * (1 - _LIKELY) / count)
    yield (
        f"{count:,} test {noun}: the 95 % interval of a score near {_LIKELY} will reach about {half:.2f} to "
        "each side, as for a share of right answers; further if the score depends on a small class"
    )


def counts_of(answer: WorkerAnswer) -> dict[Split, SplitCounts]:
    """Return the counts in the answer of `workers.inspect`, by split."""
    kinds = ("skipped", "set_aside")
    return {
        Split(name): SplitCounts.model_validate(split["counts"] | {key: split[key] for key in kinds})
        for name, split in answer["splits"].items()
    }


_SHARED = {  # keys of a split's counts: what it shares with another split
    "also_in_train": "also in train",
    "also_in_dev": "also in dev",
    "near_train": "near train",
    "ids_also_in_train": "ids also in train",
    "ids_also_in_dev": "ids also in dev",
}
_COUNTED = {
    "groups": "rows of",
    "labels": "label",
    "mentions": "mention",
    "skipped": "skipped:",
    "set_aside": "set aside:",
}


def _splits_table(answer: WorkerAnswer) -> Table:
    """Return a table with one column per split. A format without documents has no row for them."""
    splits = answer["splits"]
    table = plain_table("", numbers=splits)
    for group in ("documents", "relations", "examples"):
        if any(split.get(group) is not None for split in splits.values()):
            table.add_row(group, *(f"{split[group]:,}" for split in splits.values()))
    for group, title in _COUNTED.items():
        for name in sorted({name for split in splits.values() for name in split.get(group, {})}):
            per_split = (split.get(group, {}).get(name, 0) for split in splits.values())
            table.add_row(f"{title} {name}", *(f"{count:,}" for count in per_split))
    for key, title in {"mean": "mean", "deviation": "standard deviation"}.items():
        if any(split.get(key) is not None for split in splits.values()):
            table.add_row(title, *(f"{split[key]:.3f}" if key in split else "" for split in splits.values()))
    if any(split.get("unlabelled") is not None for split in splits.values()):
        table.add_row("without a label", *(f"{split['unlabelled']:,}" for split in splits.values()))
    if any(split["repeated"] for split in splits.values()):
        table.add_row("repeated texts", *(f"{split['repeated']:,}" for split in splits.values()))
    counted = [split["counts"] for split in splits.values()]
    for key, name in _SHARED.items():
        if any(counts[key] is not None for counts in counted):
            table.add_row(name, *("" if counts[key] is None else f"{counts[key]:,}" for counts in counted))
    table.add_row(f"over {counted[0]['max_length']} words", *(f"{counts['cut']:,}" for counts in counted))
    if any(counts["mentions_cut"] for counts in counted):
        table.add_row("mentions beyond them", *(f"{counts['mentions_cut']:,}" for counts in counted))
    return table
