"""Where the kernel shows the memory of our control group and of those above it. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory_files(version_2: str, version_1: str, root: Path = Path("/")) -> Iterator[list[Path]]:
    """Yield, for each hierarchy that counts memory, the paths of a file from our own group to the top.

    Its name depends on the version of control groups. Inside a container the group's own path is often
    mounted as the top of the tree, so some may be missing.
    """
    groups = ""
    with suppress(OSError):
        groups = (root / "proc/self/cgroup").read_text()
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        own = Path(path.lstrip("/"))
        if controllers == "":
            top, name = root / "sys/fs/cgroup", version_2
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", version_1
        else:
            continue
        yield [top / group / name for group in (own, *own.parents)]
