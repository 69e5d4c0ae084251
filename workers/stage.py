"""Generate, fetch and check everything that a sweep reads, so that its trials need no network.

    python -m workers.stage < request.json

Standard input is a StageRequest; standard output a Staged for each item as it is ready, or {"error": words}.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, HubWeights, MadeWeights, RandomWeights
from orchestrator.contracts.cores import usable_cores
from orchestrator.contracts.files import draft, file_digests
from orchestrator.contracts.fold import folds_of
from orchestrator.contracts.garbage import collect_none_at_exit
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.requests import Staged, StagedShare, StageRequest
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import FrontierError, WeightsError
from workers.runtime.answers import answer_request
from workers.runtime.warm_imports import imports_of_models

_LOOK_SECONDS = 1.0  # between two looks at how far the weights are
_shares: Any = None  # in a process that generates weights: of each, how much is done


def stage(request: StageRequest) -> Iterator[Staged | StagedShare]:
    """Stage every item. Weights that have to be trained are generated in processes of one thread each, the
    longest first."""
    cache = Path(request.cache_dir)
    for task in request.tasks:
        yield _timed(task.name, partial(_stage_task, task, cache, request), is_task=True)
    waiting = [b for b in request.backbones if _to_train(b, cache)]
    for backbone in request.backbones:
        if backbone not in waiting:
            yield stage_backbone(backbone, cache, request)
    if waiting:
        yield from _train_all(sorted(waiting, key=_work, reverse=True), cache, request)


def _train_all(
    backbones: Sequence[BackboneSpec], cache: Path, request: StageRequest
) -> Iterator[Staged | StagedShare]:
    cores = usable_cores()
    context = multiprocessing.get_context("spawn")
    workers = min(request.processes or cores, len(backbones))
    shares = context.RawArray("d", len(backbones))
    with ProcessPoolExecutor(workers, context, _settle_training, (shares,)) as pool:
        pending = {pool.submit(_train, n, b, cache, request): n for n, b in enumerate(backbones)}
        while pending:
            done, _ = wait(pending, _LOOK_SECONDS if request.shares else None, FIRST_COMPLETED)
            for future in done:
                pending.pop(future)
                yield future.result()
            if request.shares:
                yield from (StagedShare(item=backbones[n].name, share=shares[n]) for n in pending.values())


def _train(number: int, spec: BackboneSpec, cache: Path, request: StageRequest) -> Staged:
    """Generate weights, and count the optimiser's steps where the driver's process sees them."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    assert isinstance(spec.weights, MadeWeights)
    step = 1 / max(1, spec.weights.steps)

    def count(*_: Any) -> None:
        _shares[number] = min(1.0, _shares[number] + step)

    counting = register_optimizer_step_post_hook(count)
    try:
        return stage_backbone(spec, cache, request)
    finally:
        counting.remove()


def stage_backbone(spec: BackboneSpec, cache: Path, request: StageRequest) -> Staged:
    return _timed(spec.name, partial(_stage_backbone, spec, cache, request))


def _timed(item: str, work: Callable[[], dict[str, Any]], is_task: bool = False) -> Staged:
    began = time.monotonic()
    answer: dict[str, Any]
    try:
        answer = work()
    except FrontierError as error:
        answer = {"state": "missing", "problem": str(error)}
    return Staged(item=item, is_task=is_task, seconds=round(time.monotonic() - began, 2), **answer)


def _stage_task(task: TaskSpec, cache: Path, request: StageRequest) -> dict[str, Any]:
    from workers.data import cap_rows, check_parted, check_scorable, read_corpus
    from workers.data.hub_dataset import stage_dataset
    from workers.data.labels import check_known
    from workers.data.scorable import check_separate
    from workers.demo.corpora import write_task
    from workers.inputs import data_root

    answer: dict[str, Any] = {"state": "present"}
    if isinstance(task.reader, HubReader) and not task.invented:
        locked = request.locked_tasks.get(task.name)
        staged = stage_dataset(task, task.reader, cache, locked, extended=task.name in request.extended)
        answer |= {"state": staged.state, "commit": staged.commit, "files": staged.files}
        root = staged.root
    else:
        root = data_root(task, request.data_dir, cache)
    if task.made is not None and not root.is_dir():
        _make(root, partial(write_task, task))
        answer["state"] = "made"
    corpus = read_corpus(task, root)
    for split, examples in corpus.splits.items():
        check_known(task, corpus.labels, split, examples)
    by_length = corpus.counts_by_words(*request.lengths.get(task.name, (task.max_length,)))
    counted = next(iter(by_length.values()))
    check_separate(task, counted)
    check_parted(task, counted)
    if task.folds is None:
        check_scorable(task, corpus.labels, corpus.splits)
    else:
        _check_folds(task, root, request.seeds)
    for rows in request.dev_rows.get(task.name, ()):
        capped = {Split.DEV: cap_rows(corpus.splits[Split.DEV], rows)}
        check_scorable(task, corpus.labels, capped, f"dev_rows {rows}")
    return answer | {"counts": by_length}


