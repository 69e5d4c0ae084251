"""How often the tests that start processes fail on a busy machine: ten rounds of them beside two busy loops.

    python tests/bench/calm.py [ROUNDS] [arguments of pytest: files, or -k name]

Ends with 1 where a test failed in any round.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
# Every file with a test that starts a process, a server, a browser or a Ray cluster.
FILES = (
    "e2e",
    "component/cluster/test_ui.py",
    "component/cluster/test_verbs.py",
    "component/test_capabilities.py",
    "component/test_frozen_in_half.py",
    "component/test_host.py",
    "component/test_hub.py",
    "component/test_page_in_browser.py",
    "component/test_ranks.py",
    "component/test_ranks_in_launchers.py",
    "component/test_sharded.py",
    "component/test_stage.py",
    "component/test_token_counts.py",
    "contract",
    "unit/config/test_inputs.py",
    "unit/data/test_holdout.py",
    "unit/demo/test_made_tasks.py",
    "unit/execution/test_worker_slot.py",
    "unit/planning/test_fingerprints.py",
    "unit/planning/test_sampler.py",
    "unit/report/test_scores.py",
    "unit/tracking/test_ledger.py",
    "unit/tracking/test_mlflow_view.py",
    "manifests/test_images.py",
    "manifests/test_submitter.py",
    "docs",
)
BUSY_LOOPS = 2


@contextmanager
def busy(loops: int) -> Iterator[None]:
    command = ["nice", sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def failures(arguments: list[str], report: Path) -> tuple[int, list[str]]:
    """Return how many tests ran and the names of those that failed."""
    command = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadgroup", "--no-loadscope-reorder"]
    command += [f"--junitxml={report}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if not report.exists():
        raise SystemExit(done.stdout + done.stderr)
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    ran = [case for case in cases if case.find("skipped") is None]
    red = [case for case in ran if case.find("failure") is not None or case.find("error") is not None]
    if red:
        print(done.stdout)
    return len(ran), [f"{case.get('classname')}::{case.get('name')}" for case in red]


def main() -> int:
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else 10
    arguments = words or [str(ROOT / "tests" / file) for file in FILES]
    red = Counter[str]()
    with tempfile.TemporaryDirectory() as directory, busy(BUSY_LOOPS):
        for number in range(1, rounds + 1):
            began = time.monotonic()
            ran, failed = failures(arguments, Path(directory, f"round-{number}.xml"))
            red.update(failed)
            minutes = (time.monotonic() - began) / 60
            print(f"round {number}: {ran} tests, {len(failed)} failed, {minutes:.1f} min", flush=True)
    for name, count in red.most_common():
        print(f"failed in {count} of {rounds} rounds: {name}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
