"""What is installed: known by name, version and licence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "k8s/images/sbom.py")], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def judged(bill: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/licences")]
    return subprocess.run(command, input=json.dumps(bill), capture_output=True, text=True)


def test_the_bill_of_materials_names_what_the_lock_pins(bill: dict[str, Any]) -> None:
    versions = {
        part["name"].replace("_", "-"): part["version"].partition("+")[0] for part in bill["components"]
    }
    assert bill["bomFormat"] == "CycloneDX"
    for name in ("ray", "torch", "transformers", "pydantic"):
        assert versions[name] == LOCKED[name]


def test_every_licence_was_looked_at(bill: dict[str, Any]) -> None:
    """Of what the lock pins, whatever else is installed beside it."""
    locked = [part for part in bill["components"] if part["name"].replace("_", "-") in LOCKED]
    assert len(locked) > 100
    done = judged(bill | {"components": locked})
    assert done.stderr == ""


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "", "OSI Approved"])
def test_a_licence_that_nobody_looked_at_is_named(licence: str) -> None:
    licences = [{"license": {"name": licence}}] if licence else []
    done = judged({"components": [{"name": "new-package", "version": "1.0", "licenses": licences}]})
    assert done.returncode == 1
    assert f"new-package 1.0: {licence or 'no licence stated'}" in done.stderr
    assert "-> read these licences" in done.stderr


def test_no_kernels_of_a_hub_can_be_loaded(bill: dict[str, Any]) -> None:
    """transformers downloads and runs native code of a hub where the package `kernels` is installed."""
    assert "kernels" not in LOCKED
    assert "kernels" not in {part["name"] for part in bill["components"]}
