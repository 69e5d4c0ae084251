"""The README.md of an exported model: a model card as Hugging Face's hub has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCardData

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.caveats import caveats, distinct
from orchestrator.contracts.exported import ExportAnswer, Exported, WeightsLayout
from orchestrator.contracts.markdown import plain
from orchestrator.contracts.metrics import IN_THE_UNIT, METRICS, MetricName
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import seed_name
from orchestrator.contracts.vocabulary import Phase, Sensitivity, TaskKind
from orchestrator.report.render.licences import Strictness, hub_licence, terms_of
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.weights_provenance import weights_origins
from orchestrator.report.task_report import TaskReport
from orchestrator.report.text import interval_of, mean_text, metric_title, read_interval, short
from orchestrator.tracking.energy import energy_of
from orchestrator.units import device_time, quantity

_FEW_SEEDS = 5
_WEIGHTS = ".safetensors"
_PIPELINES = {TaskKind.NER: "token-classification"}
_LIBRARIES = {WeightsLayout.ADAPTER: "peft", WeightsLayout.WHOLE: "transformers"}
_TYPES = {
    **{metric: "f1" for metric in MetricName if metric.value.endswith(("f1", "f1_with_negative"))},
    MetricName.ACCURACY: "accuracy",
    MetricName.COHENS_KAPPA: "cohen_kappa",
    MetricName.MACRO_AUROC: "roc_auc",
    MetricName.LOSS: "loss",
    MetricName.MAE: "mae",
    MetricName.RMSE: "rmse",
    MetricName.PEARSON: "pearsonr",
    MetricName.ENTITY_PRECISION: "precision",
    MetricName.ENTITY_RECALL: "recall",
    MetricName.CLASS_PRECISION: "precision",
    MetricName.CLASS_RECALL: "recall",
    MetricName.POSITIVE_MICRO_PRECISION: "precision",
    MetricName.POSITIVE_MICRO_RECALL: "recall",
}
_TERMS = {
    Strictness.AGREEMENT: "Give these weights only to people who may have the data: they were trained on it.",
    Strictness.RESTRICTED: "Read these terms before you use or share the model.",
    Strictness.UNKNOWN: "Find out the terms before you use or share the model.",
}
_SENSITIVE = (
    "The model was trained on sensitive text. Weights can give away text they were trained on: treat them "
    "as you treat that text."
)
_TOKENISED = (
    "Text is split into words (runs of letters and digits; every other sign is a word), the words are joined "
    "by spaces, and the tag of a word is that of its first sub-word."
)


@dataclass(frozen=True)
class CardFacts:
    """What a card is written from. `how`: how the seed was chosen."""

    exported: Exported
    answer: ExportAnswer
    sweep: SweepRecord
    task: TaskReport
    point: Point
    comparison: Comparison
    outcome: Outcome
    how: str


def model_card(facts: CardFacts) -> str:
    """Return the card: metadata, then Markdown. It has names of labels, and no word of the data."""
    sections = (_head, _terms, _use, _results, _costs, _limits, _provenance)
    body = "\n".join(line for section in sections for line in section(facts))
    return f"---\n{_metadata(facts).to_yaml(line_break=chr(10))}\n---\n{body}\n"


def _metadata(facts: CardFacts) -> ModelCardData:
    exported = facts.exported
    pipeline = _PIPELINES.get(exported.use.kind, "text-classification")
    licence, name = hub_licence(terms_of(_backbone(facts), exported.task))
    weights = _backbone(facts).weights
    seed = seed_name(exported.seed, exported.fold).replace("-", " ")
    return ModelCardData(
        model_name=f"{exported.sweep}: {exported.cell.name}, {seed}",
        base_model=weights.hub if isinstance(weights, HubWeights) else None,
        library_name=_LIBRARIES[exported.layout],
        license=licence,
        license_name=name,
        pipeline_tag=pipeline,
        tags=["frontier", exported.use.method.settings.kind, exported.task.domain],
        eval_results=[
            EvalResult(
                task_type=pipeline,
                dataset_type=exported.task.name,
                dataset_name=exported.task.title,
                dataset_split="test",
                metric_type=_TYPES[metric],
                metric_name=METRICS[metric].title,
                metric_value=value.value,
            )
            for metric, value in facts.exported.test.items()
            if value.value is not None
        ],
    )


def _backbone(facts: CardFacts) -> BackboneSpec:
    return facts.sweep.backbones[facts.exported.cell.backbone_key]


def _head(facts: CardFacts) -> Iterator[str]:
    exported, backbone = facts.exported, _backbone(facts)
    method = exported.use.method
    yield f"\n# {plain(exported.task.title)}: {exported.cell.label}\n"
    what = "an adapter" if exported.layout is WeightsLayout.ADAPTER else "a whole model"
    yield (
        f"This folder holds {what} for {exported.use.kind} (task `{exported.task.name}`): backbone "
        f"{plain(backbone.name)}, method {plain(method.name)}, {facts.how}."
    )
    if facts.task.invented:
        yield "The task's data are generated, so no score here says anything about real text."


def _terms(facts: CardFacts) -> Iterator[str]:
    terms = terms_of(_backbone(facts), facts.exported.task)
    yield "\n## Terms\n"
    if terms[0].strictness in _TERMS:
        yield (
            f"**{plain(terms[0].licence or 'Unknown terms')}** ({plain(terms[0].of)}). "
            + _TERMS[terms[0].strictness]
        )
    if facts.exported.task.data is Sensitivity.SENSITIVE:
        yield f"\n**{_SENSITIVE}**"
    yield ""
    yield from (f"- {plain(term.of)}: {plain(term.licence or 'unknown')}" for term in terms)
    lineage = _backbone(facts).lineage
    if lineage.started_from:
        yield f"- the backbone started from {plain(lineage.started_from)}, whose terms apply as well"
    if lineage.teacher:
        yield f"- the backbone was distilled from {plain(lineage.teacher)}, whose terms may apply as well"


def _use(facts: CardFacts) -> Iterator[str]:
    use, answer = facts.exported.use, facts.answer
    yield "\n## How to use it\n"
    yield f"Run this in the folder. It needs {_needs(facts)}, and not Frontier.\n"
    yield f"```python\n{answer.snippet}```\n"
    if use.kind is TaskKind.REGRESSION:
        unit = facts.exported.task.unit
        yield f"- It answers with a number{f', in {plain(unit)}' if unit else ''}."
    else:
        yield f"- Labels: {', '.join(f'`{plain(label)}`' for label in use.labels)}."
    if use.threshold is not None:
        yield (
            f"- A text gets each label with a probability of at least {use.threshold:.3f}, and may get none. "
            "This threshold scored best on dev."
        )
    yield f"- A text is cut to {use.max_length} tokens."
    if use.kind is TaskKind.NER:
        yield f"- {_TOKENISED}"
    if use.kind is TaskKind.RELATION:
        yield "- A text is one sentence in which the two mentions are masked as in the training data."
    quantised = use.method.settings.quantised_to
    if quantised is not None:
        yield (
            f"- It was trained and scored on a base in {quantised}; loaded here, its base is unquantised, so "
            "its answers and scores differ from the ones below. `frontier predict` and `frontier evaluate` "
            "quantise the base as the trial did, on a GPU."
        )
    if use.precision.value != "fp32":
        yield f"- It was scored in {use.precision}; in fp32 answers differ by rounding."
    model = "trained model" if quantised is None else "trained adapter on the same unquantised base"
    yield (
        f"- Loaded without Frontier, its logits differ from those of the {model} by at most "
        f"{answer.differs:.1e} ({answer.rows} rows of random tokens, fp32, on a CPU)."
    )


def _needs(facts: CardFacts) -> str:
    software = facts.comparison.software
    names = ["torch", "transformers", *(["peft"] if facts.exported.layout is WeightsLayout.ADAPTER else [])]
    versions = [f"{name} {software[name]}" if name in software else name for name in names]
    return f"{', '.join(versions[:-1])} and {versions[-1]}"


def _results(facts: CardFacts) -> Iterator[str]:
    point, metric = facts.point, facts.task.metric
    fold = facts.exported.fold
    yield f"\n## Results {'on the test part' if fold is None else 'of cross-validation'}\n"
    over = f", over {point.simultaneous.over}" if point.simultaneous is not None else ""
    seeds = quantity(point.quality.n if point.quality else 0, "seed")
    interval = interval_of(point)
    known = f"95 % interval {interval}{over}" if read_interval(point) else f"no interval{interval[4:]}"
    yield (
        f"{short(facts.task.metric_title)} of this cell: **{mean_text(point.quality)}** "
        f"(mean of {seeds}; {known}). An interval holds for all cells of the task at once.\n"
    )
    if fold is not None:
        yield (
            f"With each seed {fold.of} models were trained, and each document was tested by the one that had "
            f"not seen it. This model is one of them and was tested on fold {fold.number} of {fold.of} only, "
            "so its own score is less certain than that of the cell.\n"
        )
    yield f"| metric | this {'seed' if fold is None else 'model'} | mean of the cell |\n|---|---|---|"
    for name, value in facts.exported.test.items():
        own = plain(value.missing) if value.value is None else f"{value.value:.3f}"
        unit = facts.exported.task.unit if name in IN_THE_UNIT else None
        yield f"| {plain(metric_title(name, unit))} | {own} | {mean_text(point.metrics.get(name))} |"
    if (floor := facts.task.guessing.get(metric)) is not None:
        yield f"\nGuessing gives {short(facts.task.metric_title)} {floor:.3f}."


def _costs(facts: CardFacts) -> Iterator[str]:
    point, unit = facts.point, facts.comparison.unit
    yield "\n## Cost\n"
    hours = None if point.device_hours is None else point.device_hours.mean
    each = f"{device_time(hours, unit)} per {'seed' if point.folds is None else 'model'}"
    yield f"- Training: {each} ({facts.comparison.label}); energy {_kwh(point)}."
    if point.money is not None and facts.task.currency is not None:
        yield f"- Money for a training run, at the sweep's prices: {point.money:.2g} {facts.task.currency}."
    if not facts.outcome.serving:
        yield "- Answering: not measured."
        return
    for served in facts.outcome.serving:
        yield (
            f"- Answering, {quantity(served.batch_size, 'text')} at a time: "
            f"{served.examples_per_second:,.0f} a second, {1000 * served.latency_seconds:.1f} ms each time."
        )
    work = facts.outcome.work.get(Phase.SERVE)
    device = facts.comparison.device_type
    energy = None if work is None else energy_of(facts.outcome, work, device).joules
    texts = sum(served.batch_size * served.batches for served in facts.outcome.serving)
    spent = "not measured" if energy is None else f"at most {energy / texts:.2g} J a text"
    yield f"- Energy of answering: {spent}."


def _kwh(point: Point) -> str:
    if point.energy_kwh is None:
        return "not measured"
    return f"{point.energy_kwh:.2g} kWh ({point.energy_source})"


def _limits(facts: CardFacts) -> Iterator[str]:
    point, task = facts.point, facts.exported.task
    yield "\n## Known limits\n"
    if point.saw:
        yield f"- Contamination: the backbone's pretraining read {plain(point.saw)}, the corpus of this task."
    if point.failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in point.failed.items())
        yield f"- Of {point.trainings} of this cell some failed: {kinds}."
    if point.seeds < _FEW_SEEDS:
        yield f"- {quantity(point.seeds, 'seed')}: other seeds may score clearly lower."
    if "the best" in facts.how:
        what = "seed" if point.folds is None else "model"
        yield f"- The {what} is the best on dev of its cell, so its scores on dev are too good."
    if facts.sweep.data_changed(task.name, facts.outcome.ended_at):
        yield "- The files of the task changed while trials ran: it may have read other rows than planned."
    yield from (f"- {plain(line)}" for line in caveats(task, distinct([facts.outcome])))
    if task.note:
        yield f"- {plain(task.note)}"
    yield "- Its scores hold for text like that of the test part; they were measured on no other."


def _provenance(facts: CardFacts) -> Iterator[str]:
    exported, sweep = facts.exported, facts.sweep
    origin = next(o for o in weights_origins(sweep) if o.backbone == _backbone(facts).name)
    rows = {
        "sweep": exported.sweep,
        "cell": exported.cell.name,
        "seed": str(exported.seed),
        **({} if exported.fold is None else {"fold": f"{exported.fold.number} of {exported.fold.of}"}),
        "fingerprint": exported.fingerprint,
        "backbone": f"{origin.source}{f' at revision {origin.revision}' if origin.revision else ''}",
        "recipe": _recipe(facts),
        **facts.comparison.software,
        **{key: value for key, value in sweep.provenance.items() if not key.startswith("data of ")},
        "data": sweep.provenance.get(f"data of {exported.task.name}", "unknown"),
        **{f"sha256 of {path}": d for path, d in exported.files.items() if path.endswith(_WEIGHTS)},
    }
    yield "\n## Provenance\n\n| what | value |\n|---|---|"
    yield from (f"| {plain(name)} | {plain(value)} |" for name, value in rows.items())


def _recipe(facts: CardFacts) -> str:
    recipe = facts.sweep.recipes[facts.exported.cell.name]
    length = f"{recipe.epochs} epochs" if recipe.counts_epochs else f"{facts.outcome.steps} steps"
    return f"learning rate {recipe.learning_rate:g}, batch size {recipe.batch_size}, {length}"
