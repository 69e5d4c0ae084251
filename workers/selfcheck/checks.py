"""The list of checks: `make check-gpu` runs all, `frontier doctor --gpu` those of the first minute."""

from __future__ import annotations

from workers.selfcheck import (
    correctness,
    environment,
    faults,
    first_runs,
    memory,
    metering,
    precision,
    quantised,
    sharded,
    sharing,
    throughput,
    whole_sweep,
)
from workers.selfcheck.results import Check

_ENVIRONMENT = (
    Check(
        "1.1", "driver", "torch runs on this GPU with this driver.",
        "the driver supports torch's CUDA; torch has code for the card", environment.driver,
        seconds=20, doctor=True,
    ),
    Check(
        "1.2", "catalogue", "Plans for this card are made of its real figures.",
        "memory within 2 %; bf16 as the entry says", environment.catalogue, seconds=30, doctor=True,
    ),
    Check(
        "1.3", "state of the card", "Nothing else uses the card or slows it.",
        "memory free, compute mode default, no memory errors, no slow-down",
        environment.state_of_the_card, seconds=20, doctor=True,
    ),
    Check(
        "1.4", "template", "Attempts start by a fork, whatever is installed.",
        "importing all libraries starts no CUDA", first_runs.template, seconds=90, doctor=True,
    ),
    Check(
        "1.5", "one trial", "A trial runs on the GPU, and is metered.",
        "finished; no figure missing; joules above 0; memory given back", first_runs.one_trial,
        seconds=60, doctor=True,
    ),
    Check(
        "1.6", "matrix product", "The card is as fast as its entry says.",
        "at least half of its peak", first_runs.matrix_product, seconds=30, doctor=True,
    ),
    Check(
        "1.7", "NCCL", "The GPUs of this machine exchange tensors.",
        "the sum is right; /dev/shm has 1 GiB where there are several GPUs", first_runs.all_reduce,
        seconds=60, doctor=True,
    ),
    Check(
        "1.8", "4-bit product", "bitsandbytes computes on this card.",
        "within 1e-2 of the dequantised product", first_runs.four_bits,
        seconds=30, required=False, doctor=True,
    ),
)  # fmt: skip

CHECKS = (
    *_ENVIRONMENT,
    Check(
        "2", "plain loop", "The worker trains as a textbook loop does.",
        "fp32: losses within 1e-5 for 20 steps, 1e-3 for all; logits within 1e-3; bf16: mean within 2e-3",
        correctness.against_a_plain_loop, seconds=90, needs_gpu=False,
    ),
    Check(
        "3", "CPU and GPU", "The GPU learns what the CPU learns.",
        "losses within 1e-3 over 20 steps; scores equal", correctness.cpu_against_gpu,
        seconds=60, needs_gpu=False,
    ),
    Check(
        "4", "out of memory", "After passes that are too large, smaller ones finish the trial.",
        "OUT_OF_MEMORY, then finished with half or less; losses within 1e-4; a bill each; memory given back",
        faults.out_of_memory, seconds=60, needs_gpu=False,
    ),
    Check(
        "5", "kill and resume", "A killed attempt continues from its checkpoint.",
        "PREEMPTED; steps add up; resumed where the checkpoint was; weights as in an uninterrupted run",
        faults.killed_while_training, seconds=60, needs_gpu=False,
    ),
    Check(
        "6", "fault of the device", "An attempt that breaks its CUDA context still says what happened.",
        "an outcome with kind, phase and places; the next attempt finishes", faults.fault_of_the_device,
        seconds=40, needs_gpu=False,
    ),
    Check(
        "7", "metering", "Seconds, tokens, FLOPs and joules are there and add up.",
        "phases within 1 % + 0.1 s of the bill; training within 2 % of CUDA events; no figure missing",
        metering.seconds_and_figures, seconds=60, needs_gpu=False,
    ),
    Check(
        "8", "energy", "The joules that are booked are those that the card drew.",
        "counter within 5 % of the power; attempt within 5 % of the counter", metering.energy, seconds=60,
    ),
    Check(
        "9", "memory", "A plan's estimate covers what a trial takes, and is not far above it.",
        "peak <= estimate <= 1.5 x peak, for each shape", memory.memory, seconds=120,
    ),
    Check(
        "10", "sharing", "Trials that share the card do not disturb each other.",
        "all finish; losses within 1e-4 of those alone; peaks within the shares; joules within 5 %",
        sharing.together, seconds=90,
    ),
    Check(
        "11", "quantised bases", "LoRA learns on 4- and 8-bit bases.",
        "last losses within 5 % of bf16's; adapter kept and loaded again; memory within the estimate",
        quantised.quantised, seconds=90, needs_gpu=False,
    ),
    Check(
        "12", "adapters on one base", "Several adapters train on one copy of their base.",
        "each as in its own trial; costs add up to the bill", quantised.adapters_on_one_base,
        seconds=5, required=False, needs_gpu=False,
    ),
    Check(
        "13", "precisions", "Each precision learns as well as fp32.",
        "finite; mean score of 3 seeds within 1 point; TF32 recorded", precision.precisions,
        seconds=90, required=False,
    ),
    Check(
        "15", "sharding", "What several GPUs use runs on one.",
        "finished; adapters kept", sharded.one_rank, seconds=90, required=False,
    ),
    Check(
        "16", "whole sweep", "A sweep runs from its plan to its report.",
        "exit code 0; a report; no figure missing; forecast within 25 % of the bill",
        whole_sweep.whole_sweep, seconds=150, needs_gpu=False,
    ),
    Check(
        "14", "throughput", "A step is at least as fast as the Hugging Face Trainer's.",
        "at least 1.0 x for each shape, 1.2 x in the mean; no wait within a step",
        throughput.against_the_trainer, seconds=120,
    ),
)  # fmt: skip
