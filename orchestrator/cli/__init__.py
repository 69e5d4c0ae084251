"""The command line: the only place that prints, exits or reads the environment."""

# No other import: sys.path may still hold the working directory, and each module loaded from it is executed.
import os
import sys

from orchestrator.contracts.child_processes import safe_environment, safe_path


def main() -> None:
    """Entry point of `frontier`."""
    _trust_no_working_directory()
    from orchestrator.cli.entry import enter

    enter()


def _trust_no_working_directory() -> None:
    """Import nothing from the working directory, here and in every child, Ray's and MLflow's too."""
    sys.path[:] = safe_path(sys.path, os.environ.get("PYTHONPATH", ""))
    safe = safe_environment(os.environ)
    for name in ("PYTHONSAFEPATH", "PYTHONPATH"):
        os.environ.pop(name, None)
    os.environ.update(safe)
