"""Read a split of a task as examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.contracts.files import INTO_DATA_DIR, leads_out
from orchestrator.contracts.readers import (
    ArrowReader,
    ConllReader,
    HoldOut,
    I2b2ConceptReader,
    I2b2XmlReader,
    MimicNotesReader,
    PubtatorReader,
    TableReader,
)
from orchestrator.contracts.sameness import Identity
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, DataError, Problem
from workers.data.copies import Ids
from workers.data.examples import Example
from workers.data.faults import Faults, refuse
from workers.data.folds import Dealt, FoldOfSeed, deal
from workers.data.groups import grouped
from workers.data.holdout import Selector, part_of, parts_by_sentence
from workers.data.masked import sentence_ids
from workers.data.readers.arrow import read_arrow
from workers.data.readers.conll import read_conll
from workers.data.readers.documents import masked_pairs, tagged_sentences
from workers.data.readers.i2b2_2010 import concept_pairs, concept_sentences
from workers.data.readers.i2b2_xml import read_xml
from workers.data.readers.mimic_notes import read_mimic
from workers.data.readers.pubtator import read_pubtator
from workers.data.readers.tables import read_table


def splits_of(task: TaskSpec) -> tuple[Split, ...]:
    """Return the splits that can be read: those with files, and those held out of train."""
    parts = _parts(held_out(task))
    return tuple(split for split in Split if split in task.reader.files or split in parts)


def held_out(task: TaskSpec) -> HoldOut | None:
    """Return the shares of train that form splits of their own. Raises ConfigError for one that also has
    files."""
    hold_out: HoldOut | None = getattr(task.reader, "hold_out", None)
    for split in _parts(hold_out):
        if split in task.reader.files:
            problem = f"a part of train is held out for {split}, and `files` names files for it"
            raise _problem(task, f"reader.hold_out.{split}", problem, "remove one of the two")
    return hold_out


def _parts(hold_out: HoldOut | None) -> tuple[Split, ...]:
    return () if hold_out is None else hold_out.splits


def deal_folds(task: TaskSpec, root: Path, which: FoldOfSeed) -> Dealt:
    """Deal the documents of train to the folds of a task that has them. Raises what reading train raises."""
    hold_out = held_out(task)
    assert hold_out is not None
    names = task.reader.files[Split.TRAIN]

    def _every_row(selected: Selector) -> Iterator[Example]:
        if parts_by_sentence(task.kind, task.reader):
            selected = _by_sentence(task, names, root, selected)
        return _read(task, names, root, Faults("skip"), selected)

    return deal(task, hold_out, which, _every_row)


def read_split(
    task: TaskSpec,
    split: Split,
    root: Path,
    faults: Faults | None = None,
    ids: Ids | None = None,
    dealt: Dealt | None = None,
) -> list[Example]:
    """Return the examples of one split, in the order of its files below `root`.

    A split without files is held out of train; with folds it is as they were `dealt`, which is then needed.
    `faults` handles and counts malformed records; without it
    `on_bad_record` of the task applies. `ids` notes documents or patients. Raises DataError (file, line,
    problem; never the text), or ConfigError if reader and kind do not match.
    """
    alone = faults is None
    faults = Faults(task.on_bad_record, together=True) if faults is None else faults
    names, selected = source_of(task, split, dealt)
    for name in names:
        if leads_out(root / name, root):
            raise DataError(str(root / name), None, "a link leads from it out of data_dir", INTO_DATA_DIR)
    if parts_by_sentence(task.kind, task.reader) and split in {Split.TRAIN, *_parts(held_out(task))}:
        selected = _by_sentence(task, names, root, selected)
    examples = list(_read(task, names, root, faults, selected if ids is None else ids.noting(selected)))
    if alone:
        refuse([faults])
    if not examples and not faults.errors:
        if split is not Split.TRAIN and split not in task.reader.files and not faults.count:
            problem = f"there is no example for {split}: nothing of train falls into its share"
            raise DataError(f"task {task.name}", None, problem, _fix_of_empty(task, split))
        files = ", ".join(str(root / name) for name in names)
        problem = f"there is no example in it{_left_out(faults)}"
        fix = "check the file and `reader` of the task"
        if split is Split.TRAIN and held_out(task) is not None and not faults.count:
            problem = (
                "no example is left for train: it has none, or all fall into the parts that are held out"
            )
            fix = "check the file; of one document nothing can be held out: name files for dev and test"
        raise DataError(files, None, problem, fix)
    return grouped(task, examples) if split is Split.TEST else examples


def _fix_of_empty(task: TaskSpec, split: Split) -> str:
    hold_out = held_out(task)
    if hold_out is not None and hold_out.folds is not None:
        lower = ["lower hold_out.folds"] if hold_out.folds > 2 else []
        return ", or ".join([*lower, "name files for dev in reader.files, and remove hold_out.dev"])
    if hold_out is not None and hold_out.by is not None:
        return f"name values of the column that are there: hold_out.values.{split}"
    return f"raise hold_out.{split}, or name files for it"


def _by_sentence(task: TaskSpec, names: Sequence[str], root: Path, selected: Selector) -> Selector:
    """Return a selector of the text of a row that answers as `selected` does for its sentence: sentences are
    only known after all files are read."""
    texts: list[str] = []

    def _noting(text: Identity, group: Identity | None = None) -> bool:
        texts.append(text)
        return False

    for _ in _read(task, names, root, Faults("skip"), _noting):
        pass
    sentences = dict(zip(texts, sentence_ids(texts), strict=True))
    return lambda text, group=None: selected(sentences[text], group)


def _left_out(faults: Faults) -> str:
    counts = faults.kinds + faults.set_aside
    if not counts:
        return ""
    [(reason, count)] = counts.most_common(1)
    return f": all {counts.total()} that were found are left out, {count} of them for this: {reason}"


def source_of(task: TaskSpec, split: Split, dealt: Dealt | None = None) -> tuple[tuple[str, ...], Selector]:
    """Return the files that hold the split, and which of their documents or patients belong to it."""
    hold_out = held_out(task)
    parts = {Split.TRAIN, *_parts(hold_out)}
    names = task.reader.files.get(Split.TRAIN if split in parts else split)
    if not names:
        raise _problem(task, f"reader.files.{split}", "it names no file", "name at least one file")
    if hold_out is None or split not in parts:
        return names, lambda identity, group=None: True
    if hold_out.folds is not None:
        assert dealt is not None
        return names, dealt.selector(split)
    return names, lambda identity, group=None: part_of(identity, hold_out, group) == split


def _read(
    task: TaskSpec, names: Sequence[str], root: Path, faults: Faults, selected: Selector
) -> Iterator[Example]:
    match task.kind, task.reader:
        case TaskKind.NER, I2b2ConceptReader():
            yield from concept_sentences(names, root, task.labels, faults, selected)
        case TaskKind.RELATION, I2b2ConceptReader():
            yield from concept_pairs(names, root, task.labels, str(task.negative_label), faults, selected)
        case kind, MimicNotesReader() as notes:
            yield from read_mimic(notes, kind, names, root, task.labels, faults, selected)
        case _:
            for name in names:
                yield from _read_file(task, name, root / name, faults, selected)


def _read_file(
    task: TaskSpec, name: str, path: Path, faults: Faults, selected: Selector
) -> Iterator[Example]:
    """Read a file of the formats in which each file is independent."""
    match task.kind, task.reader:
        case TaskKind.NER, ConllReader() as conll:
            yield from read_conll(path, name, conll, task.labels, faults, selected)
        case TaskKind.NER, PubtatorReader(entity_types=types):
            for document in read_pubtator(path, name, faults, selected):
                yield from tagged_sentences(document, types, faults)
        case TaskKind.RELATION, PubtatorReader(entity_types=(first, second), relation=str(relation)):
            negative = str(task.negative_label)
            for document in read_pubtator(path, name, faults, selected):
                yield from masked_pairs(document, (first, second), relation, negative, str(path), faults)
        case (
            TaskKind.CLASSIFICATION | TaskKind.RELATION | TaskKind.MULTILABEL | TaskKind.REGRESSION as kind,
            TableReader() as table,
        ):
            yield from read_table(path, name, table, kind, task.labels, faults, selected)
        case TaskKind.NER, I2b2XmlReader() as xml:
            yield from read_xml(name, path, xml, task.labels, faults, selected)
        case _, ArrowReader() as arrow:
            yield from read_arrow(path, name, arrow, task.kind, task.labels, faults, selected)
        case kind, reader:
            raise _problem(
                task,
                "reader",
                f"a {reader.format} reader with these keys gives no {kind} examples",
                "ner reads conll, pubtator, i2b2-2010, i2b2-xml, arrow, parquet or hub; classification csv, "
                "jsonl, mimic-notes, arrow, parquet or hub, as do multilabel and regression; "
                "relation csv, jsonl, arrow, parquet, hub, i2b2-2010, "
                "or pubtator with `relation` and exactly two `entity_types`",
            )


def _problem(task: TaskSpec, key: str, problem: str, fix: str) -> ConfigError:
    return ConfigError([Problem(f"task {task.name}", key, problem, fix)])
