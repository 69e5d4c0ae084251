"""Report how a state-space model computes its scan: with fused kernels, or as a loop in Python."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.outcome import REFERENCE_SCAN
from orchestrator.contracts.vocabulary import Family

_KERNELS = {"mamba_ssm": "mamba-ssm", "causal_conv1d": "causal-conv1d"}  # modules: distributions


def scan_software(spec: BackboneSpec) -> dict[str, str]:
    """Return what the records say about the scan: the versions of the kernels, or that transformers runs its
    reference because a kernel is not installed. Empty for a model without a scan."""
    if spec.family is not Family.STATE_SPACE:
        return {}
    try:
        kernels = {name: version(name) for module, name in _KERNELS.items() if find_spec(module)}
    except PackageNotFoundError:
        kernels = {}
    return {"scan": "fused kernels"} | kernels if len(kernels) == len(_KERNELS) else {"scan": REFERENCE_SCAN}
