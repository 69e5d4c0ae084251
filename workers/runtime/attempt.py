"""The process boundary: one order in, `events.jsonl` and one atomic `outcome.json` out.

    python -m workers.runtime.attempt ORDER_JSON [BEGAN]

Usually called in a process forked from a warm template (`workers.runtime.host`). Heavy libraries are imported
when the attempt starts, after the process has been told how to behave. BEGAN is the time.monotonic() at which
the attempt was asked for.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.contracts import layout
from orchestrator.contracts.code_places import code_places
from orchestrator.contracts.exit_codes import FAILED_ALONE, LOST_A_PEER, NO_ROOM_LEFT, WRITTEN
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.garbage import collect_none_at_exit
from orchestrator.contracts.metrics import IN_THE_UNIT
from orchestrator.contracts.no_room import no_room
from orchestrator.contracts.outcome import Failure, Outcome, PhaseEvent
from orchestrator.contracts.phase_work import NO_WORK, add_work
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Phase
from workers.learning_curve import MARGIN, signature
from workers.metering.meter import Meter, add_phases
from workers.runtime.core_dumps import forbid_core_dumps
from workers.runtime.records import EventLog, is_superseded, write_outcome
from workers.runtime.warm_imports import import_warm, leave_out_bitsandbytes

if TYPE_CHECKING:
    from workers.metering.gauges import Gauges
    from workers.trial import TrialRecords

_ENVIRONMENT = {
    "ACCELERATE_DISABLE_RICH": "1",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # as the management library counts; CUDA's own order is by speed
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # a query for GPUs must not make a later fork impossible
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


# Batches of varying lengths would otherwise fragment the GPU's memory.
_ALLOCATOR = ("PYTORCH_ALLOC_CONF", "expandable_segments:True")
# They would change the results of a trial in fp32, and some images set them.
_SWITCHES_TF32 = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")


def settle_environment(threads: int | None = None, *, offline: bool = True) -> None:
    """Set the environment before the heavy imports: no core files, no telemetry, no progress bars, no
    warnings, `threads` in every pool.

    `offline` shuts the hub off: staging has fetched what an attempt needs.
    """
    forbid_core_dumps()
    os.environ.update(_ENVIRONMENT)
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:  # the older name, which users may have set
        os.environ.setdefault(*_ALLOCATOR)
    for name in _SWITCHES_TF32:
        os.environ.pop(name, None)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    if threads is not None:
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)))
    warnings.simplefilter("ignore")


def run_logged(order_path: Path, began: float | None = None, *, cold: bool = False) -> int:
    """Do what `run_attempt` does. A crash that leaves no outcome leaves `crash.log` with code places. The
    message of the exception is dropped here, and the exit code is 1, or NO_ROOM_LEFT. `cold`: no template has
    imported the libraries."""
    rank = os.environ.get("RANK", "0")
    log = order_path.parent / ("crash.log" if rank == "0" else f"crash.rank-{rank}.log")
    with log.open("wb", buffering=0) as crash:  # what a full disk refuses is not tried again at the end
        faulthandler.enable(crash)
        try:
            if cold:
                leave_out_bitsandbytes()
                import_warm()
            code = run_attempt(order_path, began)
        except BaseException as error:
            with suppress(OSError):
                crash.write("\n".join([type(error).__qualname__, *code_places(error), ""]).encode())
            return 1 if no_room(error) is None else NO_ROOM_LEFT
        faulthandler.disable()
    log.unlink()
    return code


def run_attempt(order_path: Path, began: float | None = None) -> int:
    """Run the order, write its outcome in every case, and return the exit code.

    `began` is the time.monotonic() at which the attempt's process began; now, if None. SIGTERM stops it at
    the next step, after a checkpoint. Of several ranks the first one writes. A rank that fails by itself
    writes an outcome of its own, which `workers.runtime.rank_processes` collects; a rank that lost a peer
    writes how it noticed. Raises where the order cannot be read or the outcome not be written.
    """
    started_at = time.time() - (time.monotonic() - began if began is not None else 0.0)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    order = AttemptOrder.model_validate_json(order_path.read_bytes())
    directory = Path(order.directory)
    rank = int(os.environ.get("RANK", "0"))
    log = EventLog(directory / layout.EVENTS if rank == 0 else Path(os.devnull))
    meter = Meter(began=began, on_phase=lambda phase: log.write(PhaseEvent(at=log.now(), phase=phase)))

    from workers.checkpoint import TrainProgress
    from workers.distributed.ranks import lost_a_peer
    from workers.metering.gauges import Gauges
    from workers.runtime.failures import all_agree, classify
    from workers.train import SupersededError
    from workers.trial import TrialRecords, run_trial

    gauges = Gauges(order, meter)
    records = TrialRecords(TrainProgress(order.trial.fingerprint))
    failure: Failure | None = None
    alone = False  # among several ranks
    try:
        for latest in run_trial(order, gauges, meter, log, stop.is_set):
            records = latest  # a failed attempt keeps the earlier records
        if rank == 0 and is_superseded(directory):
            raise SupersededError
    except BaseException as error:  # a panic in Rust is not an Exception
        alone = "RANK" in os.environ and not all_agree(error)
        failure = classify(error, meter.phase, order)
        if alone and lost_a_peer(error):  # read no gauge: a GPU that waits for the lost rank never answers
            write_atomically(layout.lost_peer(directory, rank), failure.model_dump_json(indent=1) + "\n")
            return LOST_A_PEER
    if alone:
        name = f"outcome.rank-{rank}.json"
        write_outcome(directory / name, _outcome(order, records, gauges, meter, failure, started_at))
        return FAILED_ALONE
    if rank == 0:
        if failure is None and (scored := records.scores.examples) is not None:
            write_atomically(directory / layout.EXAMPLES, scored.to_bytes())
        outcome = _outcome(order, records, gauges, meter, failure, started_at)
        if write_outcome(directory / layout.OUTCOME, outcome) and failure is None:
            shutil.rmtree(directory / layout.CHECKPOINTS, ignore_errors=True)
    log.close()
    return WRITTEN


def _outcome(
    order: AttemptOrder,
    records: TrialRecords,
    gauges: Gauges,
    meter: Meter,
    failure: Failure | None,
    started_at: float,
) -> Outcome:
    progress, inputs, scores = records.progress, records.inputs, records.scores
    (host_peak, device_peak), (work, origins) = _peaks(gauges), gauges.work()
    phases = meter.seconds()
    train_seconds = add_phases(records.inherited_phases, phases).get(Phase.TRAIN)
    read = add_work(records.inherited_work, work).get(Phase.TRAIN, NO_WORK).tokens
    return Outcome(
        trial=order.trial.name,
        fingerprint=order.trial.fingerprint,
        attempt=order.attempt,
        state="failed" if failure else "finished",
        failure=failure,
        metric=order.trial.task.metric,
        test=scores.metrics if failure is None else {},
        dev=progress.best_metrics,
        threshold=progress.best_threshold,
        target_scale=inputs.target_scale,
        best_step=progress.best_step,
        signature=signature(progress.curve, _margin(order, inputs.target_scale)) if failure is None else None,
        steps=progress.step,
        planned_steps=records.planned_steps,
        epochs=progress.step / records.epoch_steps if records.epoch_steps else 0.0,
        started_at=started_at,
        ended_at=started_at + meter.elapsed(),
        phases=phases,
        inherited_phases=records.inherited_phases,
        work=work,
        inherited_work=records.inherited_work,
        origins=origins,
        resumed_from_step=records.resumed_from_step,
        device=records.device,
        parameters=records.parameters,
        peak_host_memory_bytes=host_peak,
        peak_device_memory_bytes=device_peak,
        train_tokens=progress.tokens,
        tokens_per_second=read / train_seconds if train_seconds and read else None,
        rows=inputs.rows,
        splits=inputs.splits,
        train_classes=inputs.train_classes,
        guessing=inputs.guessing,
        test_classes=scores.classes if failure is None else {},
        micro_batch_size=order.pass_size,
        evaluation_batch_size=order.evaluation_size,
        labels=inputs.labels,
        saved_bytes=records.saved_bytes,
        serving=scores.serving if failure is None else (),
    )


def _margin(order: AttemptOrder, scale: TargetScale | None) -> float:
    """Return the difference of quality that is none; of an error, as a share of what the number varies by."""
    if scale is None or order.trial.task.metric not in IN_THE_UNIT:
        return MARGIN
    return MARGIN * scale.deviation


def _peaks(gauges: Gauges) -> tuple[int | None, int | None]:
    """Return the peaks of host and device memory; None where a failed device no longer answers."""
    try:
        return gauges.peaks()
    except Exception:
        return None, None


if __name__ == "__main__":
    began = float(sys.argv[2]) if len(sys.argv) > 2 else time.monotonic()
    settle_environment()
    collect_none_at_exit()
    sys.exit(run_logged(Path(sys.argv[1]), began, cold=True))
