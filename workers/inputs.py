"""The data of a trial: read, capped, and encoded for its backbone."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.record import Record
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, Problem
from workers.data import Example, cap_rows, class_counts, read_corpus
from workers.data.examples import characters
from workers.data.folds import FoldOfSeed
from workers.data.hub_dataset import dataset_root
from workers.documents import Documents, number_documents
from workers.models.foreign_tokenizers import bounded, reading_seconds
from workers.tasks import Encoded, encode, target_scale


class DataSpec(Record):
    """All that decides which data a trial has: nothing else may read or encode them."""

    task: TaskSpec
    backbone: BackboneSpec  # its tokenizer encodes
    data_digest: str | None
    weights_digest: str | None
    data_dir: str | None
    cache_dir: str
    max_length: PositiveInt
    train_rows: PositiveInt | None
    train_rows_per_class: PositiveInt | None
    dev_rows: PositiveInt | None
    fold: FoldOfSeed | None
    scored: tuple[Split, ...]

    @classmethod
    def of(cls, order: AttemptOrder) -> DataSpec:
        trial, recipe = order.trial, order.trial.recipe
        return cls(
            task=trial.task,
            backbone=trial.backbone,
            data_digest=trial.digests.data,
            weights_digest=trial.digests.weights,
            data_dir=order.data_dir,
            cache_dir=order.cache_dir,
            max_length=recipe.max_length,
            train_rows=recipe.train_rows,
            train_rows_per_class=recipe.train_rows_per_class,
            dev_rows=recipe.dev_rows,
            fold=None if trial.fold is None else FoldOfSeed(trial.fold, trial.seed),
            scored=(Split.DEV,) if trial.candidate is not None else (Split.DEV, Split.TEST),
        )

    @property
    def digest(self) -> str:
        """Return 64 hexadecimal digits."""
        return sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, repr=False)
class Examples:
    """The examples as read. They contain patient text."""

    labels: tuple[str, ...]  # by class id
    splits: dict[Split, list[Example]]
    rows: dict[str, int]
    counts: dict[Split, SplitCounts]  # what is cut is not known yet
    train_classes: dict[str, int]  # training examples of each class; for ner mentions of each type
    scale: TargetScale | None  # regression: of the number in train, as it is capped
    documents: Documents  # of test


@dataclass(frozen=True, repr=False)
class TaskData:
    """The encoded splits that a trial learns from and is scored on."""

    task: TaskSpec
    labels: tuple[str, ...]  # by class id
    train: Encoded
    dev: Encoded
    test: Encoded
    documents: Documents  # of test
    pad: int  # token id
    counts: dict[Split, SplitCounts]

    @property
    def parts(self) -> dict[Split, Encoded]:
        return {Split.TRAIN: self.train, Split.DEV: self.dev, Split.TEST: self.test}


def data_root(task: TaskSpec, data_dir: str | None, cache_dir: Path) -> Path:
    """Return the folder of the task's files. Raises ConfigError where data_dir is missing, DataError where
    the data set of a hub is."""
    if task.made is not None:
        return made_root(cache_dir, task)
    if isinstance(task.reader, HubReader):
        return dataset_root(task, task.reader, cache_dir)
    if data_dir is None:
        raise ConfigError(
            [
                Problem(
                    f"task {task.name}",
                    "data_dir",
                    "it reads files, and no data_dir is given",
                    "set data_dir in the sweep file, or data_dir=… on the command line",
                )
            ]
        )
    return Path(data_dir)


def read_examples(spec: DataSpec) -> Examples:
    """Read all three splits, train and dev capped. Raises DataError, ConfigError."""
    task = spec.task
    root = data_root(task, spec.data_dir, Path(spec.cache_dir))
    corpus = read_corpus(task, root, Split, spec.fold)
    available = corpus.splits
    splits = {
        Split.TRAIN: cap_rows(available[Split.TRAIN], spec.train_rows, spec.train_rows_per_class),
        Split.DEV: cap_rows(available[Split.DEV], spec.dev_rows),
        Split.TEST: available[Split.TEST],
    }
    rows = {f"{split}_available": len(available[split]) for split in (Split.TRAIN, Split.DEV)}
    rows |= {split.value: len(kept) for split, kept in splits.items()}
    classes = dict.fromkeys(task.labels or (), 0) | class_counts(splits[Split.TRAIN])
    return Examples(
        corpus.labels,
        splits,
        rows,
        corpus.counts(splits),
        classes,
        target_scale(splits[Split.TRAIN]),
        number_documents(splits[Split.TEST], among=corpus.tested),
    )


def encode_examples(examples: Examples, spec: DataSpec, tokenizer: Any) -> TaskData:
    """Encode the examples with the tokenizer of the backbone. Raises WeightsError, DataError."""
    task = spec.task
    seconds = reading_seconds(sum(characters(e) for part in examples.splits.values() for e in part))
    with bounded(spec.backbone.name, seconds):
        encoded = {
            split: encode(
                task.kind,
                part,
                examples.labels,
                tokenizer,
                spec.max_length,
                repeated=task.paper_scoring,
                scale=examples.scale,
            )
            for split, part in examples.splits.items()
        }
    return TaskData(
        task=task,
        labels=examples.labels,
        train=encoded[Split.TRAIN],
        dev=encoded[Split.DEV],
        test=encoded[Split.TEST],
        documents=examples.documents,
        pad=tokenizer.pad_token_id,
        counts={split: _with_cuts(examples.counts[split], spec, part) for split, part in encoded.items()},
    )


def _with_cuts(counts: SplitCounts, spec: DataSpec, part: Encoded) -> SplitCounts:
    cuts = {"max_length": spec.max_length, "cut": part.truncated, "mentions_cut": part.mentions_cut}
    return counts.model_copy(update=cuts)
