"""What `frontier` does from its first import to its exit code."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import traceback
from typing import NoReturn

# Every library below would talk to its makers' servers by default. Set before any of them is imported, and
# off whatever the user's environment says: no outsider learns that a hospital trains here.
TELLS_NOBODY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
_QUIET = {"TOKENIZERS_PARALLELISM": "false"}
# New objects until garbage is looked for. Python's 700 costs a fifth of the time in which Ray and MLflow are
# imported, and finds nothing.
_UNTIL_COLLECTION = 100_000

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


def enter() -> None:
    """Run the command that sys.argv names, and exit with an `ExitCode`."""
    try:
        _run_command()
    except KeyboardInterrupt:  # while a library loads, or between two commands of this module
        print("frontier: interrupted", file=sys.stderr)
        sys.exit(130)


def _run_command() -> None:
    gc.set_threshold(_UNTIL_COLLECTION, *gc.get_threshold()[1:])
    _print_whatever_the_encoding()
    from orchestrator.cli.operating_system import refuse_windows
    from orchestrator.cli.own_cache import own_cache
    from orchestrator.contracts.code_digests import remember_digests
    from orchestrator.contracts.garbage import collect_none_at_exit
    from orchestrator.contracts.no_room import FULL, NO_ROOM
    from orchestrator.errors import ExitCode, FrontierError, printable
    from orchestrator.tracking.tracking_uri import quiet_environment

    for name, value in {**_QUIET, **quiet_environment()}.items():
        os.environ.setdefault(name, value)
    os.environ.update(TELLS_NOBODY)
    remember_digests(own_cache())
    collect_none_at_exit()
    from orchestrator.cli.app import app

    try:
        refuse_windows()
        app()
    except FrontierError as error:
        print(f"frontier: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `frontier plan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        full = error.errno in NO_ROOM  # a write tells no file
        if not full and (error.filename is None or error.errno not in _NO_PLACE):
            _end_as_defect(error)
        fix = "fix the path, or pass another one"
        if full:
            to_do = (
                "free some disk space" if error.errno in FULL else "raise the limit of file sizes (ulimit -f)"
            )
            fix = f"{to_do} and rerun the command; it resumes"
        place = "" if error.filename is None else f"{printable(str(error.filename))}: "
        print(f"frontier: {place}{error.strerror}\n    -> {fix}", file=sys.stderr)
        sys.exit(ExitCode.STORE_UNAVAILABLE if full else ExitCode.WRONG_INPUT)
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
    from orchestrator.errors import ExitCode

    if shows_words():
        traceback.print_exception(error)
    print(f"frontier: {defect(type(error).__qualname__, code_places(error))}", file=sys.stderr)
    print("frontier: this is a bug in Frontier, not in your input; no records were lost", file=sys.stderr)
    sys.exit(ExitCode.BUG)
