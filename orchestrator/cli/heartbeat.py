"""Lines that show a reader of a log that a long step is still running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from orchestrator.contracts.driver_lines import STAGING
from orchestrator.execution.clock import Clock, SystemClock

_SECONDS = 10.0


@contextmanager
def heartbeat(
    console: Console,
    words: Callable[[float], str],
    clock: Clock | None = None,
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    prefix: str = STAGING,
) -> Iterator[None]:
    """Print `prefix` and `words`, given the seconds so far, every ten seconds; nothing where they are "", or
    on a terminal. `wait` returns whether it is over."""
    if console.is_terminal:
        yield
        return
    time, over = clock or SystemClock(), threading.Event()
    began = time.now()

    def beat() -> None:
        while not wait(over, _SECONDS):
            if line := words(time.now() - began):
                console.print(f"{prefix}{line}", highlight=False, soft_wrap=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
