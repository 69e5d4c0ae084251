"""Does every GPU that this process sees still compute? Exit code 0 if so.

    python -m workers.runtime.gpu_test

A process of its own, as a GPU that failed in one says nothing more there, and may in another.
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
