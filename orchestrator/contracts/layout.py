"""The paths of a sweep's records. No other module has the names of files and directories.

<storage>/<sweep>/sweep.json                      SweepRecord
<storage>/<sweep>/held.json                       Held: GPUs of the cluster's nodes, times the time
<storage>/<sweep>/weights.json                    KeptWeights, of keep_weights: frontier
<storage>/<sweep>/published.json                  PublishedRuns: what MLflow has been given
<storage>/<sweep>/rendered.json                   Rendered: what the files of the report were made from
<storage>/<sweep>/copy.json                       Copy: where these records were fetched from, and when
<storage>/<sweep>/lease/<number>.json             held by the one driver (orchestrator.storage.lease)
<storage>/<sweep>/trials/<cell>/seed-<n>/attempt-<nnn>/
    order.json  events.jsonl  examples.bin  outcome.json  bill.json  checkpoint/step-<n>/  model/
    sensitive/output.rank-<n>.log                 what libraries print: may quote text, stays where it is
<storage>/<sweep>/trials/<cell>/seed-<n>-fold-<m>/ likewise, a fold of a task with `folds`
<storage>/<sweep>/trials/<cell>/tune-<nnn>/       likewise, a candidate of a tuning search
<storage>/<sweep>/report/                         report.html, methods.html, report.md, report.json,
                                                  frontier.csv, tables.tex
<storage>/<sweep>-probes/, <sweep>-retrained/     sweeps that Frontier makes beside another
<storage>/mlflow.db                               the default MLflow store
<storage>/cache/                                  weights and made data that are staged

In an object store the keys are the same. There a directory of files (a checkpoint, a model, staged weights)
ends with `complete.json`, its marker.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

SWEEP = "sweep.json"
HELD = "held.json"
WEIGHTS = "weights.json"
OF_SWEEP = (SWEEP, HELD, WEIGHTS)  # records of the sweep itself that travel with it
PUBLISHED = "published.json"
RENDERED = "rendered.json"
LEASE = "lease"
TRIALS = "trials"
REPORT = "report"
ORDER = "order.json"
EVENTS = "events.jsonl"
EXAMPLES = "examples.bin"
OUTCOME = "outcome.json"
BILL = "bill.json"
SENSITIVE = "sensitive"  # of an attempt; for its owner alone, never copied to a store
RECORDS = (ORDER, EVENTS, EXAMPLES, OUTCOME, BILL)  # of an attempt, in the order in which they come
COPY = "copy.json"  # beside sweep.json where the records are a copy of those in a cluster
CHECKPOINTS = "checkpoint"
KEPT_CHECKPOINTS = 2  # of an attempt, the newest ones, on its machine and in a store
MODEL = "model"
DROPPED = ".dropped"  # ends the name of a folder that is being deleted
MLFLOW_STORE = "mlflow.db"
CACHE = "cache"
# Sweeps that Frontier makes beside another are named after it: no user gives a sweep such a name.
PROBES, RETRAINED = "-probes", "-retrained"
_CHECKPOINT = re.compile(r"step-(\d+)")
# Attempts below `trials`, by the depth of a trial's name; ** would walk into checkpoints, which come and go.
ATTEMPTS = "*/*/*/*/*/attempt-*"


def trial_directory(sweep: Path, trial: str) -> Path:
    """`trial` is a trial's name, say `tiny/clinical/lora-r8/ncbi-disease/seed-12`."""
    return sweep / TRIALS / trial


def attempt_directory(sweep: Path, trial: str, attempt: int) -> Path:
    return trial_directory(sweep, trial) / f"attempt-{attempt:03d}"


def lost_peer(attempt: Path, rank: int) -> Path:
    """Return the file with the Failure of a rank that ended because it lost another one, in its own words. It
    counts only where no rank had another reason."""
    return attempt / f"lost-peer.rank-{rank}.json"


def lost_peers(attempt: Path) -> list[Path]:
    """Return the files of all ranks, the oldest first."""
    return sorted(attempt.glob("lost-peer.rank-*.json"), key=lambda path: path.stat().st_mtime_ns)


def nccl_log(attempt: Path, rank: int) -> Path:
    """Return the file of the rank's NCCL warnings. It is removed after a good end."""
    return attempt / f"nccl.rank-{rank}.log"


def output_log(attempt: Path, rank: int) -> Path:
    """Return the file of the rank's standard output and error. It is removed after a good end."""
    return attempt / SENSITIVE / f"output.rank-{rank}.log"


def checkpoint_name(step: int) -> str:
    return f"step-{step}"


def checkpoint_step(name: str) -> int | None:
    """Return the step that a checkpoint's name gives, None for other names: `step-40.tmp` is a leftover."""
    match = _CHECKPOINT.fullmatch(name)
    return None if match is None else int(match[1])


def checkpoints(directory: Path) -> list[tuple[int, Path]]:
    """Return steps and paths of the checkpoints below `directory`, oldest first. They appear by rename, so
    each one is complete."""
    steps = ((checkpoint_step(path.name), path) for path in directory.glob("step-*"))
    return sorted((step, path) for step, path in steps if step is not None)


HubKind = Literal["models", "datasets"]


def hub_repository(hub: str, kind: HubKind = "models") -> str:
    """Return where the cache of Hugging Face's hub keeps a repository, relative to the staged inputs."""
    return f"hub/{kind}--{hub.replace('/', '--')}"


def attempts(trial: Path) -> list[tuple[int, Path]]:
    """Return the attempts of a trial directory that exist, by number, oldest first."""
    numbered = [(int(p.name.removeprefix("attempt-")), p) for p in trial.glob("attempt-[0-9]*") if p.is_dir()]
    return sorted(numbered)
