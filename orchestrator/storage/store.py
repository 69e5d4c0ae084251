"""What is asked of a store: whole objects under keys, and one conditional write."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from orchestrator.contracts.files import draft
from orchestrator.errors import StorageError


class Store(Protocol):
    """Keys are relative paths with slashes. Every method raises StorageError where the store fails."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Write the object complete or not at all. `data`: the content, or the file that holds it.

        With `if_absent` one writer of many wins; False: there was an object, and nothing was written. Raises
        FileNotFoundError where the file is gone.
        """

    def get(self, key: str) -> bytes | None:
        """Return the object, None if there is none."""

    def fetch(self, key: str, path: Path) -> bool:
        """Into the file, which may be left incomplete by a failure; False where there is no such object."""

    def listing(self, prefix: str) -> dict[str, int]:
        """Sizes in bytes by key, of all objects below `prefix`, taken as a directory ("" for all)."""

    def delete(self, key: str) -> None:
        """Delete the object, if there is one."""


class DirectoryStore:
    """A directory, say a shared mount: `file:///mnt/sweeps`. Asks nothing of the file system but that rename
    and link are atomic, which NFS grants and its locks do not."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        target = self._root / key
        try:
            with draft(target) as temporary:
                with temporary.open("xb") as file:
                    if isinstance(data, Path):
                        with data.open("rb") as source:
                            shutil.copyfileobj(source, file)
                    else:
                        file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                if not if_absent:
                    temporary.replace(target)
                    return True
                try:
                    os.link(temporary, target)
                except FileExistsError:
                    return False
                return True
        except OSError as failed:
            if isinstance(data, Path) and not data.exists():
                raise FileNotFoundError(str(data)) from None
            raise self._error(failed) from failed

    def get(self, key: str) -> bytes | None:
        try:
            return (self._root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as failed:
            raise self._error(failed) from failed

    def fetch(self, key: str, path: Path) -> bool:
        try:
            shutil.copyfile(self._root / key, path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as failed:
            raise self._error(failed) from failed
        return True

    def listing(self, prefix: str) -> dict[str, int]:
        sizes = {}
        for directory, _, names in os.walk(self._root / prefix):
            for name in names:
                path = Path(directory) / name
                if name.startswith(".") and name.endswith(".tmp"):
                    continue
                with suppress(FileNotFoundError):
                    sizes[path.relative_to(self._root).as_posix()] = path.stat().st_size
        return sizes

    def delete(self, key: str) -> None:
        try:
            (self._root / key).unlink(missing_ok=True)
        except OSError as failed:
            raise self._error(failed) from failed

    def _error(self, failed: OSError) -> StorageError:
        return StorageError(
            f"{self._root}: the store fails ({type(failed).__name__}: {failed.strerror})\n"
            "    -> check that it is mounted, writable and not full; the same command continues from here"
        )


def claim(store: Store, key: str, data: bytes) -> bool:
    """Put where nothing is. True also where the same content is there: a store's answer to the first try may
    have been lost, and the second try then meets our own object."""
    return store.put(key, data, if_absent=True) or store.get(key) == data
