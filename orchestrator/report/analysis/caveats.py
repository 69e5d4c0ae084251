"""What must be read with the figures: of one task, and of the whole report."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestrator.contracts.backbone import MadeWeights, RandomWeights, pretraining_known
from orchestrator.contracts.caveats import caveats, changed_data
from orchestrator.contracts.guessing import answer_to_all
from orchestrator.contracts.metrics import IN_THE_UNIT, METRICS, MetricName
from orchestrator.contracts.readers import ConllReader
from orchestrator.contracts.risks import Risk
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import FailureRule, Sensitivity, Source, Unit
from orchestrator.report.results.collect import Collected
from orchestrator.report.results.guessing import Guess
from orchestrator.report.results.point import Point, fold_count
from orchestrator.report.results.pooled_metrics import MEANS
from orchestrator.report.task_report import TaskReport

_INTERVALS = (
    "The 95 % interval of a quality is over seeds and, where results have a score for each document, over "
    "test documents. It holds for all cells of a task at once, so also for the chosen one. It does not cover "
    "other training data."
)
_MACRO_F1 = (
    "Macro F1 is the mean over the classes that occur in test or in a prediction, so one prediction of a "
    "class that is not in test lowers it; with classes of fewer than 10 test examples its intervals are "
    "approximate."
)
_ELSEWHERE = "Seeds lost to the machine, to a time limit or to memory are left out of all figures."
_FAILURES = {
    FailureRule.COUNT: (
        "Seeds whose training collapsed or diverged count with what guessing gives, whether stop_collapsed "
        f"ended them or not (failures: count). {_ELSEWHERE}"
    ),
    FailureRule.LEAVE_OUT: (
        "Seeds whose training collapsed or diverged are left out, so quality is that of the seeds that "
        f"worked (failures: leave_out). {_ELSEWHERE}"
    ),
}
_COST = (
    "Cost is what a trial takes without interruption: allocated devices × the time in which it loads the "
    "weights, trains and scores. The totals list what else was billed: reading the data, which the first "
    "trial does for others, failures and preemptions."
)
_FOREIGN = (
    "Frontier did not make these runs: scores, costs and names are those of {source}. It cannot check how "
    "they were measured, nor that runs that share a cost axis had the same data, budget and machine."
)
_FOREIGN_COST = (
    "Cost is devices × time, as each run says. Runs without a cost are in the tables and not on the frontier."
)


_CAPPED = {
    "train": "Trained on {used} of the {there:,} training examples (a cap of the recipe).",
    "dev": "The best checkpoint was chosen on {used} of the {there:,} dev examples (dev_rows).",
}
_FOLDS = (
    "Cross-validation: for each seed the documents are dealt to {folds} folds, and each fold is tested by a "
    "model that was trained on the others. A score is that of the answers to all documents, a cost that of "
    "one training. Intervals allow for training parts that overlap. A model that is trained on all of them, "
    "as you would use it, tends to be a little better."
)
_MEANS_OF_FOLDS = (
    "By this metric the score of a seed is the mean of those of its folds: it cannot be computed from the "
    "answers of several models together."
)
_FEW_CAPS = 2
_SET_ID = "set `id` of the reader to the column with the id of the patient or note"
_ENERGY = (
    "Energy is that of the devices a trial is billed for: of GPUs by their own counters, of cores by the "
    "processors'. Other components of the machine are not included."
)
_SHARED = " Of trials on a part of them it is estimated, by their share of the counter."


def guessed(task: TaskSpec, guess: Guess) -> list[str]:
    """Say what guessing scores, where trials measured it or the classes of train give it."""
    score = guess.scores.get(task.metric)
    if score is None or not (guess.measured or score):
        return []
    supposed = "" if guess.measured else ", if test has the classes of train"
    title = METRICS[task.metric].title.split(" (")[0]
    unit = f" {task.unit}" if task.unit and task.metric in IN_THE_UNIT else ""
    return [f"Guessing ({answer_to_all(task.kind)}) gives {title} {score:.3f}{unit}{supposed}."]


def of_metric(task: TaskSpec) -> list[str]:
    """Say what the intervals of the metric do not allow for."""
    return [_MACRO_F1] if task.metric is MetricName.MACRO_F1 else []


def independence(task: TaskSpec, units: Collection[Unit]) -> list[str]:
    """Say what the intervals assume where the files do not say which test examples belong together."""
    unknown = [unit for unit in Unit if unit in units and not unit.is_known]
    if not unknown:
        return []
    fix = "mark documents with -DOCSTART- lines" if isinstance(task.reader, ConllReader) else _SET_ID
    taken = unknown[-1].value
    return [
        f"Test {taken} are taken as independent, because the files do not say which of them are of one note "
        f"or patient: where several are, intervals are too narrow and p-values too small. To fix this, {fix}."
    ]


def false_claims(tasks: Sequence[TaskReport]) -> list[str]:
    """Say how many false claims to expect: each family is corrected by itself, and a report has many."""
    count = sum(sum(f.size > 0 for f in task.claims) + sum(g.best for g in task.groups) for task in tasks)
    if count < 2:
        return []
    return [
        f"Comparisons are corrected within each of {count} families (claims of one kind, or a set of the "
        f"best, of one task), at 5 % each: if nothing differed, up to {0.05 * count:.1f} of them would be "
        "expected to claim a difference that is not there."
    ]


def task_notes(
    task: TaskSpec, collected: Collected, comparisons: int, points: Sequence[Point]
) -> tuple[str, ...]:
    lines = changed_data(collected.data_changed[task.name])
    if task.note:
        lines.append(task.note)
    for split in _CAPPED:
        lines += _capped(split, [c for c in collected.capped.get(task.name, ()) if c[0] == split])
    if (folds := fold_count(points)) is not None:
        lines.append(_FOLDS.format(folds=folds))
        lines += [_MEANS_OF_FOLDS] if task.metric in MEANS else []
    if comparisons > 1:
        lines.append(
            f"Results come from {comparisons} different set-ups (device, precision or software). Their costs "
            "cannot be compared, so each set-up has its own frontier."
        )
    return (*lines, *caveats(task, collected.counted(task.name)), *_of_points(points))


def _of_points(points: Sequence[Point]) -> list[str]:
    """Return the sentences that hold for several points of a task."""
    lines = []
    saw = sorted({(p.saw, p.backbone or p.cell.backbone_key) for p in points if p.saw})
    for corpus in sorted({corpus for corpus, _ in saw}):
        names = ", ".join(name for read, name in saw if read == corpus)
        lines.append(
            f"Contamination: the pretraining of {names} read {corpus}, the corpus of this task. Their scores "
            "are not scores on unseen text."
        )
    lines += _of_sharing([p for p in points if p.shared_gpu])
    if any(p.energy_kwh is not None for p in points):
        lines.append(_ENERGY + (_SHARED if any(p.energy_source is Source.ESTIMATED for p in points) else ""))
    if any(p.budget for p in points):
        lines.append("Training went by a budget, not by epochs: each point names its own.")
    return lines


def _of_sharing(shared: Sequence[Point]) -> list[str]:
    lines = []
    if calibrated := sum(p.device_hours is not None for p in shared):
        lines.append(
            f"{_cells(calibrated)} shared a GPU, where the time of a trial depends on the others. The cost "
            "given is that of the trial alone on one GPU, scaled from a short calibration of its model, "
            "method and task. The amount paid is given beside it as billed."
        )
    if without := len(shared) - calibrated:
        lines.append(
            f"{_cells(without)} shared a GPU and were not calibrated on one of their own: their cost is not "
            "comparable, so none is given. Run `frontier run` again: it makes the missing calibrations."
        )
    if shared:
        lines.append("Energy, latency and tokens a second are not given for trials that shared a GPU.")
    return lines


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


def _capped(split: str, capped: Sequence[tuple[str, int, int]]) -> list[str]:
    """Return one sentence per cap, or a range where there are many: then each point gives its own."""
    if len(capped) <= _FEW_CAPS:
        return [_CAPPED[split].format(used=f"{used:,}", there=total) for _, used, total in sorted(capped)]
    used, total = [c[1] for c in capped], max(c[2] for c in capped)
    return [_CAPPED[split].format(used=f"{min(used):,} to {max(used):,}", there=total)]


INVENTED = "The text of "


def _accepted(sweep: SweepRecord) -> list[str]:
    """Say which risks of sensitive data the sweep accepted."""
    risks = [Risk(name) for name in sweep.config.get("accepted_risks", ())]
    titles = [
        task.title
        for task in sweep.tasks.values()
        if task.data is Sensitivity.SENSITIVE and not task.invented
    ]
    if not (risks and titles):
        return []
    parts = "; ".join(f"{risk.consequence} ({risk})" for risk in risks)
    return [
        f"The data of {_all(titles, len(sweep.tasks), 'tasks')} are sensitive, and the sweep accepted that "
        f"{parts}."
    ]


def notices(sweep: SweepRecord, collected: Collected) -> tuple[str, ...]:
    lines = []
    invented = [task.title for task in sweep.tasks.values() if task.invented]
    if invented:
        lines.append(
            f"{INVENTED}{_all(invented, len(sweep.tasks), 'tasks')} is invented. The scores show that the "
            "pipeline works and what it costs; they say nothing about medicine."
        )
    generated = [b.name for b in sweep.backbones.values() if isinstance(b.weights, MadeWeights)]
    if generated:
        lines.append(
            f"The weights of {_all(generated, len(sweep.backbones), 'backbones')} were generated by a "
            "short pre-training on invented text. They do not replace published models."
        )
    random = [b.name for b in sweep.backbones.values() if isinstance(b.weights, RandomWeights)]
    if random:
        lines.append(
            f"The weights of {_all(random, len(sweep.backbones), 'backbones')} are random: tiny models that "
            "run each line of code and learn nothing. No score here is a result."
        )
    lines += _accepted(sweep)
    unknown = sorted(b.name for b in sweep.backbones.values() if not pretraining_known(b))
    if unknown and any(task.corpus for task in sweep.tasks.values()):
        lines.append(
            f"What the pretraining of {', '.join(unknown)} read is not known, so it may include the corpus "
            "of a task."
        )
    if collected.reference_scans:
        lines.append(
            f"Trials of {', '.join(sorted(collected.reference_scans))} computed the scan as a loop in "
            "Python, because mamba-ssm and causal-conv1d are not installed. With both a GPU takes a "
            "fraction of the time: their cost and latency say nothing about state-space models."
        )
    partial = collected.unfinished or collected.stale
    if partial:
        lines.append(
            f"The sweep is not complete: {len(collected.unfinished)} trials are not finished, and "
            f"{len(collected.stale)} only have results of other settings, which are left out. P-values and "
            "intervals suppose one look at the complete sweep: who stops at the first look that shows a "
            "difference makes more false claims than 5 %."
        )
    lines += [
        f"A GPU failed on {machine} and ended {count} {'attempt' if count == 1 else 'attempts'}. Nothing was "
        "wrong with the trials. Look at `nvidia-smi` and for Xid in `dmesg` there."
        for machine, count in sorted(collected.faulty.items())
    ]
    if sweep.runs_from is not None:
        return (_FOREIGN.format(source=sweep.runs_from), *lines, _INTERVALS, _FOREIGN_COST)
    return (*lines, _INTERVALS, _FAILURES[sweep.failures], _COST)


def _all(names: list[str], total: int, what: str) -> str:
    return f"all {what}" if len(names) == total else ", ".join(sorted(names))
