"""A state-space model says how it computed its scan."""

from __future__ import annotations

import pytest
from tiny_models import tiny_folder, tiny_spec

from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.outcome import REFERENCE_SCAN
from orchestrator.contracts.vocabulary import Family
from workers.models import scans
from workers.models.scans import scan_software
from workers.runtime.attempt import run_attempt


@pytest.fixture
def mamba():
    folder = FolderWeights(folder=str(tiny_folder("mamba")))
    return tiny_spec("mamba", family=Family.STATE_SPACE).model_copy(update={"weights": folder})


def test_the_record_of_a_trial_names_its_scan(lab, mamba, outcome_of):
    order = lab.order("head-only", recipe={"epochs": 1, "train_rows": 8}, backbone=mamba)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.state == "finished", outcome.failure
    assert outcome.device.software["scan"] == REFERENCE_SCAN
    assert "torch" in outcome.device.software


def test_fused_kernels_are_named_with_their_versions(mamba, monkeypatch):
    monkeypatch.setattr(scans, "find_spec", lambda module: module)
    monkeypatch.setattr(scans, "version", lambda name: f"1.0 of {name}")
    assert scan_software(mamba) == {
        "scan": "fused kernels",
        "mamba-ssm": "1.0 of mamba-ssm",
        "causal-conv1d": "1.0 of causal-conv1d",
    }
    monkeypatch.setattr(scans, "find_spec", lambda module: module if module == "mamba_ssm" else None)
    assert scan_software(mamba) == {"scan": REFERENCE_SCAN}


def test_other_models_have_no_scan():
    assert scan_software(tiny_spec("llama", family=Family.DECODER)) == {}
