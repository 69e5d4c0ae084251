"""Look at a data file or a hub's data set that no task describes yet, for `frontier init`.

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


def main() -> int:
    return answer_request(LookRequest, _look)


def _look(request: LookRequest) -> Iterator[dict[str, Any]]:
    from workers.runtime.attempt import settle_environment

    settle_environment(offline=False)
    try:
        if request.dataset is not None:
            from workers.data.look_hub import look_at_dataset

            yield look_at_dataset(request.dataset).model_dump(mode="json")
        else:
            from workers.data.look import look

            yield look(request).model_dump(mode="json")
    except FrontierError as error:
        yield {"error": str(error)}


if __name__ == "__main__":
    sys.exit(main())
