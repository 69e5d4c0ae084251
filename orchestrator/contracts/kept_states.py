"""What a frozen backbone answered, and is kept so that it reads a text once (`workers.frozen`)."""

from __future__ import annotations

from orchestrator.contracts.device import GIB
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import TaskKind

MOST_BYTES = GIB  # of hidden states, for train and dev together
_OF_A_VALUE = 4  # bytes: fp32, the most that a state has


def one_process_keeps(resources: Resources) -> bool:
    """Return whether an attempt is one process that holds its whole model: others keep no states."""
    return resources.processes == 1 and resources.sharding == "none"


def kept_bytes(kind: TaskKind, examples: int | None, tokens: int | None, width: int | None) -> int | None:
    """Return the bytes of the states of so many texts, None if a figure that it takes is unknown. More than
    `MOST_BYTES` are not kept.

    The head of ner reads the states of all `tokens`, those of other tasks one state of each text. `width`:
    values of a state. The figure is for fp32; half precision takes half of it. A head of another task that
    reads all states, as EuroBERT's does, takes more than this.
    """
    states = tokens if kind is TaskKind.NER else examples
    return None if states is None or width is None else states * width * _OF_A_VALUE
