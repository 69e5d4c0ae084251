"""The command line: the only place that prints, exits or reads the environment."""

from __future__ import annotations

import os
import sys
import traceback

# Every library below would talk to its makers' servers by default. Set before any of them is imported;
# what the user has set stands. MLflow's own are in tracking.mlflow_view.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

_DEFECT = 70  # EX_SOFTWARE of sysexits.h


def main() -> None:
    """Entry point of `frontier`. Exit codes: 0 done, 1 some trials failed, 2 the input is wrong or
    the forecast beyond the budget, 3 the trials could not be started, 4 the budget is spent and trials are
    left, 70 a defect of ours, 130 interrupted."""
    from orchestrator.errors import FrontierError
    from orchestrator.tracking.mlflow_view import quiet_environment

    for name, value in {**_QUIET, **quiet_environment()}.items():
        os.environ.setdefault(name, value)
    from orchestrator.cli.app import app

    try:
        app()
    except FrontierError as error:
        print(f"frontier: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `frontier plan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        print("frontier: this is a defect of Frontier, not of your input; no record is lost", file=sys.stderr)
        sys.exit(_DEFECT)
