"""Check that encoded texts fit the tables of the weights, in all splits, before anything trains.

A token, position or token type without a row ends in an IndexError in the middle of a pass, or on a GPU in an
error that poisons the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.weights_folder import WeightsFolder
from orchestrator.errors import WeightsError
from workers.inputs import TaskData


def check_fits(spec: BackboneSpec, folder: WeightsFolder | None, data: TaskData, virtual: int) -> None:
    """Raise WeightsError with everything that does not fit. `virtual` tokens are put before each text."""
    if folder is None:
        return
    parts = (data.train, data.dev, data.test)
    ids = _most(row for part in parts for row in part.input_ids)
    types = _most(row for part in parts for row in part.token_type_ids or ())
    longest = max((len(row) for part in parts for row in part.input_ids), default=0) + virtual
    problems = [
        *_beyond("tokens", ids + 1, folder.rows, "bring the tokenizer that belongs to the weights"),
        *_beyond("places", longest, folder.positions, "set a smaller max_length in its entry"),
        *_beyond("kinds of texts", types + 1, folder.token_types, "use weights with type_vocab_size: 2"),
    ]
    if problems:
        raise WeightsError("\n".join(f"backbone {spec.name}: {problem}" for problem in problems))


def _most(rows: Iterable[list[int]]) -> int:
    return max((max(row) for row in rows if row), default=-1)


def _beyond(kind: str, required: int, rows: int | None, fix: str) -> Iterator[str]:
    if rows is not None and required > rows:
        yield f"the encoded texts need {required:,} {kind}, the weights have rows for {rows:,}\n    -> {fix}"
