"""`python -m workers.selfcheck`: run the checks and print what they find. Exit codes: 0 passed, 1 a required
check did not pass, 3 there is no GPU."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.gpus import driver_versions, visible_gpus
from workers.runtime.attempt import settle_environment
from workers.selfcheck.page import lines_of, markdown, summary
from workers.selfcheck.results import CheckResult, CheckVerdict, Machine
from workers.selfcheck.running import WHOLE_MINUTES, last_words, run_checks
from workers.selfcheck.workspace import Workspace

_NO_GPU = (
    "this machine has no NVIDIA GPU, or its driver does not answer\n"
    "    -> run it where `nvidia-smi` lists a GPU; --rehearse runs on the CPU what needs none"
)
_NO_BINDING = (
    "the Python package nvidia-ml-py is not installed (module {}), so nothing can ask the driver\n"
    "    -> pip install nvidia-ml-py, or put its wheel on PYTHONPATH"
)
_SOFTWARE = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "deepspeed")


def main() -> int:
    options = _arguments()
    try:
        machine = _machine()
    except ModuleNotFoundError as error:
        print(f"selfcheck: {_NO_BINDING.format(error.name)}", file=sys.stderr)
        return 3
    if machine.gpu is None and not options.rehearse:
        print(f"selfcheck: {_NO_GPU}", file=sys.stderr)
        return 3
    settle_environment(1)
    from workers.runtime.warm_imports import import_warm

    import_warm()
    from workers.selfcheck.checks import CHECKS
    from workers.selfcheck.models import rehearsed_models

    checks = [check for check in CHECKS if check.doctor or not options.doctor]
    with tempfile.TemporaryDirectory(prefix="frontier-selfcheck-") as root:
        workspace = Workspace(Path(root), options.rehearse)

        def tell(check: CheckResult) -> None:
            print(*lines_of(check), sep="\n", flush=True)
            if check.verdict in (CheckVerdict.FAILED, CheckVerdict.TIMED_OUT):
                print(last_words(workspace, check), file=sys.stderr, flush=True)

        if options.rehearse:
            rehearsed_models(workspace)
        results = run_checks(checks, workspace, machine, options.minutes, tell)
    print(summary(results))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_atomically(options.out / "gpu-checks.json", results.model_dump_json(indent=1) + "\n")
        write_atomically(options.out / "gpu-checks.md", markdown(results))
    return 1 if results.broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workers.selfcheck", description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="run on the CPU what needs no GPU")
    parser.add_argument("--doctor", action="store_true", help="run the checks of the first minute only")
    parser.add_argument("--minutes", type=float, default=WHOLE_MINUTES, help="no check starts after them")
    parser.add_argument("--out", type=Path, help="folder for gpu-checks.json and gpu-checks.md")
    return parser.parse_args()


def _machine() -> Machine:
    gpus, versions = visible_gpus(), driver_versions()
    software = {"python": python_version()}
    for package in _SOFTWARE:
        try:
            software[package] = version(package)
        except PackageNotFoundError:
            continue
    if not gpus:
        return Machine(software=software)
    gpu = gpus[0]
    return Machine(
        gpu=gpu.product,
        gpus=len(gpus),
        memory_bytes=gpu.memory_bytes,
        capability=None if gpu.capability is None else ".".join(map(str, gpu.capability)),
        driver=None if versions is None else versions[0],
        software=software,
    )


if __name__ == "__main__":
    sys.exit(main())
