"""What is wrong with the weights of a sweep's backbones, known before a device is booked.

Reads, of the weights that are on this machine, the headers and the small files beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.config.grid import GridCell
from orchestrator.config.weights_digests import folder_of, staged_weights
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, HubWeights, PackageWeights
from orchestrator.contracts.safetensors_files import ADAPTER, has_weights
from orchestrator.contracts.weights_folder import CONFIG, WeightsFolder, read_weights
from orchestrator.errors import Problem


def check_weights(cells: Iterable[GridCell], cache: Path) -> list[Problem]:
    """Everything that is wrong with the weights of these cells, and with what the cells ask of them. Weights
    that are not here are left out: `frontier stage` checks them when they come."""
    by_backbone: dict[str, list[GridCell]] = {}
    for cell in cells:
        by_backbone.setdefault(cell.backbone.name, []).append(cell)
    problems: list[Problem] = []
    for own in by_backbone.values():
        folder, wrong = weights_with_problems(own[0].backbone, cache)
        problems += wrong
        if folder is not None:
            problems += _too_long(own, folder)
            problems += _untold_texts(own, folder)
    return problems


def weights_with_problems(spec: BackboneSpec, cache: Path) -> tuple[WeightsFolder | None, list[Problem]]:
    """Return the folder of the weights, and what is wrong with it whatever it is used for; None if it is not
    here."""
    directory = _directory(spec, cache)
    if directory is None or not has_weights(directory):
        return None, []
    try:
        folder, problems = read_weights(spec, directory)
    except OSError as failed:
        where, problem = f"backbone {spec.name}: {directory}", f"cannot be read ({type(failed).__name__})"
        return None, [Problem(where, "", problem, "check the rights of its files")]
    room = folder.positions
    if room is not None and "max_length" in spec.model_fields_set and spec.max_length > room:
        problems.append(_of_length(spec, room, ""))
    return folder, problems


def notes_on(spec: BackboneSpec, folder: WeightsFolder) -> Iterator[str]:
    """Yield what is not wrong but worth knowing."""
    if folder.adapter:
        yield f"{ADAPTER} is beside the weights: the adapter is not attached; merge it to train on from it"
    if folder.positions is not None and folder.positions < spec.max_length:
        yield (
            f"the weights take {folder.positions:,} tokens, the entry says {spec.max_length:,}: "
            f"set max_length: {folder.positions}, or sweeps with longer texts are refused"
        )


def _directory(spec: BackboneSpec, cache: Path) -> Path | None:
    weights = spec.weights
    if isinstance(weights, HubWeights):
        return staged_weights(weights, cache)
    if isinstance(weights, FolderWeights | PackageWeights):
        folder = folder_of(weights)
        return folder if folder is not None and folder.is_dir() else None
    return None  # made on the spot


def _too_long(cells: list[GridCell], folder: WeightsFolder) -> Iterator[Problem]:
    spec, room = cells[0].backbone, folder.positions
    longest = max(cells, key=_tokens)
    stated = "max_length" in spec.model_fields_set and room is not None and spec.max_length > room
    if room is None or stated or _tokens(longest) <= room:
        return
    virtual = longest.variant.spec.settings.extra_tokens
    added = f", {virtual} of them virtual" if virtual else ""
    yield _of_length(spec, room, f", and {longest.cell.name} reads {_tokens(longest):,}{added}")


def _of_length(spec: BackboneSpec, room: int, reading: str) -> Problem:
    problem = f"the weights take {room:,} tokens, the entry says {spec.max_length:,}{reading}"
    return Problem(f"backbone {spec.name}", "max_length", problem, f"set max_length: {room} in its entry")


def _tokens(cell: GridCell) -> int:
    return cell.recipe.max_length + cell.variant.spec.settings.extra_tokens


def _untold_texts(cells: list[GridCell], folder: WeightsFolder) -> Iterator[Problem]:
    paired = [c.task.spec.name for c in cells if getattr(c.task.spec.reader, "second_text", None) is not None]
    if not paired or folder.token_types != 1 or not folder.numbers_texts:
        return
    where = f"backbone {cells[0].backbone.name}: {folder.directory / CONFIG}"
    names = ", ".join(dict.fromkeys(paired))
    problem = f"is 1, the tokenizer numbers the second text of a pair 1, and {names} has pairs of texts"
    fix = (
        "use weights with type_vocab_size: 2, or set model_input_names: [input_ids, attention_mask] in "
        "tokenizer_config.json"
    )
    yield Problem(where, "type_vocab_size", problem, fix)
