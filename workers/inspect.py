"""What a method would train of a backbone, without its weights; what the splits of a task hold; and how many
tokens its texts have.

    python -m workers.inspect backbone|task|tokens < request.json

Standard input is an InspectBackbone, an InspectTask or a CountTokens; standard output JSON lines, the last
one {"error": words} where it is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.hidden import hidden
from orchestrator.contracts.requests import InspectBackbone, InspectTask
from orchestrator.contracts.sameness import visible
from orchestrator.contracts.token_counts import CountTokens
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError, FrontierError, WeightsError
from workers.runtime.answers import answer_request
from workers.runtime.core_dumps import forbid_core_dumps
from workers.runtime.warm_imports import economical_imports, import_models, leave_out_bitsandbytes

if TYPE_CHECKING:
    from workers.data.corpus import Corpus


def inspect_backbone(request: InspectBackbone) -> dict[str, Any]:
    """Counts of scalars and the modules that the method wraps, on the meta device.

    The shape comes from the catalogue entry, else from the weights where they are on this disk. Raises
    WeightsError where neither is known, or no module matches.
    """
    from workers.methods import count_trained
    from workers.models.backbones import build_shape
    from workers.models.weights import verify

    spec = request.backbone
    directory = _directory(request)
    folder = None if directory is None else verify(spec, directory)
    model = build_shape(spec, request.kind, request.labels, directory)
    counted = count_trained(model, request.method.settings, spec, request.kind, folder)
    heads, parameters = counted.heads, counted.parameters
    answer: dict[str, Any] = {
        "backbone": spec.name,
        "architecture": spec.architecture,
        "family": spec.family,
        "lineage": spec.lineage.model_dump(exclude_none=True),
        "saw": spec.saw,
        "licence": spec.licence,
        "gated": spec.gated,
        "method": request.method.name,
        "kind": request.kind,
        "labels": request.labels,
        "total_parameters": parameters.total,
        "trainable_parameters": parameters.trainable,
        "adapter_parameters": parameters.adapter,
        "head_parameters": parameters.head,
        "head_modules": heads,
        "matched_modules": parameters.matched_modules,
    }
    note = _note(spec, parameters.adapter, heads)
    return answer | ({"note": note} if note else {})


def _directory(request: InspectBackbone) -> Path | None:
    from workers.models.weights import weights_directory

    try:
        return weights_directory(request.backbone, Path(request.cache_dir or ""), fetch=False)
    except WeightsError:
        return None


def _note(spec: BackboneSpec, adapter: int, heads: tuple[str, ...]) -> str | None:
    if adapter and spec.architecture == "distilbert" and "pre_classifier" in heads:
        return (
            "Published tables count DistilBERT's pre_classifier (590,592 at full size) as adapter "
            "parameters, because PEFT trains every module whose name ends in classifier. Here it is part of "
            "the head, which every method trains; the sum is the same."
        )
    if any(head.endswith(".pooler") for head in heads):
        return "The weights hold no pooler: it starts at random and trains with the head."
    return None


def inspect_files(request: InspectTask) -> Iterator[dict[str, Any]]:
    """The counts of `workers.data.inspect_task`, and the score of `guessing` on the task's metric, None where
    that is not defined. Before the error of a file inside a corpus comes {"named": which file that is}: for
    the terminal of the user who holds the corpus, and nothing else."""
    from workers.data import file_name, inspect_corpus, read_corpus

    root = Path(request.root)
    try:
        corpus = read_corpus(request.task, root)
        answer = inspect_corpus(corpus, root)
        yield answer | {"guessing": None if answer["unscorable"] else _guessing(corpus)}
    except DataError as error:
        if (name := file_name(error.file)) is not None:
            yield {"named": f"{error.file} is {visible(name)}"}
        raise


def _guessing(corpus: Corpus) -> float | None:
    from workers.guessing import guessing

    train, test = (corpus.splits.get(split) for split in (Split.TRAIN, Split.TEST))
    if not train or not test:
        return None
    return guessing(corpus.task, corpus.labels, train, test).get(corpus.task.metric)


def main(arguments: list[str]) -> int:
    if arguments == ["backbone"]:
        return answer_request(InspectBackbone, _backbone)
    if arguments == ["task"]:
        return answer_request(InspectTask, _task)
    if arguments == ["tokens"]:
        return answer_request(CountTokens, _tokens)
    sys.stderr.write("usage: python -m workers.inspect backbone|task|tokens < request.json\n")
    return 2


def _backbone(request: InspectBackbone) -> Iterator[dict[str, Any]]:
    from workers.runtime.attempt import settle_environment

    settle_environment()
    leave_out_bitsandbytes()
    import_models()
    try:
        with economical_imports():
            answer = inspect_backbone(request)
        yield answer
    except FrontierError as error:
        yield {"error": str(error)}


def _task(request: InspectTask) -> Iterator[dict[str, Any]]:
    forbid_core_dumps()
    try:
        yield from inspect_files(request)
    except FrontierError as error:
        yield {"error": str(error)}


def _tokens(request: CountTokens) -> Iterator[dict[str, Any]]:
    """No tokenizer needs torch, but transformers imports it wherever it is installed, and that takes longer
    than a count."""
    from workers.runtime.attempt import settle_environment

    settle_environment()
    with hidden("torch"):
        with economical_imports():
            from workers.models.token_counts import count_tokens
        try:
            for counted in count_tokens(request):
                yield counted.model_dump(mode="json")
        except FrontierError as error:
            yield {"error": str(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
