"""The warm template imports what it likes, and an attempt can still use a GPU."""

from __future__ import annotations

import gc
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from fake_nvml import FakeGpu, install
from workshop import PATIENCE

import workers.runtime.attempt
from workers.runtime.rank_processes import RankGroup
from workers.runtime.warm_imports import (
    UNUSED,
    _architectures_read_once,
    _holds_a_context,
    fill_caches,
    import_warm,
    leave_out_bitsandbytes,
)

GPUS = [FakeGpu("GPU-a", capability=(9, 0)), FakeGpu("GPU-b", capability=(8, 6))]
# What bitsandbytes 0.50 does when it is imported.
ASKS = """
import torch
found = [torch.cuda.get_device_capability(torch.cuda.device(n)) for n in range(2)]
assert torch.cuda.get_device_capability("cuda:1") == torch.cuda.get_device_capability(1) == found[1]
assert torch.cuda.get_device_capability() == found[0]
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has started CUDA."""
    starts: list[str] = []

    def start() -> None:
        starts.append("torch")
        raise RuntimeError("no CUDA here")

    monkeypatch.setattr(torch.cuda, "_lazy_init", start)
    return starts


@pytest.fixture
def bitsandbytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stub beside what is installed; its name."""
    (tmp_path / "bitsandbytes_stub.py").write_text(ASKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bitsandbytes_stub", raising=False)
    return "bitsandbytes_stub"


def test_a_library_that_asks_for_the_capability_starts_no_cuda(started, bitsandbytes, monkeypatch):
    install(monkeypatch, GPUS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    of_torch = torch.cuda.get_device_capability
    assert import_warm((bitsandbytes,))
    assert sys.modules[bitsandbytes].found == [(8, 6), (9, 0)]
    assert started == []
    assert torch.cuda.get_device_capability is of_torch


def test_a_driver_that_knows_no_capability_leaves_the_answer_to_torch(started, bitsandbytes, monkeypatch):
    install(monkeypatch, [])
    with pytest.raises(RuntimeError, match="no CUDA here"):
        import_warm((bitsandbytes,))
    assert started == ["torch"]


# What scikit-learn does with pandas when it is imported.
ASKS_FOR_UNUSED = """
import gc, importlib
collects, found = gc.isenabled(), []
for module in {unused}:
    try:
        found.append(importlib.import_module(module))
    except ImportError:
        pass
"""


def test_what_no_attempt_uses_is_left_out_while_libraries_are_imported(tmp_path, monkeypatch):
    (tmp_path / "asks_for_unused.py").write_text(ASKS_FOR_UNUSED.format(unused=UNUSED))
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("asks_for_unused", *UNUSED):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert gc.isenabled()
    assert import_warm(("asks_for_unused",))
    stub = sys.modules["asks_for_unused"]
    assert (stub.found, stub.collects) == ([], False)
    assert gc.isenabled()
    assert not set(UNUSED) & set(sys.modules)  # whoever imports them from now on gets them


# In a process of its own: this one has imported all of it.
IMPORTS_MODELS = """
import gc, os, sys
from pathlib import Path
from workers.runtime.warm_imports import UNUSED, UNUSED_BY_MODELS, import_models, leave_out_bitsandbytes
leave_out_bitsandbytes()
import_models()
assert not {*UNUSED, *UNUSED_BY_MODELS} & sys.modules.keys(), "imported"
from transformers import models
from transformers.utils.import_utils import create_import_structure_from_path
folders = sum(place.is_dir() for place in Path(models.__file__).parent.iterdir())
assert create_import_structure_from_path.cache_info().misses < 1.5 * folders, "read twice"
gc.freeze()
"""


def test_libraries_of_models_are_imported_without_those_of_metrics() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS_MODELS], check=True)


def test_transformers_finds_the_same_architectures_in_folders_that_it_read_before() -> None:
    place = str(Path(transformers.__file__).parent / "models" / "__init__.py")
    inner = transformers.utils.import_utils
    of_library = inner.create_import_structure_from_path
    with _architectures_read_once():
        known = inner.create_import_structure_from_path(place)
    assert inner.create_import_structure_from_path is of_library
    assert known == of_library(place)


@pytest.mark.parametrize(("cuda", "left_out"), [(None, True), ("13.0", False)])
def test_bitsandbytes_is_left_out_where_torch_cannot_use_a_gpu(monkeypatch, cuda, left_out):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setitem(sys.modules, "bitsandbytes", sys)  # put back afterwards, as whatever it was
    leave_out_bitsandbytes()
    assert (sys.modules["bitsandbytes"] is None) is left_out


def test_no_attempt_is_forked_once_cuda_has_started(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    assert not import_warm(())


def test_a_context_past_torch_is_found_by_what_it_has_open(tmp_path):
    (tmp_path / "3").symlink_to("/dev/nvidiactl")
    (tmp_path / "4").symlink_to("/dev/nvidia0")
    assert not _holds_a_context(tmp_path)
    (tmp_path / "5").symlink_to("/dev/nvidia-uvm")
    assert _holds_a_context(tmp_path)


def test_an_attempt_that_cannot_be_forked_starts_python_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(
        workers.runtime.attempt, "run_logged", lambda order, began: 99
    )  # of this process alone
    order = tmp_path / "order.json"
    order.write_text('{"trial": "the patient said"}')
    [child] = RankGroup.of(order, 0.0, None).start(execute=True)
    with os.fdopen(os.pidfd_open(child)) as end:
        assert select.select([end], [], [], PATIENCE)[0]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    crash = (tmp_path / "crash.log").read_text()
    assert crash.startswith("ValidationError")
    assert "patient" not in crash


def test_what_each_attempt_would_compute_again_is_computed_once() -> None:
    from transformers import conversion_mapping

    from orchestrator.contracts.generated import generator_digest

    fill_caches()
    assert generator_digest.cache_info().currsize == 1
    assert conversion_mapping._checkpoint_conversion_mapping_cache is not None
