"""What `frontier` does from its first import to its exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from typing import NoReturn

# Every library below would talk to its makers' servers by default. Set before any of them is imported, and
# off whatever the user's environment says: nobody is told that a hospital trains here.
TELLS_NOBODY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
_QUIET = {"TOKENIZERS_PARALLELISM": "false"}

# What a path that the user named can be: not a directory, not writable, no room.
_NO_PLACE = {
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DEFECT = 70  # EX_SOFTWARE of sysexits.h


def enter() -> None:
    """Run the command that sys.argv names. Exit codes: 0 done, 1 some trials failed, 2 the input is wrong or
    the forecast beyond the budget, 3 the trials could not be started or nothing more be written, 4 the budget
    is spent and trials are left, 70 a defect of ours, 130 interrupted."""
    _print_whatever_the_encoding()
    from orchestrator.errors import FrontierError, printable
    from orchestrator.tracking.mlflow_store import quiet_environment

    for name, value in {**_QUIET, **quiet_environment()}.items():
        os.environ.setdefault(name, value)
    os.environ.update(TELLS_NOBODY)
    from orchestrator.cli.app import app

    try:
        app()
    except FrontierError as error:
        print(f"frontier: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `frontier plan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.filename is None or error.errno not in _NO_PLACE | _FULL:
            _end_as_defect(error)
        full = error.errno in _FULL
        fix = (
            "make room; the same command goes on from there" if full else "correct it, or give another place"
        )
        print(f"frontier: {printable(str(error.filename))}: {error.strerror}\n    -> {fix}", file=sys.stderr)
        sys.exit(3 if full else 2)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        _end_as_defect(error)


def _print_whatever_the_encoding() -> None:
    """Let a stream replace what its encoding lacks: a sign in a table must not end a sweep."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _end_as_defect(error: BaseException) -> NoReturn:
    from orchestrator.cli.worker_calls import defect
    from orchestrator.contracts.code_places import code_places
    from orchestrator.contracts.debugging import shows_words

    if shows_words():
        traceback.print_exception(error)
    print(f"frontier: {defect(type(error).__qualname__, code_places(error))}", file=sys.stderr)
    print("frontier: this is a defect of Frontier, not of your input; no record is lost", file=sys.stderr)
    sys.exit(_DEFECT)
