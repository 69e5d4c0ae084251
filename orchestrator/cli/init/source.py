"""What `frontier init` is given: files of this machine, or a data set of a hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.worker_calls import ask
from orchestrator.config.overrides import WHERE
from orchestrator.contracts import hub
from orchestrator.contracts.data_look import DataLook, DatasetName, LookRequest
from orchestrator.contracts.separators import Separator
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, Problem

_DATASET = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?")
DATA_SUFFIXES = {
    ".arrow",
    ".conll",
    ".csv",
    ".gz",
    ".iob",
    ".json",
    ".jsonl",
    ".parquet",
    ".tsv",
    ".txt",
    ".xlsx",
}


@dataclass(frozen=True)
class DataSource:
    """`files` by split, or the `dataset` OWNER/NAME at a revision."""

    files: Mapping[Split, Path]
    dataset: str | None = None
    revision: str = "main"

    @property
    def shown(self) -> str:
        return self.dataset or str(self.files[Split.TRAIN])

    @property
    def stem(self) -> str:
        """Return what the study is named after."""
        return (self.dataset or self.files[Split.TRAIN].name.partition(".")[0]).rpartition("/")[2]

    def look(self, separator: Separator | None, cache: Path) -> DataLook:
        """Let a worker look at it. A data set is fetched into the cache of the sweeps."""
        if self.dataset is not None:
            asked = DatasetName(name=self.dataset, revision=self.revision, cache_dir=str(cache))
            request = LookRequest(path="", dataset=asked)
        else:
            request = LookRequest(path=str(self.files[Split.TRAIN].resolve()), separator=separator)
        [answer] = ask("workers.look", request)
        return DataLook.model_validate(answer)

    def placed(self, look: DataLook) -> tuple[Path | None, dict[Split, str]]:
        """Return the data directory, None for a data set, and below it the file of each split."""
        if self.dataset is not None:
            return None, {Split(split): name for split, name in look.folders.items()}
        resolved = {split: path.resolve() for split, path in self.files.items()}
        if look.folders:
            return resolved[Split.TRAIN], {Split(split): name for split, name in look.folders.items()}
        directory = Path(os.path.commonpath([path.parent for path in resolved.values()]))
        return directory, {split: str(path.relative_to(directory)) for split, path in resolved.items()}

    def root(self, data_dir: Path | None, look: DataLook, cache: Path) -> Path:
        """Return the folder in which a worker reads it."""
        if data_dir is not None:
            return data_dir
        snapshot = hub.snapshot_of(cache, look.dataset or "", look.revision or "", "datasets")
        assert snapshot is not None
        return snapshot


def data_source(file: Path, dev: Path | None, test: Path | None) -> DataSource:
    """Return what the words of the command line mean. What is neither a file nor in a folder of this machine,
    and has the form OWNER/NAME, is a data set of the hub. Raises ConfigError where a file is missing."""
    files = {split: path for split, path in zip(Split, (file, dev, test), strict=True) if path is not None}
    named = _DATASET.fullmatch(str(file))
    is_local = file.exists() or file.parent.is_dir() or file.suffix.lower() in DATA_SUFFIXES
    if named is None or is_local:
        for path in files.values():
            if not path.exists():
                fix = "check the path; a data set of the hub is named OWNER/NAME"
                raise ConfigError([Problem(str(path), "", "there is no such file", fix)])
        return DataSource(files)
    if len(files) > 1:
        problem = f"belongs to files, and {file} is a data set of the hub, which has its own splits"
        flag = "--dev" if dev is not None else "--test"
        raise ConfigError([Problem(WHERE, flag, problem, f"remove {flag}")])
    return DataSource({}, named[1], named[2] or "main")
