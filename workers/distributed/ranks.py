"""The ranks of one attempt, and what they agree on.

They agree over gloo, on the CPU: no step waits for a GPU because of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import TCPStore

from orchestrator.contracts import layout
from orchestrator.contracts.resources import Resources
from orchestrator.errors import LaunchError
from workers.distributed.exchange import exchanged, refuse_objects, strangers

LISTEN = "FRONTIER_MASTER_FD"  # of rank 0: the socket that listens at MASTER_PORT already
SECRET = "FRONTIER_SECRET"  # of the attempt: a process that does not know it is not one of its ranks
_LONGEST_WORDS = 600  # characters of an error of torch or NCCL
_TIMEOUT = timedelta(hours=1)  # of one exchange: rank 0 may be writing a checkpoint of 100 GB meanwhile

# Read by torch and NCCL when their process group is made; a user's own settings would change what an exit
# code means. An exchange that fails ends its process with SIGABRT: going on would train on garbage. So does a
# watchdog that hangs, or its trial would be billed without end.
_NCCL = {
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "3",
    "TORCH_NCCL_ENABLE_MONITORING": "1",
    "TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC": str(int(_TIMEOUT.total_seconds())),
    "TORCH_NCCL_DUMP_ON_TIMEOUT": "0",  # stack traces of the machine, into /tmp
    "TORCH_FR_BUFFER_SIZE": "0",
}


class MeetingError(LaunchError):
    """The ranks could not meet. The message quotes torch and NCCL: no data has been read by then."""


@dataclass(frozen=True)
class Agreement:
    """What all ranks agree on: whether one was asked to stop, and the clock of rank 0."""

    stopping: bool
    train_seconds: float
    waited: float


@dataclass(frozen=True)
class Ranks:
    rank: int = 0
    count: int = 1
    _control: Any = None  # the process group of the agreements

    @property
    def leads(self) -> bool:
        """Return whether this rank writes the records."""
        return self.rank == 0

    def agree(self, stopping: bool, train_seconds: float, waited: float) -> Agreement:
        if self.count == 1:
            return Agreement(stopping, train_seconds, waited)
        clock = (train_seconds, waited) if self.leads else (-1.0, -1.0)
        packed = torch.tensor([float(stopping), *clock], dtype=torch.float64)
        dist.all_reduce(packed, op=dist.ReduceOp.MAX, group=self._control)
        stop, seconds, wait = packed.tolist()
        return Agreement(stop > 0, seconds, wait)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum over all ranks, on the CPU."""
        summed = value.detach().cpu()
        if self.count > 1:
            summed = summed.clone()
            dist.all_reduce(summed, group=self._control)
        return summed

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks in their order: tensors, plain values and containers of them."""
        if self.count == 1:
            return [value]
        return exchanged(value, self.count, self._control)

    def wait(self) -> None:
        """Wait until all ranks have called this."""
        self.gather(None)


ALONE = Ranks()


def join(resources: Resources, attempt: Path) -> Ranks:
    """Meet the other processes of the attempt, as RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say; alone
    where they are not set. From here on torch's default process group exists, and accelerate takes it up. It
    serves tensors on the CPU as well: offloaded weights and gradients are there.

    NCCL writes its warnings into the directory `attempt`. Raises MeetingError where the ranks cannot meet,
    and where a process joins them that does not know the secret of the attempt.
    """
    if "RANK" not in os.environ:
        return ALONE
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend, options = "gloo", dict[str, Any]()
    if resources.gpus:
        os.environ.update(_NCCL, NCCL_DEBUG_FILE=str(layout.nccl_log(attempt, rank)))
        os.environ.setdefault("NCCL_DEBUG", "WARN")
        backend, options["device_id"] = "cuda:nccl,cpu:gloo", torch.device("cuda", _local_rank())
        torch.cuda.set_device(options["device_id"])
    try:
        options |= {"store": _store(rank, count), "rank": rank, "world_size": count, "timeout": _TIMEOUT}
        dist.init_process_group(backend, **options)
    except RuntimeError as error:
        log = layout.nccl_log(attempt, rank).name
        look = f"read {log} in the attempt's directory, and check" if resources.gpus else "check"
        raise MeetingError(
            f"the {count} processes of the trial could not meet over {backend}: {_words(error)}\n"
            f"    -> {look} the driver, /dev/shm and the network between nodes"
        ) from error
    _refuse_strangers(rank, count)
    return Ranks(rank, count, dist.group.WORLD)


def _refuse_strangers(rank: int, count: int) -> None:
    """Raise where another process has joined: a rendezvous does not authenticate, and any account of the
    machine can reach its port."""
    refuse_objects()
    if strange := strangers(os.environ.pop(SECRET), rank, count):
        numbers = ", ".join(map(str, strange))
        raise MeetingError(
            f"another process joined the trial as rank {numbers}, and does not know its secret\n"
            "    -> find the owner of that process: it is not one of Frontier's"
        )


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def first_of_machine() -> bool:
    """Return whether this process does what one of each machine has to do."""
    return _local_rank() == 0


def _store(rank: int, count: int) -> Any:
    listening = os.environ.get(LISTEN)
    return TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        count,
        is_master=rank == 0,
        wait_for_workers=False,
        master_listen_fd=None if listening is None else int(listening),
    )


def _words(error: BaseException) -> str:
    """Return the message of an error without the C++ frames that follow it."""
    message = str(error).partition("Exception raised from")[0]
    return " ".join(filter(None, map(str.strip, message.splitlines())))[:_LONGEST_WORDS]


def lost_a_peer(error: BaseException) -> bool:
    """Return whether the error means that another rank is gone: that rank's own error is then the reason."""
    if isinstance(error, dist.DistError | MeetingError):
        return True
    message = str(error)
    return isinstance(error, RuntimeError) and any(
        marker in message for marker in ("closed by peer", "Connection reset", "gloo/transport", "NCCL")
    )
