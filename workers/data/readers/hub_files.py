"""A data set of a Hugging Face hub: the Parquet files of its splits, and what its card (README.md) says.

Files are chosen as the library `datasets` does it: by the `configs` of the card, else by their names, such as
`data/train-00000-of-00002.parquet` or `train/0000.parquet`. Nothing of a repository is ever run.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from orchestrator.contracts.readers import HubReader
from orchestrator.errors import DataError
from workers.data.readers.parquet_file import ParquetFile

CARD = "README.md"
CONVERTED = "refs/convert/parquet"  # the revision under which the hub keeps data sets that it converted
_PARQUET = ".parquet"
_SHARD = re.compile(r"(.*)-[0-9]{5}-of-([0-9]{5})\.parquet")
_Card = dict[str, Any]


@dataclass(frozen=True)
class HubSplit:
    """The columns of one split. `root`: the folder of a staged revision. Each method raises DataError."""

    root: Path
    name: str
    reader: HubReader

    @property
    def path(self) -> Path:
        return self.root / self.name

    def column_names(self) -> list[str]:
        return self._shards()[0].column_names()

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the cells of each row in the order of `columns`, shard by shard."""
        for shard in self._shards():
            yield from shard.rows(columns)

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names of a ClassLabel or of a list of them, as the files have them, else the card."""
        card = read_card(self.root)
        return self._shards()[0].class_names(column) or _classes_of(card, self.reader.config, column)

    def _shards(self) -> list[ParquetFile]:
        names = parquet_files(self.reader, self.name, parquet_below(self.root), read_card(self.root))
        return [ParquetFile(self.root / name) for name in names]


def read_card(root: Path) -> _Card:
    """Return the metadata at the beginning of the card; empty if there is none, or it cannot be read."""
    try:
        text = (root / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    front = re.match(r"---\r?\n(.*?)\r?\n---\s*(\n|$)", text, re.DOTALL)
    try:
        card = yaml.safe_load(front[1]) if front else None
    except (yaml.YAMLError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def parquet_below(root: Path) -> list[str]:
    """Return the paths of the Parquet files below a folder."""
    return [path.relative_to(root).as_posix() for path in sorted(root.rglob(f"*{_PARQUET}"))]


def parquet_files(reader: HubReader, name: str, present: Collection[str], card: _Card) -> list[str]:
    """Return the files of a split, or those that match a path, among the `present` ones of the repository.
    Raises DataError if there are none, or not all of them."""
    if not any(path.endswith(_PARQUET) for path in present):
        raise _error(reader, *_without_parquet(present))
    files = sorted({path for path in present if path.endswith(_PARQUET)})
    if name.endswith(_PARQUET):
        chosen = [path for path in files if fnmatch.fnmatchcase(path, name)]
    elif (declared := _declared(reader, card)) is not None:
        patterns = [str(PurePosixPath(pattern)) for pattern in declared.get(name, ())]
        chosen = [p for p in files if any(fnmatch.fnmatchcase(p, pattern) for pattern in patterns)]
    else:
        chosen = next(filter(None, (_named(name, folder, files) for folder in _folders(reader))), [])
    if not chosen:
        raise _error(reader, *_without_split(reader, name, files, card))
    for (stem, total), count in Counter(m.groups() for m in map(_SHARD.fullmatch, chosen) if m).items():
        if count != int(total):
            problem = f"{count} of the {int(total)} files {stem}-…{_PARQUET} are there"
            raise _error(reader, problem, "run `frontier stage` with this sweep file")
    return chosen


def _folders(reader: HubReader) -> tuple[str, ...]:
    return ("", "default/") if reader.config is None else (f"{reader.config}/",)


def _named(name: str, folder: str, files: Sequence[str]) -> list[str]:
    """Return the files whose names say the split: in a folder called so, or with it as a word of theirs."""
    word = re.escape(name)
    pattern = re.compile(rf"(data/)?({word}/[^/]*|(.*[._-])?{word}([._-][^/]*)?)\.parquet")
    below = [path.removeprefix(folder) for path in files if path.startswith(folder)]
    return [folder + path for path in below if path.count("/") <= 2 and pattern.fullmatch(path)]


def _declared(reader: HubReader, card: _Card) -> dict[str, list[str]] | None:
    """Return the patterns by split that the card declares for the config; None if it declares no files.
    Raises DataError where it does not say which config is meant."""
    configs = {
        str(config.get("config_name", "default")): config
        for config in _mappings(card.get("configs"))
        if config.get("data_files")
    }
    if not configs:
        return None
    main = [name for name, config in configs.items() if config.get("default")] or ["default"]
    name = reader.config or (next(iter(configs)) if len(configs) == 1 else main[0])
    if name not in configs:
        problem = f"there is no config {reader.config!r} in it" if reader.config else "it has several configs"
        names = ", ".join(sorted(configs))
        raise _error(reader, f"{problem}; it has: {names}", "set `config` of the reader to one of them")
    listed = configs[name]["data_files"]
    entries = listed if isinstance(listed, list) else [listed]
    patterns: dict[str, list[str]] = {}
    for entry in entries:
        split = str(entry.get("split", "train")) if isinstance(entry, dict) else "train"
        paths = entry.get("path") if isinstance(entry, dict) else entry
        patterns.setdefault(split, []).extend(map(str, paths if isinstance(paths, list) else [paths]))
    return patterns


def _classes_of(card: _Card, config: str | None, column: str) -> tuple[str, ...]:
    """Return the class names that the card lists for a column; empty if it lists none."""
    infos = _mappings(card.get("dataset_info"))
    named = [info for info in infos if config in (None, info.get("config_name"))] or infos[:1]
    for info in named[:1]:
        for feature in _mappings(info.get("features")):
            if feature.get("name") == column:
                return _class_label(feature)
    return ()


def _class_label(feature: Any) -> tuple[str, ...]:
    while isinstance(feature, dict):
        if isinstance(label := feature.get("class_label"), dict):
            names = label.get("names")
            if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
                return tuple(str(names[key]) for key in sorted(names, key=lambda key: int(str(key))))
            return tuple(map(str, names)) if isinstance(names, list) else ()
        inner = (feature.get(key) for key in ("dtype", "sequence", "list"))
        feature = next((value for value in inner if isinstance(value, dict)), None)
    return ()


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _without_parquet(present: Collection[str]) -> tuple[str, str]:
    scripts = [path for path in present if path.endswith(".py")]
    fix = f"set revision: {CONVERTED}, where the hub keeps what it converted; or download its files"
    if scripts:
        return f"it has no Parquet file, and its loading script {scripts[0]} is never run", fix
    return "it has no Parquet file", fix


def _without_split(reader: HubReader, name: str, files: Sequence[str], card: _Card) -> tuple[str, str]:
    """Return problem and fix, with what there is instead."""
    declared = None if name.endswith(_PARQUET) else _declared(reader, card)
    shown = list(declared or {}) or sorted({_stem(path) for path in files})
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    what = f"no file matches {name!r}" if name.endswith(_PARQUET) else f"there is no split {name!r}"
    kind = "splits" if declared else "Parquet files"
    fix = "name one of them under `files` of the reader, set its `config`, or hold out a share of train"
    return f"{what} in it; its {kind} are: {', '.join(shown[:8])}{more}", fix


def _stem(path: str) -> str:
    """Return a path with * for the number of a shard."""
    shard = _SHARD.fullmatch(path)
    return path if shard is None else f"{shard[1]}-*{_PARQUET}"


def _error(reader: HubReader, problem: str, fix: str) -> DataError:
    return DataError(f"{reader.dataset} at revision {reader.revision}", None, problem, fix)
