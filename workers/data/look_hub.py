"""Look at a data set of a Hugging Face hub that no task describes yet, at one commit: its Parquet files."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.contracts.data_look import DataLook, DatasetName
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError
from workers.data.hub import NotFetchedError, Repository, files_of, snapshot
from workers.data.look import SPLITS, look_at_columns
from workers.data.readers.hub_files import CARD, HubSplit, parquet_below, parquet_files, read_card


def look_at_dataset(asked: DatasetName) -> DataLook:
    """Return what the split train of a data set holds, and which other splits there are. Raises DataError
    where the hub does not have it, or has no Parquet files of it."""
    repository = Repository(
        "dataset",
        asked.name,
        asked.revision,
        key="the name: there is no such file or folder here either",
        revision_key="what follows the @",
        instead="name a file of this machine",
        entry="",
    )
    cache = Path(asked.cache_dir)
    root = _fetched(repository, cache, [CARD], ())
    repository = replace(repository, revision=root.name)
    present, card = files_of(repository, root.name) or parquet_below(root), read_card(root)
    reader = HubReader(dataset=asked.name, revision=root.name)
    files, names = set[str](), dict[str, str]()
    for split, usual in SPLITS.items():
        for name in usual:
            try:
                files.update(parquet_files(reader, name, present, card))
            except DataError:
                continue
            names[str(split)] = name
            break
    if Split.TRAIN not in names:
        parquet_files(reader, "train", present, card)  # says what there is instead
    root = _fetched(repository, cache, [CARD], sorted(files))
    look = look_at_columns("hub", HubSplit(root, names[Split.TRAIN], reader))
    return look.model_copy(update={"folders": names, "dataset": asked.name, "revision": root.name})


def _fetched(repository: Repository, cache: Path, optional: Iterable[str], needed: Iterable[str]) -> Path:
    needed = list(needed)
    patterns = [glob.escape(name) for name in (*optional, *needed)]
    try:
        return snapshot(repository, cache, patterns, needed=needed, fetch=True)
    except NotFetchedError as failed:
        problem, fix = failed.problem, failed.fix
    raise DataError("the hub", None, problem, fix)
