"""What the keys of a task have to agree on, whatever is in its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.contracts.metrics import METRICS, OF_ONE_CLASS, MetricName
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import Problem

if TYPE_CHECKING:
    from orchestrator.contracts.readers import (
        ArrowReader,
        HoldOut,
        MimicNotesReader,
        PubtatorReader,
        Reader,
        TableReader,
    )
    from orchestrator.contracts.task import TaskSpec

_TEXTS = (TaskKind.CLASSIFICATION, TaskKind.RELATION, TaskKind.MULTILABEL, TaskKind.REGRESSION)
_OF_MIMIC = {  # outcome of a mimic-notes reader -> the kinds of task it is for
    "mortality": (TaskKind.CLASSIFICATION,),
    "length-of-stay": (TaskKind.CLASSIFICATION, TaskKind.REGRESSION),
    "diagnosis-group": (TaskKind.CLASSIFICATION,),
    "discharge-codes": (TaskKind.MULTILABEL,),
}
_MIMIC_TABLES = {
    "diagnosis-group": ("DIAGNOSES_ICD",),
    "discharge-codes": ("DIAGNOSES_ICD", "PROCEDURES_ICD"),
}
_HAS_COLUMNS = ("arrow", "csv", "hub", "jsonl", "parquet")
_GIVES: dict[str, tuple[TaskKind, ...]] = {  # format of a reader -> the kinds of task it gives examples for
    "arrow": tuple(TaskKind),
    "conll": (TaskKind.NER,),
    "csv": _TEXTS,
    "hub": tuple(TaskKind),
    "i2b2-2010": (TaskKind.NER, TaskKind.RELATION),
    "i2b2-xml": (TaskKind.NER,),
    "jsonl": _TEXTS,
    "mimic-notes": (TaskKind.CLASSIFICATION, TaskKind.MULTILABEL, TaskKind.REGRESSION),
    "parquet": tuple(TaskKind),
    "pubtator": (TaskKind.NER, TaskKind.RELATION),
}


def task_problems(task: TaskSpec) -> Iterator[Problem]:
    """Metric and labels, and the reader of each layout against the kind of the task."""
    yield from _metric(task)
    yield from _labels(task)
    yield from _number(task)
    for key, reader in readers_of(task):
        yield from _reader(task, key, reader)


def missing_splits(task: TaskSpec) -> Iterator[Problem]:
    """Splits that the task has no files for and does not hold out: it can be read, and never be trained."""
    for key, reader in readers_of(task):
        shares = shares_held_out(reader)
        for split in Split:
            if split not in reader.files and split not in shares:
                fix = f"name the files of {split}"
                if split is not Split.TRAIN and "hold_out" in type(reader).model_fields:
                    fix += f", or hold out a share of train: under `{key}:` add {_with_all_shares(reader)}"
                yield Problem.of_key(f"{key}.files.{split}", "is missing", fix)


def _with_all_shares(reader: Reader) -> str:
    """Return `hold_out` as it would be with a share for each split that has no files."""
    shares = shares_held_out(reader)
    splits = [split for split in (Split.DEV, Split.TEST) if split not in reader.files]
    return f"hold_out: {{{', '.join(f'{split}: {shares.get(split, 0.1):g}' for split in splits)}}}"


def shares_held_out(reader: Reader) -> dict[Split, float]:
    """Return the shares of train that are splits of their own; 0 for one that values of a column, or folds,
    make."""
    hold_out = getattr(reader, "hold_out", None)
    if hold_out is None:
        return {}
    shares = {Split.DEV: hold_out.dev, Split.TEST: hold_out.test}
    return {split: share for split, share in shares.items() if split in hold_out.splits}


def hold_out_problems(hold_out: HoldOut) -> Iterator[Problem]:
    """Values without their column, of train, beside a share, or of two splits; folds beside either."""
    if hold_out.folds is not None:
        yield from _beside_folds(hold_out)
        return
    if hold_out.values and hold_out.by is None:
        problem = "belongs to a column, and none is named"
        yield Problem.of_key("values", problem, "add by: COLUMN, or remove values")
    if Split.TRAIN in hold_out.values:
        yield Problem.of_key("values.train", "train has the rows that are left", "remove it")
    for split, share in ((Split.DEV, hold_out.dev), (Split.TEST, hold_out.test)):
        if share and split in hold_out.values:
            problem = f"expected values or a share, got both for {split}"
            yield Problem.of_key(f"values.{split}", problem, "remove one of the two")
    both = {*hold_out.values.get(Split.DEV, ())} & {*hold_out.values.get(Split.TEST, ())}
    if both:
        problem = f"{', '.join(map(repr, sorted(both)))} would be in dev and in test"
        yield Problem.of_key("values", problem, "name each value once")


def _beside_folds(hold_out: HoldOut) -> Iterator[Problem]:
    given = {"test": hold_out.test, "values": hold_out.values}
    for key in (key for key, value in given.items() if value):
        problem = f"expected {key} or folds, got both: {hold_out.folds} folds test every document"
        yield Problem.of_key(key, problem, "remove one of the two")


def readers_of(task: TaskSpec) -> Iterator[tuple[str, Reader]]:
    """Yield the reader of each layout, with its key in the task."""
    yield "reader", task.reader
    yield from ((f"layouts.{number}", reader) for number, reader in enumerate(task.layouts))


def _metric(task: TaskSpec) -> Iterator[Problem]:
    if task.kind not in METRICS[task.metric].kinds:
        metrics = ", ".join(name for name in MetricName if task.kind in METRICS[name].kinds)
        yield Problem.of_key(
            "metric", f"{task.metric} does not exist for a {task.kind} task", f"use one of: {metrics}"
        )
    if task.metric is MetricName.SUBWORD_F1 and not task.paper_scoring:
        problem = f"{task.metric} is only measured with paper_scoring: true"
        yield Problem.of_key("metric", problem, "set paper_scoring: true, or choose another metric")


def _number(task: TaskSpec) -> Iterator[Problem]:
    """Keys of classes at a task that predicts a number, and keys of a number at one that does not."""
    if task.kind is not TaskKind.REGRESSION:
        if task.unit is not None:
            problem = f"belongs to regression tasks, and this is a {task.kind} task, got {task.unit!r}"
            yield Problem.of_key("unit", problem, "remove it, or set kind: regression")
        return
    if task.labels is not None:
        yield Problem.of_key(
            "labels", "belongs to tasks with classes, and this one predicts a number", "remove it"
        )
    for key, reader in readers_of(task):
        for name in ("merge", "names"):
            if getattr(reader, name, ()):
                problem = "belongs to tasks with classes, and this one predicts a number"
                yield Problem.of_key(f"{key}.{name}", problem, "remove it")


def _labels(task: TaskSpec) -> Iterator[Problem]:
    labels, negative = task.labels, task.negative_label
    if task.kind is TaskKind.RELATION and negative is None:
        yield Problem.of_key("negative_label", "is missing", 'name the class that means "no relation"')
    if task.kind is not TaskKind.RELATION and negative is not None:
        problem = f"belongs to relation tasks, and this is a {task.kind} task, got {negative!r}"
        yield Problem.of_key("negative_label", problem, "remove it, or set kind: relation")
    yield from _positive(task)
    if labels is None or task.kind is TaskKind.REGRESSION:
        return
    for label, count in Counter(labels).items():
        if count > 1:
            yield Problem.of_key("labels", f"{label!r} is listed {count} times", "remove the duplicate")
    least, what = (1, "entity type") if task.kind is TaskKind.NER else (2, "labels")
    if len(labels) < least:
        fix = f"name at least {least}, or leave labels out: then they are those of train"
        yield Problem.of_key(
            "labels", f"holds {len(labels)}, and a {task.kind} task needs {least} {what}", fix
        )
    if task.kind is TaskKind.RELATION and negative is not None and negative not in labels:
        fix = f"use one of them: {', '.join(labels)}; or add it to labels"
        yield Problem.of_key("negative_label", f"is not among labels, got {negative!r}", fix)


def _positive(task: TaskSpec) -> Iterator[Problem]:
    positive = task.positive_label
    if positive is None:
        if task.metric in OF_ONE_CLASS and task.kind in METRICS[task.metric].kinds:
            problem = f"is missing, and metric {task.metric} is that of one class"
            yield Problem.of_key("positive_label", problem, "name the class that matters most")
    elif task.kind is not TaskKind.CLASSIFICATION:
        problem = f"belongs to classification tasks, and this is a {task.kind} task, got {positive!r}"
        yield Problem.of_key("positive_label", problem, "remove it")
    elif task.labels is not None and positive not in task.labels:
        fix = f"use one of them: {', '.join(task.labels)}; or add it to labels"
        yield Problem.of_key("positive_label", f"is not among labels, got {positive!r}", fix)


def _reader(task: TaskSpec, key: str, reader: Reader) -> Iterator[Problem]:
    if task.kind not in _GIVES[reader.format]:
        fitting = ", ".join(name for name, kinds in _GIVES.items() if task.kind in kinds)
        problem = f"{reader.format} gives no {task.kind} examples"
        yield Problem.of_key(f"{key}.format", problem, f"{task.kind} tasks are read as one of: {fitting}")
    elif task.kind is TaskKind.RELATION and reader.format == "pubtator":
        yield from _pairs(key, reader)
    elif reader.format in ("arrow", "csv", "hub", "jsonl", "parquet"):
        yield from _label_column(task, key, reader)
    elif reader.format == "mimic-notes" and task.kind not in _OF_MIMIC[reader.outcome]:
        fitting = ", ".join(outcome for outcome, kinds in _OF_MIMIC.items() if task.kind in kinds)
        problem = f"{reader.outcome} gives no {task.kind} examples"
        yield Problem.of_key(f"{key}.outcome", problem, f"for {task.kind} tasks use one of: {fitting}")
    if reader.format == "jsonl" and reader.separator is not None:
        problem = f"belongs to format: csv, got {reader.separator!r} with format: jsonl"
        yield Problem.of_key(f"{key}.separator", problem, "remove it, or set format: csv")
    if getattr(getattr(reader, "hold_out", None), "by", None) and reader.format not in _HAS_COLUMNS:
        problem = f"{reader.format} has no named columns"
        yield Problem.of_key(f"{key}.hold_out.by", problem, "remove it: the shares are taken by id")
    for split in shares_held_out(reader):
        if split in reader.files:
            problem = f"a part of train is held out for {split}, and files.{split} names files for it"
            hold_out = getattr(reader, "hold_out", None)
            folds = split is Split.TEST and hold_out is not None and hold_out.folds is not None
            name = "folds" if folds else split
            yield Problem.of_key(f"{key}.hold_out.{name}", problem, "remove one of the two")
    foreign = sorted(set(getattr(reader, "merge", {}).values()) - set(task.labels or ()))
    if task.labels is not None and foreign:
        problem = f"merges into what labels does not hold, got {', '.join(map(repr, foreign))}"
        yield Problem.of_key(f"{key}.merge", problem, f"merge into one of: {', '.join(task.labels)}")


def _label_column(task: TaskSpec, key: str, reader: TableReader | ArrowReader) -> Iterator[Problem]:
    """Where the labels of a row are: in one column, or for multilabel tasks in several."""
    if task.kind is not TaskKind.MULTILABEL:
        for name in ("label_separator", "label_columns"):
            if value := getattr(reader, name):
                problem = f"belongs to multilabel tasks, and this is a {task.kind} task, got {value!r}"
                yield Problem.of_key(f"{key}.{name}", problem, "remove it, or set kind: multilabel")
        if reader.label is None:
            yield Problem.of_key(f"{key}.label", "is missing", "name the column of the label")
        return
    in_table, columns = reader.format in ("csv", "jsonl"), reader.label_columns
    if columns:
        if in_table and reader.label is not None:
            problem = f"expected label or label_columns, got both, label {reader.label!r}"
            yield Problem.of_key(f"{key}.label", problem, "remove one of the two")
        if reader.label_separator is not None:
            problem = f"belongs to `label`, got {reader.label_separator!r} with label_columns"
            yield Problem.of_key(f"{key}.label_separator", problem, "remove it")
        for name, count in Counter(columns).items():
            if count > 1:
                problem = f"{name!r} is listed {count} times"
                yield Problem.of_key(f"{key}.label_columns", problem, "remove the duplicate")
    elif reader.label is None:
        fix = "name the column of the labels, or under label_columns one column of 0 and 1 for each label"
        yield Problem.of_key(f"{key}.label", "is missing", fix)
    elif reader.format == "csv" and reader.label_separator is None:
        fix = 'name what stands between the labels of a row, say ";"'
        yield Problem.of_key(f"{key}.label_separator", "is missing", fix)


def _pairs(key: str, reader: PubtatorReader) -> Iterator[Problem]:
    if reader.relation is None:
        yield Problem.of_key(f"{key}.relation", "is missing", "name the relation of the files, say CID")
    if len(reader.entity_types) != 2:
        problem = f"a relation stands between exactly two, got {', '.join(reader.entity_types) or 'none'}"
        yield Problem.of_key(f"{key}.entity_types", problem, "name the two types of the relation")


def mimic_problems(reader: MimicNotesReader) -> Iterator[Problem]:
    """Tables that the outcome is read from."""
    grouped, coded = reader.outcome == "diagnosis-group", reader.outcome == "discharge-codes"
    if coded != (reader.codes is not None):
        problem = (
            "is missing: how many codes count" if coded else f"belongs to discharge-codes, got {reader.codes}"
        )
        yield Problem.of_key("codes", problem, "set codes: 50, as is usual" if coded else "remove it")
    if grouped and reader.groups is None:
        problem = "is missing: outcome diagnosis-group has none of its own, and none was published"
        yield Problem.of_key("groups", problem, "name a CSV with the columns icd9_code and group")
    if not grouped and reader.groups is not None:
        problem = f"belongs to outcome: diagnosis-group, got {reader.groups!r} with outcome: {reader.outcome}"
        yield Problem.of_key("groups", problem, "remove it")
    tables = [_table_of(name) for name in reader.files.get(Split.TRAIN, ())]
    needed = ("NOTEEVENTS", "ADMISSIONS", *_MIMIC_TABLES.get(reader.outcome, ()))
    if wrong := [table for table in needed if tables.count(table) != 1]:
        problem = f"{', '.join(wrong)} should stand there once each, got {', '.join(tables) or 'nothing'}"
        yield Problem.of_key(
            "files.train", problem, f"name {', '.join(f'{table}.csv[.gz]' for table in wrong)} there, once"
        )


def _table_of(name: str) -> str:
    """NOTEEVENTS of `mimic-iii/noteevents.csv.gz`."""
    return name.rpartition("/")[2].upper().split(".")[0]
