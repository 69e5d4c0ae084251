"""What is kept of any method gives the same answers in a model that is adapted afresh."""

from __future__ import annotations

import pytest
import torch
from kept_methods import METHODS, answers, stirred
from peft import PeftModel
from tiny_models import adapted_tiny, built_tiny

from orchestrator.contracts.methods.low_rank import AdaLora, Vera
from orchestrator.contracts.methods.multiplicative import Oft
from orchestrator.contracts.methods.weights import BitFit, LnTuning
from orchestrator.contracts.vocabulary import TaskKind
from workers.checkpoint import UnreadableCheckpointError
from workers.export import export_model, load_exported


@pytest.mark.parametrize("settings", METHODS, ids=lambda s: s.kind)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_kept_weights_say_what_the_model_said(tmp_path, architecture, settings):
    if architecture == "llama" and isinstance(settings, BitFit):
        pytest.skip("no biases")
    kind = TaskKind.NER if architecture == "bert" else TaskKind.CLASSIFICATION
    adapted = stirred(architecture, settings, kind)
    size = export_model(adapted, None, tmp_path / "kept", "adapters")
    again = adapted_tiny(architecture, settings, kind, seed=9)
    assert not torch.allclose(answers(again.model), answers(adapted.model), atol=1e-3)
    load_exported(again, tmp_path / "kept")
    assert torch.allclose(answers(again.model), answers(adapted.model), atol=1e-6)
    weights = [file.stat().st_size for file in (tmp_path / "kept").glob("*.safetensors")]
    assert sum(weights) < size < adapted.parameters.total * 4


@pytest.mark.parametrize("settings", [AdaLora(rank=2), Vera(rank=8), Oft(block_size=4)], ids=lambda s: s.kind)
def test_an_adapter_in_the_layers_loads_with_peft_alone(tmp_path, settings):
    adapted = stirred("bert", settings)
    export_model(adapted, None, tmp_path / "kept", "adapters")
    loaded = PeftModel.from_pretrained(built_tiny("bert", seed=9).model, tmp_path / "kept")
    assert torch.allclose(answers(loaded), answers(adapted.model), atol=1e-6)


def test_weights_of_another_method_are_not_taken(tmp_path):
    export_model(stirred("bert", BitFit()), None, tmp_path / "kept", "adapters")
    with pytest.raises(UnreadableCheckpointError):
        load_exported(adapted_tiny("bert", LnTuning()), tmp_path / "kept")
