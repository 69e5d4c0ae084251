"""Questions that only the worker's libraries can answer, asked of a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.errors import FrontierError, WeightsError


def ask(module: str, request: Mapping[str, Any], *arguments: str) -> Iterator[dict[str, Any]]:
    """Runs `python -m module arguments`, hands it `request` as JSON, and yields the JSON lines it answers.

    Raises WeightsError with the worker's own words where it refuses the request, FrontierError where it dies.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as trouble,
        subprocess.Popen(
            python_module(module, *arguments),
            env=safe_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=trouble,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request))
        process.stdin.close()
        for line in process.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise WeightsError(answer["error"])
            yield answer
        if process.wait():
            trouble.seek(0)
            raise FrontierError(
                f"{module} ended with exit code {process.returncode}:\n{trouble.read()[-2000:]}"
            )