def _check_folds(task: TaskSpec, root: Path, seeds: Sequence[int]) -> None:
    """Raise DataError at the first fold of a seed that no training could score."""
    from workers.data import check_scorable, read_corpus
    from workers.data.folds import FoldOfSeed
    from workers.data.readers.mimic_notes import tables_read_once

    with tables_read_once():
        for seed, fold in product(seeds, folds_of(task.folds)):
            assert fold is not None
            part = read_corpus(task, root, which=FoldOfSeed(fold, seed))
            check_scorable(task, part.labels, part.splits, of=f"fold {fold.number} of seed {seed}")


def _stage_backbone(spec: BackboneSpec, cache: Path, request: StageRequest) -> dict[str, Any]:
    from workers.models.weights import verify, weights_directory

    answer: dict[str, Any] = {"state": "present"}
    if _to_make(spec, cache):
        assert isinstance(spec.weights, MadeWeights | RandomWeights)
        _make_weights(spec.weights, made_root(cache, spec.weights))
        answer["state"] = "made"
    elif isinstance(spec.weights, HubWeights):
        return _stage_snapshot(spec, spec.weights, cache, request)
    verify(spec, weights_directory(spec, cache, fetch=False))
    return answer


def _stage_snapshot(
    spec: BackboneSpec, weights: HubWeights, cache: Path, request: StageRequest
) -> dict[str, Any]:
    """Files are hashed when they come, when they are not locked yet, and on demand: it takes a while."""
    from workers.models.content import check_content
    from workers.models.conversion import convert
    from workers.models.weights import verify, weights_directory

    state, locked = "present", request.locked.get(spec.name)
    try:
        directory = weights_directory(spec, cache, fetch=False)
    except WeightsError:
        directory = weights_directory(spec, cache)
        state = "fetched"
    if request.convert and not any(directory.glob("*.safetensors")):
        convert(spec, weights, directory, cache, locked or {})
        state = "converted"
    verify(spec, directory)
    if locked is None:
        return {"state": state, "commit": directory.name, "files": file_digests(directory)}
    if request.rehash or state != "present":
        check_content(spec, directory, locked)
    return {"state": state}


def _make_weights(weights: MadeWeights | RandomWeights, root: Path) -> None:
    with imports_of_models():
        from workers.demo.corpora import corpus
        from workers.demo.pretrain import pretrain
        from workers.demo.tiny import write_tiny

    if isinstance(weights, RandomWeights):
        _make(root, partial(write_tiny, weights))
        return
    texts = list(corpus(weights.corpus, weights.documents, weights.seed))
    _make(root, partial(pretrain, weights, texts))


def _make(root: Path, write: Callable[[Path], None]) -> None:
    """`root` appears whole, by rename. Where another process was first, its work is kept: it is the same."""
    with draft(root) as temporary:
        temporary.mkdir()
        try:
            write(temporary)
            temporary.rename(root)
        except OSError:
            if not root.is_dir():
                raise


def _to_make(spec: BackboneSpec, cache: Path) -> bool:
    weights = spec.weights
    return isinstance(weights, MadeWeights | RandomWeights) and not made_root(cache, weights).is_dir()


def _to_train(spec: BackboneSpec, cache: Path) -> bool:
    """Random weights are written in a moment; made ones are worth a process of their own."""
    return isinstance(spec.weights, MadeWeights) and _to_make(spec, cache)


def _work(spec: BackboneSpec) -> int:
    assert isinstance(spec.weights, MadeWeights)
    return spec.weights.steps * spec.weights.layers * spec.weights.hidden_size**2


def _settle_training(shares: Any) -> None:
    global _shares
    _shares = shares
    _settle()
    collect_none_at_exit()


def _settle() -> None:
    from workers.runtime.attempt import settle_environment

    settle_environment(threads=1, offline=False)


def _answers(request: StageRequest) -> Iterator[dict[str, Any]]:
    _settle()
    for staged in stage(request):
        yield staged.model_dump(mode="json", exclude_defaults=True)


if __name__ == "__main__":
    sys.exit(answer_request(StageRequest, _answers))
