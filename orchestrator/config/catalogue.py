"""The catalogue: one small YAML file an entry, in directories by kind. A file's name is its entry's name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import Field

import orchestrator
from orchestrator.config.file_kinds import BY_DIRECTORY, FileKind, taken_for
from orchestrator.config.lineage import with_inherited
from orchestrator.config.problems import validate
from orchestrator.config.recipes import RecipePatch
from orchestrator.config.schema import SAFE_NAME
from orchestrator.config.task_files import DescribedTask, unknown_metric
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.device import DeviceKind
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.record import Record
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.task_rules import missing_splits
from orchestrator.contracts.tuning import Tune
from orchestrator.contracts.vocabulary import Family
from orchestrator.errors import ConfigError, Problem
from orchestrator.text_files import user_path

KINDS = tuple(BY_DIRECTORY)
HOW_TO_MAKE_ONE = f"make it, with one or more of the directories {', '.join(KINDS)}"
_LIKE = 0.7  # as `difflib` has it: a folder this much like a directory of entries is taken for one misspelt

R = TypeVar("R", bound=Record)


class MethodEntry(Record):
    """A way to adapt a backbone: its settings, and the recipe keys that suit it."""

    name: str
    settings: Settings
    recipe: RecipePatch = RecipePatch()
    by_family: dict[Family, RecipePatch] = Field(default_factory=dict)  # laid over `recipe`
    tune: Tune | None = None
    note: str | None = None


class TaskEntry(Record):
    """A task, and the recipe keys that suit it. In a file, `recipe` is one of the task's keys."""

    spec: TaskSpec
    recipe: RecipePatch = RecipePatch()


@dataclass(frozen=True)
class Catalogue:
    backbones: dict[tuple[str, str], BackboneSpec] = field(default_factory=dict)  # by (model, domain)
    methods: dict[str, MethodEntry] = field(default_factory=dict)
    tasks: dict[str, TaskEntry] = field(default_factory=dict)
    prices: dict[str, PriceBook] = field(default_factory=dict)
    devices: dict[str, DeviceKind] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        return sorted({model for model, _ in self.backbones})

    @property
    def domains(self) -> list[str]:
        return sorted({domain for _, domain in self.backbones})

    def domains_of(self, model: str) -> list[str]:
        """Return the domains for which the model has a backbone."""
        return sorted(domain for name, domain in self.backbones if name == model)


def builtin_catalogue() -> Path:
    """Return the entries that come with the project: in the package when installed, else `configs/` beside
    it."""
    package = Path(orchestrator.__file__).parent
    packaged = package / "catalogue"
    return packaged if packaged.is_dir() else package.parent / "configs"


def load_catalogue(directories: Sequence[Path] = ()) -> Catalogue:
    """Return the built-in entries and those of `directories`, which may add but not redefine. Raises
    ConfigError."""
    catalogue, problems = read_catalogue(directories)
    if problems:
        raise ConfigError(problems)
    return catalogue


def read_catalogue(directories: Sequence[Path]) -> tuple[Catalogue, list[Problem]]:
    """Return the entries that could be read, and the problems of the others."""
    catalogue, problems = Catalogue(), list[Problem]()
    paths: dict[tuple[str, str], Path] = {}
    for root in (builtin_catalogue(), *directories):
        for kind, path in _files(root, problems):
            name = path.stem
            if (kind, name) in paths:
                problem = f"the name {name!r} stands already in {paths[kind, name]}"
                problems.append(Problem(str(path), "", problem, "give the file another name"))
                continue
            paths[kind, name] = path
            problems += _add(catalogue, kind, path)
    catalogue.backbones.update(with_inherited(catalogue.backbones))
    return catalogue, problems


