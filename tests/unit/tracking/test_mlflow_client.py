"""MLflow's client is there without the libraries of data frames."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

# In a process of its own: this one may have imported all of it.
PROGRAM = """
import sys
from orchestrator.tracking.mlflow_client import client_of
assert [experiment.name for experiment in client_of(sys.argv[1]).search_experiments()] == ["Default"]
print(*{"pandas", "pyarrow"} & sys.modules.keys())
import pandas
from mlflow.models.signature import ModelSignature
"""


def test_a_store_is_read_without_the_libraries_of_data_frames(mlflow_store: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{shutil.copy(mlflow_store, tmp_path / 'mlflow.db')}"
    done = subprocess.run([sys.executable, "-c", PROGRAM, uri], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
