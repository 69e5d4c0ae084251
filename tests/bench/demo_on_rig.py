"""The demo on three machines, with an object store and a tracking server, beside the demo on a laptop.

    python tests/bench/demo_on_rig.py [SWEEP.yaml]

The machines are Ray nodes in namespaces of this one (root): a head, and two workers of one core each. Their
records lie in an S3-compatible server, their runs in an MLflow server with accounts on PostgreSQL. The laptop
is `frontier run --launcher local` in a directory of its own. Without an argument: configs/sweeps/demo.yaml.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from mlflow_server import running_mlflow, running_postgres
from object_store import running_s3
from rig import why_not
from rig_servers import run_there
from workshop import Workshop, results

DEMO = Path(__file__).parents[2] / "configs" / "sweeps" / "demo.yaml"


def main(file: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="demo-on-rig-") as directory:
        workshop = Workshop(Path(directory))
        began = time.monotonic()
        workshop.frontier("run", file, "--launcher", "local")
        print(f"on a laptop: {time.monotonic() - began:.0f} s", flush=True)
        [sweep] = [trials.parent.name for trials in workshop.sweeps.glob("*/trials")]
        calm = results(workshop.outcomes(sweep).values())
        with running_s3() as s3, running_postgres() as postgres, running_mlflow(postgres) as server:
            began = time.monotonic()
            found = run_there(workshop, file, sweep, s3, server)
            print(f"on the rig:  {time.monotonic() - began:.0f} s, {found.shares} trials on its workers")
    equal = sum(found.results.get(trial) == result for trial, result in calm.items())
    print(f"{equal} of {len(calm)} trials have the same figures, to the last bit")
    print(f"{found.published} of {len(calm)} have a run in MLflow that says what the records say")
    return int(not len(calm) == len(found.results) == len(found.runs) == equal == found.published)


if __name__ == "__main__":
    if lacking := why_not():
        sys.exit(f"no nodes can be made of namespaces here: {lacking}")
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO))
