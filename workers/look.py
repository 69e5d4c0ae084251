"""Look at a data file that no task describes yet, for `frontier init`.

    python -m workers.look < request.json

Standard input is a LookRequest; standard output one JSON line: a DataLook, or {"error": words}.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from orchestrator.contracts.data_look import LookRequest
from orchestrator.errors import FrontierError
from workers.runtime.answers import answer_request
from workers.runtime.core_dumps import forbid_core_dumps


def main() -> int:
    return answer_request(LookRequest, _look)


def _look(request: LookRequest) -> Iterator[dict[str, Any]]:
    from workers.data.look import look

    forbid_core_dumps()
    try:
        yield look(request).model_dump(mode="json")
    except FrontierError as error:
        yield {"error": str(error)}


if __name__ == "__main__":
    sys.exit(main())
