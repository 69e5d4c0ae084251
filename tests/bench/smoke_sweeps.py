"""Does every sweep that comes with the project run end to end at smoke size, and how long does that take?

    python tests/bench/smoke_sweeps.py [NAME …]

Each sweep of configs/sweeps (or those named) runs with `--smoke` in a directory of its own, on this machine's
cores, staging included. Exits with 1 where a trial did not finish.

27 November 2026, two shared cores of an Intel Xeon, no GPU, load average 1.3 before it:

    paper               177.3 s  273 finished, 42 cells refused
    architectures        86.8 s  102 finished, 114 cells refused
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEPS = Path(__file__).parents[2] / "configs" / "sweeps"
_FRONTIER = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


def run(name: str, directory: Path) -> bool:
    """Prints a line about the sweep; whether all its trials finished."""
    began = time.monotonic()
    command = [*_FRONTIER, "run", str(SWEEPS / f"{name}.yaml"), "--smoke", "--launcher", "local", "--json"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1):
        print(f"{name:18} did not run: exit code {done.returncode}\n{done.stderr[-2000:]}", flush=True)
        return False
    status = [*_FRONTIER, "status", f"{name}-smoke", "--json"]
    found = json.loads(
        subprocess.run(status, cwd=directory, capture_output=True, text=True, check=True).stdout
    )
    states = {state: count for state, count in found["trials"].items() if count}
    trials = ", ".join(f"{count} {state}" for state, count in states.items())
    print(f"{name:18} {seconds:6.1f} s  {trials}, {found['refused']} cells refused", flush=True)
    for failed in found["failed"]:
        print(f"    {failed['kind']} {failed['trial']}: {failed['message']}", flush=True)
    return set(states) == {"finished"}


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="frontier-smoke-") as directory:
        wanted = names or sorted(path.stem for path in SWEEPS.glob("*.yaml"))
        finished = [run(name, Path(directory)) for name in wanted]
    return 0 if all(finished) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
