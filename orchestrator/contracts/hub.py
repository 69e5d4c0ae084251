"""Repositories of a Hugging Face hub: their names, and the folders of a cache that hold their snapshots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from orchestrator.contracts import layout
from orchestrator.contracts.record import ProblemError
from orchestrator.errors import Problem


def _repository(name: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", name):
        fix = "write owner/name, say google-bert/bert-base-uncased"
        raise ProblemError(Problem.of_key("", f"is no repository of a hub, got {name!r}", fix))
    return name


RepositoryName = Annotated[str, AfterValidator(_repository)]


def snapshot_of(cache: Path, name: str, revision: str, kind: layout.HubKind = "models") -> Path | None:
    """Return the folder of a staged revision (a commit, or a name of one) of a repository, None until it is
    staged in `cache`."""
    repository = cache / layout.hub_repository(name, kind)
    reference = repository / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    snapshot = repository / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None
