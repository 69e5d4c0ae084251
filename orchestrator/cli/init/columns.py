"""What each column of a file is for: a guess with its reason, or a question where the file does not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.contracts.data_look import ColumnLook, DataLook
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.units import quantity

NO_COLUMN = "none"  # the answer that there is no such column
_TEXT_WORDS = 4  # words that a text has on average, at least
_SENTENCE_WORDS = 60  # that the sentence of a relation has, at most
_MOST_NUMBERED = 10  # numbers that are taken for names of classes
_MARKED = 0.9  # share of the texts of a relation task that mark their pair
_PATIENT = frozenset(["patient", "patients", "subject", "subjects", "person", "pid", "mrn", "nhs"])
_DOCUMENT = frozenset(
    [
        "id",
        "ids",
        "uuid",
        "key",
        "doc",
        "document",
        "note",
        "letter",
        "report",
        "admission",
        "hadm",
        "stay",
        "visit",
        "encounter",
        "case",
        "record",
        "index",
    ]
)
_SITE = frozenset(
    [
        "site",
        "hospital",
        "ward",
        "clinic",
        "centre",
        "center",
        "trust",
        "department",
        "unit",
        "practice",
        "location",
    ]
)
_LABEL = frozenset(
    ["label", "labels", "class", "classes", "category", "target", "gold", "y", "outcome", "annotation"]
)


@dataclass(frozen=True)
class Answer:
    """What is taken for granted, and why. `value` None: there is no such column."""

    value: str | None
    why: str


@dataclass(frozen=True)
class Question:
    """What the file does not say. `choices` are columns or words that may be the answer; empty: any.
    `others`: columns that are unlikely, and accepted. `is_share`: a number from 0 to 1. `fix`: what to do
    where no answer would do."""

    flag: str
    ask: str
    why: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    others: tuple[str, ...] = ()
    is_share: bool = False
    fix: str | None = None


def words_in_name(name: str) -> set[str]:
    """Return the words in a column's name: patient_id and patientID have two."""
    return set(
        re.sub(r"([a-z])([A-Z])", r"\1 \2", name).casefold().replace("_", " ").replace("-", " ").split()
    )


def text_column(look: DataLook, second: str | None = None) -> Answer | Question:
    """Return the column with texts, where there is exactly one. `second`: the column of second texts."""
    texts = [column for column in look.columns if _is_text(column) and column.name != second]
    if len(texts) == 1:
        return Answer(
            texts[0].name, f"the only column with texts ({texts[0].mean_words:.0f} words on average)"
        )
    pairs = "" if second else "; of pairs of texts, --second-text names the other"
    why = (
        f"{len(texts)} columns hold texts of {_TEXT_WORDS} words or more on average{pairs}"
        if texts
        else f"no column holds texts of {_TEXT_WORDS} words or more on average"
    )
    choices = texts or [column for column in look.columns if not column.lists]
    return _question(look, "--text", "Which column is the text?", why, _names(choices))


def _question(
    look: DataLook, flag: str, ask: str, why: str, choices: tuple[str, ...], more: tuple[str, ...] = ()
) -> Question:
    """Return the question for a column: likely ones and `more` answers are offered, others are named."""
    others = tuple(column.name for column in look.columns if column.name not in choices)
    return Question(flag, ask, why, (*choices, *more), others=others)


def _free(look: DataLook, taken: Sequence[str | None]) -> list[ColumnLook]:
    """Return the columns of single values that differ, and that are nothing else yet."""
    return [
        c
        for c in look.columns
        if c.name not in taken and not _is_text(c) and (not c.lists or c.label_sizes) and c.distinct > 1
    ]


def number_column(look: DataLook, taken: Sequence[str | None]) -> Answer | Question:
    """Return the column with the number that a regression predicts, where no other column can be meant."""
    names = _PATIENT | _DOCUMENT | _SITE
    numeric = [c for c in _free(look, taken) if c.numeric and not words_in_name(c.name) & names]
    return _only(look, numeric, "--label", "Which column has the number?", _names(_free(look, taken)))


