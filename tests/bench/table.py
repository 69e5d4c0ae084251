"""The one table of the benchmarks: a figure, its target, its limit, the verdict."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

# A product of square matrices on one thread, the best of ten: what this machine can do at most.
_PROBE = """
import time, numpy as np
a = np.random.default_rng(0).standard_normal((1024, 1024), dtype=np.float32)
def once():
    began = time.process_time(); a @ a; return time.process_time() - began
gemm = 2 * 1024**3 / min(once() for _ in range(10)) / 1e9
began = time.process_time(); sum(i * i for i in range(2_000_000)); loop = time.process_time() - began
print(gemm, 2 / loop)
"""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Row:
    """One figure. `target` is its limit, at most where `at_most`, else at least; None for a figure that is
    shown beside another one. `void` says why the figure does not count."""

    id: str
    what: str
    figure: float | None
    unit: str
    target: float | None = None
    at_most: bool = True
    void: str = ""

    @property
    def verdict(self) -> str:
        if self.void:
            return f"VOID: {self.void}"
        if self.figure is None:
            return "not measured"
        if self.target is None:
            return ""
        met = self.figure <= self.target if self.at_most else self.figure >= self.target
        return "met" if met else "missed"

    @property
    def limit(self) -> str:
        return "" if self.target is None else f"{'<=' if self.at_most else '>='} {self.target:g}"


def probe() -> str:
    """Return how fast this machine multiplies matrices and runs Python now, on one thread, and its load."""
    out = subprocess.run(
        [sys.executable, "-c", _PROBE],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    gemm, loop = map(float, out.stdout.split())
    load = os.getloadavg()[0]
    return f"{gemm:.0f} GFLOP/s fp32 and {loop:.1f} M loops a second on one thread, load {load:.1f}"


def show(rows: Iterable[Row]) -> None:
    heads = ("", "what", "figure", "limit", "verdict")
    lines = [heads]
    for row in rows:
        figure = "" if row.figure is None else f"{row.figure:.3g} {row.unit}"
        lines.append((row.id, row.what, figure, row.limit, row.verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def arguments(description: str | None, repeats: int) -> argparse.ArgumentParser:
    """Return the parser that every benchmark of the table begins with."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--rows", type=Path, help="A file to which the rows are added as JSON lines.")
    return parser


def finish(rows: list[Row], file: Path | None) -> None:
    """Show the rows, or add them to the file of `make bench`, which shows all of them."""
    if file is None:
        print(probe())
        show(rows)
        return
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(asdict(row)) + "\n" for row in rows)
