"""Attempts on one GPU: precision, memory against its estimate, quantised bases, shares of a GPU."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pynvml
import pytest
import torch
from component.conftest import write_tokenizer
from running_attempts import Started
from tiny_models import tiny_folder, tiny_spec
from transformers import AutoConfig, AutoModel

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.device import CONTEXT_BYTES
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Family, Precision, Split, TaskKind
from orchestrator.planning.memory import estimate
from workers.methods import count
from workers.models.backbones import build_shape

GPU = Resources(gpus=1)
LENGTH = 128


@pytest.fixture
def long_texts(lab: Any) -> None:
    """Of more tokens than the recipe lets through, so that every pass has the length of the estimate."""
    for split in Split:
        rows = [{"text": "fever cough rash no " * 40, "label": ("ill", "well")[n % 2]} for n in range(64)]
        (lab.data / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


@pytest.fixture(scope="session")
def wide_bert(tmp_path_factory: pytest.TempPathFactory) -> BackboneSpec:
    """Four layers as wide as BERT-base's, untrained."""
    directory: Path = tmp_path_factory.mktemp("wide-bert")
    shape = {
        "vocab_size": write_tokenizer(directory),
        "hidden_size": 768,
        "num_hidden_layers": 4,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
    }
    AutoModel.from_config(AutoConfig.for_model("bert", **shape)).save_pretrained(directory)
    spec = BackboneSpec(
        name="wide",
        model="wide",
        domain="general",
        architecture="bert",
        weights=FolderWeights(folder=str(directory)),
        shape=shape,
    )
    parameters = count(build_shape(spec, TaskKind.CLASSIFICATION, 2).parameters())
    return spec.model_copy(update={"parameters": parameters})


def taken_bytes() -> int:
    """On the first GPU, by whomever."""
    pynvml.nvmlInit()
    found = int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)
    pynvml.nvmlShutdown()
    return found


def test_auto_takes_bf16_where_the_gpu_has_it(host, lab, outcome_of, events_of):
    order = lab.order("lora", resources=GPU)
    assert host.run(order) == 0
    outcome = outcome_of(order)
    assert outcome.state == "finished", outcome.failure
    has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    assert outcome.device.precision == (Precision.BF16 if has_it else Precision.FP32)
    assert outcome.device.type == torch.cuda.get_device_name()
    assert outcome.peak_device_memory_bytes > 0


def test_a_gpu_learns_as_a_core_does(host, lab, still, outcome_of, events_of):
    curves = []
    for resources in (Resources(), GPU):
        recipe = {"evaluations_per_epoch": 6, "precision": "fp32"}
        order = lab.order("full", recipe=recipe, backbone=still, resources=resources)
        assert host.run(order) == 0
        curves.append([event.loss for event in events_of(order) if event.event == "step"])
    assert curves[1] == pytest.approx(curves[0], rel=1e-2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("again", [False, True])
def test_the_peak_lies_under_its_estimate(
    host, lab, long_texts, wide_bert, outcome_of, method, precision, again
):
    recipe = {"batch_size": 32, "max_length": LENGTH, "evaluation_batch_size": 32, "precision": precision}
    resources = Resources(gpus=1, gradient_checkpointing=again)
    order = lab.order(method, recipe=recipe, backbone=wide_bert, resources=resources)
    assert host.run(order) == 0
    outcome = outcome_of(order)
    assert outcome.state == "finished", outcome.failure
    trial = AttemptOrder.model_validate_json(order.read_bytes()).trial
    needs = estimate(wide_bert, trial.method.settings, trial.recipe, resources, Precision(precision))
    assert needs is not None
    assert outcome.peak_device_memory_bytes <= needs.bytes <= 1.5 * outcome.peak_device_memory_bytes


@pytest.mark.parametrize("quantise", ["int8", "nf4"])
def test_a_quantised_base_trains_and_its_adapter_is_kept(host, lab, outcome_of, quantise):
    if find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed: pip install 'frontier-sweeps[quantised]'")
    folder = FolderWeights(folder=str(tiny_folder("llama")))
    decoder = tiny_spec("llama", family=Family.DECODER).model_copy(update={"weights": folder})
    order = lab.order("lora", backbone=decoder, resources=GPU)
    asked = AttemptOrder.model_validate_json(order.read_bytes())
    method = MethodSpec(name="qlora", entry="qlora", settings=Lora(rank=4, quantise=quantise))
    trial = asked.trial.model_copy(update={"method": method})
    order.write_text(asked.model_copy(update={"trial": trial}).model_dump_json())
    assert host.run(order) == 0
    assert outcome_of(order).state == "finished", outcome_of(order).failure
    assert (order.parent / "model" / "adapter_model.safetensors").exists()


def test_a_share_of_a_gpu_is_a_limit(host, lab, long_texts, wide_bert, outcome_of):
    room = CONTEXT_BYTES + 64 * 2**20  # the weights alone take more
    share = room / torch.cuda.get_device_properties(0).total_memory
    order = lab.order("full", backbone=wide_bert, resources=Resources(gpus=share))
    assert host.run(order) == 0
    assert outcome_of(order).failure.kind is FailureKind.OUT_OF_MEMORY


def test_a_killed_attempt_leaves_no_memory_taken(host, lab, wide_bert):
    assert host.run(lab.order("lora", resources=GPU)) == 0
    before = taken_bytes()
    started = Started(host, lab.order(recipe={"epochs": 5000}, backbone=wide_bert, resources=GPU))
    assert taken_bytes() > before + 2**28
    host.interrupt()
    assert started.code() == -signal.SIGKILL
    assert taken_bytes() < before + 2**26