def label_column(look: DataLook, taken: Sequence[str | None]) -> Answer | Question:
    """Return the column with classes or numbers, where no other column can be meant."""
    free = _free(look, taken)
    named = [column for column in free if words_in_name(column.name) & _LABEL]
    if len(named) == 1 and (has_classes(named[0]) or named[0].numeric):
        return Answer(named[0].name, f"from its name; {_values(named[0])}")
    open_columns = named or [c for c in free if not words_in_name(c.name) & (_PATIENT | _DOCUMENT | _SITE)]
    classes = [column for column in open_columns if has_classes(column)]
    if len(classes) == 1 and len(open_columns) == 1:
        return Answer(classes[0].name, f"the only column with classes: {_values(classes[0])}")
    if len(open_columns) == 1 and open_columns[0].numeric:
        return Answer(open_columns[0].name, f"the only column of its kind: {_values(open_columns[0])}")
    if not classes:
        alike = [c for c in look.columns if c.name not in taken and not c.lists and c.distinct == 1]
        many = [f"{column.name!r} has {_values(column)}" for column in (*open_columns, *alike)]
        why = "no column has 2 to 50 values that repeat" + (f": {', '.join(many)}" if many else "")
        possible = _names(column for column in free if has_classes(column) or column.numeric)
        question = _question(look, "--label", "Which column is the label?", why, possible)
        return question if possible else replace(question, fix=no_classes(open_columns))
    why = f"{quantity(len(open_columns), 'column')} may be it: " + ", ".join(
        f"{column.name!r} has {_values(column)}" for column in open_columns
    )
    likely = [column for column in open_columns if has_classes(column) or column.numeric]
    return _question(look, "--label", "Which column is the label?", why, _names(likely))


def id_column(look: DataLook, taken: Sequence[str | None]) -> Answer | Question:
    """Return the column that says which rows belong together, where its name says so."""
    free = [column for column in _free(look, taken) if not column.lists]
    patients = [column for column in free if words_in_name(column.name) & _PATIENT]
    documents = [column for column in free if words_in_name(column.name) & _DOCUMENT]
    named = patients or documents
    ask = "Which column names the patient, or else the document?"
    if len(named) == 1:
        return Answer(named[0].name, f"from its name; {_ids(named[0])}")
    if named:
        why = f"{len(named)} columns have such a name"
        return _question(look, "--id", ask, why, _names(named), (NO_COLUMN,))
    if unclear := [column for column in free if _repeats_as_ids_do(column)]:
        several = ", ".join(f"{column.name!r} has {_values(column)}" for column in unclear)
        why = f"values repeat as ids do: {several}"
        return _question(look, "--id", ask, why, _names(unclear), (NO_COLUMN,))
    return Answer(None, "no column names a patient or document: equal texts stay in one split, nothing else")


def site_column(look: DataLook, taken: Sequence[str | None]) -> Answer | None:
    """Return a hint if the name of a column says site: tests across sites are the user's choice."""
    sites = [
        c for c in look.columns if c.name not in taken and words_in_name(c.name) & _SITE and c.distinct > 1
    ]
    if len(sites) != 1:
        return None
    name = sites[0].name
    how = f"hold_out: {{by: {name}, values: {{test: [VALUE]}}, dev: 0.2}} tests on one of them"
    return Answer(None, f"not used; {name!r} has {_values(sites[0])}: {how}")


