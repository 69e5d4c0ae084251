"""Guard against a downloaded tokenizer: it may run endlessly, and a library in Rust may panic."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import WeightsError

LOADING_SECONDS = 300.0  # of a core. Sentence-piece models of 250,000 pieces take some 20 to convert
_CHARACTERS_PER_SECOND = 20_000  # tokenizers read 500,000 and more on a slow core


def reading_seconds(characters: int) -> float:
    """Return the CPU seconds that no sound tokenizer needs for texts of so many characters."""
    return LOADING_SECONDS + characters / _CHARACTERS_PER_SECOND


@contextmanager
def bounded(backbone: str, seconds: float) -> Iterator[None]:
    """Run a tokenizer. After `seconds` of CPU time SIGPROF ends this process: the kernel sends it, because a
    library that hangs may hold Python's lock. Raise WeightsError if the library panics."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except BaseException as error:
        if not is_panic(error):
            raise
        raise WeightsError(
            f"backbone {backbone}: its tokenizer ended in a panic of the library tokenizers\n"
            "    -> use a tokenizer.json with simpler patterns, or other weights"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def is_panic(error: BaseException) -> bool:
    """Return whether a library in Rust panicked. pyo3 creates the class, which is not an Exception."""
    return type(error).__name__ == "PanicException"
