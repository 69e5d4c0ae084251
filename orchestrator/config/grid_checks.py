"""Check the grid that a sweep file gives: rules that match nothing, recipes, and that any cell can run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.config.catalogue import Catalogue
from orchestrator.config.checks import AXES
from orchestrator.config.grid import UNSET, Grid
from orchestrator.config.methods import MethodVariant
from orchestrator.config.schema import SweepConfig
from orchestrator.config.source import KeySource
from orchestrator.contracts.vocabulary import Family, TaskKind
from orchestrator.errors import Problem, did_you_mean

_MOST_REASONS = 3


def rules_may_idle(config: SweepConfig, source: KeySource) -> bool:
    """Return whether the command line may have left out a rule's cells: not if it sets seeds or rules."""
    overridden = {key.split(".")[0] for key in source.overridden} & {*AXES, "axes", "seeds", "rules"}
    return config.partial and "rules" not in overridden and overridden != {"seeds"}


def check_rules(
    config: SweepConfig,
    catalogue: Catalogue,
    variants: Sequence[MethodVariant],
    idle: Iterable[int],
    source: KeySource,
    sure: bool,
) -> list[Problem]:
    """Rules that match nothing, as a misspelt rule does. `sure` is False where a rule may be idle for another
    reason (the command line changed an axis, or an axis is wrong itself): then only names that exist nowhere
    are reported."""
    names = {
        "model": catalogue.models,
        "domain": catalogue.domains,
        "task": sorted(catalogue.tasks),
        "entry": sorted(catalogue.methods),
        "backbone": sorted(b.name for b in catalogue.backbones.values()),
        "family": [str(family) for family in Family],
        "task_kind": [str(kind) for kind in TaskKind],
        "task_domain": sorted({entry.spec.domain for entry in catalogue.tasks.values()}),
    }
    if sure:
        names["method"] = [variant.spec.name for variant in variants]
    problems, misspelt = [], set[int]()
    for index, rule in enumerate(config.rules):
        for key, values in rule.match.given().items():
            for value in values:
                if key in names and value not in names[key]:
                    misspelt.add(index)
                    at, problem = f"rules.{index}.match.{key}", f"no {key} of that name, got {value!r}"
                    problems.append(Problem(source.of(at), at, problem, did_you_mean(value, names[key])))
    for index in idle:
        if index not in misspelt and sure:
            at, got = f"rules.{index}.match", config.rules[index].match.given()
            problem = f"matches no cell of this sweep, got { ({k: list(v) for k, v in got.items()}) }"
            problems.append(Problem(source.of(at), at, problem, "correct the match, or remove the rule"))
    return problems


def check_grid(grid: Grid, catalogue: Catalogue, source: KeySource) -> list[Problem]:
    """Report a grid in which nothing can run."""
    if grid.cells or grid.problems:
        return []
    reasons = Counter(cell.reason for cell in grid.refused)
    text = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(_MOST_REASONS))
    hidden = len(reasons) - _MOST_REASONS
    text += f"; and {hidden} more {'reason' if hidden == 1 else 'reasons'}" if hidden > 0 else ""
    fix = "; ".join(_fixes(grid, catalogue)) or "name models and domains that exist"
    problem = f"no cell is left to run: of {len(grid.refused)}, all are refused: {text}"
    return [Problem(source.of("models"), "models", problem, fix)]


def _fixes(grid: Grid, catalogue: Catalogue) -> Iterator[str]:
    """Yield what would make a cell of each kind of refusal run."""
    absent = [c for c in grid.refused if (c.cell.model, c.cell.domain) not in catalogue.backbones]
    for model in sorted({cell.cell.model for cell in absent}):
        yield f"{model} exists for: {', '.join(catalogue.domains_of(model)) or 'no domain'}"
    ruled = [cell for cell in grid.refused if cell.by_rule]
    if ruled:
        yield "remove an `exclude` rule"
    if len(absent) + len(ruled) < len(grid.refused):
        yield "choose methods that run on these models"


def check_recipes(of_cells: Sequence[Problem], source: KeySource, skip_unset: bool) -> list[Problem]:
    """Return the problems of recipes, each once however many cells have it. `where` of those given is the
    cell. `skip_unset`: leave out keys that are not set, because a misspelt key may be meant for them."""
    cells: dict[tuple[str, str, str], list[str]] = {}
    for p in of_cells:
        if skip_unset and p.problem == UNSET:
            continue
        cells.setdefault((p.key, p.problem, p.fix), []).append(p.where)
    problems = []
    for (key, problem, fix), names in cells.items():
        of_rule = key.startswith("rules")  # settings of a method, which are nowhere else
        at = key if of_rule else f"recipe.{key}"
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = f"set {at}, or {key} of the method or in a rule"
        text = fix if of_rule else f"{fix}: {where}" if fix else where
        problems.append(Problem(source.of(at), at, f"{problem} (in {names[0]}{more})", text))
    return problems
