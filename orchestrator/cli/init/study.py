"""What `frontier init` settles about a task, from flags, guesses and answers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.cli.init import columns
from orchestrator.cli.init.asking import GIVEN, Asking
from orchestrator.cli.init.columns import NO_COLUMN, Answer, Question
from orchestrator.contracts.data_look import ColumnLook, DataLook
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.planning.workload import TOKENS_PER_WORD
from orchestrator.units import named_list, quantity

DOMAINS = ("clinical", "biomedical", "general")
LENGTHS = (64, 128, 256, 512)
_MOST_NAMES = 3
_FEWEST_DOCUMENTS = 3
HELD_OUT = 0.2  # share of the ids for dev, and for test
FEW_ROWS = 500  # with fewer, a fifth of them tells models apart that differ by ten points or more


@dataclass(frozen=True)
class Flags:
    """The words of the command line that say what the file does not."""

    kind: str | None = None
    text: str | None = None
    second_text: str | None = None
    label: str | None = None
    id: str | None = None
    negative_label: str | None = None
    domain: str | None = None
    unit: str | None = None
    folds: int | None = None


@dataclass(frozen=True)
class TokenisedLength:
    """The least usual length that cuts at most one text in twenty, by the tokenizers of these backbones; or
    the longest, if that cuts more."""

    tokens: int
    backbones: tuple[str, ...]
    cuts_more: bool = False


@dataclass(frozen=True)
class Study:
    """Everything about the data that the task file says, each with its reason."""

    look: DataLook
    files: Mapping[Split, str]  # below the data directory
    kind: TaskKind
    settled: Mapping[str, Answer]  # by what it is
    tokenised: TokenisedLength | None = None
    folds: int | None = None  # of a cross-validation, None for a test part

    def value(self, key: str) -> str | None:
        return self.settled[key].value if key in self.settled else None

    @property
    def max_length(self) -> int:
        """Return the least usual length that cuts at most one text in twenty, as far as words tell where no
        tokenizer has read them."""
        if self.tokenised is not None:
            return self.tokenised.tokens
        return next((n for n in LENGTHS if n >= self._guessed_tokens), LENGTHS[-1])

    @property
    def _guessed_tokens(self) -> int:
        words = self.look.long_words or 0
        for key in ("text", "second_text"):
            words += next((c.long_words for c in self.look.columns if c.name == self.value(key)), 0)
        return math.ceil(TOKENS_PER_WORD * words)

    @property
    def why_max_length(self) -> str:
        if self.tokenised is None:
            by, cuts_more = f"guessed at {TOKENS_PER_WORD} tokens a word", self._guessed_tokens > LENGTHS[-1]
        else:
            many = "s" if len(self.tokenised.backbones) > 1 else ""
            by = f"by the tokenizer{many} of {named_list(self.tokenised.backbones, _MOST_NAMES)}"
            cuts_more = self.tokenised.cuts_more
        if cuts_more:
            return f"tokens; the longest usual length, which cuts more than one text in twenty, {by}"
        return f"tokens; the lengths of 19 of 20 texts, {by}"

    def task(self, title: str, sensitive: bool) -> dict[str, Any]:
        """Return the task as its file has it."""
        task: dict[str, Any] = {
            "title": title,
            "kind": str(self.kind),
            "domain": self.value("domain"),
            "reader": self._reader(),
            "metric": str(PRIMARY[self.kind]),
            "max_length": self.max_length,
        }
        if self.kind is TaskKind.RELATION:
            task["negative_label"] = self.value("negative_label")
        if self.value("unit"):
            task["unit"] = self.value("unit")
        return task | ({"data": "sensitive"} if sensitive else {})

    @property
    def _label(self) -> ColumnLook | None:
        return next((c for c in self.look.columns if c.name == self.value("label")), None)

    def _reader(self) -> dict[str, Any]:
        reader: dict[str, Any] = {"format": self.look.format}
        if self.look.dataset is not None:
            reader |= {"dataset": self.look.dataset, "revision": self.look.revision}
        reader["files"] = {str(split): [name] for split, name in self.files.items()}
        if self.look.format == "conll":
            reader |= {"separator": self.look.separator, "token_column": self.look.token_column}
            reader["tag_column"] = self.look.tag_column
        elif self.kind is TaskKind.NER:
            reader |= {"tokens": self.value("text"), "tags": self.value("label")}
        else:
            reader |= {key: self.value(key) for key in ("text", "second_text", "label") if self.value(key)}
        if self.kind is TaskKind.MULTILABEL and self._label and self._label.label_separator:
            reader["label_separator"] = self._label.label_separator
        if self.value("id"):
            reader["id"] = self.value("id")
        if self.look.format == "csv" and self.look.separator:
            reader["separator"] = self.look.separator
        label = self._label
        named = self.look.format in ("arrow", "parquet", "hub") and self.kind is not TaskKind.REGRESSION
        if named and label is not None and label.numbered:
            reader["names"] = [str(number) for number in range(label.numbered)]
        shares = {str(s): HELD_OUT for s in (Split.DEV, Split.TEST) if s not in self.files}
        if self.folds is not None:
            shares = {s: share for s, share in shares.items() if s != Split.TEST} | {"folds": self.folds}
        return reader | ({"hold_out": shares} if shares else {})

    @property
    def may_have_folds(self) -> bool:
        """Return whether each row could be tested, and a share of them is too small a test part."""
        return self.folds is None and Split.TEST not in self.files and self.look.rows < FEW_ROWS


def settle(look: DataLook, files: Mapping[Split, str], flags: Flags, asking: Asking) -> Study:
    """Return the study. Raises ConfigError with every wrong flag and every open question."""
    settled: dict[str, Answer] = {}
    if flags.unit and flags.kind is None:
        flags = replace(flags, kind=TaskKind.REGRESSION)
    if look.format == "conll":
        if 0 < look.documents < _FEWEST_DOCUMENTS and len(files) < len(Split):
            documents = quantity(look.documents, "document")
            problem = f"its -DOCSTART- lines begin {documents}, of which no share can be held out"
            asking.refuse("FILE", problem, "give --dev and --test, or remove these lines")
        kind = _kind(look, None, None, flags, asking)
        for flag in ("text", "second_text", "label", "id"):
            if getattr(flags, flag):
                asking.refuse(f"--{flag.replace('_', '-')}", "a CoNLL file has no named columns", "remove it")
    else:
        kind = _of_columns(look, flags, settled, asking)
    if kind.value == TaskKind.RELATION:
        negative = columns.negative_class(look, settled["label"].value)
        given = flags.negative_label and Answer(flags.negative_label, GIVEN)
        settled["negative_label"] = given or asking.settle(negative)
    elif flags.negative_label:
        asking.refuse("--negative-label", f"belongs to relation tasks, and this is {kind.value}", "remove it")
    if flags.unit and kind.value != TaskKind.REGRESSION:
        asking.refuse("--unit", f"belongs to regression tasks, and this is {kind.value}", "remove it")
    elif flags.unit:
        settled["unit"] = Answer(flags.unit, GIVEN)
    if flags.folds is not None and Split.TEST in files:
        asking.refuse(
            "--folds", "tests each row of FILE, and test has a file of its own", "remove one of the two"
        )
    settled = {"kind": kind} | settled
    settled["domain"] = _domain(flags, asking)
    asking.end()
    return Study(look, files, TaskKind(str(kind.value)), settled, folds=flags.folds)


def _of_columns(look: DataLook, flags: Flags, settled: dict[str, Answer], asking: Asking) -> Answer:
    names = tuple(column.name for column in look.columns)
    given = {
        key: asking.given(f"--{key.replace('_', '-')}", value, names)
        for key in ("text", "second_text", "label")
        if (value := getattr(flags, key)) is not None
    }
    kind_flag = flags.kind
    tagged = any(column.tags for column in look.columns) and kind_flag in (None, TaskKind.NER)
    no_label = False
    if tagged:
        words, tags = columns.token_columns(look)
        settled["text"] = given.get("text") or asking.settle(words)
        settled["label"] = given.get("label") or asking.settle(tags)
    else:
        settled["text"] = given.get("text") or asking.settle(columns.text_column(look, flags.second_text))
        if "second_text" in given:
            settled["second_text"] = given["second_text"]
        taken = [answer.value for answer in settled.values()] + [flags.id]
        of_numbers = kind_flag == TaskKind.REGRESSION
        choose = columns.number_column if of_numbers else columns.label_column
        label = given.get("label") or choose(look, taken)
        no_label = isinstance(label, Question) and label.fix is not None
        settled["label"] = asking.settle(label)
        _check_label(look, settled["label"].value, kind_flag, asking)
    taken = [answer.value for answer in settled.values()]
    if flags.id is not None:
        identity = asking.given("--id", flags.id, (*names, NO_COLUMN))
    elif no_label:  # what could be an id may be the label that has to be corrected
        identity = Answer(None, "")
    else:
        identity = asking.settle(columns.id_column(look, taken))
    settled["id"] = Answer(None, identity.why) if identity.value == NO_COLUMN else identity
    if (site := columns.site_column(look, taken)) is not None:
        settled["site"] = site
    return _kind(look, settled["text"].value, settled["label"].value, flags, asking)


def _kind(look: DataLook, text: str | None, label: str | None, flags: Flags, asking: Asking) -> Answer:
    likely = columns.task_kind(look, text, label)
    if flags.kind is None:
        return asking.settle(likely)
    given = asking.given("--kind", flags.kind, tuple(map(str, TaskKind)))
    tagged = isinstance(likely, Answer) and likely.value == TaskKind.NER
    column = next((c for c in look.columns if c.name == label), None)
    if flags.kind == TaskKind.MULTILABEL and column is not None and column.label_sizes is None:
        problem = f"the values of {label!r} are no lists, and have no ; | or , between labels"
        asking.refuse("--kind", problem, "name another --label, or describe label_columns in a task file")
    if tagged != (flags.kind == TaskKind.NER) and flags.kind in list(TaskKind):
        problem = "its words have BIO tags" if tagged else "it has no words with BIO tags"
        asking.refuse("--kind", f"{problem}, got {flags.kind!r}", "remove --kind, or name another file")
    return given


def _check_label(look: DataLook, label: str | None, kind: str | None, asking: Asking) -> None:
    """Refuse a column whose values would not be taken for classes: they would be written into records.
    Numbers are not, where no other kind is asked for."""
    column: ColumnLook | None = next((c for c in look.columns if c.name == label), None)
    if column is not None and kind == TaskKind.REGRESSION and not column.numeric:
        fix = columns.no_classes([column]) if column.decimal_comma else "name another column"
        asking.refuse("--label", f"not all of its values are numbers, got {label!r}", fix)
        return
    numbers_may_be = kind in (None, TaskKind.REGRESSION)
    if column is None or columns.has_classes(column) or (column.numeric and numbers_may_be):
        return
    problem = f"{column.distinct:,} values in {column.filled:,} rows are no classes, got {label!r}"
    asking.refuse("--label", problem, columns.no_classes([column]))


def _domain(flags: Flags, asking: Asking) -> Answer:
    if flags.domain is not None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", flags.domain):
            asking.refuse(
                "--domain", f"is not one word, got {flags.domain!r}", "write one word, say clinical"
            )
        return Answer(flags.domain, GIVEN)
    question = Question("--domain", "What are the texts?", "no file says so", DOMAINS, DOMAINS[0])
    return asking.assumed(question)


def title_of(stem: str, others: Sequence[str]) -> tuple[str, str]:
    """Return a title and a task's name from the name of a file; `others` are taken."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.casefold()).strip("-")[:40] or "task"
    return Path(stem).name.replace("_", " "), name if name not in others else f"my-{name}"
