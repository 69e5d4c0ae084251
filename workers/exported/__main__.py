"""Models that leave the house: write one, give it texts, score it.

    python -m workers.exported export|predict|evaluate < request.json

Standard input is a request of `orchestrator.contracts.exported`; standard output JSON lines, the last one
{"error": words} where it is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orchestrator.contracts.exported import EvaluateRequest, ExportRequest, PredictRequest
from orchestrator.errors import FrontierError
from workers.runtime.answers import answer_request
from workers.runtime.attempt import settle_environment
from workers.runtime.warm_imports import economical_imports, import_models, leave_out_bitsandbytes

Answers = Iterable[Mapping[str, Any]]


def main(arguments: list[str]) -> int:
    settle_environment()
    if arguments == ["export"]:
        return answer_request(ExportRequest, _refusing(_export))
    if arguments == ["predict"]:
        return answer_request(PredictRequest, _refusing(_predict))
    if arguments == ["evaluate"]:
        return answer_request(EvaluateRequest, _refusing(_evaluate))
    sys.stderr.write("usage: python -m workers.exported export|predict|evaluate < request.json\n")
    return 2


def _export(request: ExportRequest) -> Answers:
    with economical_imports():
        from workers.exported.folder import export

    yield export(request).model_dump(mode="json")


def _predict(request: PredictRequest) -> Answers:
    with economical_imports():
        from workers.exported.predict import predict

    yield from predict(request)


def _evaluate(request: EvaluateRequest) -> Answers:
    with economical_imports():
        from workers.exported.score import score

    yield score(request).model_dump(mode="json")


def _refusing(work: Callable[[Any], Answers]) -> Callable[[Any], Iterator[Mapping[str, Any]]]:
    """Return `work` with its refusals as an "error" in our own words."""

    def answers(request: Any) -> Iterator[Mapping[str, Any]]:
        leave_out_bitsandbytes()
        import_models()
        try:
            yield from work(request)
        except FrontierError as error:
            yield {"error": str(error)}

    return answers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
