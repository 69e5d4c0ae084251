"""Staging and inspection, through their front doors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, MadeWeights
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.requests import InspectBackbone, StageRequest
from orchestrator.contracts.task import MadeNotes
from orchestrator.contracts.vocabulary import TaskKind
from workers.demo.pretrain import pretrain
from workers.inspect import inspect_backbone
from workers.models.backbones import build
from workers.stage import stage

MADE = MadeWeights(
    corpus="clinical",
    hidden_size=16,
    layers=1,
    heads=1,
    intermediate_size=16,
    vocabulary=300,
    documents=20,
    steps=4,
)


def made_backbone(weights: MadeWeights = MADE) -> BackboneSpec:
    return BackboneSpec(name="made", model="m", domain="clinical", architecture="bert", weights=weights)


def ask(module: str, request: str, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], input=request, capture_output=True, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_generating_weights_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("workers.stage._LOOK_SECONDS", 0.01)
    spec = made_backbone(MADE.model_copy(update={"steps": 200}))
    *shares, ready = stage(StageRequest(cache_dir=str(tmp_path), backbones=(spec,), shares=True))
    assert (ready.item, ready.state) == ("made", "made")
    seen = [answer.share for answer in shares]
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 1


def test_pretraining_is_the_same_to_the_last_bit_and_loads_as_a_backbone(tmp_path):
    texts = [f"the {word} was {other} again" for word in ("bed", "door") for other in ("cold", "warm", "old")]
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
        pretrain(MADE, texts, place)
    names = sorted(file.name for file in places[0].iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert all((places[0] / name).read_bytes() == (places[1] / name).read_bytes() for name in names)
    built = build(made_backbone(), places[0], TaskKind.NER, ("O", "B-x", "I-x"))
    assert built.tokenizer.is_fast
    assert "[UNK]" not in built.tokenizer.tokenize("Zyqx 17%, pf-3")
    assert built.tokenizer("a bed")["token_type_ids"] == [0] * len(built.tokenizer("a bed")["input_ids"])


def test_what_is_made_is_made_once_and_files_are_checked(lab, tmp_path):
    made_task = lab.task(TaskKind.NER).model_copy(
        update={"name": "invented", "made": MadeNotes(train=4, dev=2, test=2), "labels": None}
    )
    request = StageRequest(
        cache_dir=str(tmp_path / "cache"),
        data_dir=str(lab.data),
        backbones=(made_backbone(), lab.backbone),
        tasks=(made_task, lab.task(TaskKind.NER)),
    )
    first = {answer.item: answer.state for answer in stage(request)}
    assert first == {"invented": "made", "signs-ner": "present", "made": "made", "tiny": "present"}
    assert (made_root(tmp_path / "cache", MADE) / "model.safetensors").is_file()
    assert {answer.state for answer in stage(request)} == {"present"}
    assert [path for path in (tmp_path / "cache" / "made").iterdir() if path.name.startswith(".")] == []


def test_what_is_missing_is_said_with_its_remedy_and_stops_nothing(lab, tmp_path):
    (lab.data / "dev.tsv").unlink()
    gone = lab.backbone.model_copy(update={"name": "gone", "weights": FolderWeights(folder="/nowhere")})
    request = StageRequest(
        cache_dir=str(tmp_path / "cache"),
        data_dir=str(lab.data),
        backbones=(gone, lab.backbone),
        tasks=(lab.task(TaskKind.NER),),
    )
    answers = {line["item"]: line for line in ask("workers.stage", request.model_dump_json())}
    assert answers["signs-ner"]["state"] == answers["gone"]["state"] == "missing"
    assert "dev.tsv" in answers["signs-ner"]["problem"]
    assert "/nowhere" in answers["gone"]["problem"]
    assert answers["tiny"]["state"] == "present"


def method(settings: Any) -> MethodSpec:
    return MethodSpec(name=settings.kind, entry=settings.kind, settings=settings)


def distilbert(shape: dict[str, Any]) -> BackboneSpec:
    return BackboneSpec(
        name="distil",
        model="distil",
        domain="general",
        architecture="distilbert",
        weights=FolderWeights(folder="/nowhere"),
        shape=shape,
    )


def test_inspection_answers_in_json_and_explains_the_published_count(tmp_path):
    request = {
        "backbone": distilbert({"vocab_size": 30522}).model_dump(mode="json"),
        "method": method(Lora()).model_dump(mode="json"),
        "labels": 2,
    }
    [answer] = ask("workers.inspect", json.dumps(request), "backbone")
    assert answer["total_parameters"] == 66_955_010
    assert answer["adapter_parameters"] == 221_184
    assert (
        answer["trainable_parameters"] == answer["adapter_parameters"] + answer["head_parameters"] == 813_314
    )
    assert len(answer["matched_modules"]) == 18
    assert "pre_classifier" in answer["note"]


def test_inspection_counts_what_a_trial_counts(lab, outcome_of, tmp_path):
    from workers.runtime.attempt import run_attempt

    order = lab.order("lora", TaskKind.NER)
    run_attempt(order)
    counted = outcome_of(order)
    request = InspectBackbone(
        backbone=lab.backbone, method=method(Lora(rank=4)), labels=len(counted.labels), kind=TaskKind.NER
    )
    answer = inspect_backbone(request)
    assert answer["total_parameters"] == counted.parameters.total
    assert answer["trainable_parameters"] == counted.parameters.trainable
    assert answer["matched_modules"] == counted.parameters.matched_modules


@pytest.mark.parametrize("staged", [False, True])
def test_the_pooler_of_made_weights_is_part_of_the_head(tmp_path, staged):
    spec = made_backbone().model_copy(
        update={
            "shape": {"vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
        }
    )
    if staged:
        root = made_root(tmp_path, MADE)
        root.mkdir(parents=True)
        pretrain(MADE, ["a bed", "a door"], root)
    answer = inspect_backbone(InspectBackbone(backbone=spec, method=method(Ia3()), cache_dir=str(tmp_path)))
    assert answer["head_parameters"] == (16 * 16 + 16) + (16 * 2 + 2)
    assert "pooler" in answer["note"]


def test_inspection_refuses_in_words_what_it_cannot_know():
    request = {
        "backbone": distilbert({}).model_dump(mode="json"),
        "method": method(Full()).model_dump(mode="json"),
    }
    [answer] = ask("workers.inspect", json.dumps(request), "backbone")
    assert "backbone distil: its shape is not known" in answer["error"]


def test_a_request_with_an_unknown_key_is_refused():
    [answer] = ask("workers.stage", '{"cache_dir": "x", "catalog": []}')
    assert "catalog" in answer["error"]
    assert Path("x").exists() is False


def test_what_a_library_prints_does_not_get_among_the_answers():
    code = (
        "import os, sys\n"
        "from workers.runtime.answers import answer_stream\n"
        "answers = answer_stream()\n"
        "print('hello', flush=True)\n"
        "os.write(1, b'hello from below')\n"
        "answers.write('the answer')\n"
        "answers.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "the answer"
    assert "hello from below" in done.stderr
