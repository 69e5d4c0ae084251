"""What machines that go wrong cost a sweep, over and over: on Ray nodes in namespaces of this machine (root).

    python tests/bench/rig_faults.py [ROUNDS] [-k EXPRESSION]

Each round is all of tests/e2e/test_nodes.py, on new nodes. The columns: trials that were lost; finishes and
runs of MLflow beyond one a trial; the most steps from where an attempt went on to the newest checkpoint that
it was left; the most steps that were done anew, and the steps between checkpoints; in
how many rounds every figure of every trial was that of a calm run, to the last bit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
TESTS = "tests/e2e/test_nodes.py"


@dataclass
class Fault:
    """Over all rounds."""

    passed: int = 0
    seconds: list[float] = field(default_factory=list)
    damages: list[dict[str, str]] = field(default_factory=list)

    def most(self, figure: str) -> int | str:
        return max((int(damage[figure]) for damage in self.damages), default="-")

    def row(self, rounds: int) -> str:
        equal = f"{sum(d['equal'] == 'True' for d in self.damages)}/{rounds}" if self.damages else "-"
        wasted = f"{self.most('wasted_steps')} of {self.most('interval')}"
        return (
            f"{self.passed:>3}/{rounds:<3} {self.most('lost'):>5} {self.most('duplicates'):>10} "
            f"{self.most('behind'):>6} {wasted:>12} "
            f"{equal:>7} {sum(self.seconds) / max(1, len(self.seconds)):>7.0f}"
        )


def main(rounds: int, chosen: str | None) -> int:
    faults: dict[str, Fault] = {}
    done = 0
    try:
        for done in range(1, rounds + 1):
            began = time.monotonic()
            code = one_round(faults, chosen)
            print(f"round {done}: exit {code}, {time.monotonic() - began:.0f} s", flush=True)
    except KeyboardInterrupt:
        done -= 1
    print(
        f"\n{'passed':7} {'lost':>5} {'duplicates':>10} {'behind':>6} {'wasted steps':>12} {'equal':7} "
        f"{'seconds':7}  fault"
    )
    for name, fault in faults.items():
        print(f"{fault.row(done)}  {name}")
    return int(any(fault.passed < done for fault in faults.values()))


def one_round(faults: dict[str, Fault], chosen: str | None) -> int:
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory, "told.xml")
        command = [sys.executable, "-m", "pytest", TESTS, f"--junit-xml={told}", "-o", "junit_family=xunit1"]
        command += ["-k", chosen] if chosen else []
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-8000:])
        for case in ElementTree.parse(told).iter("testcase"):
            fault = faults.setdefault(case.attrib["name"].removeprefix("test_").replace("_", " "), Fault())
            fault.seconds.append(float(case.attrib["time"]))
            fault.passed += not any(case.find(bad) is not None for bad in ("failure", "error", "skipped"))
            if figures := {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}:
                fault.damages.append(figures)
    return done.returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    parser.add_argument("-k", dest="chosen", metavar="EXPRESSION")
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.chosen))
