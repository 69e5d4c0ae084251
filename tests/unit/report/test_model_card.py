"""The README.md of an exported model is a card that the hub's own library reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from ledger_builder import LedgerBuilder, task

from orchestrator.cli.export.choice import choose
from orchestrator.contracts.backbone import HubWeights, Lineage
from orchestrator.contracts.exported import ExportAnswer, Exported, ModelUse, WeightsLayout
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.metrics import METRICS, MetricName, MetricValue
from orchestrator.contracts.sweep import ChangedData
from orchestrator.contracts.vocabulary import Precision, Sensitivity, TaskKind
from orchestrator.report import build_report
from orchestrator.report.render.model_card import CardFacts, model_card


def facts(root: Path, kind: TaskKind = TaskKind.NER, **backbone: Any) -> CardFacts:
    builder = LedgerBuilder(root)
    own = task("mentions", kind, invented=False).model_copy(update={"data": Sensitivity.SENSITIVE})
    builder.plan(models=("mini",), domains=("clinical",), tasks=(own,))
    builder.finish_all()
    sweep = builder.ledger.sweep()
    spec = sweep.backbones["mini/clinical"].model_copy(update=backbone)
    sweep = sweep.model_copy(update={"backbones": {"mini/clinical": spec}})
    trials = list(builder.ledger.trials())
    chosen = choose(build_report(sweep, trials), trials, None, None, "best")
    answer = ExportAnswer(
        layout=WeightsLayout.ADAPTER,
        has_base=False,
        differs=1e-7,
        rows=8,
        snippet="import torch\n",
        mlflow_code="import mlflow\n",
    )
    exported = Exported(
        frontier_version="0.1.0",
        sweep=sweep.name,
        cell=chosen.point.cell,
        seed=chosen.trial.planned.seed,
        fingerprint="f" * 16,
        layout=answer.layout,
        use=ModelUse(
            kind=kind,
            labels=("O", "B-problem"),
            max_length=64,
            backbone=spec,
            method=sweep.method_of(chosen.point.cell),
            precision=Precision.FP32,
            batch_size=64,
        ),
        task=own,
        device_type="cpu",
        test=chosen.outcome.test,
        files={"adapter_model.safetensors": "a" * 64, "tokenizer.json": "b" * 64},
    )
    return CardFacts(
        exported, answer, sweep, chosen.task, chosen.point, chosen.comparison, chosen.outcome, chosen.how
    )


@pytest.mark.parametrize("kind", TaskKind)
def test_the_metadata_are_those_of_the_hub(tmp_path: Path, kind: TaskKind) -> None:
    written = facts(tmp_path, kind, weights=HubWeights(hub="org/mini", revision="abc"), licence="MIT")
    card = ModelCard(model_card(written))
    pipeline = "token-classification" if kind is TaskKind.NER else "text-classification"
    assert (card.data.library_name, card.data.base_model) == ("peft", "org/mini")
    assert card.data.pipeline_tag == pipeline
    _, results = model_index_to_eval_results(card.data.to_dict().get("model-index") or _index(card))
    values = {value.value for value in written.exported.test.values()} - {None}
    assert {result.metric_value for result in results} == values
    assert {result.dataset_split for result in results} == {"test"}


def _index(card: ModelCard) -> Any:
    return card.data.to_dict()["model-index"]


def test_the_strictest_terms_come_first(tmp_path: Path) -> None:
    weights = HubWeights(hub="meta-llama/Llama-2-7b-hf", revision="abc")
    lineage = Lineage(started_from="meta-llama/Llama-2")
    text = model_card(facts(tmp_path, weights=weights, licence="Llama 2 Community License", lineage=lineage))
    terms = text.split("## Terms")[1].split("## How")[0]
    assert terms.index("Unknown terms") < terms.index("Llama 2 Community License")
    assert "trained on sensitive text" in terms
    assert "started from meta-llama/Llama-2" in terms
    assert ModelCard(text).data.license == "other"


def test_that_the_data_changed_meanwhile_is_a_limit_of_the_model(tmp_path: Path) -> None:
    written = facts(tmp_path)
    said = "The files of the task changed while trials ran"
    assert said not in model_card(written)
    ended = written.outcome.ended_at
    change = ChangedData(task=written.exported.task.name, since=ended - 1, until=ended)
    sweep = written.sweep.model_copy(update={"changed_data": (change,)})
    assert f"- {said}" in model_card(CardFacts(**{**vars(written), "sweep": sweep}))


def test_a_licence_that_the_hub_knows_has_its_name_there(tmp_path: Path) -> None:
    written = facts(tmp_path, licence="Llama 2 Community License")
    public = written.exported.task.model_copy(update={"licence": "CC BY 4.0", "data": None})
    free = written.exported.model_copy(update={"task": public})
    card = ModelCard(model_card(CardFacts(**{**vars(written), "exported": free})))
    assert card.data.license == "llama2"


def test_a_quantised_base_is_said(tmp_path: Path) -> None:
    written = facts(tmp_path)
    method = written.exported.use.method.model_copy(update={"settings": Lora(quantise="nf4")})
    use = written.exported.use.model_copy(update={"method": method})
    qlora = written.exported.model_copy(update={"use": use})
    text = model_card(CardFacts(**{**vars(written), "exported": qlora}))
    assert "trained and scored on a base in nf4; loaded here, its base is unquantised" in text
    assert "of the trained adapter on the same unquantised base by at most" in text
    assert "unquantised" not in model_card(written)


def test_each_metric_has_the_type_that_it_is(tmp_path: Path) -> None:
    written = facts(tmp_path, TaskKind.CLASSIFICATION)
    test = {metric: MetricValue(value=0.5) for metric in MetricName}
    scored = written.exported.model_copy(update={"test": test})
    card = ModelCard(model_card(CardFacts(**{**vars(written), "exported": scored})))
    _, results = model_index_to_eval_results(_index(card))
    types = {result.metric_name: result.metric_type for result in results}
    assert types[METRICS[MetricName.COHENS_KAPPA].title] == "cohen_kappa"
    for metric in MetricName:
        kind = next((k for k in ("f1", "precision", "recall") if k in metric.split("_")), None)
        assert kind in (None, types[METRICS[metric].title])
        assert (types[METRICS[metric].title] == "f1") == (kind == "f1")


def test_the_limits_and_costs_are_said(tmp_path: Path) -> None:
    text = model_card(facts(tmp_path))
    assert "3 seeds: other seeds may score clearly lower." in text
    assert "The seed is the best on dev of its cell" in text
    assert "A few labels are noisy." in text
    assert "on one core per seed" in text
    assert "energy not measured" in text
    assert "95 % interval" in text
    assert "a" * 64 in text
