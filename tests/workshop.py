"""A workshop: an own catalogue with backbones and tasks that take seconds, and the command line to run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from driver_processes import marked

from orchestrator.contracts.layout import ATTEMPTS
from orchestrator.execution.ray.launcher import LOOPBACK

Driver = subprocess.Popen[str]
PATIENCE = 480.0  # seconds until something must have happened, on a busy machine too


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@contextmanager
def ending(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """Kill the process if the test fails before it has ended: a sweep that is left behind would train for
    minutes and slow down every later test. What a driver has started ends with it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def at_work(attempt: Path, processes: Iterable[int]) -> int | None:
    """The one that holds the events of the attempt open."""
    return next((pid for pid in processes if _holds(pid, attempt / "events.jsonl")), None)


def stop_midway(attempt: Path, processes: Iterable[int]) -> int | None:
    """Makes the process of an attempt stand still that has its second checkpoint, and gives it: however fast
    the machine is, it will not be over when the fault comes, and to begin anew would cost it more than the
    steps between two checkpoints. None where it is not that far, or is over."""
    pid = at_work(attempt, processes)
    if pid is None or len(list((attempt / "checkpoint").glob("step-*[0-9]"))) < 2:
        return None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.suspend()
        while (state := process.status()) not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
            pass
        if state == psutil.STATUS_STOPPED and not (attempt / "outcome.json").exists():
            return pid
        process.resume()
    return None


def _holds(pid: int, file: Path) -> bool:
    try:
        return any(os.readlink(link) == str(file) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended meanwhile
        return False


BACKBONE = """
model: mini
domain: {domain}
architecture: bert
weights: {{kind: made, corpus: {domain}, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64,
          vocabulary: 600, documents: 200, steps: 10}}
max_length: 128
"""
NER = """
title: Invented mentions
kind: ner
domain: clinical
reader: {format: conll, files: {train: [ner/train.tsv], dev: [ner/dev.tsv], test: [ner/test.tsv]}}
made: {train: 60, dev: 10, test: 20}
labels: [problem, test, treatment]
metric: entity_f1
max_length: 64
"""
OUTCOME = """
title: Invented outcomes
kind: classification
domain: clinical
reader: {format: csv, text: text, label: outcome,
         files: {train: [outcome/train.csv], dev: [outcome/dev.csv], test: [outcome/test.csv]}}
made: {train: 60, dev: 20, test: 20}
metric: accuracy
max_length: 64
"""
SWEEP = {
    "name": "mini",
    "catalogues": ["catalogue"],
    "models": ["mini"],
    "domains": ["general", "clinical"],
    "methods": [{"name": "full", "learning_rate": 1e-3}, {"name": "lora", "learning_rate": 4e-3}],
    "tasks": ["mini-ner", "mini-outcome"],
    "seeds": [1, 2],
    "recipe": {"epochs": 2, "batch_size": 8},
    "checkpoint_seconds": 0,
    "concurrency": 1,  # each slot has a warm process of its own, which takes ten seconds of a core to start
}


def results(outcomes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What each trial that is finished found, by its name: the same wherever it ran, and through whatever."""
    finished = [o for o in outcomes if o["state"] == "finished"]
    return {o["trial"]: (o["test"], o["dev"], o["steps"], o["best_step"], o["signature"]) for o in finished}


@dataclass(frozen=True)
class Workshop:
    root: Path

    @property
    def sweeps(self) -> Path:
        return self.root / "sweeps"

    def write(self, name: str = "mini", **changes: Any) -> Path:
        """A sweep file; JSON is YAML."""
        path = self.root / f"{name}.yaml"
        path.write_text(json.dumps({**SWEEP, "name": name, **changes}))
        return path

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-c", "from orchestrator.cli import main; main()", *map(str, words)]

    @property
    def environment(self) -> dict[str, str]:
        """The user's, less what would point at another cluster or server."""
        foreign = ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", LOOPBACK)
        return {key: value for key, value in os.environ.items() if key not in foreign} | {"COLUMNS": "160"}

    def frontier(
        self, *words: str | Path, expect: int = 0, server: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`server`: the MLflow server to write to."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.root,
            env=self.environment | ({"MLFLOW_TRACKING_URI": server} if server else {}),
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def driving(self, *words: str | Path, stderr: int = subprocess.DEVNULL) -> Iterator[Driver]:
        """Run the command beside the test, and kill it if the test fails before it has ended."""
        driver = subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env=self.environment | marked(),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
        with ending(driver):
            yield driver

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.frontier(*words, "--json").stdout)

    def outcomes(self, sweep: str = "mini", storage: Path | None = None) -> dict[str, dict[str, Any]]:
        """By path of the attempt's directory below trials/."""
        trials = (storage or self.sweeps) / sweep / "trials"
        found = sorted(trials.glob(f"{ATTEMPTS}/outcome.json"))
        return {str(path.parent.relative_to(trials)): json.loads(path.read_text()) for path in found}

    def runs(self, sweep: str = "mini") -> list[dict[str, str]]:
        """The tags of the sweep's active MLflow runs, the summary left out."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.sweeps / 'mlflow.db'}")
        experiment = client.get_experiment_by_name(sweep)
        assert experiment is not None
        tags = [run.data.tags for run in client.search_runs([experiment.experiment_id], max_results=500)]
        return [t for t in tags if "seed" in t]
