"""What to know of the rows behind a score, in sentences: the same on the console, in reports, in MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.readers import ArrowReader
from orchestrator.contracts.split_counts import Kinds, SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

Counted = Mapping[Split, Sequence[SplitCounts]]  # different ones of the trials of one task

_NOTABLE = 0.01  # a smaller share of the rows moves a score by less than a point
_MOST_KINDS = 5


def distinct(outcomes: Iterable[Outcome]) -> dict[Split, list[SplitCounts]]:
    """Return what trials of one task have counted, each different count once."""
    distinct_counts: dict[Split, dict[str, SplitCounts]] = {}
    for outcome in outcomes:
        for split, counts in outcome.counted.items():
            distinct_counts.setdefault(split, {})[counts.model_dump_json()] = counts
    return {split: list(distinct_counts[split].values()) for split in Split if split in distinct_counts}


def caveats(task: TaskSpec, counted: Counted) -> list[str]:
    """Return a sentence for each count that changes how a score is read; test first, then dev and train."""
    lines = []
    for split in reversed(Split):
        counts = counted.get(split, ())
        if counts:
            lines += [
                *_shared(task, split, counts),
                *_near(task, split, counts),
                *_cut(task, split, counts),
                *_absent(task, split, counts),
            ]
            lines += [*_skipped(split, counts), *_set_aside(split, counts)]
    return lines


def changed_data(results: int) -> list[str]:
    """Return the sentence on so many results that ended while, or before, the files of the task changed."""
    if not results:
        return []
    which = "1 result may be" if results == 1 else f"{results:,} results may be"
    return [
        f"The files of this task changed while trials ran: {which} of other rows than planned. "
        "`frontier run` with the new files trains the task again."
    ]


def doubts(task: TaskSpec, counted: Counted, changed: int = 0) -> list[str]:
    """Return clauses on what makes the test scores of a task doubtful, for a summary. `changed`: as in
    `changed_data`."""
    counts, clauses = counted.get(Split.TEST, ()), []
    if changed:
        clauses.append(
            f"the files of “{task.title}” changed while trials ran, so {changed:,} of its results may be of "
            "other rows than planned"
        )
    shared = [c for c in counts if (c.also_in_train or 0) > _NOTABLE * c.examples]
    if shared:
        of = f"{shared[0].examples:,} test {_noun(task)} of “{task.title}”"
        count = [c.also_in_train for c in shared]
        clauses.append(f"{_span(count)} of {of} {_are(count)} also in train")
    if near := [c for c in counts if (c.near_train or 0) > _NOTABLE * c.examples]:
        of = f"{near[0].examples:,} test {_noun(task)} of “{task.title}”"
        count = [c.near_train for c in near]
        clauses.append(f"{_span(count)} of {of} {_agree(count)} with a train text")
    ceiling = min((c.recall_ceiling for c in counts), default=1.0)
    if ceiling < 1 - _NOTABLE and task.metric is not MetricName.SUBWORD_F1:
        clauses.append(f"recall on “{task.title}” cannot exceed {_ceiling(ceiling)}")
    elif cut := [c for c in counts if (c.cut or 0) > _NOTABLE * c.examples]:
        of = f"{cut[0].examples:,} test {_noun(task)} of “{task.title}”"
        count = [c.cut for c in cut]
        clauses.append(f"{_span(count)} of {of} {_are(count)} cut{_length(cut)}")
    return clauses


def _shared(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    for other, texts, ids in (
        (Split.TRAIN, [c.also_in_train for c in counts], [c.ids_also_in_train for c in counts]),
        (Split.DEV, [c.also_in_dev for c in counts], [c.ids_also_in_dev for c in counts]),
    ):
        if any(texts):
            yield f"{_span(texts)} of {_examples(task, split, counts)} {_are(texts)} also in {other}."
        if any(ids):
            whole = [c.ids for c in counts]
            of = f"{_span(whole)} {_one(whole, 'ids')} in the files of {split}"
            yield (
                f"{_span(ids)} of {of} {_are(ids)} also in those of {other}: the same documents or patients, "
                "unless each file numbers its own."
            )


def _near(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    near = [c.near_train for c in counts]
    if any(near):
        fix = "set `id` of the reader, so that the pairs of one sentence stay in one split"
        then = "pairs of one sentence may be in both" if isinstance(task.reader, ArrowReader) else fix
        yield f"{_span(near)} of {_examples(task, split, counts)} {_agree(near)} with a train text: {then}."


def _agree(values: Sequence[int | None]) -> str:
    return "agrees in most of its words" if _are(values) == "is" else "agree in most of their words"


def _cut(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    cut = [c for c in counts if c.cut is not None]
    if not any(c.cut for c in cut):
        return
    least = "at least " if any(c.counted_in == "words" for c in cut) else ""
    count = [c.cut for c in cut]
    line = f"{least}{_span(count)} of {_examples(task, split, cut)} {_are(count)} cut{_length(cut)}"
    if any(c.mentions_cut for c in cut):
        mentions, beyond = [c.mentions for c in cut], [c.mentions_cut for c in cut]
        of = f"{_span(mentions)} {_one(mentions, 'mentions')}"
        line += f"; {least}{_span(beyond)} of {of} {_are(beyond)} beyond the cut"
        line += _consequence(task, split, cut)
    yield line[0].upper() + line[1:] + "."


def _consequence(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> str:
    if split is Split.TRAIN:
        return ", where no model learns from them"
    if task.metric is MetricName.SUBWORD_F1:
        return f", where {task.metric} does not look"
    ceiling = min(c.recall_ceiling for c in counts)
    if math.ceil(100 * ceiling) >= 100:
        return ""
    where = " where most are" if len({c.recall_ceiling for c in counts}) > 1 else ""
    f1 = _ceiling(2 * ceiling / (1 + ceiling))
    return f", so recall cannot exceed {_ceiling(ceiling)} and F1 cannot exceed {f1}{where}"


def _absent(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    absent = [c for c in counts if c.absent_classes]
    if absent:
        ner = task.kind is TaskKind.NER
        total = [c.classes for c in absent[:1]]
        noun = {TaskKind.NER: "entity types", TaskKind.MULTILABEL: "labels"}.get(task.kind, "classes")
        classes = f"{absent[0].classes} {_one(total, noun)}"
        what = "mention" if ner else "row"
        after = ", where no model can learn from one" if split is Split.TRAIN else ""
        count = [c.absent_classes for c in absent]
        has = "has" if _are(count) == "is" else "have"
        yield f"{_span(count)} of {classes} {has} no {what} in {split}{after}."


def _skipped(split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    kinds = _most(c.skipped for c in counts)
    if count := sum(kinds.values()):
        records = "record" if count == 1 else "records"
        yield f"{count:,} malformed {records} of {split} left out (on_bad_record: skip){_by_kind(kinds)}."


def _set_aside(split: Split, counts: Sequence[SplitCounts]) -> Iterator[str]:
    kinds = _most(c.set_aside for c in counts)
    if count := sum(kinds.values()):
        what = "annotation or record" if count == 1 else "annotations or records"
        yield f"{count:,} {what} of {split} set aside{_by_kind(kinds)}."


def _most(several: Iterable[Kinds | None]) -> Kinds:
    return max((kinds for kinds in several if kinds), key=lambda kinds: sum(kinds.values()), default={})


def _by_kind(kinds: Kinds) -> str:
    ordered = sorted((item for item in kinds.items() if item[0]), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return ""
    shown = [f"{count:,} × {kind}" for kind, count in ordered[:_MOST_KINDS]]
    rest = f"; {len(ordered) - _MOST_KINDS} more kinds" if len(ordered) > _MOST_KINDS else ""
    return f": {'; '.join(shown)}{rest}"


def _examples(task: TaskSpec, split: Split, counts: Sequence[SplitCounts]) -> str:
    count = [c.examples for c in counts]
    return f"{_span(count)} {split} {_one(count, _noun(task))}"


def _noun(task: TaskSpec) -> str:
    return "sentences" if task.kind is TaskKind.NER else "texts"


def _length(counts: Sequence[SplitCounts]) -> str:
    lengths = [c.max_length for c in counts if c.max_length]
    return f" at {_span(lengths)} tokens" if lengths else ""


def _span(values: Iterable[int | None]) -> str:
    """Return `6`, or `1 to 6` if trials differ."""
    present = [value for value in values if value is not None]
    low, high = min(present), max(present)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _are(values: Iterable[int | None]) -> str:
    return "is" if max(value or 0 for value in values) == 1 else "are"


def _one(values: Iterable[int | None], many: str) -> str:
    """Return the noun for that number."""
    return many if _are(values) == "are" else {"classes": "class"}.get(many, many.removesuffix("s"))


def _ceiling(share: float) -> str:
    """Round up, so that the statement holds."""
    return f"{math.ceil(100 * share - 1e-9) / 100:.2f}"
