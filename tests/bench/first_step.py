"""From dispatch to the first optimiser step on a warm worker that has read the data for an earlier trial, in
CPU-milliseconds of the attempt's process.

    python tests/bench/first_step.py [--repeats 5] [axis=value …]

Forks attempts at the demo's cells from a warm process, as the template of a worker does, and ends each after
its first optimiser step. The clock starts at the fork. Building the model and counting its operations are in
the figure, as is the copy of the weights: 2 MB here, a millisecond. The first attempts at each task, which
read and encode its data, are not.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NoReturn

from demo_vs_trainer import FRONTIER, SWEEP, orders_of
from table import Row, arguments, finish

from workers.runtime.kept_data import KeptData, room_of_slot

CELLS = ["models=demo-tiny", "domains=clinical", "tasks=demo-ner,demo-outcome", "seeds=12"]


def warm_up() -> None:
    """Import what the template of a worker imports, in this process."""
    from workers.runtime.attempt import settle_environment

    settle_environment(1)
    from workers.runtime.warm_imports import fill_caches, import_warm

    if not import_warm():
        raise SystemExit("an import has started CUDA: attempts cannot be forked here")
    fill_caches()
    import transformers.models.bert.modeling_bert  # noqa: F401, the template imports what an order names

    gc.collect()
    gc.freeze()


def until_first_step(path: Path, directory: Path, kept_data: KeptData) -> dict[str, float]:
    """Return the CPU-milliseconds of a forked attempt by phase, up to the end of its first step."""
    order = json.loads(path.read_text()) | {"directory": str(directory)}
    directory.mkdir()
    (directory / "order.json").write_text(json.dumps(order))
    answer, question = os.pipe()
    environment = kept_data.environment()
    child = os.fork()
    if child == 0:
        try:
            os.environ.update(environment)
            _attempt(directory / "order.json", question)
        finally:
            os._exit(1)
    os.close(question)
    with os.fdopen(answer) as pipe:
        spent: dict[str, float] = json.loads(pipe.read() or "{}")
    kept_data.attempt_ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if not spent:
        outcome = (directory / "outcome.json").read_text()
        raise SystemExit(f"the attempt ended before its first step: {outcome}")
    return spent


def _attempt(order: Path, question: int) -> NoReturn:
    from workers import train
    from workers.metering.meter import Meter
    from workers.runtime.attempt import run_attempt

    spent: dict[str, float] = defaultdict(float)
    mark = [time.process_time()]
    step, enter = train.optimiser_step, Meter.enter

    def note(phase: str) -> None:
        now = time.process_time()
        spent[phase] += 1000 * (now - mark[0])
        mark[0] = now

    def entered(meter: Meter, phase: Any) -> None:
        note(meter.phase)
        enter(meter, phase)

    def first_step(*arguments: Any) -> NoReturn:
        step(*arguments)
        note("first step")
        with os.fdopen(question, "w") as pipe:
            json.dump(spent, pipe)
        os._exit(0)

    Meter.enter, train.optimiser_step = entered, first_step  # type: ignore[method-assign, assignment]
    run_attempt(order)
    os._exit(1)


def main() -> None:
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    words = given.words or CELLS
    totals, phases = list[float](), defaultdict[str, list[float]](list)
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        work = Path(name)
        subprocess.run([*FRONTIER, "stage", SWEEP, *words], cwd=work, check=True, stdout=subprocess.DEVNULL)
        orders = orders_of(work, words)
        warm_up()
        kept_data = KeptData(room_of_slot(None))
        for order in orders:
            until_first_step(order, work / f"{order.stem}-first", kept_data)
        for repeat in range(given.repeats):
            for order in orders:
                spent = until_first_step(order, work / f"{order.stem}-{repeat}", kept_data)
                totals.append(sum(spent.values()))
                for phase, milliseconds in spent.items():
                    phases[phase].append(milliseconds)
    parts = ", ".join(f"{phase} {statistics.median(each):.0f}" for phase, each in phases.items())
    print(f"{len(orders)} cells, CPU-ms: {parts}")
    what = "from dispatch to the first optimiser step on a warm worker"
    finish([Row("b4", what, statistics.median(totals), "CPU-ms", 50.0)], given.rows)


if __name__ == "__main__":
    main()
