"""Attempts on several nodes of a Ray cluster: a host on each, which forks the ranks that belong there.

The first node is that of the trial's own actor. The others are actors in the remaining bundles of its
placement group, so that all of them are placed at once, or none. They need the sweep's directory and the
cache under the same paths.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError
from ray.util import get_current_placement_group, get_node_ip_address
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import NODE_LOST
from orchestrator.contracts.files import current_umask
from orchestrator.contracts.resources import Resources
from orchestrator.errors import LaunchError
from orchestrator.execution.exit_reasons import code_of_nodes

_NOT_THERE = 66  # the exit code of a node that does not see the order
_GRACE_SECONDS = 5.0  # for the first node, once another one has ended badly


class _NodeHost:
    """An actor that runs processes on one further node. `interrupt` may be called while `run` is running."""

    def __init__(self, threads: int, umask: int) -> None:
        from workers.runtime.host import AttemptHost

        os.umask(umask)
        self._host = AttemptHost(threads=threads)

    def run(self, order: str, number: int, master: str, port: int, secret: str) -> int:
        from workers.runtime.host import Node

        if not Path(order).exists():
            return _NOT_THERE
        return self._host.run(Path(order), node=Node(number, master, port, secret))

    def gpus_work(self) -> bool:
        return self._host.gpus_work()

    def interrupt(self) -> None:
        self._host.interrupt()


class NodesHost:
    """What `slot.Host` promises, over all nodes of a trial. To be made in the trial's own actor."""

    def __init__(self, threads: int, resources: Resources) -> None:
        from workers.runtime.host import AttemptHost

        self._threads, self._resources = threads, resources
        self._first = AttemptHost(threads=threads)
        self._others = [self._placed(number) for number in range(1, resources.nodes)]

    def run(self, order_path: Path, timeout: float | None = None) -> int:
        from workers.runtime.host import SECRET_BYTES, Node

        master, secret = get_node_ip_address(), token_hex(SECRET_BYTES)
        port = self._first.listen(master)
        order = str(order_path.resolve())
        runs = [
            actor.run.remote(order, number, master, port, secret)
            for number, actor in enumerate(self._others, start=1)
        ]
        over, directory = threading.Event(), order_path.parent
        watcher = threading.Thread(target=self._watch, args=(runs, over), daemon=True)
        watcher.start()
        try:
            code = self._first.run(order_path, timeout=timeout, node=Node(0, master, port, secret))
        except LaunchError:
            self._release()
            raise
        finally:
            over.set()
        codes = self._codes(runs)
        if _NOT_THERE in codes:
            raise LaunchError(
                f"a node of the trial does not see {directory}\n"
                "    -> resources.nodes needs a `storage` that all nodes mount under the same path"
            )
        if code == 0 or (directory / layout.OUTCOME).exists():
            return 0
        return code_of_nodes([*codes, code])

    def _watch(self, runs: Sequence[ray.ObjectRef], over: threading.Event) -> None:
        """Ends the first node's ranks where another node has failed: they may wait for it for ever."""
        left = list(runs)
        while left and not over.is_set():
            done, left = ray.wait(left, timeout=1.0)
            if any(_code(run) != 0 for run in done):
                if not over.wait(_GRACE_SECONDS):
                    with suppress(LaunchError):
                        self._first.interrupt()
                return

    def _codes(self, runs: Sequence[ray.ObjectRef]) -> list[int]:
        """Return the exit codes of the other nodes. Those that still run are ended; a lost one is
        replaced."""
        _, left = ray.wait(list(runs), num_returns=len(runs), timeout=_GRACE_SECONDS)
        for run, actor in zip(runs, self._others, strict=True):
            if run in left:
                actor.interrupt.remote()
        codes = [_code(run) for run in runs]
        for index, code in enumerate(codes):
            if code is None:
                self._others[index] = self._placed(index + 1)
        return [NODE_LOST if code is None else code for code in codes]

    def _placed(self, number: int) -> ActorHandle:
        """Return the host of a node, in the bundle of that number."""
        resources = self._resources
        strategy = PlacementGroupSchedulingStrategy(
            get_current_placement_group(), placement_group_bundle_index=number
        )
        actor: Any = ray.remote(_NodeHost)
        return actor.options(
            num_cpus=resources.cpus // resources.nodes,
            num_gpus=resources.gpus / resources.nodes,
            max_concurrency=2,
            scheduling_strategy=strategy,
        ).remote(self._threads, current_umask())

    def _release(self) -> None:
        for actor in self._others:
            ray.kill(actor)

    def gpus_work(self) -> bool:
        tests = [actor.gpus_work.remote() for actor in self._others]
        try:
            return self._first.gpus_work() and all(ray.get(tests))
        except RayError:  # a node that is lost: another one takes its place
            return True

    def interrupt(self) -> None:
        self._first.interrupt()
        for actor in self._others:
            actor.interrupt.remote()

    def close(self) -> None:
        self._first.close()
        self._release()


def _code(run: ray.ObjectRef) -> int | None:
    """Return the exit code, None if the node is lost."""
    try:
        return int(ray.get(run))
    except RayError:
        return None
