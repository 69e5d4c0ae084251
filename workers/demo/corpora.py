"""Write invented text as files: the tasks of the demo in the layouts of real corpora, and text for
pre-training."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Literal

from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data.holdout import part_of
from workers.data.splits import held_out, splits_of
from workers.demo.everyday import story
from workers.demo.i2b2 import Naming
from workers.demo.layouts import generated_files
from workers.demo.notes import Note, notes

_README = """The text in this directory is invented.

A program (workers/demo of this project) wrote it. The names of problems, tests, treatments, people and places
do not exist, no patient is described, and no score on it says anything about clinical text.
"""


def corpus(name: Literal["general", "clinical"], documents: int, seed: int) -> Iterator[str]:
    """Yield texts for pre-training, one per document: everyday ones, or notes with all entities."""
    source = random.Random(f"corpus:{name}:{seed}")
    if name == "general":
        return (story(source) for _ in range(documents))
    return (_full_text(note) for note in notes(documents, source, held_out=True))


def write_task(task: TaskSpec, directory: Path) -> None:
    """Write the files that `task.reader` names below `directory`, and a README.txt beside them.

    Every split gets as many notes as `made` specifies; the held-out ones go into the files of train. Only dev
    and test use held-out entities. Raises ConfigError if notes cannot be written for the reader.
    """
    naming = Naming(task.labels)
    for split in (split for split in Split if split in task.reader.files):
        names = task.reader.files[split]
        archives: dict[Path, dict[str, bytes]] = {}
        for name, inner, content in generated_files(task, split, names, _numbered(task, split), naming):
            entry = directory / name
            entry.parent.mkdir(parents=True, exist_ok=True)
            (entry.parent / "README.txt").write_text(_README, encoding="utf-8")
            if inner and entry.suffix == ".gz":
                archives.setdefault(entry, {})[inner] = content
            else:
                path = entry / inner
                path.parent.mkdir(parents=True, exist_ok=True)
                packed = path.suffix.lower() == ".gz"
                path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
        for entry, members in archives.items():
            entry.write_bytes(_archive(members))


def _numbered(task: TaskSpec, split: Split) -> list[tuple[int, Note]]:
    """Return the notes in the files of a split, each with a number that no other split has, because documents
    with the same id are one. The numbers of held-out notes are ids that `part_of` assigns to their part."""
    spec = task.made or MadeNotes()
    hold_out = held_out(task) if split is Split.TRAIN else None
    parts = [split]
    if split is Split.TRAIN:
        parts.extend(part for part in splits_of(task) if part not in task.reader.files)
    brief = task.kind in (TaskKind.CLASSIFICATION, TaskKind.MULTILABEL, TaskKind.REGRESSION)
    first = 1 + 100_000 * tuple(Split).index(split)
    numbers = count(first)
    numbered: list[tuple[int, Note]] = []
    for part in parts:
        source = random.Random(f"task:{task.kind}:{part}:{spec.seed}")
        part_notes = notes(_size(spec)[part], source, held_out=part is not Split.TRAIN, brief=brief)
        ids: Iterator[int] = numbers
        if hold_out is not None and hold_out.folds is None:
            ids = (n for n in count(first) if part_of(str(n), hold_out) is part)
        numbered.extend((next(ids), note) for note in part_notes)
    return sorted(numbered, key=lambda pair: pair[0])


def _archive(members: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz that is identical to the last bit for the same members."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, member in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(member)
            archive.addfile(header, io.BytesIO(member))
    return content.getvalue()


def _size(spec: MadeNotes) -> Mapping[Split, int]:
    return {Split.TRAIN: spec.train, Split.DEV: spec.dev, Split.TEST: spec.test}


def _full_text(note: Note) -> str:
    return " ".join(sentence.text for sentence in (*note.sentences, note.ending))
