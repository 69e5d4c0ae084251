"""Find splits on which a score is meaningless: the metric is undefined, or all examples were seen before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.contracts.metrics import METRICS, OF_ONE_CLASS, PRIMARY, MetricName
from orchestrator.contracts.sameness import visible
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.task_rules import shares_held_out
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data.examples import Example, RegressionText
from workers.data.labels import class_counts

_FINDS = {  # metrics that are undefined if there is nothing to find
    MetricName.ENTITY_F1,
    MetricName.ENTITY_PRECISION,
    MetricName.ENTITY_RECALL,
    MetricName.SUBWORD_F1,
    MetricName.POSITIVE_MICRO_F1,
    MetricName.POSITIVE_MICRO_PRECISION,
    MetricName.POSITIVE_MICRO_RECALL,
}
_MOST_NAMES = 5


def check_scorable(
    task: TaskSpec,
    labels: Sequence[str],
    splits: Mapping[Split, Sequence[Example]],
    cap: str = "",
    of: str = "",
) -> None:
    """Raise DataError, for dev and test together, if the metric of the task is undefined for any predictions:
    no training can change that. `labels` are in the order of class ids; `cap` is the setting that reduced the
    splits, `of` the fold and seed that they are of."""
    missing = {
        split: reason
        for split in (Split.DEV, Split.TEST)
        if split in splits and (reason := _missing(task, labels, splits[split])) is not None
    }
    if not missing:
        return
    under = f" under {cap}" if cap else f" of {of}" if of else ""
    problem = "; ".join(f"{split}{under} has no {task.metric}: {reason}" for split, reason in missing.items())
    fix = f"raise {cap.split()[0]}" if cap else _remedy(task, list(missing))
    raise DataError(f"task {task.name}", None, problem, fix)


def check_separate(task: TaskSpec, counts: Mapping[Split, SplitCounts]) -> None:
    """Raise DataError if every example of a split is also in an earlier one: the split is a copy of it or of
    a part, and a score on it measures memorisation."""
    copies = {
        split: earlier
        for split, split_counts in counts.items()
        if (earlier := _copied(split_counts)) is not None
    }
    if not copies:
        return
    noun = "sentences" if task.kind is TaskKind.NER else "texts"
    problems = [
        f"all {counts[s].examples:,} {noun} of {s} are also in {earlier}" for s, earlier in copies.items()
    ]
    held_out = shares_held_out(task.reader)
    keys = [f"reader.files.{split}" for split in copies if split not in held_out]
    fix = "remove the duplicates from the files of train"
    if keys:
        fix = f"name other files under {' and '.join(keys)}, or remove them and hold out a part of train"
    raise DataError(f"task {task.name}", None, "; ".join(problems), fix)


def _copied(counts: SplitCounts) -> Split | None:
    shared = {Split.TRAIN: counts.also_in_train, Split.DEV: counts.also_in_dev}
    return next((earlier for earlier, count in shared.items() if count and count == counts.examples), None)


def _missing(task: TaskSpec, labels: Sequence[str], examples: Sequence[Example]) -> str | None:
    class_sizes = class_counts(examples)
    if task.kind is TaskKind.REGRESSION:
        values = {example.value for example in examples if isinstance(example, RegressionText)}
        constant = task.metric is MetricName.PEARSON and len(values) < 2
        return "all of its rows have the same number" if constant else None
    if task.kind is TaskKind.MULTILABEL:
        return _missing_of_labels(task.metric, labels, class_sizes, len(examples))
    if task.metric in _FINDS and not sum(n for name, n in class_sizes.items() if name != task.negative_label):
        noun = "mention" if task.kind is TaskKind.NER else f"row of another class than {task.negative_label}"
        return f"there is nothing to find, as it has no {noun}"
    if task.metric in OF_ONE_CLASS and str(task.positive_label) not in class_sizes:
        return f"no row has the label {visible(str(task.positive_label))}"
    absent = [label for label in labels if label not in class_sizes]
    if task.metric is MetricName.MACRO_AUROC and absent:
        names = ", ".join(map(visible, absent[:_MOST_NAMES])) + (", …" if absent[_MOST_NAMES:] else "")
        has = "has" if len(absent) == 1 else "have"
        return f"{len(absent)} of the {len(labels)} classes {has} no row in it ({names})"
    return None


def _missing_of_labels(
    metric: MetricName, labels: Sequence[str], sizes: Mapping[str, int], rows: int
) -> str | None:
    if metric in (MetricName.MICRO_F1, MetricName.MACRO_F1) and not sizes:
        return "there is nothing to find, as no row has a label"
    one_sided = [label for label in labels if sizes.get(label, 0) in (0, rows)]
    if metric is MetricName.MACRO_AUROC and one_sided:
        names = ", ".join(map(visible, one_sided[:_MOST_NAMES])) + (", …" if one_sided[_MOST_NAMES:] else "")
        of_labels = f"{len(one_sided)} of the {len(labels)} labels"
        return f"{of_labels} {'has' if len(one_sided) == 1 else 'have'} no row in it, or all rows ({names})"
    return None


def _remedy(task: TaskSpec, splits: Sequence[Split]) -> str:
    noun = "mentions" if task.kind is TaskKind.NER else "rows of these classes"
    if task.metric in OF_ONE_CLASS:
        noun = f"rows of {visible(str(task.positive_label))}"
    elif task.kind is TaskKind.REGRESSION:
        noun = "rows with other numbers"
    elif task.kind is TaskKind.MULTILABEL:
        noun = "rows with these labels" if task.metric is MetricName.MACRO_AUROC else "rows with labels"
    elif task.metric is not MetricName.MACRO_AUROC and task.kind is not TaskKind.NER:
        noun = "rows of the other classes"
    held_out = [split for split in splits if split in shares_held_out(task.reader)]
    raised = [f"hold_out.{split}" for split in held_out if split is not Split.TEST or task.folds is None]
    fixes = [f"add {noun} to {' and '.join(splits)}"]
    fixes += [f"raise {' and '.join(raised)}"] if raised else []
    fixes += ["lower hold_out.folds"] if len(raised) < len(held_out) else []
    undefined = (MetricName.MACRO_AUROC, MetricName.PEARSON, *OF_ONE_CLASS)  # on a split without a class
    metric = PRIMARY[task.kind] if task.metric in undefined else MetricName.LOSS
    if task.kind in METRICS[metric].kinds:
        fixes.append(f"set another metric of the task, say {metric}")
    return ", or ".join(fixes)
