"""A process that is none of an attempt's ranks, and reaches the port where they meet."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.distributed import distributed_c10d

from workers.distributed.exchange import refuse_objects
from workers.runtime.rank_processes import listen

# Joins as rank 1, answers the question for the secret with as many bytes, and sends a pickle that leaves a
# file where anybody else reads it.
STRANGER = """
import os, sys, torch, torch.distributed as dist
from datetime import timedelta
port, file = int(sys.argv[1]), sys.argv[2]
class Evil:
    def __reduce__(self):
        return eval, (f"__import__('os').getpid() != {os.getpid()} and open({file!r}, 'w')",)
store = dist.TCPStore("127.0.0.1", port, 2, is_master=False, wait_for_workers=False)
dist.init_process_group("gloo", store=store, rank=1, world_size=2, timeout=timedelta(seconds=60))
if sys.argv[3] == "proof":
    dist.all_gather([torch.zeros(32, dtype=torch.uint8) for _ in range(2)], torch.ones(32, dtype=torch.uint8))
dist.all_gather_object([None, None], Evil())
"""
# The first rank, which gathers as trials do, or lets a library do it.
FIRST = """
import sys, torch.distributed as dist
from pathlib import Path
from orchestrator.contracts.resources import Resources
from workers.distributed import ranks
from workers.distributed.exchange import refuse_objects
if sys.argv[1] != "proof":
    ranks._refuse_strangers = lambda rank, count: refuse_objects()
met = ranks.join(Resources(cpus=2, processes=2), Path())
if sys.argv[1] == "object":
    dist.all_gather_object([None, None], "mine")
else:
    met.gather("mine")
"""


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("proof", "another process joined the trial as rank 1, and does not know its secret"),
        ("gather", "UnpicklingError"),
        ("object", "a rank sent an object that is neither a tensor nor a plain value"),
    ],
)
def test_a_stranger_at_the_rendezvous_runs_no_code(tmp_path: Path, way: str, words: str) -> None:
    """It does not know the secret; and where it did, what it sends would not be run."""
    listening, planted = listen("127.0.0.1"), tmp_path / "ran"
    port = listening.getsockname()[1]
    os.set_inheritable(listening.fileno(), True)
    places = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    places |= {"MASTER_PORT": str(port), "FRONTIER_MASTER_FD": str(listening.fileno())}
    environment = os.environ | places | {"FRONTIER_SECRET": "s", "GLOO_SOCKET_IFNAME": "lo"}
    first = subprocess.Popen(
        [sys.executable, "-c", FIRST, way],
        env=environment,
        pass_fds=[listening.fileno()],
        stderr=subprocess.PIPE,
    )
    listening.close()
    bare = {"PATH": os.environ["PATH"], "GLOO_SOCKET_IFNAME": "lo"}
    stranger = subprocess.Popen(
        [sys.executable, "-c", STRANGER, str(port), str(planted), way], env=bare, stderr=subprocess.DEVNULL
    )
    try:
        said = first.communicate(timeout=100)[1].decode()
    finally:
        for process in (first, stranger):
            process.kill()
            process.wait()
    assert first.returncode != 0
    assert words in said
    assert not planted.exists()


def test_nothing_but_plain_values_is_read_from_what_a_library_exchanges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed_c10d, "_unpickler", distributed_c10d._unpickler)  # put back afterwards
    refuse_objects()
    for harmful in (os.system, Path(), subprocess.Popen):
        with pytest.raises(pickle.UnpicklingError):
            distributed_c10d._unpickler(io.BytesIO(pickle.dumps(harmful))).load()


def test_tensors_are_read_from_what_a_library_exchanges_without_reading_their_pickles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The step counters of an optimiser whose state is shared out, say."""
    monkeypatch.setattr(distributed_c10d, "_unpickler", distributed_c10d._unpickler)  # put back afterwards
    refuse_objects()
    sent = {"step": torch.tensor(7.0), "rate": 0.1}
    assert distributed_c10d._unpickler(io.BytesIO(pickle.dumps(sent))).load() == sent
    stored = io.BytesIO()
    torch.save(Path("/"), stored, _use_new_zipfile_serialization=False)
    read_storage = distributed_c10d._unpickler(io.BytesIO()).find_class("torch.storage", "_load_from_bytes")
    with pytest.raises(pickle.UnpicklingError):
        read_storage(stored.getvalue())


@pytest.mark.parametrize(("address", "bound"), [("127.0.0.2", "127.0.0.2"), ("192.0.2.1", "0.0.0.0")])
def test_ranks_of_several_nodes_meet_at_the_address_of_the_first_alone(address: str, bound: str) -> None:
    with listen(address) as found:  # 192.0.2.1 is no machine's: a translated address
        assert found.getsockname()[0] == bound
