"""Test whether every GPU that this process sees still computes. The exit code is 0 if so.

    python -m workers.runtime.gpu_test

This is a separate process, because a GPU that failed in one process cannot be used there again, but may work
in another.
"""

from __future__ import annotations

import sys

import torch

_NUMBERS = 1024


def main() -> int:
    for index in range(torch.cuda.device_count()):
        if torch.ones(_NUMBERS, device=f"cuda:{index}").sum().item() != _NUMBERS:
            return 1
    return 0 if torch.cuda.device_count() else 1


if __name__ == "__main__":
    sys.exit(main())
