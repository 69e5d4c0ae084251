"""Models that leave the house: write one, give it texts, score it.

    python -m workers.exported export < request.json

Standard input is a request of `orchestrator.contracts.exported`; standard output JSON lines, the last one
{"error": words} where it is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.contracts.exported import ExportRequest
from orchestrator.errors import FrontierError
from workers.runtime.answers import answer_request
from workers.runtime.attempt import settle_environment


def main(arguments: list[str]) -> int:
    settle_environment()
    if arguments == ["export"]:
        return answer_request(ExportRequest, _export)
    sys.stderr.write("usage: python -m workers.exported export < request.json\n")
    return 2


def _export(request: ExportRequest) -> Iterator[Mapping[str, Any]]:
    from workers.exported.folder import export

    yield from _refusing(lambda: [export(request).model_dump(mode="json")])


def _refusing(work: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the answers; a refusal as an "error" in our own words."""
    try:
        answers: Iterable[Mapping[str, Any]] = work()
        yield from answers
    except FrontierError as error:
        yield {"error": str(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
