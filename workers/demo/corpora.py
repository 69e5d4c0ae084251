"""Invented text as files: the tasks of the demo in the layouts of real corpora, and text for pre-training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.demo.everyday import story
from workers.demo.layouts import render
from workers.demo.notes import Note, notes

_README = """The text in this directory is invented.

A program (workers/demo of this project) wrote it. The names of problems, tests, treatments, people and places
do not exist, no patient is described, and no score on it says anything about clinical text.
"""


def corpus(name: Literal["general", "clinical"], documents: int, seed: int) -> Iterator[str]:
    """Texts for pre-training, one a document: everyday ones, or notes with every entity there is."""
    source = random.Random(f"corpus:{name}:{seed}")
    if name == "general":
        return (story(source) for _ in range(documents))
    return (_whole(note) for note in notes(documents, source, held_out=True))


def write_task(task: TaskSpec, directory: Path) -> None:
    """Write the files that `task.reader` names below `directory`, and a README.txt beside them.

    Only dev and test use the entities that are held out. Raises ConfigError where notes cannot be written for
    the reader.
    """
    made = task.made or MadeNotes()
    for split, names in task.reader.files.items():
        source = random.Random(f"task:{task.kind}:{split}:{made.seed}")
        brief = task.kind is TaskKind.CLASSIFICATION
        found = list(notes(_size(made)[split], source, held_out=split is not Split.TRAIN, brief=brief))
        for number, name in enumerate(names):
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(render(task, found[number :: len(names)]).encode())
            (path.parent / "README.txt").write_text(_README, encoding="utf-8")


def _size(made: MadeNotes) -> Mapping[Split, int]:
    return {Split.TRAIN: made.train, Split.DEV: made.dev, Split.TEST: made.test}


def _whole(note: Note) -> str:
    return " ".join(sentence.text for sentence in (*note.sentences, note.ending))
