"""What attempts of one template hand on to later ones: bytes in memory files, which no file system shows.

The template gives each attempt the memory files that earlier attempts have filled, and a blank one, which the
attempt may fill. They can hold patient text in another form, and are gone when the template ends. Standard
library only.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orchestrator.contracts.control_groups import memory_files
from workers.runtime.system_calls import open_memory

KEPT_DATA = "FRONTIER_KEPT_DATA"  # environment of an attempt: descriptors by key, and what it may write
_HEAD = 64  # bytes before the content: the key, written last, so that half a content is none
_MOST_BYTES = 2**30
_MOST_SHARE = 1 / 8  # of the memory of the machine or control group, for all slots
_MOST_FILES = 256


@dataclass(frozen=True)
class _Given:
    """What the template has given this attempt."""

    files: dict[str, int] = field(default_factory=dict)
    blank: int | None = None
    room: int = 0


class KeptData:
    """The memory files of one template. What comes first stays: sweeps go through their tasks in cycles, in
    which the least recently used data would always be what is needed next."""

    def __init__(self, most_bytes: int) -> None:
        self._room = most_bytes
        self._files: dict[str, int] = {}  # descriptors by key
        self._blank: int | None = None

    def environment(self) -> dict[str, str]:
        """Return what an attempt has to find in its environment. Its process inherits the descriptors."""
        if self._blank is None and self._room > 0 and len(self._files) < _MOST_FILES:
            with suppress(OSError):  # a sandbox without memory files
                self._blank = open_memory("frontier-data")
        return {KEPT_DATA: json.dumps(asdict(_Given(self._files, self._blank, self._room)))}

    def attempt_ended(self, code: int) -> None:
        """Take over what the attempt has kept, if that is whole. Drop everything where it was killed: it may
        have lacked this memory."""
        if code:
            self._drop()
        if self._blank is None:
            return
        size, head = os.fstat(self._blank).st_size, os.pread(self._blank, _HEAD, 0)
        key = head.strip(b"\0").decode("ascii")
        if len(key) == _HEAD and key not in self._files:
            self._files[key], self._room = self._blank, self._room - size
        elif size:
            os.close(self._blank)
        else:
            return
        self._blank = None

    def _drop(self) -> None:
        for descriptor in self._files.values():
            self._room += os.fstat(descriptor).st_size
            os.close(descriptor)
        self._files.clear()
        if self._blank is not None:
            os.ftruncate(self._blank, 0)


def kept(key: str) -> memoryview | None:
    """Return the content that an earlier attempt has kept under a key of 64 characters; None without one."""
    descriptor = _given().files.get(key)
    if descriptor is None:
        return None
    return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))[_HEAD:]


def keep(key: str, content: bytes) -> None:
    """Keep content for later attempts under a key of 64 characters, if there is room. Of several ranks on a
    machine the first one does."""
    given = _given()
    if given.blank is None or _HEAD + len(content) > given.room or os.environ.get("LOCAL_RANK", "0") != "0":
        return
    with suppress(OSError):  # memory is short, or files may not be so large
        with open(given.blank, "r+b", closefd=False) as file:
            file.seek(_HEAD)
            file.write(content)
        os.pwrite(given.blank, key.encode("ascii"), 0)


def _given() -> _Given:
    return _Given(**json.loads(os.environ.get(KEPT_DATA, "{}")))


def room_of_slot(threads: int | None, root: Path = Path("/")) -> int:
    """Return how many bytes a slot with so many of the machine's cores may keep; None: with all of them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    share = _MOST_SHARE * min(1.0, (threads or cores) / cores)
    return min(_MOST_BYTES, int(min([memory, *_limits(root)]) * share))


def _limits(root: Path) -> Iterator[int]:
    """Yield the limits of our control group and the groups above it."""
    for files in memory_files("memory.max", "memory.limit_in_bytes", root):
        for file in files:
            with suppress(OSError, ValueError):  # "max": no limit
                yield int(file.read_text())
