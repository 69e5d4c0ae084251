"""Staging for many machines: weights and made data go to the storage once, and each machine fetches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console

from orchestrator.cli.paths import cache_of
from orchestrator.config.lock import lock_entry
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.task import TaskSpec
from orchestrator.storage.shared_cache import SharedCache, item_of

if TYPE_CHECKING:
    from orchestrator.cli.session import Session


def fetch_shared(session: Session, everything: bool) -> bool:
    """Return whether everything is in the storage already, so that nothing needs to be staged here. If not,
    or where `everything` is to be checked, what is there is fetched, so that it is neither made nor
    downloaded again.

    Raises StorageError where the storage has other files than the lock says.
    """
    cache = _cache(session)
    there = {item: cache.holds(item, files) for item, files in _items(session)}
    if all(there.values()) and not session.unlocked and not everything:
        return True
    for item, held in there.items():
        if held:
            cache.pull(item)
    return False


def share(session: Session, console: Console, everything: bool) -> None:
    """Puts what is staged here into the storage, where it is not there yet."""
    cache = _cache(session)
    for item, files in _items(session):
        if everything or not cache.holds(item, files):
            with console.status("sharing weights and data"):
                cache.push(item)


def shared_files(session: Session, spec: BackboneSpec) -> dict[str, str]:
    """Return sha256 by name of the files that the storage has of a backbone; empty where it has none. Raises
    StorageError."""
    item = item_of(spec)
    return {} if item is None else _cache(session).files(item)


def _cache(session: Session) -> SharedCache:
    assert session.sweep.remote is not None
    return SharedCache(session.sweep.remote.open(), cache_of(session.sweep.storage))


def _items(session: Session) -> Iterator[tuple[str, dict[str, str] | None]]:
    """Yield each item of the cache with the files that the lock names for it."""
    specs: list[BackboneSpec | TaskSpec] = [*session.backbones.values(), *session.tasks.values()]
    for spec in specs:
        item = item_of(spec)
        entry = lock_entry(spec, session.sweep.lock)
        if item is not None:
            yield item, entry.files if entry is not None else None