def task_kind(look: DataLook, text: str | None, label: str | None) -> Answer | Question:
    """Return what the task is: tags are entities; texts have labels, numbers, classes or relations."""
    if look.format == "conll" or any(column.tags for column in look.columns):
        return Answer(TaskKind.NER, "its words have BIO tags")
    by_name = {column.name: column for column in look.columns}
    texts, classes = by_name.get(text or ""), by_name.get(label or "")
    if classes is not None and classes.label_sizes is not None:
        between = "are lists" if classes.lists else f"have {classes.label_separator!r} between them"
        return Answer(TaskKind.MULTILABEL, f"its labels {between}: {_values(classes)}")
    if classes is not None and classes.numeric and classes.distinct > _MOST_NUMBERED:
        numbers = f"its label is a number: {_values(classes)}"
        if classes.sizes is None:
            return Answer(TaskKind.REGRESSION, numbers)
        either = (TaskKind.REGRESSION, TaskKind.CLASSIFICATION)
        return Question("--kind", "What is predicted of a text?", numbers, tuple(map(str, either)))
    marked = texts is not None and texts.marked >= _MARKED and texts.mean_words <= _SENTENCE_WORDS
    if not marked or texts is None:
        return Answer(TaskKind.CLASSIFICATION, "one class per text, and no text marks two mentions")
    share = f"{texts.marked:.0%} of its texts mark two mentions"
    if classes is not None and classes.negative is not None:
        return Answer(TaskKind.RELATION, f"{share}, and one class is {classes.negative!r}")
    choices = (TaskKind.RELATION, TaskKind.CLASSIFICATION)
    why = f"{share}, and no class has a name like none"
    return Question("--kind", "What is predicted of a text?", why, tuple(map(str, choices)))


def negative_class(look: DataLook, label: str | None) -> Answer | Question:
    """Return the class that means "no relation", where its name says so."""
    negative = next((column.negative for column in look.columns if column.name == label), None)
    if negative is not None:
        return Answer(negative, "from its name")
    return Question("--negative-label", 'Which class means "no relation"?', "no class has a name like none")


def token_columns(look: DataLook) -> tuple[Answer | Question, Answer | Question]:
    """Return the columns of a table with the words and the tags of sentences."""
    lists = [column for column in look.columns if column.lists]
    words = [
        column
        for column in lists
        if not column.tags and words_in_name(column.name) & {"token", "tokens", "words"}
    ]
    tags = [column for column in lists if column.tags]
    return (
        _only(look, words, "--text", "Which column has the words?", _names(lists)),
        _only(look, tags, "--label", "Which column has the tags?", _names(lists)),
    )


def _only(
    look: DataLook, columns: Sequence[ColumnLook], flag: str, ask: str, choices: tuple[str, ...]
) -> Answer | Question:
    if len(columns) == 1:
        return Answer(columns[0].name, "the only column of its kind")
    return _question(look, flag, ask, f"{quantity(len(columns), 'column')} may be it", choices)


def _is_text(column: ColumnLook) -> bool:
    return not column.lists and column.label_sizes is None and column.mean_words >= _TEXT_WORDS


def _repeats_as_ids_do(column: ColumnLook) -> bool:
    return column.mean_words < 2 and column.distinct >= 10 and 0.05 < column.distinct / column.filled < 1


def _names(columns: Iterable[ColumnLook]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def has_classes(column: ColumnLook) -> bool:
    """Return whether its values can be classes, or several labels each."""
    return column.sizes is not None or column.label_sizes is not None


def no_classes(columns: Iterable[ColumnLook]) -> str:
    """Return what to do about columns whose values are neither classes nor numbers."""
    if commas := [column.name for column in columns if column.decimal_comma]:
        return f"write the numbers of {commas[0]!r} with a decimal point: 12.5, and not 12,5"
    return "name another column, or a file in which its values are grouped into 2 to 50 classes"


def _values(column: ColumnLook) -> str:
    if column.label_sizes is not None:
        return f"{quantity(len(column.label_sizes), 'label')} in {quantity(column.filled, 'row')}"
    return f"{quantity(column.distinct, 'value')} in {quantity(column.filled, 'row')}"


def _ids(column: ColumnLook) -> str:
    if column.distinct == column.filled:
        return (
            f"each of {quantity(column.filled, 'row')} has its own, so it does not say which belong together"
        )
    return (
        f"{quantity(column.distinct, 'id')} in {quantity(column.filled, 'row')}, kept together in one split"
    )
