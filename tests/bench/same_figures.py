"""Compare the figures of two sweeps bit for bit: `same_figures.py BEFORE AFTER [SWEEP]`.

BEFORE and AFTER are storage directories (`sweeps/`) that hold a sweep of the same name, say the demo before
and after a change of the code. Compared are, for each finished trial: dev and test metrics, loss included,
the best step, the parameters, the rows, and the metrics of every evaluation. Times, versions and
fingerprints may differ, and a field that only one side records is not compared. Training losses are not
compared: a record of them is a mean since the last record, and when a checkpoint adds one is a matter of
time. Exit code 1 at any difference, and where a trial has finished on one side only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIELDS = ("test", "dev", "best_step", "signature", "steps", "planned_steps", "parameters", "rows", "labels")
FIELDS += ("train_tokens", "train_classes", "micro_batch_size")
OF_AN_EVALUATION = ("step", "epoch", "metrics", "best")

Figures = dict[str, Any]


def finished(storage: Path, sweep: str) -> dict[str, Figures]:
    """The figures of each finished trial, by its name."""
    trials = {}
    for path in sorted((storage / sweep).rglob("outcome.json")):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        if outcome["state"] == "finished":
            figures = {key: outcome[key] for key in FIELDS if key in outcome}
            figures["evaluations"] = list(_evaluations(path.with_name("events.jsonl")))
            trials[outcome["trial"]] = figures
    return trials


def _evaluations(path: Path) -> Iterator[Figures]:
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "evaluation":
            yield {key: event[key] for key in OF_AN_EVALUATION}


def differences(before: Figures, after: Figures, where: str = "") -> Iterator[str]:
    """The keys that both have and whose values differ, as dotted paths."""
    for key in before.keys() & after.keys():
        left, right = before[key], after[key]
        if isinstance(left, dict) and isinstance(right, dict):
            yield from differences(left, right, f"{where}{key}.")
        elif left != right:
            yield f"{where}{key}"


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    sweep = arguments[2] if len(arguments) == 3 else "demo"
    before, after = (finished(Path(storage), sweep) for storage in arguments[:2])
    missing = sorted(before.keys() ^ after.keys())
    different = {
        trial: keys
        for trial in before.keys() & after.keys()
        if (keys := sorted(differences(before[trial], after[trial])))
    }
    for trial in missing:
        print(f"{trial}: finished on one side only")
    for trial, keys in sorted(different.items()):
        print(f"{trial}: {', '.join(keys)}")
    compared = len(before.keys() & after.keys())
    print(f"{compared - len(different)} of {compared} trials agree; {len(missing)} are on one side only")
    return 1 if missing or different or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
