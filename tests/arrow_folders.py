"""Folders as `datasets.save_to_disk` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow


def write_folder(
    root: Path, columns: dict[str, Any], split: str = "train", features: Any = None, files: int = 1
) -> Path:
    folder = root / "corpus" / split
    folder.mkdir(parents=True)
    whole = pyarrow.table(columns)
    names = [f"data-{number:05d}-of-{files:05d}.arrow" for number in range(files)]
    size = -(-whole.num_rows // files)
    for number, name in enumerate(names):
        with (
            pyarrow.OSFile(str(folder / name), "wb") as sink,
            pyarrow.ipc.new_stream(sink, whole.schema) as out,
        ):
            out.write_table(whole.slice(number * size, size), max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names], "_split": split, "_fingerprint": "0"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features or {}}))
    return folder
