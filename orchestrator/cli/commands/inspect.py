"""`frontier task inspect` and `frontier backbone inspect`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.cli.paths import cache_of, own_cache
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.worker_calls import ask
from orchestrator.config import Catalogue, load_catalogue
from orchestrator.config.inputs import digest_data
from orchestrator.config.known_counts import remember_counts
from orchestrator.config.layouts import looked_for, resolve_layout
from orchestrator.config.methods import expand
from orchestrator.config.problems import validate
from orchestrator.config.schema import MethodItem
from orchestrator.config.weights_files import look, notes_on
from orchestrator.config.yaml_sources import parse
from orchestrator.contracts.backbone import BackboneSpec, HubWeights, pretraining_known
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.requests import InspectBackbone, InspectTask, StageRequest
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, DataError, Problem, did_you_mean
from orchestrator.text_files import user_path

task_app = typer.Typer(help="Look at a task's data.", no_args_is_help=True)
backbone_app = typer.Typer(help="Look at a backbone under a method.", no_args_is_help=True)

Catalogues = Annotated[list[Path] | None, typer.Option("--catalogue", help="A further catalogue directory.")]
Storage = Annotated[Path, typer.Option(help="Where made data and staged weights are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@task_app.callback()
@backbone_app.callback()
def _verbs() -> None:
    """Keeps `inspect` a word of its own."""


@task_app.command("inspect")
def inspect_task(
    task: Annotated[str, typer.Argument(metavar="TASK")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[data_dir=PATH] [on_bad_record=skip]")
    ] = None,
    catalogue: Catalogues = None,
    storage: Storage = Path("sweeps"),
    as_json: Json = False,
) -> None:
    """Metric, labels, and what each split holds. Reads every row, so a malformed one is found here. No other
    command names a file inside a corpus: it may be named after a patient."""
    known = load_catalogue(catalogue or []).tasks
    given, wrong = _settings(settings or [], {"data_dir", "on_bad_record"})
    if wrong := [*_unknown(task, known, "task"), *wrong]:
        raise ConfigError(wrong)
    entry = known[task].spec
    data_dir = given.pop("data_dir", None)
    if not entry.invented and data_dir is None:
        raise ConfigError([Problem("command line", "data_dir", f"{task} reads files", "give data_dir=PATH")])
    spec, problems = validate(TaskSpec, entry.model_dump(mode="json") | given, "command line")
    if spec is None:
        raise ConfigError(problems)
    spec = resolve_layout(spec, None if data_dir is None else user_path(Path.cwd(), data_dir))
    if spec.layouts:
        fix = "put the corpus there in one of them, or correct data_dir"
        raise ConfigError([Problem(f"task {task}", "reader.files", looked_for(spec), fix)])
    cache = cache_of(storage).resolve()
    root = _data_root(spec, data_dir, cache)
    data = digest_data(spec, root, own_cache())
    for answer in ask("workers.inspect", InspectTask(task=spec, root=str(root)), "task"):
        if (named := answer.get("named")) is not None:
            print(named, file=sys.stderr)
        else:
            found = answer
    if data is not None:
        remember_counts(cache, spec, data, {spec.max_length: _counts(found)})
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        Terminal().print(f"{spec.title} ({spec.kind}), metric {found['metric']}", highlight=False)
        Terminal().print(_splits_table(found))
        for line in found["caveats"]:
            Terminal().print(line, style="yellow", highlight=False, soft_wrap=True)
        if spec.note:
            Terminal().print(f"note: {spec.note}", highlight=False)
    if (wrong := found["unscorable"]) is not None:
        raise DataError(f"task {task}", None, wrong["problem"], wrong["fix"])


def _counts(found: dict[str, Any]) -> dict[Split, SplitCounts]:
    kinds = ("skipped", "set_aside")
    return {
        Split(name): SplitCounts.model_validate(split["counts"] | {key: split[key] for key in kinds})
        for name, split in found["splits"].items()
    }


_BETWEEN = {  # of the counts of a split: what it shares with another one
    "also_in_train": "also in train",
    "also_in_dev": "also in dev",
    "near_train": "near train",
    "ids_also_in_train": "ids also in train",
    "ids_also_in_dev": "ids also in dev",
}
_COUNTED = {"labels": "label", "mentions": "mention", "skipped": "skipped:", "set_aside": "set aside:"}


def _splits_table(found: dict[str, Any]) -> Table:
    """A column a split. A format that knows no documents has no row for them."""
    splits = found["splits"]
    table = _table("", *splits)
    for group in ("documents", "relations", "examples"):
        if any(split.get(group) is not None for split in splits.values()):
            table.add_row(group, *(f"{split[group]:,}" for split in splits.values()))
    for group, title in _COUNTED.items():
        for name in sorted({name for split in splits.values() for name in split.get(group, {})}):
            counts = (split.get(group, {}).get(name, 0) for split in splits.values())
            table.add_row(f"{title} {name}", *(f"{count:,}" for count in counts))
    counted = [split["counts"] for split in splits.values()]
    for key, name in _BETWEEN.items():
        if any(one[key] is not None for one in counted):
            table.add_row(name, *("" if one[key] is None else f"{one[key]:,}" for one in counted))
    table.add_row(f"over {counted[0]['max_length']} words", *(f"{one['cut']:,}" for one in counted))
    if any(one["mentions_cut"] for one in counted):
        table.add_row("mentions beyond them", *(f"{one['mentions_cut']:,}" for one in counted))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(title, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    return table


@backbone_app.command("inspect")
def inspect_backbone(
    backbone: Annotated[str, typer.Argument(metavar="BACKBONE")],
    method: Annotated[str, typer.Option(help="A method of the catalogue.")] = "full",
    labels: Annotated[int, typer.Option(min=1, help="Classes that the head tells apart.")] = 2,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the method, say rank=8.")
    ] = None,
    catalogue: Catalogues = None,
    storage: Storage = Path("sweeps"),
    as_json: Json = False,
) -> None:
    """Parameters in total, trained, in adapters and in the head, and the modules that an adapter wraps."""
    known = load_catalogue(catalogue or [])
    backbones = {b.name: b for b in known.backbones.values()}
    given, wrong = _settings(settings or [], None)
    wrong = [*_unknown(backbone, backbones, "backbone"), *_unknown(method, known.methods, "method"), *wrong]
    if wrong:
        raise ConfigError(wrong)
    spec, adapted = backbones[backbone], _variant(known, method, given)
    folder, wrong = look(spec, cache_of(storage).resolve())
    if wrong:
        raise ConfigError(wrong)
    notes = [] if folder is None else list(notes_on(spec, folder))
    request = InspectBackbone(
        backbone=spec, method=adapted, labels=labels, cache_dir=str(cache_of(storage).resolve())
    )
    [found] = ask("workers.inspect", request, "backbone")
    if as_json:
        print(json.dumps(found | ({"weights": notes} if notes else {}), indent=1))
        return
    table = _table(f"{spec.name} with {adapted.name}, {labels} labels", "parameters")
    for key in ("total", "trainable", "adapter", "head"):
        table.add_row(key, f"{found[f'{key}_parameters']:,}")
    Terminal().print(table)
    if found["matched_modules"]:
        Terminal().print(
            f"adapters on {len(found['matched_modules'])} modules: {found['matched_modules'][0]} …"
        )
    for line in (
        *_background(spec),
        *(f"note: {note}" for note in (found.get("note"), *notes, spec.note) if note),
    ):
        Terminal().print(line, highlight=False)


def _background(spec: BackboneSpec) -> Iterator[str]:
    """What a backbone is, comes from and has read, a line each."""
    weights = spec.weights
    where = f", {weights.hub} at {weights.revision}" if isinstance(weights, HubWeights) else ""
    yield f"{spec.architecture}, {spec.family}{where}"
    if spec.lineage.teacher:
        yield f"distilled from: {spec.lineage.teacher}"
    if spec.lineage.started_from:
        yield f"pretraining went on from: {spec.lineage.started_from}"
    if spec.saw:
        yield f"read in its pretraining, as far as is stated: {', '.join(spec.saw)}"
    elif not pretraining_known(spec):
        yield "what its pretraining read is not known"
    yield f"licence: {spec.licence or 'not confirmed, see its page'}"
    if spec.gated:
        yield "gated: access is granted on request, and the hub then needs a token"


def _data_root(task: TaskSpec, data_dir: str | None, cache: Path) -> Path:
    """Where the reader finds its files; invented ones are written first."""
    if not task.invented:
        return user_path(Path.cwd(), str(data_dir))
    list(ask("workers.stage", StageRequest(cache_dir=str(cache), tasks=(task,))))
    return made_root(cache, task)


def _variant(known: Catalogue, method: str, settings: dict[str, Any]) -> MethodSpec:
    item, invalid = validate(MethodItem, {"name": method, **settings}, "command line")
    if item is None:
        raise ConfigError(invalid)
    variants, problems = expand([item], known.methods, "command line")
    if problems:
        raise ConfigError(problems)
    if len(variants) != 1:
        several = ", ".join(variant.spec.name for variant in variants)
        raise ConfigError(
            [
                Problem(
                    "command line", "--set", f"names several methods: {several}", "give one value a setting"
                )
            ]
        )
    return variants[0].spec


def _unknown(name: str, known: Iterable[str], noun: str) -> Iterator[Problem]:
    names = list(known)
    if name not in names:
        fix = f"{did_you_mean(name, names)} (entries of your own: --catalogue DIRECTORY)"
        yield Problem("command line", noun, f"there is no {noun} {name!r}", fix)


def _settings(words: list[str], known: set[str] | None) -> tuple[dict[str, Any], list[Problem]]:
    """`key=value` words; values as YAML."""
    found: dict[str, Any] = {}
    problems = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            problems.append(Problem("command line", word, "is no key=value", "write it as key=value"))
        elif known is not None and key not in known:
            problems.append(Problem("command line", key, "unknown key", did_you_mean(key, known)))
        else:
            found[key], wrong = (value, []) if known else parse(value, "command line", key)
            problems += wrong
    return found, problems
