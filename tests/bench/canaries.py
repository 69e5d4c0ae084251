"""Does a word of a note, a name of a patient's file or a secret come out of the worker, whatever happens?

    make bench-canaries            (python tests/bench/canaries.py [local] [ray])

Markers are planted in every field of a corpus of each format and in the driver's environment; trials succeed,
read malformed records, raise, panic, print, run out of memory and of disk, crash and are killed; then every
file that was left in storage, home, caches, temporary and working directories, everything printed, and
arguments and environments of all processes are searched for each marker, also as UTF-16, hexadecimal, base64
and digests. Prints hits by source and sink, and exits with 1 where there is one, or where a trial did not end
as planted, so that nothing was searched for. About three minutes on two idle cores.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "planted")]

from canaries import found, hits, in_processes, planted  # noqa: E402
from canary_corpora import FORMATS, Planted, write  # noqa: E402
from driver_processes import marked, started_by  # noqa: E402
from sitecustomize import ACTS  # noqa: E402

_FRONTIER = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY")
_BACKBONE = {
    "model": "mini",
    "domain": "general",
    "architecture": "bert",
    "weights": {"kind": "random", "architecture": "bert"},
    "max_length": 64,
}
MARKER = "Zz"  # they all begin so
_SINKS = ("records", "report", "MLflow", "caches", "temporary files", "elsewhere", "console", "processes")
_WORKER = "workers.runtime.fork_server"
_UNUSED = {"hang"}  # tests/component/test_canaries.py looks into its processes
_ENDINGS = {  # of other acts: BUG
    "prints": "finished",
    "memory": "OUT_OF_MEMORY",
    "disk": "BAD_INPUT",
    "kill": "PREEMPTED",
}


class Rig:
    """A place with nothing of ours, the commands that run there, and what was found of which marker where."""

    def __init__(self, root: Path) -> None:
        self.root, self.catalogue, self.data = root, root / "catalogue", root / "data"
        self.tasks: list[Planted] = []
        self.wrong: list[str] = []
        self.ended = 0
        self.hits: dict[tuple[str, str], list[str]] = defaultdict(list)  # by marker and sink
        self.secrets = {name: f"Zzsecret{name.lower().replace('_', '')}" for name in _SECRETS}
        for name in ("home", "t", "work", "catalogue/backbones"):
            (root / name).mkdir(parents=True)
        (self.catalogue / "backbones" / "mini-general.yaml").write_text(json.dumps(_BACKBONE))
        own = {"HOME": "home", "TMPDIR": "t", "XDG_CACHE_HOME": "home/.cache"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))},
            **{name: str(root / folder) for name, folder in own.items()},
            **planted(_WORKER),
            **marked(),
            **self.secrets,
            "COLUMNS": "400",
        }

    @property
    def markers(self) -> dict[str, str]:
        """Name of the source by its marker."""
        marked = {marker: f"{t.name}: {source}" for t in self.tasks for source, marker in t.markers.items()}
        return marked | {marker: f"secret: {name}" for name, marker in self.secrets.items()}

    def sweep(self, name: str, tasks: list[str], **keys: object) -> Path:
        path = self.root / f"{name}.yaml"
        sweep = {
            "name": name,
            "catalogues": [str(self.catalogue)],
            "data_dir": str(self.data),
            "storage": str(self.root / "sweeps"),
            "models": ["mini"],
            "domains": ["general"],
            "methods": ["full"],
            "tasks": tasks,
            "seeds": [1],
            "recipe": {"epochs": 1, "batch_size": 4, "learning_rate": 1e-3},
            "retries": 0,
            "concurrency": 1,
        }
        path.write_text(json.dumps(sweep | keys))
        return path

    def frontier(self, *words: str | Path, apart: frozenset[str] = frozenset()) -> int:
        """Run a command; search what it prints, its processes and the temporary files meanwhile. `apart` are
        sources that it may print."""
        command = [*_FRONTIER, *map(str, words)]
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(
                command, cwd=self.root / "work", env=self.environment, stdout=printed, stderr=printed
            )
            with self._watching(process):
                code = process.wait()
            printed.seek(0)
            text = printed.read()
        markers = [m for m, source in self.markers.items() if source.partition(": ")[2] not in apart]
        for hit in hits(text, markers):
            self._note(hit, "console", " ".join(map(str, words[:2])))
        print(f"    frontier {' '.join(Path(w).name for w in words[:3])}: exit code {code}", flush=True)
        if code not in (0, 1, 2):
            print(text.decode(errors="replace")[-2000:])
        return code

    @contextmanager
    def _watching(self, driver: subprocess.Popen[bytes]) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.3):
                self._processes(driver)
                self._files(self.root / "t")

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _processes(self, driver: subprocess.Popen[bytes]) -> None:
        """Secrets may be in the driver and what speaks for it, and not where text is read."""
        texts = [marker for marker in self.markers if marker not in self.secrets.values()]
        try:
            started = started_by(driver)
            workers = {process.pid for process in started if _WORKER in process.cmdline()}
            for pid in (driver.pid, *(process.pid for process in started)):
                markers = list(self.markers) if pid in workers else texts
                for place, found_there in in_processes([pid], markers).items():
                    for hit in found_there:
                        self._note(hit, "processes", place)
        except (psutil.Error, OSError):
            return  # one of them has ended meanwhile

    def _files(self, folder: Path) -> None:
        try:
            for path, found_there in found(folder, self.markers, [self.data, self.catalogue]).items():
                for hit in found_there:
                    self._note(hit, self._sink(folder / path), path)
        except OSError:
            return  # a temporary file has gone meanwhile

    def _sink(self, path: Path) -> str:
        place = path.relative_to(self.root).parts
        if place[0] == "sweeps":
            if place[1].startswith("mlflow"):
                return "MLflow"
            return "caches" if place[1] == "cache" else "report" if "report" in place else "records"
        return {"t": "temporary files", "home": "caches"}.get(place[0], "elsewhere")

    def _note(self, hit: str, sink: str, where: str) -> None:
        marker, _, form = hit.partition(" ")
        words = f"{where} {form}"
        if words not in self.hits[marker, sink]:
            self.hits[marker, sink].append(words)

    def check(self, sweep: str, good: set[str]) -> None:
        """Whether each trial ended as planted, and what it printed is where it belongs."""
        for path in (self.root / "sweeps" / sweep).rglob("outcome.json"):
            outcome = json.loads(path.read_bytes())
            task = outcome["trial"].split("/")[3]
            act = task.removesuffix("-csv").replace("-", "_")
            wanted = "finished" if task in good else _ENDINGS.get(act, "BUG")
            kind = outcome["failure"]["kind"] if outcome["failure"] else outcome["state"]
            printed = any(MARKER in log.read_text() for log in (path.parent / "sensitive").glob("*"))
            must_print = act in ("panic", "prints_and_fails", "crash", "abort", "kill")
            self.ended += 1
            if kind != wanted or printed != must_print:
                self.wrong.append(f"{sweep}: {task} ended as {kind}, expected {wanted}; printed: {printed}")

    def search(self) -> None:
        self._files(self.root)

    def table(self) -> int:
        """Print hits by source and sink; the number of sources that came out."""
        print(f"\n{'source':34}" + "".join(f"{sink:>17}" for sink in _SINKS))
        for marker, source in self.markers.items():
            print(f"{source:34}" + "".join(f"{len(self.hits[marker, sink]):>17}" for sink in _SINKS))
        for (marker, sink), places in self.hits.items():
            for place in places:
                print(f"FOUND {self.markers[marker]} in {sink}: {place}")
        for words in self.wrong:
            print(f"NOT AS PLANTED {words}")
        print(f"\n{self.ended} trials ended, {len(self.wrong)} of them not as planted")
        return sum(bool(places) for places in self.hits.values())


def run(rig: Rig, launchers: list[str]) -> None:
    good = [write(name, rig.data, rig.catalogue) for name in FORMATS if name != "headless"]
    bad = [write(name, rig.data, rig.catalogue, "bad-", bad=True) for name in FORMATS]
    rig.tasks += [*good, *bad]
    acts = []
    for act in ACTS:
        if act.__name__ not in _UNUSED:
            task = write("csv", rig.data, rig.catalogue, f"{act.__name__.replace('_', '-')}-")
            file = rig.data / task.name / "train.csv"
            file.write_text(file.read_text().replace(f" {task.name} ", f" act={act.__name__} "))
            acts.append(task)
    rig.tasks += acts
    names = [task.name for task in (*good, *acts)]
    for launcher in launchers:
        sweep = rig.sweep(f"whole-{launcher}", names if launcher == "local" else [names[0], *names[-4:]])
        rig.frontier("plan", sweep)
        rig.frontier("run", sweep, "--launcher", launcher)
        for verb in ("status", "ledger", "report", "sync"):
            rig.frontier(verb, sweep.stem, "--storage", str(rig.root / "sweeps"))
        rig.check(sweep.stem, {task.name for task in good})
    sweep = rig.sweep("malformed", [task.name for task in bad])
    rig.frontier("stage", sweep)
    rig.frontier("run", sweep, "--launcher", "local")
    for task in bad:
        catalogue = ["--catalogue", str(rig.catalogue), "--storage", str(rig.root / "sweeps")]
        inspect = ["task", "inspect", task.name, f"data_dir={rig.data}", *catalogue]
        rig.frontier(*inspect, apart=frozenset({"file", "folder", "record"}))
    rig.search()


def main(launchers: list[str]) -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    directory = Path(f"/tmp/c{os.getpid()}")  # Ray's sockets need a short path
    directory.mkdir()
    try:
        rig = Rig(directory)
        run(rig, launchers or ["local", "ray"])
        leaks = rig.table()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\n{leaks} of {len(rig.markers) * len(_SINKS)} sources and sinks have a hit")
    return 1 if leaks or rig.wrong or not rig.ended else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
