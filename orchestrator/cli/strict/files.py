"""Where records and corpora are kept: is what is written there whole, and who can read it?"""

from __future__ import annotations

import secrets
from pathlib import Path

from orchestrator.cli.strict.surroundings import Surroundings
from orchestrator.contracts import layout
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.errors import StorageError
from orchestrator.storage.store import DirectoryStore

_OTHERS_READ, _OTHERS_WRITE, _OTHERS_PASS = 0o004, 0o002, 0o001


def storage(here: Surroundings) -> Checked:
    """Write one small object twice as records are written, where the second writer must lose; remove it."""
    location = here.remote.uri if here.remote is not None else str(here.storage)
    directory = _nearest(here.storage)
    if here.remote is None and not directory.is_dir():
        return Checked(Risk.STORAGE, f"{directory} is no directory", "correct `storage`")
    store = DirectoryStore(directory) if here.remote is None else here.remote.open()
    key = f".frontier-strict-{secrets.token_hex(8)}"
    try:
        won = [store.put(key, content, if_absent=True) for content in (b"first", b"second")]
        kept = store.get(key)
        store.delete(key)
    except StorageError as failed:
        return Checked(Risk.STORAGE, f"{failed}".partition("\n")[0], "make it writable, with hard links")
    if won != [True, False] or kept != b"first":
        problem = f"{location} lets two writers write one record"
        return Checked(Risk.STORAGE, problem, "use a file system with hard links, or a store with conditions")
    return Checked(Risk.STORAGE, f"{location} is writable, and one of two writers wins")


def others_can_read(here: Surroundings) -> Checked:
    """The folders above count: what others cannot enter, they cannot read. Files of a corpus stay unnamed."""
    kept = [here.storage / layout.CACHE, here.storage / layout.MLFLOW_STORE]
    kept += sorted(here.storage.glob(f"*/{layout.SWEEP}"))
    corpora = [] if here.data_dir is None else _inside(here.data_dir)
    if (
        here.data_dir is not None and not here.data_dir.is_mount()
    ):  # the root of a volume is not ours to close
        corpora = [here.data_dir, *corpora]
    for root, paths in ((here.data_dir, corpora), (here.storage, kept)):
        count = sum(_others_read(path) for path in paths)
        if count:
            problem = f"every account of this machine can read {count} of {len(paths)} places in {root}"
            return Checked(Risk.READABLE, problem, f"chmod -R o-rwx {root}")
    if here.storage.is_dir() and here.storage.stat().st_mode & _OTHERS_WRITE:
        problem = f"every account of this machine can write into {here.storage}"
        return Checked(Risk.READABLE, problem, f"chmod o-w {here.storage}")
    what = "records" if here.data_dir is None else "corpora and records"
    return Checked(Risk.READABLE, f"other accounts cannot read {what}")


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _others_read(path: Path) -> bool:
    if not path.exists():
        return False
    path = path.resolve()
    if not path.stat().st_mode & _OTHERS_READ:
        return False
    return all(parent.stat().st_mode & _OTHERS_PASS for parent in path.parents)


def _nearest(path: Path) -> Path:
    """Return the directory, or its nearest ancestor that exists."""
    path = path.absolute()
    return next(ancestor for ancestor in (path, *path.parents) if ancestor.exists())