def _files(root: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    if root.name in KINDS and root.is_dir() and any(root.glob("*.yaml")):
        fix = f"name the directory that holds it: {root.parent}"
        problems.append(Problem(str(root), "", f"expected a catalogue, got its {root.name}", fix))
        return
    if not root.is_dir():
        problems.append(Problem(str(root), "", "there is no such catalogue directory", HOW_TO_MAKE_ONE))
        return
    directories = [root / kind for kind in sorted(KINDS) if (root / kind).is_dir()]
    misspelt = list(_misspelt(root))
    problems += misspelt
    if not directories and not misspelt:
        fix = f"put the entries into one or more of the directories {', '.join(KINDS)} in it"
        problems.append(Problem(str(root), "", "this catalogue has no entries", fix))
    for directory in directories:
        for path in sorted(p for p in directory.iterdir() if not _ignored(p)):
            if path.suffix != ".yaml" or not re.fullmatch(SAFE_NAME, path.stem):
                problem, fix = (
                    "not an entry",
                    "an entry is a file NAME.yaml, NAME of letters, digits, . _ -",
                )
                problems.append(Problem(str(path), "", problem, fix))
                continue
            yield directory.name, path


def _misspelt(root: Path) -> Iterator[Problem]:
    """Yield a problem for each folder that may be meant as one of entries. Other files and folders beside
    them (data, results, sweep files) are left alone."""
    for path in sorted(p for p in root.iterdir() if p.name not in KINDS and p.is_dir()):
        if close := get_close_matches(path.name.lower(), KINDS, n=1, cutoff=_LIKE):
            problem = f"a catalogue has no directory {path.name!r}"
            fix = f"did you mean {close[0]!r}? If not, give the folder another name"
            yield Problem(str(path), "", problem, fix)


def _ignored(path: Path) -> bool:
    return path.name.startswith((".", "__")) or path.suffix == ".md"


def _add(catalogue: Catalogue, kind: str, path: Path) -> list[Problem]:
    content, problems = read_mapping(path)
    raw = content.raw
    problems += taken_for(raw, BY_DIRECTORY[kind], str(path))
    if problems:
        return problems
    if "name" in raw:
        problems = [
            Problem(str(path), "name", "unknown key, got name", "an entry is named by its file: remove it")
        ]
    else:
        problems = _add_entry(catalogue, kind, path, raw | {"name": path.stem})
    return content.placed(problems, str(path))


def _add_entry(catalogue: Catalogue, kind: str, path: Path, raw: dict[str, object]) -> list[Problem]:
    if kind == "backbones":
        return _add_backbone(catalogue, path, raw)
    if kind == "methods":
        method, problems = _entry(MethodEntry, path, raw)
        catalogue.methods.update({method.name: method} if method else {})
    elif kind == "prices":
        price, problems = _entry(PriceBook, path, raw)
        catalogue.prices.update({price.name: price} if price else {})
    elif kind == "devices":
        device, problems = _entry(DeviceKind, path, raw)
        catalogue.devices.update({device.name: device} if device else {})
    else:
        recipe, problems = _entry(_Recipe, path, {"recipe": raw.pop("recipe", {})})
        task, more = _entry(DescribedTask, path, raw)
        problems += (unknown_metric(raw, p) if p.key == "metric" else p for p in more)
        problems += [replace(p, where=str(path)) for p in ([] if task is None else missing_splits(task))]
        if task and recipe and not problems:
            catalogue.tasks[task.name] = TaskEntry(spec=task.spec(), recipe=recipe.recipe)
    return problems


def is_price_file(prices: str) -> bool:
    """Return whether `prices` names a file of the user's own instead of an entry of the catalogue."""
    return prices.endswith((".yaml", ".yml"))


def read_prices(path: Path) -> tuple[PriceBook | None, list[Problem]]:
    """Read a price book that is outside any catalogue."""
    content, problems = read_mapping(path)
    problems += taken_for(content.raw, FileKind.PRICES, str(path))
    if problems:
        return None, problems
    book, problems = _entry(PriceBook, path, content.raw | {"name": path.stem})
    return book, content.placed(problems, str(path))


class _Recipe(Record):
    recipe: RecipePatch


def _entry(model: type[R], path: Path, raw: dict[str, object]) -> tuple[R | None, list[Problem]]:
    entry, problems = validate(model, raw, str(path))
    return entry, list[Problem](problems)


def _add_backbone(catalogue: Catalogue, path: Path, raw: dict[str, object]) -> list[Problem]:
    backbone, problems = _entry(BackboneSpec, path, raw)
    if backbone is None:
        return problems
    for key, value in (("model", backbone.model), ("domain", backbone.domain)):
        if not re.fullmatch(SAFE_NAME, value):
            problem = f"cannot be a directory's name, got {value!r}"
            problems.append(Problem(str(path), key, problem, "use letters, digits, '.', '_' and '-'"))
    axis = (backbone.model, backbone.domain)
    if axis in catalogue.backbones:
        problem = f"{axis[0]}/{axis[1]} is already the backbone {catalogue.backbones[axis].name!r}"
        problems.append(Problem(str(path), "model", problem, "give it a model or a domain of its own"))
    if isinstance(backbone.weights, FolderWeights):
        folder = user_path(path.parent, backbone.weights.folder)
        weights = backbone.weights.model_copy(update={"folder": str(folder)})
        backbone = backbone.model_copy(update={"weights": weights})
    if not problems:
        catalogue.backbones[axis] = backbone
    return problems
