"""Which of the layouts of a corpus the data directory has."""

from __future__ import annotations

from pathlib import Path

from orchestrator.contracts.readers import HubReader, MimicNotesReader, Reader
from orchestrator.contracts.task import TaskSpec


def resolve_layout(task: TaskSpec, data_dir: Path | None) -> TaskSpec:
    """Return the task with the first of its layouts whose files are all below `data_dir` as its reader, and
    no layouts left. If there is none, return the task unchanged, so that `digest_inputs` can report what was
    looked for."""
    if task.invented:
        return task.model_copy(update={"layouts": ()})
    if data_dir is None:
        return task
    for layout in (task.reader, *task.layouts):
        reader = _as_it_lies(layout, data_dir)
        if all((data_dir / name).exists() for name in needed(reader)):
            return task.model_copy(update={"reader": reader, "layouts": ()})
    return task


def _as_it_lies(reader: Reader, data_dir: Path) -> Reader:
    """Return the reader with each table of MIMIC-III under the name that exists, packed or not, whatever the
    others are."""
    if not isinstance(reader, MimicNotesReader):
        return reader
    files = {split: tuple(_there(name, data_dir) for name in names) for split, names in reader.files.items()}
    return reader.model_copy(update={"files": files})


def _there(name: str, data_dir: Path) -> str:
    twin = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
    return twin if not (data_dir / name).exists() and (data_dir / twin).exists() else name


def needed(reader: Reader) -> tuple[str, ...]:
    """Paths below the data directory that the reader opens: files, directories or archives."""
    if isinstance(reader, HubReader):
        return ()
    names = [name for split in sorted(reader.files) for name in reader.files[split]]
    if isinstance(reader, MimicNotesReader) and reader.groups is not None:
        names.append(reader.groups)
    return tuple(names)


def looked_for(task: TaskSpec) -> str:
    """Return what the layouts need, in words, if there are several."""
    if not task.layouts:
        return ""
    several = (f"{reader.format} ({', '.join(needed(reader))})" for reader in (task.reader, *task.layouts))
    return "none of its layouts is whole there: " + "; ".join(several)
