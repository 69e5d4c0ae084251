"""`frontier backbone inspect` on the catalogue: the parameter counts of Taylor et al. 2024, section 1."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config import load_catalogue
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.weights import Full, HeadOnly
from orchestrator.contracts.requests import InspectBackbone
from workers.inspect import inspect_backbone

BACKBONES = {backbone.name: backbone for backbone in load_catalogue([]).backbones.values()}
ARTEFACT = 590_592  # DistilBERT's pre_classifier, which the published adapter counts hold

# Total; LoRA of rank 8 and IA3 as published, the first number of each pair without the head.
TINY, MOBILE = ((59_904, 60_530), (8_544, 9_170)), ((221_184, 222_210), (58_368, 59_394))
DISTIL, BASE = ((811_776, 813_314), (622_848, 624_386)), ((294_912, 296_450), (64_512, 66_050))
PUBLISHED = {
    "tinybert": (14_350_874, *TINY),
    "tiny-biobert": (13_874_762, *TINY),
    "tiny-clinicalbert": (13_874_762, *TINY),
    "mobilebert": (24_582_914, *MOBILE),
    "bio-mobilebert": (24_582_914, *MOBILE),
    "clinical-mobilebert": (24_582_914, *MOBILE),
    "distilbert": (66_955_010, *DISTIL),
    "bio-distilbert": (66_955_010, *DISTIL),
    "clinical-distilbert": (65_783_042, *DISTIL),
    "bert-base": (109_483_778, *BASE),
    "biobert": (108_311_810, *BASE),
    "bio-clinicalbert": (108_311_810, *BASE),
    "llama-2-7b": (6_607_351_808, (4_194_304, 4_202_496), (614_400, 622_592)),
    "roberta-base": (124_647_170, (294_912, 294_912 + 592_130), (64_512, 64_512 + 592_130)),
    "distil-biobert": (65_784_578, (147_456, 147_456 + 1_538), (32_256, 32_256 + 1_538)),
    "bert-tiny": (4_386_178, (12_288, 12_288 + 258), (1_792, 1_792 + 258)),
}


def counted(name: str, settings: Any) -> dict[str, Any]:
    method = MethodSpec(name=settings.kind, entry=settings.kind, settings=settings)
    return inspect_backbone(InspectBackbone(backbone=BACKBONES[name], method=method))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_catalogue_counts_as_published(name: str) -> None:
    total, lora, ia3 = PUBLISHED[name]
    artefact = ARTEFACT if BACKBONES[name].architecture == "distilbert" else 0
    for settings, (adapter, trained) in ((Lora(rank=8), lora), (Ia3(), ia3)):
        found = counted(name, settings)
        assert found["total_parameters"] == total
        assert found["adapter_parameters"] == adapter - artefact
        assert found["trainable_parameters"] == trained
        assert found["head_parameters"] == trained - adapter + artefact
        assert ("590,592" in found.get("note", "")) == bool(artefact)
    full, head = counted(name, Full()), counted(name, HeadOnly())
    assert (full["trainable_parameters"], full["adapter_parameters"]) == (total, 0)
    assert head["trainable_parameters"] == lora[1] - lora[0] + artefact


@pytest.mark.parametrize("name", [name for name, spec in BACKBONES.items() if spec.parameters])
def test_stated_counts_are_those_of_the_stated_shape(name: str) -> None:
    assert counted(name, Full())["total_parameters"] == BACKBONES[name].parameters


def inspect(*words: str) -> str:
    done = CliRunner().invoke(app, ["backbone", "inspect", *words], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints_counts_and_where_a_backbone_comes_from(tmp_path: Any) -> None:
    words = ["clinical-distilbert", "--method", "lora", "--labels", "2", "--storage", str(tmp_path)]
    found = json.loads(inspect(*words, "--set", "rank=8", "--json"))
    assert found["adapter_parameters"] == 811_776 - ARTEFACT
    assert found["trainable_parameters"] == 813_314
    assert found["saw"] == ["pubmed", "mimic-iii"]
    shown = inspect(*words)
    for expected in ("813,314", "nlpie/bio-distilbert-cased", "mimic-iii", "MIT", "pre_classifier"):
        assert expected in shown
