"""What the first trial of a slot at a task takes to read and encode its data, and a later one to find them.

    python tests/bench/reading_once.py [--repeats 3] [--notes 12000]

Invented notes of 400 to 500 words in CSV files, the demo's tokenizer, CPU-seconds of one process, in turns.
The gate: what is found equals what was read. No target is set for it.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from typing import Any

from demo_vs_trainer import FRONTIER, orders_of
from table import Row, arguments, finish

from orchestrator.contracts.trial import AttemptOrder
from workers.demo.corpora import corpus
from workers.inputs import DataSpec, read_examples
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import weights_directory
from workers.prepared_data import PreparedData, count_inputs, find_prepared, prepare
from workers.runtime.kept_data import KeptData, room_of_slot

SWEEP = {
    "name": "reading",
    "catalogues": ["catalogue"],
    "models": ["demo-tiny"],
    "domains": ["clinical"],
    "methods": ["full"],
    "tasks": ["notes"],
    "seeds": [1],
    "data_dir": "data",
    "recipe": {"learning_rate": 1e-3},
}
SPLITS = {"train": 0.7, "dev": 0.1, "test": 0.2}
TASK = {
    "title": "Invented notes",
    "kind": "classification",
    "domain": "clinical",
    "reader": {
        "format": "csv",
        "text": "text",
        "label": "label",
        "files": {split: [f"{split}.csv"] for split in SPLITS},
    },
    "metric": "accuracy",
    "max_length": 128,
}


def write_notes(work: Path, notes: int) -> Path:
    """Write the corpus, its task and a sweep; return the sweep's file."""
    for folder in ("data", "catalogue/tasks"):
        (work / folder).mkdir(parents=True)
    pool, numbers = " ".join(corpus("clinical", 5_000, seed=1)).split(), count()
    for split, share in SPLITS.items():
        with (work / "data" / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for number in islice(numbers, round(notes * share)):
                length = 400 + number % 101
                start = number * 7919 % (len(pool) - length)
                table.writerow([" ".join(pool[start : start + length]), ("ill", "well")[number % 2]])
    (work / "catalogue" / "tasks" / "notes.yaml").write_text(json.dumps(TASK))
    (work / "reading.yaml").write_text(json.dumps(SWEEP))
    return work / "reading.yaml"


def seconds_of(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def main() -> None:
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--notes", type=int, default=12_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        work = Path(name)
        sweep = write_notes(work, given.notes)
        subprocess.run([*FRONTIER, "stage", sweep], cwd=work, check=True, stdout=subprocess.DEVNULL)
        [path] = orders_of(work, [], sweep)
        order = AttemptOrder.model_validate_json(path.read_bytes())
        spec, backbone = DataSpec.of(order), order.trial.backbone
        folder = weights_directory(backbone, Path(order.cache_dir), fetch=False)

        def read() -> PreparedData:
            examples = read_examples(spec)
            return prepare(spec, examples, count_inputs(examples), load_tokenizer(backbone, folder))

        took: dict[str, list[float]] = {"read": [], "found": []}
        for _ in range(given.repeats):
            kept_data = KeptData(room_of_slot(None))
            os.environ.update(kept_data.environment())
            first, seconds = seconds_of(read)
            took["read"].append(seconds)
            kept_data.attempt_ended(0)
            os.environ.update(kept_data.environment())
            found, seconds = seconds_of(lambda: find_prepared(spec))
            took["found"].append(seconds)
            if found != first:
                raise SystemExit("what was found is not what was read")
    ratio = statistics.median(read / found for read, found in zip(*took.values(), strict=True))
    finish(
        [
            Row("r", f"to read and encode {given.notes:,} notes", statistics.median(took["read"]), "CPU-s"),
            Row("r", "to find them in memory instead", statistics.median(took["found"]), "CPU-s"),
            Row("r", "one to the other", ratio, "x"),
        ],
        given.rows,
    )


if __name__ == "__main__":
    main()
