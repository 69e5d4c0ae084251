"""How an attempt ended that left no outcome of its own."""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.control_groups import memory_files
from orchestrator.contracts.exit_codes import LOST_A_PEER, NO_ROOM_LEFT, NODE_LOST, reasons
from orchestrator.contracts.no_room import no_room_message
from orchestrator.contracts.vocabulary import FailureKind

_CRASHES = frozenset(
    getattr(signal, f"SIG{name}") for name in ("SEGV", "ABRT", "BUS", "FPE", "ILL", "SYS", "TRAP")
)
_TOO_LONG = (
    "the attempt was ended because it took longer than attempt_hours\n"
    "    -> raise attempt_hours, if it did not hang: `frontier logs` shows what it did until then"
)
# The attempt has set itself a limit for it (workers/models/foreign_tokenizers.py), which the kernel keeps.
_TOKENIZER_WITHOUT_END = (
    "the tokenizer of the backbone did not come to an end\n"
    "    -> use a tokenizer.json with simpler patterns, or other weights"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """`code` is the exit code of the child, negative for a signal, None where its whole host was lost."""

    code: int | None
    timed_out: bool = False
    out_of_memory: bool = False


def failure_of(ending: Ending) -> tuple[FailureKind, str]:
    """Return the failure kind, and a message that contains only our own words."""
    if ending.timed_out:
        return FailureKind.TIMEOUT, _TOO_LONG
    if ending.out_of_memory:
        return FailureKind.OUT_OF_MEMORY, "the system killed the attempt because host memory ran out"
    if ending.code is None:
        return FailureKind.PREEMPTED, "the process or machine that ran the attempt was lost"
    if ending.code == NODE_LOST:
        return FailureKind.PREEMPTED, "a node of the trial was lost"
    if ending.code == LOST_A_PEER:
        return FailureKind.BUG, "the processes of the trial lost each other, and none says why"
    if ending.code == NO_ROOM_LEFT:
        return FailureKind.BAD_INPUT, no_room_message(errno.ENOSPC)
    if ending.code >= 0:
        return (
            FailureKind.BUG,
            f"the attempt exited with code {ending.code} and left no outcome; see crash.log",
        )
    if ending.code == -signal.SIGPROF:
        return FailureKind.BAD_INPUT, _TOKENIZER_WITHOUT_END
    if -ending.code in _CRASHES:
        return FailureKind.BUG, f"the attempt crashed with {_signal_name(-ending.code)}; see crash.log"
    return FailureKind.PREEMPTED, f"the attempt was killed from outside with {_signal_name(-ending.code)}"


def code_of_nodes(codes: Sequence[int]) -> int:
    """Return the exit code that is the reason, of an attempt over several nodes that left no outcome."""
    if NODE_LOST in codes:
        return NODE_LOST
    return next(iter(reasons(codes)), LOST_A_PEER if LOST_A_PEER in codes else -signal.SIGABRT)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def out_of_memory_kills(root: Path = Path("/")) -> int | None:
    """Return how many processes of our control group the kernel has killed to free memory; None if unknown.

    Version 2 keeps the count in memory.events, version 1 in memory.oom_control, in a line `oom_kill <n>`.
    """
    for files in memory_files("memory.events", "memory.oom_control", root):
        for candidate in (files[0], files[-1]):
            for entry in _read(candidate).splitlines():
                key, _, value = entry.partition(" ")
                if key == "oom_kill":
                    return int(value)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
