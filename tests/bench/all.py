"""Every benchmark of the table, one after another, and one table at the end: figure, limit, verdict.

    python tests/bench/all.py [--full]

Each runs in its small form, in less than five minutes on a calm machine; `--full` takes hours. The rows are
kept in build/bench.json, beside the speed and the load of the machine before and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from table import Row, probe, show

HERE, BUILD = Path(__file__).parent, Path("build")
SMALL: tuple[tuple[str, ...], ...] = (
    ("paid_once.py", "--repeats", "1"),
    ("demo_vs_trainer.py", "--repeats", "1"),
    ("noop_trials.py", "300"),
    ("logging_cost.py",),
    ("report_10k.py", "1000x200"),
)
FULL: tuple[tuple[str, ...], ...] = (
    ("paid_once.py", "--repeats", "5"),
    ("demo_vs_trainer.py", "--repeats", "5", "--full"),
    ("demo_vs_trainer.py", "--repeats", "5", "--long"),
    ("noop_trials.py", "1000"),
    ("noop_trials.py", "10000"),
    ("logging_cost.py", "200"),
    ("report_10k.py", "10000x0", "10000x1000"),
)
MISSING = (
    Row("b4", "from dispatch to the first optimiser step on a warm worker", None, "ms", 50.0),
    Row("c", "real tokens per CPU-second against padding to the longest", None, "x", 2.5, at_most=False),
    Row("d", "makespan over its lower bound", None, "x", 1.06),
    Row("j", "head-only, 8 seeds, against a Trainer loop", None, "x", 50.0, at_most=False),
    Row("k", "a rerun with one changed cell of N", None, "of N", None),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    lines, failed = BUILD / "bench-rows.jsonl", []
    lines.unlink(missing_ok=True)
    before = probe()
    print(before, flush=True)
    for script, *words in FULL if given.full else SMALL:
        print(f"== {script} {' '.join(words)}", flush=True)
        began = time.monotonic()
        command = [sys.executable, str(HERE / script), *words, "--rows", str(lines)]
        if subprocess.run(command).returncode:
            failed.append(script)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
    text = lines.read_text() if lines.exists() else ""
    rows = [Row(**json.loads(line)) for line in text.splitlines()]
    after = probe()
    print(f"\nbefore: {before}\nafter:  {after}")
    show(sorted([*rows, *MISSING], key=lambda row: row.id))
    record = {"before": before, "after": after, "rows": [vars(row) for row in rows], "failed": failed}
    (BUILD / "bench.json").write_text(json.dumps(record, indent=1) + "\n")
    for script in failed:
        print(f"{script} failed: its figures are missing", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
