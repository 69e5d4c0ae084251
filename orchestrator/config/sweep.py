"""Resolve a sweep file with the catalogue and the command line, or report all problems at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import checks, grid_checks, overrides, paths
from orchestrator.config.catalogue import Catalogue, read_catalogue
from orchestrator.config.checks import AXES
from orchestrator.config.device_choice import settle_device
from orchestrator.config.file_kinds import FileKind, taken_for
from orchestrator.config.grid import Grid, build_grid
from orchestrator.config.lock import Lock, lock_path, read_lock
from orchestrator.config.methods import expand
from orchestrator.config.mistaken_files import validate_what_is_right, with_anchor_fix, without
from orchestrator.config.overrides import Applied
from orchestrator.config.problems import FieldProblem
from orchestrator.config.schema import SweepConfig
from orchestrator.config.selection import select
from orchestrator.config.smoke import smoke_config, smoke_grid
from orchestrator.config.source import KeySource
from orchestrator.config.sweep_catalogue import (
    at_locked_commits,
    directories_of,
    used_by,
    with_prices_of,
    with_tasks_of,
)
from orchestrator.config.used_entries import apart, unused_notes
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.gpus import Gpu
from orchestrator.errors import ConfigError, Problem
from orchestrator.storage.remote import Remote, is_uri
from orchestrator.text_files import user_path


@dataclass(frozen=True)
class ResolvedSweep:
    """A sweep in which every name is known, every path absolute and every cell has its recipe."""

    file: Path
    config: SweepConfig
    catalogue: Catalogue
    grid: Grid
    data_dir: Path | None
    storage: Path
    remote: Remote | None  # the storage by URI, which `storage` then mirrors on this machine
    lock: Lock
    source: KeySource  # whom to point at where a key turns out to be wrong later
    lines: Mapping[str, int]  # of the file, by dotted key
    notes: tuple[str, ...]  # what the command line adds to the file or takes from it, a sentence each
    raw: dict[
        str, object
    ]  # the resolved file for the record: overrides included, keys that were not set left out

    @property
    def sweep_directory(self) -> Path:
        return self.storage / self.config.name


def load_sweep(
    path: Path,
    arguments: Sequence[str] = (),
    *,
    cwd: Path,
    smoke: bool = False,
    lock: Lock | None = None,
    gpu_here: Callable[[], Gpu | None] = lambda: None,
) -> ResolvedSweep:
    """Reads and checks everything. `cwd`: what paths of the command line and `storage` are relative to.
    `smoke`: the same sweep at smoke size (`orchestrator.config.smoke`). `lock` takes the place of the lock
    file beside the sweep file. `gpu_here` gives this machine's GPU, None without one: it is asked where the
    sweep leaves resources to the plan and names no device.

    Raises one ConfigError with every mistake of the file, the catalogue and the overrides.
    """
    file = cwd / path
    yaml, problems = read_mapping(file, str(path))
    raw = yaml.raw
    kind = taken_for(raw, FileKind.SWEEP, str(path))
    if kind or (problems and not raw):
        raise ConfigError([*problems, *kind])
    paths.anchor(raw, file.resolve().parent)
    applied = overrides.apply(raw, arguments, cwd, str(path))
    too_long = paths.overlong(raw, cwd)
    raw = without(raw, too_long)
    catalogue, of_catalogue = read_catalogue(directories_of(raw))
    source, of_methods = _select_methods(raw, applied, catalogue, str(path))
    config, invalid = validate_what_is_right(raw)
    invalid = [*too_long, *(with_anchor_fix(problem, yaml.anchored) for problem in invalid)]
    problems += applied.problems + [dataclasses.replace(p, where=source.of(p.key)) for p in invalid]
    of_catalogue, of_unused = apart(of_catalogue, used_by(config), catalogue)
    absent = checks.check_catalogues(config, source)
    doubted = checks.doubted_axes(of_catalogue, absent)
    catalogue, of_prices = with_prices_of(config, catalogue)
    problems += absent + of_catalogue + of_prices
    if lock is None:
        lock, of_lock = read_lock(lock_path(file), str(lock_path(path)))
        problems += of_lock
    catalogue = at_locked_commits(with_tasks_of(config, catalogue), lock)
    written = config  # on whichever machine it is read again: no device is settled in it
    resources, of_device, found_here = settle_device(config, catalogue.devices, source, gpu_here)
    if found_here is not None:
        catalogue.devices[found_here.name] = found_here
    if resources is not config.resources:
        config = config.model_copy(update={"resources": resources})
    grid, of_grid = _resolve(config, catalogue, source, invalid, doubted)
    remote = Remote(config.storage, config.storage_options) if is_uri(config.storage) else None
    storage = remote.mirror() if remote else user_path(cwd, config.storage)
    problems += [
        *of_device,
        *of_grid,
        *paths.check_storage(storage, source),
        *paths.check_directory_names(grid, storage / config.name, source),
    ]
    if problems:
        pointed = [source.placed(problem) for problem in problems]
        raise ConfigError(yaml.placed(pointed, str(path)))
    if smoke:
        config, grid = smoke_config(config), smoke_grid(grid)
        written = config
    return ResolvedSweep(
        file=file,
        config=config,
        catalogue=catalogue,
        grid=grid,
        data_dir=None if config.data_dir is None else Path(config.data_dir),
        storage=storage,
        remote=remote,
        lock=lock,
        source=source,
        lines=yaml.lines,
        notes=(
            *applied.notes,
            *of_methods,
            *checks.short_of_reach(config, source),
            *unused_notes(of_unused),
        ),
        raw=written.model_dump(mode="json", exclude_unset=True),
    )


def _select_methods(
    raw: dict[str, object], applied: Applied, catalogue: Catalogue, file: str
) -> tuple[KeySource, list[str]]:
    """Keep in `raw` only the methods that the command line names, if it names any. Return the source of keys,
    and notes."""
    overridden = frozenset(applied.keys)
    if not isinstance(applied.methods, list):
        return KeySource(file, overridden), []
    selection = select(raw, applied.methods, catalogue.methods, file)
    raw["methods"] = selection.items
    return KeySource(file, overridden, tuple(selection.places), tuple(selection.names)), selection.notes


def _resolve(
    config: SweepConfig,
    catalogue: Catalogue,
    source: KeySource,
    invalid: Sequence[FieldProblem],
    doubted: frozenset[str],
) -> tuple[Grid, list[Problem]]:
    """Return the grid and its problems. Left out are those that only follow from the `invalid` values, which
    are reported already, or from unreadable catalogue entries: names on the `doubted` axes may be theirs."""
    broken = {str(problem.path[0]) for problem in invalid if problem.path and not problem.unknown_key}
    names = checks.check_names(config, catalogue, source)
    problems = [problem for problem in names if problem.key.split(".")[0] not in doubted]
    broken |= {problem.key.split(".")[0] for problem in names}
    problems += checks.check_doubles(config, source) + checks.check_idle_keys(config, source)
    problems += checks.check_good_enough(config, catalogue, source)
    known_part = _known_part(config, catalogue)
    variants, wrong = expand(config.methods, catalogue.methods, source.of("methods"), config.axes)
    problems += wrong
    grid = build_grid(known_part, catalogue, variants)
    if "recipe" not in broken:
        problems += grid_checks.check_recipes(grid.problems, source, skip_unset=bool(invalid))
    sure = not (broken & {*AXES, "rules"} or wrong or doubted)
    if sure:
        problems += grid_checks.check_grid(grid, catalogue, source)
    if not doubted:
        sure = sure and not grid_checks.rules_may_idle(config, source)
        problems += grid_checks.check_rules(config, catalogue, variants, grid.idle_rules, source, sure)
    return grid, problems


def _known_part(config: SweepConfig, catalogue: Catalogue) -> SweepConfig:
    """Return the config with only the names that the catalogue holds, each once."""
    names = checks.known_names(catalogue)
    axes: dict[str, object] = {
        axis: tuple(dict.fromkeys(name for name in getattr(config, axis) if name in names[axis]))
        for axis in ("models", "domains", "tasks")
    }
    return config.model_copy(update=axes)
