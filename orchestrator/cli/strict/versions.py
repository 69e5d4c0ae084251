"""The packages that are installed, beside those of the lock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from orchestrator.contracts.risks import Checked, Risk
from orchestrator.units import quantity

_PACKAGE = Path(__file__).parents[2]
_LOCKS = (_PACKAGE.parent / "constraints.txt", _PACKAGE / "constraints.txt")  # of a checkout, of a wheel
# Packages that a library picks up as soon as they are there, and what it does with them.
_CLASHES = {"kernels": "transformers loads native code of a hub by it"}
_MOST = 4


@cache
def versions() -> Checked:
    """Compare this environment's packages with the versions that were tested together."""
    lock = next((path for path in _LOCKS if path.is_file()), None)
    installed = {name: item.version for item in distributions() if (name := item.metadata["Name"])}
    pinned = {} if lock is None else _pinned(lock.read_text(encoding="utf-8"))
    return compared({_plain(name): version for name, version in installed.items()}, pinned)


def compared(installed: Mapping[str, str], pinned: Mapping[str, str]) -> Checked:
    """Both by normalised name. A local version, `2.13.0+cpu`, is one build of the pinned `2.13.0`."""
    clashes = [f"{name} is installed: {reason}" for name, reason in _CLASHES.items() if name in installed]
    if clashes:
        return Checked(Risk.VERSIONS, "; ".join(clashes), f"pip uninstall {' '.join(_CLASHES)}")
    if not pinned:
        problem = "constraints.txt, the list of tested versions, is missing"
        return Checked(Risk.VERSIONS, problem, "install Frontier as `make setup` or the images do")
    differing = [
        f"{name} {installed[name]} (lock: {version})"
        for name, version in sorted(pinned.items())
        if name in installed and installed[name].partition("+")[0] != version
    ]
    if differing:
        shown = ", ".join(differing[:_MOST]) + (", …" if len(differing) > _MOST else "")
        problem = (
            f"{quantity(len(differing), 'package')} of versions that were never tested together: {shown}"
        )
        return Checked(Risk.VERSIONS, problem, "pip install --constraint constraints.txt frontier-sweeps")
    here = sum(name in installed for name in pinned)
    return Checked(Risk.VERSIONS, f"{quantity(here, 'package')} of the locked versions, none known to clash")


def _pinned(lock: str) -> dict[str, str]:
    lines = (line.partition("==") for line in lock.splitlines())
    return {_plain(name.strip()): version.strip() for name, equal, version in lines if equal}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
