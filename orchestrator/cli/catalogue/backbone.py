"""What a backbone is, and what a method adds to it: `frontier backbone inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli.catalogue.arguments import parse_settings, unknown_name
from orchestrator.cli.paths import cache_of
from orchestrator.cli.terminal import Terminal, plain_table, print_json
from orchestrator.cli.worker_calls import ask
from orchestrator.config import Catalogue
from orchestrator.config.catalogue import read_catalogue
from orchestrator.config.method_items import MethodItem
from orchestrator.config.methods import expand
from orchestrator.config.problems import validate
from orchestrator.config.used_entries import NOTHING, apart
from orchestrator.config.weights_files import notes_on, weights_with_problems
from orchestrator.contracts.backbone import BackboneSpec, HubWeights, pretraining_known
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.requests import InspectBackbone
from orchestrator.errors import ConfigError, Problem


def show_backbone(
    backbone: str,
    method: str,
    labels: int,
    arguments: Sequence[str],
    catalogues: Sequence[Path],
    storage: Path,
    as_json: bool,
) -> None:
    """Print the parameters of a backbone under a method, and where its weights come from.

    Raises ConfigError for a wrong argument or unusable weights.
    """
    catalogue, of_catalogue = read_catalogue(catalogues)
    if concern := apart(of_catalogue, {**NOTHING, "methods": (method,)}, catalogue)[0]:
        raise ConfigError(concern)
    backbones = {spec.name: spec for spec in catalogue.backbones.values()}
    settings, problems = parse_settings(arguments)
    problems = [
        *unknown_name(backbone, backbones, "backbone"),
        *unknown_name(method, catalogue.methods, "method"),
        *problems,
    ]
    if problems:
        raise ConfigError(problems)
    spec, adapted = backbones[backbone], _variant(catalogue, method, settings)
    cache = cache_of(storage).resolve()
    folder, problems = weights_with_problems(spec, cache)
    if problems:
        raise ConfigError(problems)
    notes = [] if folder is None else list(notes_on(spec, folder))
    request = InspectBackbone(backbone=spec, method=adapted, labels=labels, cache_dir=str(cache))
    [answer] = ask("workers.inspect", request, "backbone")
    if as_json:
        print_json(answer | ({"weights": notes} if notes else {}))
        return
    console = Terminal()
    table = plain_table(f"{spec.name} with {adapted.name}, {labels} labels", numbers=["parameters"])
    for key in ("total", "trainable", "adapter", "head"):
        table.add_row(key, f"{answer[f'{key}_parameters']:,}")
    console.print(table)
    if modules := answer["matched_modules"]:
        console.print(f"adapters on {len(modules)} modules: {modules[0]} …")
    for line in _background(spec):
        console.print(line, highlight=False)
    for note in (answer.get("note"), *notes, spec.note):
        if note:
            console.print(f"note: {note}", highlight=False)


def _variant(catalogue: Catalogue, method: str, settings: dict[str, Any]) -> MethodSpec:
    item, invalid = validate(MethodItem, {"name": method, **settings}, "command line")
    if item is None:
        raise ConfigError(invalid)
    variants, problems = expand([item], catalogue.methods, "command line")
    if problems:
        raise ConfigError(problems)
    if len(variants) != 1:
        several = ", ".join(variant.spec.name for variant in variants)
        problem = Problem(
            "command line", "--set", f"names several methods: {several}", "give one value per setting"
        )
        raise ConfigError([problem])
    return variants[0].spec


def _background(spec: BackboneSpec) -> Iterator[str]:
    """Yield lines on what a backbone is, where it comes from, and what it was pretrained on."""
    weights = spec.weights
    where = f", {weights.hub} at {weights.revision}" if isinstance(weights, HubWeights) else ""
    yield f"{spec.architecture}, {spec.family}{where}"
    if spec.lineage.teacher:
        yield f"distilled from: {spec.lineage.teacher}"
    if spec.lineage.started_from:
        yield f"pretraining continued from: {spec.lineage.started_from}"
    if spec.saw:
        yield f"seen in pretraining, as far as stated: {', '.join(spec.saw)}"
    elif not pretraining_known(spec):
        yield "its pretraining data are not known"
    yield f"licence: {spec.licence or 'not confirmed, see its page'}"
    if spec.gated:
        yield "gated: access is granted on request, and the hub then needs a token"
