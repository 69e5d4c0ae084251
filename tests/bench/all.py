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
    ("demo_vs_trainer.py", "--repeats", "1", "--head"),
    ("noop_trials.py", "300"),
    ("first_step.py", "--repeats", "1"),
    ("reading_once.py", "--repeats", "1"),
    ("makespan.py", "100"),
    ("rerun.py", "--repeats", "1"),
    ("logging_cost.py",),
    ("report_10k.py", "1000x200"),
    ("training_tokens.py", "--repeats", "1"),
)
FULL: tuple[tuple[str, ...], ...] = (
    ("paid_once.py", "--repeats", "5"),
    ("demo_vs_trainer.py", "--repeats", "5", "--full"),
    ("demo_vs_trainer.py", "--repeats", "5", "--long"),
    ("demo_vs_trainer.py", "--repeats", "5", "--head"),
    ("noop_trials.py", "1000"),
    ("noop_trials.py", "10000"),
    ("first_step.py", "--repeats", "5"),
    ("reading_once.py", "--repeats", "5"),
    ("makespan.py", "100"),
    ("rerun.py", "--repeats", "5", "--cells", "24"),
    ("logging_cost.py", "200"),
    ("report_10k.py", "10000x0", "10000x1000"),
    ("training_tokens.py", "--repeats", "5", "--steps", "50"),
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
    show(sorted(rows, key=lambda row: row.id))
    record = {"before": before, "after": after, "rows": [vars(row) for row in rows], "failed": failed}
    (BUILD / "bench.json").write_text(json.dumps(record, indent=1) + "\n")
    for script in failed:
        print(f"{script} failed: its figures are missing", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
