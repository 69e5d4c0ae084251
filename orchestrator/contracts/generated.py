"""The paths of generated weights and generated data, and their identity: the digest of what was asked for and
of the code that makes it. It is the same before and after they are made, so a plan knows it without making
anything."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from orchestrator.contracts.backbone import MadeWeights, RandomWeights
from orchestrator.contracts.code_digests import code_digest
from orchestrator.contracts.task import TaskSpec

_TASK_FIELDS = {"kind", "reader", "made", "labels", "negative_label"}


@cache
def generator_digest() -> str:
    """Return the digest of the code in `workers/demo`, without importing it."""
    package = find_spec("workers")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the package workers is not installed beside orchestrator")
    return code_digest((Path(package.submodule_search_locations[0]) / "demo").glob("*.py"))


def made_digest(spec: MadeWeights | RandomWeights | TaskSpec) -> str:
    """Return the identity of generated weights, or of the files of a task with generated data."""
    fields = _TASK_FIELDS if isinstance(spec, TaskSpec) else None
    canonical = json.dumps(spec.model_dump(mode="json", include=fields), sort_keys=True)
    return hashlib.sha256(f"{canonical}\0{generator_digest()}".encode()).hexdigest()


def made_root(cache_dir: Path, spec: MadeWeights | RandomWeights | TaskSpec) -> Path:
    """Return the directory of the weights, or the root of the task's reader. It appears complete or not at
    all."""
    return cache_dir / "made" / made_digest(spec)
