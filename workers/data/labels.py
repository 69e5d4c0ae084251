"""The label set of a task. Records contain labels, so text that was mistaken for labels must not pass
here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.contracts.readers import (
    ArrowReader,
    ConllReader,
    I2b2XmlReader,
    PubtatorReader,
    TableReader,
)
from orchestrator.contracts.sameness import label_key, visible
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data.examples import Example, RegressionText, labels_of
from workers.data.faults import Faults

VALUE = "value"  # the one output of a regression
LONGEST = 60  # characters of an undeclared label; a longer one is text
_MOST = 50  # undeclared classes
_MOST_WORDS = 4  # in an undeclared label
# A record number, a date or an address.
_IDENTIFIES = re.compile(r"[0-9]{5}|[0-9]{1,4}([./-])[0-9]{1,2}\1[0-9]{1,4}|@")
# The other readers get their classes from the task, from their format or from a file of groups.
_FROM_DATA = ConllReader | TableReader | ArrowReader | I2b2XmlReader


def label_set(task: TaskSpec, train: Sequence[Example], faults: Iterable[Faults] = ()) -> tuple[str, ...]:
    """Return the labels in the order of their ids: the declared ones or their columns, else those of train,
    sorted.

    Of a regression there is one, "value". For ner these are "O", then "B-x" and "I-x" of each entity type,
    sorted by type. `faults` belong to the splits that were read, train first. Raises DataError if two
    spellings look alike (`check_spellings`), if train has an undeclared label, too few classes or one number,
    or if undeclared labels look like text
    (`text_for_labels`).
    """
    if task.kind is TaskKind.REGRESSION:
        return _one_number(task, train)
    counts, declared = class_counts(train), task.labels or _columns(task.reader)
    text = None
    if declared is None and isinstance(task.reader, _FROM_DATA):
        text = text_for_labels(task, counts)
    if text is None:
        check_spellings(task, declared or sorted(counts), faults)
    if declared is not None and (foreign := counts.keys() - set(declared)):
        problem = f"train has {len(foreign)} labels that `labels` does not hold"
        raise DataError(f"task {task.name}", None, problem, "add them to `labels`, or correct the data")
    if len(counts) < (1 if task.kind is TaskKind.NER else 2):
        problem = _too_few(task, len(counts))
        raise DataError(f"task {task.name}", None, problem, "check the label column or entity types")
    if text is not None:
        raise text
    if task.positive_label is not None and task.positive_label not in (declared or counts):
        problem = f"positive_label {task.positive_label!r} is not among the labels of train"
        raise DataError(f"task {task.name}", None, problem, "write it as the label column has it")
    if task.kind is not TaskKind.NER:
        return declared or tuple(sorted(counts))
    return ("O", *(f"{prefix}-{kind}" for kind in sorted(declared or counts) for prefix in "BI"))


def _columns(reader: object) -> tuple[str, ...] | None:
    """Return the labels that have a column each, whether or not a row of train has them."""
    if not isinstance(reader, TableReader | ArrowReader) or not reader.label_columns:
        return None
    merge = getattr(reader, "merge", {})
    return tuple(dict.fromkeys(merge.get(column, column) for column in reader.label_columns))


def _one_number(task: TaskSpec, train: Sequence[Example]) -> tuple[str, ...]:
    """Return the name of the single output of a regression. Raises DataError where there is nothing to
    learn."""
    if len({example.value for example in train if isinstance(example, RegressionText)}) < 2:
        fix = f"check that `label` of the reader names the column with the {task.unit or 'number'}"
        raise DataError(f"task {task.name}", None, "all rows of train have the same number", fix)
    return (VALUE,)


def _too_few(task: TaskSpec, classes: int) -> str:
    if task.kind is TaskKind.NER:
        return "train has no mention"
    if task.kind is TaskKind.MULTILABEL:
        return "train has one label only" if classes else "no row of train has a label"
    return "train has one class only"


def text_for_labels(task: TaskSpec, counts: Mapping[str, int]) -> DataError | None:
    """Return an error, in counts only, if a column of text or ids was probably taken for the labels and would
    be written into every record."""
    doubt = doubt_about_labels(counts)
    if doubt is None:
        return None
    fix = (
        "check which column or attribute the reader takes for the labels; if they are right, list them under "
        "`labels` of the task"
    )
    return DataError(f"task {task.name}", None, f"{doubt}, and no `labels` are declared", fix)


def doubt_about_labels(counts: Mapping[str, int]) -> str | None:
    """Return why the values of a column (with their rows) are probably no classes, None if they may be.

    Reasons are more than 50 classes, mostly classes with one example, names of more than 60 characters, and
    names that look like text or identifiers.
    """
    once = sum(count == 1 for count in counts.values())
    long = sum(len(label) > LONGEST for label in counts)
    names = {label_key(label) for label in counts}
    wordy = sum(" " in name for name in names)
    many_words = sum(name.count(" ") >= _MOST_WORDS for name in names)
    ids = sum(map(is_identifying, counts))
    if len(counts) > _MOST:
        return f"train has {len(counts)} classes"
    if 2 * once > len(counts):
        return f"{once} of the {len(counts)} classes of train have one example only"
    if long:
        return f"{long} of the {len(counts)} classes of train have names of more than {LONGEST} characters"
    if ids:
        return f"{ids} of the {len(counts)} classes of train hold a date, an address or a long number"
    if many_words:
        return (
            f"{many_words} of the {len(counts)} classes of train have names of more than {_MOST_WORDS} words"
        )
    if 2 * wordy > len(names):
        return f"{wordy} of the {len(names)} classes of train have names of several words"
    return None


def is_identifying(name: str) -> bool:
    """Return whether a name holds a date, an address or a long number."""
    return bool(_IDENTIFIES.search(name))


def check_spellings(task: TaskSpec, labels: Sequence[str], faults: Iterable[Faults]) -> None:
    """Raise DataError if the files spell a label in two ways that look alike.

    `labels` are the classes or entity types of the task; `faults` belong to the splits that were read, train
    first. The message shows both spellings: one is a label of the task, and the other one looks like it.
    """
    declared = [*(task.labels or ())]
    if isinstance(task.reader, PubtatorReader):
        declared += [*task.reader.entity_types, *filter(None, [task.reader.relation])]
    task_labels = {*labels, *declared}
    spellings = {label_key(label): label for label in reversed(declared)}
    locations: dict[str, tuple[str, int | None]] = {}
    for split_faults in faults:
        for label, location in split_faults.spellings.items():
            locations.setdefault(label, location)
            earlier = spellings.setdefault(label_key(label), label)
            if earlier != label and {earlier, label} & task_labels:
                raise _look_alikes(task, earlier, label, locations)


def _look_alikes(
    task: TaskSpec, earlier: str, label: str, locations: Mapping[str, tuple[str, int | None]]
) -> DataError:
    file, line = locations.get(earlier, (f"task {task.name}", None))
    origin = file if line is None else f"{file}, line {line}"
    problem = f"the label {visible(label)} looks like {visible(earlier)} ({origin}) and is written otherwise"
    fix = f"write {visible(earlier)} everywhere"
    if isinstance(task.reader, TableReader):
        fix += ", or name one of the two under `merge` of the reader"
    return DataError(*locations[label], problem, fix)


def check_known(task: TaskSpec, labels: Sequence[str], split: Split, examples: Iterable[Example]) -> None:
    """Raise DataError if a split has labels that are not in `label_set`."""
    if task.kind is TaskKind.NER:
        labels = [label[2:] for label in labels]
    if foreign := class_counts(examples).keys() - set(labels):
        problem = f"{split} has {len(foreign)} labels that train does not hold"
        fix = "declare all of them under `labels` of the task, or correct the data"
        raise DataError(f"task {task.name}", None, problem, fix)


def class_counts(examples: Iterable[Example]) -> dict[str, int]:
    """Count the examples of each class by name; for ner count the mentions of each entity type."""
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(labels_of(example))
    return dict(sorted(counts.items()))
