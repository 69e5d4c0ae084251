"""The fingerprint of a trial: a digest of everything that can change its result, and of nothing else.

Left out: names, titles, notes, licences, places of files, and what the trial is given to run on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Mapping

from orchestrator.config import GridCell, Inputs
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.fold import Fold
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.recipe import BUDGETS, Recipe
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Digests, TrialSpec

_HEX_DIGITS = 16
_BACKBONE_FIELDS = {
    "architecture",
    "keep_layers",
    "cased",  # it decides what the tokenizer does
    "lora_targets",
    "ia3_targets",
    "ia3_feedforward",
}
_TASK_FIELDS = {
    "kind",
    "reader",
    "labels",
    "negative_label",
    "positive_label",
    "metric",
    "on_bad_record",
    "paper_scoring",
}
CANDIDATE = {"splits": ["dev"]}  # of what a search tries; its number is left out
_ABSENT = "absent"  # shown for a key that only the other one has


def backbone_identity(backbone: BackboneSpec, digest: str | None) -> dict[str, object]:
    """Return the identity of a backbone without its shape and vocabulary, which follow from the weights, and
    its input length, which is part of the recipe."""
    return backbone.model_dump(mode="json", include=_BACKBONE_FIELDS) | {"weights": digest}


def method_identity(method: MethodSpec) -> dict[str, object]:
    return method.settings.model_dump(mode="json")


def task_identity(task: TaskSpec, digest: str | None) -> dict[str, object]:
    """Return how the files are read, and their content; their paths are left out."""
    identity = task.model_dump(mode="json", include=_TASK_FIELDS)
    for key in ("files", "groups"):
        identity["reader"].pop(key, None)
    return identity | {"data": digest}


def recipe_identity(recipe: Recipe) -> dict[str, object]:
    """Return the recipe without the keys that have no effect beside the others, and without the scoring batch
    size."""
    budget = any(getattr(recipe, key) is not None for key in BUDGETS)
    idle = {"epochs", "evaluations_per_epoch"} if budget else {"evaluations"}
    idle |= set() if recipe.stop_collapsed else {"collapse_grace"}
    return recipe.model_dump(mode="json", exclude={"evaluation_batch_size", *idle})


def code_identity(digests: Digests) -> dict[str, object]:
    return {"worker": digests.code, "metrics": digests.metrics}


def identity(spec: TrialSpec) -> dict[str, dict[str, object]]:
    """Return what the fingerprint of a spec digests, without seed and fold, which are in the trial's name."""
    parts = {
        "backbone": backbone_identity(spec.backbone, spec.digests.weights),
        "method": method_identity(spec.method),
        "task": task_identity(spec.task, spec.digests.data),
        "recipe": recipe_identity(spec.recipe),
        "code": code_identity(spec.digests),
    }
    return parts if spec.candidate is None else parts | {"scored": dict(CANDIDATE)}


def part_digest(part: Mapping[str, object]) -> str:
    """Return the digest of one part of an identity, which many trials share."""
    return hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def combine(parts: Mapping[str, str], seed: int, fold: Fold | None = None) -> str:
    """Return the fingerprint, 16 hex digits, from the digests of the parts. How many folds there are is in
    the task's."""
    which = [seed] if fold is None else [seed, fold.number]
    text = json.dumps([sorted(parts.items()), *which], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HEX_DIGITS]


def fingerprint(spec: TrialSpec) -> str:
    """Return the fingerprint that a spec should have, whatever it says itself."""
    return combine({name: part_digest(part) for name, part in identity(spec).items()}, spec.seed, spec.fold)


def differences(old: TrialSpec, new: TrialSpec) -> tuple[str, ...]:
    """`recipe.learning_rate: 0.0003 -> 0.001`, for every value that makes their fingerprints differ."""
    before, after = dict(_flat(identity(old))), dict(_flat(identity(new)))
    return tuple(
        f"{key}: {_shown(before.get(key, _ABSENT))} -> {_shown(after.get(key, _ABSENT))}"
        for key in sorted(before | after)
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    )


def _flat(value: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}", inner


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:8]}…"


class Fingerprints:
    """Computes fingerprints cell by cell. Each part is hashed once, however many cells share it."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._code = part_digest({"worker": inputs.code, "metrics": inputs.metrics})
        self._scored = part_digest(CANDIDATE)
        self._known: dict[tuple[str, Hashable], str] = {}

    def parts(self, cell: GridCell) -> dict[str, str]:
        backbone, method, task = cell.backbone, cell.variant.spec, cell.task.spec
        return {
            "backbone": self._once(
                ("backbone", backbone.name),
                lambda: backbone_identity(backbone, self._inputs.weights[backbone.name]),
            ),
            "method": self._once(("method", method.settings), lambda: method_identity(method)),
            "task": self._once(
                ("task", task.name), lambda: task_identity(task, self._inputs.data[task.name])
            ),
            "recipe": self._once(("recipe", cell.recipe), lambda: recipe_identity(cell.recipe)),
            "code": self._code,
        }

    def of_candidate(self, cell: GridCell, seed: int) -> str:
        """Return the fingerprint of a candidate whose values the cell has."""
        return combine({**self.parts(cell), "scored": self._scored}, seed)

    def _once(self, key: tuple[str, Hashable], part: Callable[[], Mapping[str, object]]) -> str:
        if key not in self._known:
            self._known[key] = part_digest(part())
        return self._known[key]
