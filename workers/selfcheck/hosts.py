"""Run the attempts of a check with the product's warm host, or in processes forked from the check itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from orchestrator.contracts import layout
from workers.runtime.host import AttemptHost, Node
from workers.selfcheck.forks import fork
from workers.selfcheck.results import CheckProblemError
from workers.selfcheck.workspace import Ran, Workspace

Around = Callable[[], AbstractContextManager[object]]


class ForkedHost:
    """Run attempts like `AttemptHost`, in processes forked from this one, which has loaded the libraries and
    must not have used the GPU. `around` is entered in the attempt's process: a fault or a stopwatch."""

    def __init__(self, around: Around = nullcontext) -> None:
        self._around = around
        self._child: int | None = None

    def run(self, order_path: Path, timeout: float | None = None, node: Node | None = None) -> int:
        """Return the exit code, negative for a signal."""
        self._child = fork(partial(self._carry_out, order_path.resolve(), time.monotonic()))
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        self._child = None
        return code

    def _carry_out(self, order_path: Path, began: float) -> int:
        from workers.runtime.attempt import run_attempt

        with self._around():
            return run_attempt(order_path, began)

    def gpus_work(self) -> bool:
        """Return True without testing the GPU: the check itself injected the fault."""
        return True

    def interrupt(self) -> None:
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)

    def close(self) -> None:
        """Do nothing: nothing is kept between attempts."""


Host = AttemptHost | ForkedHost


@contextmanager
def host_of(workspace: Workspace) -> Iterator[Host]:
    """Yield the product's own host on a GPU. A rehearsal forks from this process and saves its imports."""
    host: Host = ForkedHost() if workspace.rehearsal else AttemptHost(threads=1)
    try:
        yield host
    finally:
        host.close()


def carry_out_order(host: Host, order: Path) -> Ran:
    """Carry out an order. Raises CheckProblemError where it leaves no outcome."""
    code = host.run(order)
    if not (order.parent / layout.OUTCOME).exists():
        raise CheckProblemError(f"an attempt ended with exit code {code} and left no outcome")
    return Ran.read(order.parent)


def finished(host: Host, order: Path) -> Ran:
    """Carry out an order. Raises CheckProblemError where it does not finish, with the attempt's own words."""
    ran = carry_out_order(host, order)
    if (failure := ran.outcome.failure) is not None:
        location = f" ({failure.places[-1]})" if failure.places else ""
        problem = f"an attempt failed in phase {failure.phase}: {failure.kind}, {failure.message}{location}"
        raise CheckProblemError(problem)
    return ran
