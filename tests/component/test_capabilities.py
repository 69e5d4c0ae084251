"""The stored table says what a fresh measurement says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.config.capabilities import load_capabilities
from orchestrator.contracts.methods.low_rank import Lora, Vera
from orchestrator.contracts.methods.multiplicative import Boft, Oft
from orchestrator.contracts.vocabulary import TaskKind
from workers.capabilities import SETTINGS, measure
from workers.demo.tiny import ARCHITECTURES


def stored_like(measured):
    table = load_capabilities().rows
    return [table[row.architecture, row.method, row.task_kind] for row in measured]


def test_all_methods_of_one_architecture():
    measured = list(measure(["bert"]))
    assert len(measured) == len(TaskKind) * len(SETTINGS)
    assert stored_like(measured) == measured


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_one_method_of_all_architectures(architecture):
    measured = list(measure([architecture], [Lora(rank=2)]))
    assert stored_like(measured) == measured


def refused_first():
    """Of each method, the first architecture that does not take it."""
    by_name = {settings.table_rows()[-1]: settings for settings in SETTINGS}
    found = {
        row.method: row.architecture for row in reversed(load_capabilities().rows.values()) if row.reason
    }
    return [(architecture, by_name[method]) for method, architecture in sorted(found.items())]


@pytest.mark.parametrize(("architecture", "settings"), refused_first())
def test_what_is_refused_is_refused_still(architecture, settings):
    measured = list(measure([architecture], [settings]))
    assert not any(row.supported for row in measured)
    assert stored_like(measured) == measured


@pytest.mark.parametrize(
    "settings", [Vera(rank=8), Oft(block_size=4), Boft(block_size=4)], ids=lambda s: s.kind
)
def test_half_precision_goes_through_attention_that_counts_on_it(settings):
    """DeBERTa masks by the smallest number of the precision that its projections answer in."""
    measured = list(measure(["deberta-v2"], [settings]))
    assert all(row.supported for row in measured), measured


def test_what_a_library_prints_does_not_get_into_the_table():
    talkative = (
        "import gc\n"
        "from workers.runtime.warm_imports import import_models, leave_out_bitsandbytes\n"
        "leave_out_bitsandbytes()\n"
        "import_models()\n"  # for less than by itself
        "gc.disable()\n"
        "import workers.capabilities as command\n"
        "command.measure = lambda architectures: print('welcome to a library') or []\n"
        "command.main(['bert'])\n"
        "gc.freeze()\n"
    )
    done = subprocess.run([sys.executable, "-c", talkative], capture_output=True, text=True, check=True)
    assert done.stdout == "architecture,method,task_kind,supported,reason\n"
    assert "welcome to a library" in done.stderr
