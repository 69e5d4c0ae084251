"""From a finished sweep to a model that somebody else loads: the folder, its card, and what it answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported_models import without_frontier
from huggingface_hub import ModelCard
from workshop import SWEEP, Workshop

from orchestrator.contracts import layout

pytestmark = pytest.mark.e2e

CELL = "mini/clinical/lora-r8/mini-ner"


@pytest.fixture(scope="module")
def folder(finished: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell of the finished sweep, exported."""
    out = tmp_path_factory.mktemp("export") / "model"
    finished.frontier("export", "mini", CELL, "--seed", "1", "--out", out)
    return out


def snippet_of(folder: Path) -> str:
    found = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_folder_is_whole_and_its_card_is_one(folder: Path) -> None:
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "peft"
    assert {path.name for path in folder.iterdir()} >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "base",
        "config.json",
        "frontier.json",
        "tokenizer.json",
    }
    assert not [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]


def test_its_snippet_runs_without_frontier(folder: Path) -> None:
    answer = without_frontier({folder: (snippet_of(folder), [])})[folder]
    words = [line.split()[0] for line in answer["printed"].splitlines()]
    assert words[:2] == ["No", "fever"]


def loaded_by_mlflow(workshop: Workshop, model: str) -> Any:
    """Return what MLflow's model answers to a text, in a process that cannot import Frontier."""
    program = (
        "import gc, json, sys\n"
        "gc.disable()\n"
        "sys.modules['orchestrator'] = sys.modules['workers'] = None\n"
        "sys.modules['bitsandbytes'] = None\n"  # peft would import it, and nothing here is quantised
        "import mlflow, pandas as pd\n"
        f"mlflow.set_tracking_uri('sqlite:///{workshop.sweeps / layout.MLFLOW_STORE}')\n"
        f"model = mlflow.pyfunc.load_model('models:/{model}')\n"
        "print(json.dumps(model.predict(pd.DataFrame({'text': ['No fever.']})).to_dict('records')))\n"
        "gc.freeze()\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_is_logged_to_mlflow_once_and_loads_there(
    finished: Workshop, folder: Path, new_workshop: Callable[[], Workshop]
) -> None:
    workshop, one = new_workshop(), {"domains": ["clinical"], "methods": SWEEP["methods"][1:], "seeds": [1]}
    shutil.copytree(finished.sweeps / "mini", workshop.sweeps / "mini")
    config = workshop.write(tasks=["mini-ner"], log_models=True, **one)
    first = workshop.frontier("run", config, "--launcher", "local")
    assert "not logged" not in first.stdout
    [run] = [tags for tags in workshop.runs() if tags["frontier.trial"] == f"{CELL}/seed-1"]
    [answer] = loaded_by_mlflow(workshop, run["frontier.model_id"])
    assert set(answer) == {"entities"}
    again = workshop.frontier("sync", "mini")
    assert "0 runs written" in again.stdout
    assert "model" not in again.stdout
    [same] = [tags for tags in workshop.runs() if tags["frontier.trial"] == f"{CELL}/seed-1"]
    assert same == run
    [logged] = (workshop.sweeps / "mlartifacts").glob("**/exported")
    assert what_answers(logged) == what_answers(folder)  # so that it scores as that does
    phrases = phrases_of(finished)
    files = [path for path in logged.parent.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in files if path.suffix in (".py", ".md", ".json", "")]
    assert [phrase for phrase in phrases for text in texts if phrase in text] == []
    assert not [path for path in workshop.sweeps.rglob("*.tmp") if path.is_dir()]


def what_answers(folder: Path) -> dict[Path, bytes]:
    """Return all files of an export but its card."""
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: content for path, content in files.items() if path.name != "README.md"}


def phrases_of(workshop: Workshop) -> set[str]:
    """Return all runs of four words in the corpus of mini-ner."""
    phrases: set[str] = set()
    for file in workshop.sweeps.glob("cache/made/*/ner/*.tsv"):
        for sentence in file.read_text().split("\n\n"):
            words = [line.split("\t")[0] for line in sentence.splitlines() if line]
            phrases.update(" ".join(words[n : n + 4]) for n in range(len(words) - 3))
    return phrases


def test_nothing_in_it_names_this_machine_or_quotes_the_data(folder: Path, finished: Workshop) -> None:
    phrases = phrases_of(finished)
    assert phrases
    for path in (folder / "README.md", folder / "frontier.json", folder / "adapter_config.json"):
        assert str(finished.root) not in path.read_text()
        assert [phrase for phrase in phrases if phrase in path.read_text()] == []


def test_it_answers_texts_and_scores_as_in_the_sweep(
    folder: Path, finished: Workshop, tmp_path: Path
) -> None:
    letters = tmp_path / "letters.csv"
    letters.write_text("text\nNo fever since Monday.\n")
    finished.frontier("predict", folder, letters, "--out", tmp_path / "answers.jsonl")
    [answer] = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert set(json.loads(answer)) == {"row", "entities"}
    scored = finished.json("evaluate", folder, "mini-ner")
    outcome = finished.outcomes()[f"{CELL}/seed-1/attempt-001"]
    assert scored["same"] is True
    assert scored["test"] == scored["recorded"] == outcome["test"]


def test_what_was_not_kept_is_trained_once_more(finished: Workshop, tmp_path: Path) -> None:
    """A sweep keeps at most one fully trained model per cell; its records stay as they are."""
    cell, out = "mini/clinical/full/mini-outcome", tmp_path / "whole"
    trials = finished.sweeps / "mini" / layout.TRIALS
    seed = next(n for n in (1, 2) if not (trials / f"{cell}/seed-{n}/attempt-001" / layout.MODEL).exists())
    before = finished.outcomes()
    done = finished.frontier("export", "mini", cell, "--seed", seed, "--retrain", "--out", out)
    assert "its scores are those of the sweep, to the last bit" in done.stdout
    manifest = json.loads((out / "frontier.json").read_text())
    assert manifest["layout"] == "whole"
    assert manifest["test"] == before[f"{cell}/seed-{seed}/attempt-001"]["test"]
    assert finished.outcomes() == before


def test_of_fully_trained_models_only_some_on_the_frontier_were_kept(finished: Workshop) -> None:
    """Not always all of them: a cell may come to the frontier after its models were dropped."""
    weights = json.loads((finished.sweeps / "mini" / layout.WEIGHTS).read_text())
    kept = {model["trial"] for model in weights["kept"]}
    report = json.loads((finished.sweeps / "mini" / "report" / "report.json").read_text())
    on_frontier = {
        "/".join([point["model"], point["domain"], point["method"], task["task"]])
        for task in report["tasks"]
        for point in task["points"]
        if point["frontier"] and point["method"] == "full"
    }
    assert {name.rpartition("/")[0] for name in kept} <= on_frontier
    trials = finished.sweeps / "mini" / layout.TRIALS
    whole = {
        path.parents[1].relative_to(trials).as_posix() for path in trials.glob(f"{layout.ATTEMPTS}/model")
    }
    assert {name for name in whole if "/full/" in name} == kept
