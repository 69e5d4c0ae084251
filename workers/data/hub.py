"""Fetch repositories of a Hugging Face hub once, by commit, into the cache of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestrator.contracts.no_room import no_room


@dataclass(frozen=True)
class Repository:
    """What is fetched. `key` names the repository in the catalogue, `revision_key` its revision, `instead`
    what to use without the hub; `entry` where they are written; `gated`: the catalogue says that it needs
    access."""

    kind: Literal["model", "dataset"]
    name: str
    revision: str
    key: str
    revision_key: str
    instead: str
    gated: bool = False
    entry: str = " in its catalogue entry"

    def __str__(self) -> str:
        return f"{self.name} at revision {self.revision}"


class NotFetchedError(Exception):
    """Why a repository is not in the cache, and the fix."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem, self.fix = problem, fix


def snapshot(
    repository: Repository,
    cache_dir: Path,
    wanted: Sequence[str],
    unwanted: Sequence[str] = (),
    *,
    needed: Sequence[str] = (),
    fetch: bool,
) -> Path:
    """Return the folder of the revision in the cache, whose name is the commit; fetch the files that match
    `wanted` if one is missing and `fetch` is set. Raises NotFetchedError if they are not available.

    The client takes any folder in the cache for a whole one if it has never listed the revision, as where the
    folder came from elsewhere: `needed` names files that have to be there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    options: dict[str, Any] = {
        "repo_type": repository.kind,
        "revision": repository.revision,
        "cache_dir": cache_dir / "hub",
        "allow_patterns": list(wanted),
        "ignore_patterns": list(unwanted) or None,
    }
    with suppress(LocalEntryNotFoundError):
        root = Path(snapshot_download(repository.name, local_files_only=True, **options))
        if not _missing(root, needed):
            return root
    if not fetch:
        raise NotFetchedError(f"{repository} is not staged", "run `frontier stage` with this sweep file")
    try:
        root = Path(snapshot_download(repository.name, **options))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as failed:
        if no_room(failed) is not None:
            raise
        problem = f"{repository} cannot be fetched from the hub ({type(failed).__name__})"
        raise NotFetchedError(problem, _fix(repository, failed)) from failed
    if missing := _missing(root, needed):
        problem = f"{missing[0]} of {repository} cannot be fetched from the hub"
        raise NotFetchedError(problem, _without_hub(repository))
    return root


def _missing(root: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if not (root / name).is_file()]


def files_of(repository: Repository, commit: str) -> list[str] | None:
    """Return the paths of all files of a commit, None where the hub cannot be asked."""
    from huggingface_hub import HfApi

    try:
        return HfApi().list_repo_files(repository.name, revision=commit, repo_type=repository.kind)
    except Exception:  # whatever the client raises without a network: what is in the cache is read
        return None


def _fix(repository: Repository, failed: Exception) -> str:
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"the page of {repository.name}"
    hidden = repository.gated and isinstance(failed, RepositoryNotFoundError)
    if hidden or isinstance(failed, GatedRepoError):
        if get_token() is None:
            return f"it is gated: ask for access on {page}, then set HF_TOKEN to your token"
        return f"it is gated, and your token has no access: ask for it on {page}"
    if isinstance(failed, RevisionNotFoundError):
        return f"check {repository.revision_key}{repository.entry}"
    if isinstance(failed, RepositoryNotFoundError):
        return f"check {repository.key}{repository.entry}, and HF_TOKEN if the repository is private"
    return _without_hub(repository)


def _without_hub(repository: Repository) -> str:
    return f"check the network; or {repository.instead}"
