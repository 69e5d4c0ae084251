"""The processes of one attempt, its ranks, and what they tell each other. A single one has nothing to tell.

What is agreed on here goes over gloo, on the CPU: no step waits for a GPU because of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import TCPStore

from orchestrator.contracts.trial import Resources

LISTEN = "FRONTIER_MASTER_FD"  # of rank 0: the socket that listens at MASTER_PORT already


@dataclass(frozen=True)
class Agreement:
    """The same in every rank: whether one was asked to stop, and what the clock of the first one says."""

    stopping: bool
    train_seconds: float
    waited: float


@dataclass(frozen=True)
class Ranks:
    rank: int = 0
    count: int = 1
    _control: Any = None  # the process group that these words go through

    @property
    def leads(self) -> bool:
        """Whether this one writes the records."""
        return self.rank == 0

    def share(self, items: list[Any]) -> list[Any]:
        """This rank's part: dealt out in turn, so that the first ones may get one more."""
        return items[self.rank :: self.count]

    def agree(self, stopping: bool, train_seconds: float, waited: float) -> Agreement:
        if self.count == 1:
            return Agreement(stopping, train_seconds, waited)
        clock = (train_seconds, waited) if self.leads else (-1.0, -1.0)
        told = torch.tensor([float(stopping), *clock], dtype=torch.float64)
        dist.all_reduce(told, op=dist.ReduceOp.MAX, group=self._control)
        stop, seconds, wait = told.tolist()
        return Agreement(stop > 0, seconds, wait)

    def total(self, value: Tensor) -> Tensor:
        """The sum over all ranks, on the CPU."""
        summed = value.detach().cpu()
        if self.count > 1:
            summed = summed.clone()
            dist.all_reduce(summed, group=self._control)
        return summed

    def gather(self, value: Any) -> list[Any]:
        """What each rank has, in their order."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value, group=self._control)
        return found

    def wait(self) -> None:
        """Until all ranks are here."""
        self.gather(None)


ALONE = Ranks()


def join(resources: Resources) -> Ranks:
    """Meets the other processes of the attempt, as RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say; alone
    where they say nothing. From here on torch's default process group exists, and accelerate takes it up."""
    if "RANK" not in os.environ:
        return ALONE
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    listening = os.environ.get(LISTEN)
    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        count,
        is_master=rank == 0,
        wait_for_workers=False,
        master_listen_fd=None if listening is None else int(listening),
    )
    if not resources.gpus:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=count)
        return Ranks(rank, count, dist.group.WORLD)
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl", store=store, rank=rank, world_size=count)
    return Ranks(rank, count, dist.new_group(backend="gloo"))


def lost_a_peer(error: BaseException) -> bool:
    """Whether it says that another rank is gone: what ended that one is the reason, not this."""
    if isinstance(error, dist.DistError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and any(
        sign in words for sign in ("closed by peer", "Connection reset", "gloo/transport", "NCCL")
    )
