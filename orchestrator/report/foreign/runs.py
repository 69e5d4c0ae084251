"""From rows to runs, with every mistake at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report.foreign.mapping import RunField, RunMapping
from orchestrator.report.scores.table import parse_number
from orchestrator.report.statistics.summary import bounds

UNSTATED = "any"  # the domain of runs that name none
UNKNOWN_DEVICE = "unknown device"
LARGEST_SEED = 2**32 - 1
LARGEST = 10**18  # seconds, bytes, joules, weights: no run has more, and sums of it are finite
_HOUR, _GIB, _KWH, _MS = 3600, 2**30, 3.6e6, 1 / 1000
# What a figure is multiplied with, to be in seconds, joules or bytes.
_SCALES = {
    RunField.DEVICE_HOURS: _HOUR,
    RunField.LATENCY_MS: _MS,
    RunField.ENERGY_KWH: _KWH,
    RunField.PEAK_MEMORY_GIB: _GIB,
}
# A run without one of these is a mistake; without another figure, that figure is missing.
_FILLED = (RunField.MODEL, RunField.METHOD, RunField.TASK, RunField.METRIC, RunField.SEED)
_WHOLE = (RunField.SEED, RunField.TOTAL_PARAMETERS, RunField.TRAINABLE_PARAMETERS)


class Run(Record):
    """One run of another tool. Figures that were not measured are None; `where` says which run it is."""

    where: str
    model: str
    domain: str = UNSTATED
    method: str
    task: str
    seed: NonNegativeInt | None = None
    metric: MetricName
    score: float | None = None  # as the metric is read
    missing: str | None = None  # why there is no score
    ended: bool = True
    ended_at: float = 0.0  # Unix time; 0: not known
    device_type: str = UNKNOWN_DEVICE
    devices: PositiveFloat = 1.0
    device_seconds: NonNegativeFloat | None = None
    latency_seconds: NonNegativeFloat | None = None
    energy_joules: NonNegativeFloat | None = None
    peak_memory_bytes: PositiveInt | None = None
    saved_bytes: NonNegativeInt | None = None
    total_parameters: PositiveInt | None = None
    trainable_parameters: NonNegativeInt | None = None
    precision: Precision | None = None
    software: dict[str, str] = Field(default_factory=dict)

    @property
    def cell(self) -> tuple[str, str, str, str]:
        return self.model, self.domain, self.method, self.task


@dataclass(frozen=True)
class RunRow:
    """A run as it was read: text by column, without columns that have none."""

    file: str
    place: str  # "line 3", "run 4f3a"
    values: Mapping[str, str]
    ended: bool = True
    ended_at: float = 0.0


def runs_of(rows: Sequence[RunRow], mapping: RunMapping, file: str, mapped_in: str) -> list[Run]:
    """Return the runs of a source. `mapped_in` is what the mapping is called. Raises ConfigError."""
    if not rows:
        raise ConfigError([Problem(file, "", "has no runs", "add one row per run")])
    if problems := _columns(rows, mapping, mapped_in):
        raise ConfigError(problems)
    chosen = [row for row in rows if all(row.values.get(key) == value for key, value in mapping.only.items())]
    if not chosen:
        only = ", ".join(f"{key}: {value}" for key, value in mapping.only.items())
        raise ConfigError([Problem(mapped_in, "only", f"no run has {only}", "change or remove `only`")])
    runs: list[Run] = []
    for row in chosen:
        faults = list(_problems(row, mapping))
        problems += faults
        if not faults:
            runs.append(_run(row, mapping))
    kept, repeated = without_repeats(runs, newest=mapping.repeats == "newest")
    problems += [*repeated, *mixed_metrics(kept)]
    if problems:
        raise ConfigError(problems)
    return kept


def without_repeats(runs: Sequence[Run], *, newest: bool) -> tuple[list[Run], list[Problem]]:
    """Return one run per cell and seed, and a problem for each further one that ended. One that did not end
    counts only where none did. `newest`: keep the one that ended last, or that comes last where no time is
    known."""
    kept: dict[tuple[object, ...], Run] = {}
    problems = []
    for run in sorted(runs, key=lambda run: run.ended_at) if newest else runs:
        key = (*run.cell, run.seed)
        before = kept.get(key)
        if before is not None and before.ended and not run.ended:
            continue
        if before is not None and before.ended and not newest:
            seed = "no seed" if run.seed is None else f"seed {run.seed}"
            problem = f"{run.model}, {run.method}, {run.task} and {seed} are those of {before.where} too"
            fix = "name a column of `seed`, add to `method` what differs, or set repeats: newest"
            problems.append(Problem(run.where, "", problem, fix))
        kept[key] = run
    return list(kept.values()), problems


def _columns(rows: Sequence[RunRow], mapping: RunMapping, mapped_in: str) -> list[Problem]:
    """Return a problem for each column that no run has."""
    columns = {name for row in rows for name in row.values}
    keys = {name: f"columns.{field}" for field in mapping.columns for name in mapping.columns_of(field)}
    return [
        Problem(mapped_in, keys.get(name, "only"), f"no run has {name!r}", did_you_mean(name, columns))
        for name in mapping.used
        if name not in columns
    ]


def _text(row: RunRow, mapping: RunMapping, field: RunField) -> str:
    if field in mapping.values:
        return str(mapping.values[field])
    parts = [row.values.get(name, "") for name in mapping.columns_of(field)]
    return "-".join(part for part in parts if part)


def _problems(row: RunRow, mapping: RunMapping) -> Iterator[Problem]:
    for field in RunField:
        text = _text(row, mapping, field)
        if not mapping.has(field) or (not text and field not in _FILLED):
            continue
        key = "-".join(mapping.columns_of(field)) or f"values.{field}"
        if fault := _fault(field, text, row, mapping):
            yield Problem(row.file, f"{row.place}, {key}", *fault)


def _fault(field: RunField, text: str, row: RunRow, mapping: RunMapping) -> tuple[str, str] | None:
    """Return what is wrong with a value, and the fix."""
    if not text:
        return "is empty", "fill it in, or remove the run"
    if field is RunField.METRIC:
        names = [name.value for name in MetricName]
        return None if text in names else (f"unknown metric, got {text!r}", did_you_mean(text, names))
    if field.is_name:
        return None
    value = parse_number(text)
    if value is None:
        return f"expected a number, got {text!r}", "write it as digits, say 1234.5 or 1.2e9"
    if field in _WHOLE and value != int(value):
        return f"expected a whole number, got {text!r}", "write it without a fraction"
    if abs(value) * _SCALES.get(field, 1) > LARGEST:
        return f"is too large, got {text}", "correct it, or leave it empty if it is not known"
    if field is RunField.QUALITY:
        return _score_fault(value, _text(row, mapping, RunField.METRIC), mapping)
    if value < 0 or (field is RunField.DEVICES and not value):
        return f"expected more than 0, got {text}", "correct it, or leave it empty if it is not known"
    if field is RunField.SEED and value > LARGEST_SEED:
        return f"expected a seed below 2^32, got {text}", "write a smaller number"
    return None


def _score_fault(value: float, metric: str, mapping: RunMapping) -> tuple[str, str] | None:
    low, high = bounds(MetricName(metric)) if metric in list(MetricName) else (0.0, 1.0)
    if mapping.quality_in == "percent":
        low, high = 100 * low, 100 * high
    if low <= value <= high:
        return None
    fix = "set quality_in: percent" if 1 < value <= 100 else "map another column, or set metric: loss"
    return f"expected a score from {low:g} to {high:g}, got {value:g}", fix


def _run(row: RunRow, mapping: RunMapping) -> Run:
    def text(field: RunField) -> str | None:
        return _text(row, mapping, field) or None

    def figure(field: RunField) -> float | None:
        value = text(field)
        return None if value is None else float(value) * _SCALES.get(field, 1)

    def whole(field: RunField) -> int | None:
        value = figure(field)
        return None if value is None else round(value)

    metric, score = MetricName(text(RunField.METRIC) or ""), figure(RunField.QUALITY)
    if score is not None and mapping.quality_in == "percent" and METRICS[metric].higher_is_better:
        score /= 100
    devices = figure(RunField.DEVICES) or 1.0
    seconds = figure(RunField.DEVICE_HOURS) or devices * (figure(RunField.WALL_SECONDS) or 0)
    return Run(
        where=f"{row.file}, {row.place}",
        model=text(RunField.MODEL),
        domain=text(RunField.DOMAIN) or UNSTATED,
        method=text(RunField.METHOD),
        task=text(RunField.TASK),
        seed=whole(RunField.SEED),
        metric=metric,
        score=score,
        missing=None if score is not None else "the run has no score",
        ended=row.ended,
        ended_at=row.ended_at,
        device_type=_device(text(RunField.DEVICE)),
        devices=devices,
        device_seconds=seconds or None,  # 0 was not measured
        latency_seconds=figure(RunField.LATENCY_MS),
        energy_joules=figure(RunField.ENERGY_KWH),
        peak_memory_bytes=whole(RunField.PEAK_MEMORY_GIB) or None,
        total_parameters=whole(RunField.TOTAL_PARAMETERS) or None,
        trainable_parameters=whole(RunField.TRAINABLE_PARAMETERS),
    )


def _device(text: str | None) -> str:
    if text is None:
        return UNKNOWN_DEVICE
    return CPU if text.casefold() == CPU else text


def mixed_metrics(runs: Iterable[Run]) -> list[Problem]:
    """Return a problem for each task whose runs are scored by several metrics: these cannot be compared."""
    by_task: dict[str, dict[MetricName, str]] = {}
    for run in runs:
        by_task.setdefault(run.task, {}).setdefault(run.metric, run.where)
    return [
        Problem(
            list(metrics.values())[1],
            "",
            f"{task} is scored by {' and by '.join(metrics)}",
            "score a task by one metric, or give the others a task of their own",
        )
        for task, metrics in by_task.items()
        if len(metrics) > 1
    ]
