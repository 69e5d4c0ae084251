"""Tokens of a task's texts, by the tokenizers of its backbones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from split_tasks import TABLE, rows, table, write_sweep, write_task
from tiny_models import tiny_folder, tiny_spec
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.worker_calls import ask
from orchestrator.contracts.backbone import FolderWeights, HubWeights
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.token_counts import CountedTokens, CountTokens, TokenCounts
from orchestrator.contracts.vocabulary import TaskKind
from workers.models.token_counts import count_tokens
from workers.models.tokenizers import load_tokenizer

MARKER = "Zzpatientword"


def request_for(root: Path, kind: TaskKind, reader: dict[str, Any], *lengths: int) -> CountTokens:
    """Ask for the counts of a staged tokenizer and of one that is not here."""
    task = TaskSpec.model_validate(
        {"name": "mine", "title": "Mine", "kind": kind, "domain": "clinical", "metric": PRIMARY[kind]}
        | {"reader": reader}
        | ({"negative_label": "no"} if kind is TaskKind.RELATION else {})
    )
    here = tiny_spec("bert").model_copy(update={"weights": FolderWeights(folder=str(tiny_folder("bert")))})
    away = here.model_copy(update={"name": "away", "weights": HubWeights(hub="a/b", revision="main")})
    return CountTokens(
        task=task, root=str(root), backbones=(here, away), cache_dir=str(root / "cache"), lengths=lengths
    )


def counted(
    root: Path, kind: TaskKind, reader: dict[str, Any], *lengths: int
) -> dict[str, TokenCounts | None]:
    answers = list(count_tokens(request_for(root, kind, reader, *lengths)))
    assert MARKER not in "".join(answer.model_dump_json() for answer in answers)
    return {answer.backbone: answer.counts for answer in answers}


def sizes(*texts: tuple[str, ...]) -> list[int]:
    tokenizer = load_tokenizer(tiny_spec("bert"), tiny_folder("bert"))
    return [len(tokenizer(*text)["input_ids"]) for text in texts]


def test_texts_pairs_and_words_are_counted_with_their_special_tokens(tmp_path: Path) -> None:
    long = f"{MARKER} " * 30
    lines = 2 * [f"no fever,a cough,no\n{long},today,yes\n"]
    (tmp_path / "a.csv").write_text("text,more,label\n" + "".join(lines))
    table_reader = {"format": "csv", "text": "text", "label": "label", "files": {"train": ["a.csv"]}}
    one = sizes(("no fever",), (long.strip(),))
    found = counted(tmp_path, TaskKind.CLASSIFICATION, table_reader, 8, 4096)
    assert found == {
        "bert": TokenCounts(
            examples=4,
            mean=sum(one) / 2,
            cut={8: 2, 4096: 0},
            read={8: sum(min(size, 8) for size in one) / 2, 4096: sum(one) / 2},
        ),
        "away": None,
    }
    two = sizes(("no fever", "a cough"), (long.strip(), "today"))
    pairs = counted(tmp_path, TaskKind.RELATION, table_reader | {"second_text": "more"}, 8)["bert"]
    assert pairs is not None
    assert pairs.mean == sum(two) / 2
    (tmp_path / "a.tsv").write_text("no\tO\nfever\tB-sign\n\ntoday\tB-sign\n")
    words = counted(tmp_path, TaskKind.NER, {"format": "conll", "files": {"train": ["a.tsv"]}})["bert"]
    assert words == TokenCounts(examples=2, mean=sum(sizes(("no fever",), ("today",))) / 2)


def test_a_large_corpus_is_sampled_from_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.models.token_counts._SAMPLE", 10)
    lines = [f"{'fever ' * (1 if n < 50 else 21)},{'xy'[n % 2]}\n" for n in range(100)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(lines))
    reader = {"format": "csv", "text": "text", "label": "label", "files": {"train": ["a.csv"]}}
    found = counted(tmp_path, TaskKind.CLASSIFICATION, reader)["bert"]
    assert found is not None
    assert (found.examples, found.mean) == (10, sum(sizes(("fever",), ("fever " * 21,))) / 2)


def test_a_count_of_its_own_process_is_the_same_and_imports_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "no fever,x\na cough today,y\n" * 2)
    reader = {"format": "csv", "text": "text", "label": "label", "files": {"train": ["a.csv"]}}
    heavy = tmp_path / "heavy" / "torch"
    heavy.mkdir(parents=True)
    (heavy / "__init__.py").write_text("raise SystemExit('torch was imported')")
    monkeypatch.setenv("PYTHONPATH", str(heavy.parent))
    request = request_for(tmp_path, TaskKind.CLASSIFICATION, reader, 8)
    answers = map(CountedTokens.model_validate, ask("workers.inspect", request, "tokens"))
    found = {answer.backbone: answer.counts for answer in answers}
    assert found == counted(tmp_path, TaskKind.CLASSIFICATION, reader, 8)
    assert found["bert"] is not None


def test_a_plan_counts_by_the_tokenizers_that_are_here(tmp_path: Path) -> None:
    files = {f"{split}.csv": table(*rows(split, 12)) for split in ("train", "dev", "test")}
    write_task(tmp_path, files, TABLE, max_length=8)
    sweep = str(write_sweep(tmp_path))

    def planned(*words: str) -> str:
        done = CliRunner().invoke(app, ["plan", sweep, *words])
        assert done.exception is None
        return done.stdout

    assert CliRunner().invoke(app, ["stage", sweep]).exception is None
    rehearsed = CliRunner().invoke(app, ["run", sweep, "--launcher", "simulated"])
    assert "per text by the tokenizer of toy" in " ".join(rehearsed.output.split())
    expected = sizes(*((text,) for text, _ in rows("train", 12)))
    found = json.loads(planned("--json"))
    assert found["tokens"] == {
        "mine": {"toy": {"examples": 12, "mean": sum(expected) / 12, "cut": {"8": 12}, "read": {"8": 8.0}}}
    }
    told = " ".join(planned().split())
    mean = round(sum(expected) / 12)
    assert (
        f"tokens mine: {mean} per text by the tokenizer of toy, in a sample of 12 examples; "
        "100% are cut at max_length 8" in told
    )
    longer = json.loads(planned("recipe.max_length=512", "--json"))["tokens"]["mine"]["toy"]
    assert longer["cut"] == {"8": 12, "512": 0}
    assert longer["read"] == {"8": 8.0, "512": longer["mean"]}
    write_task(tmp_path, files, TABLE, max_length=8, mean_tokens=9)
    assert json.loads(planned("--json"))["tokens"] == {}


def test_init_chooses_the_length_by_the_tokenizers_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 words of six tokens each; guessed by the words, 128 would do."""
    monkeypatch.chdir(tmp_path)
    backbone = {"model": "toy", "domain": "general", "architecture": "bert"}
    weights = {"kind": "folder", "folder": str(tiny_folder("bert"))}
    (tmp_path / "own" / "backbones").mkdir(parents=True)
    (tmp_path / "own" / "backbones" / "toy.yaml").write_text(json.dumps(backbone | {"weights": weights}))
    words = " ".join(["abcdef"] * 60)
    lines = [f"{words} {n},{'xy'[n % 2]}\n" for n in range(60)]
    (tmp_path / "notes.csv").write_text("note,label\n" + "".join(lines))
    asked = ["--model", "toy", "--catalogue", "own", "--id", "none", "--domain", "general", "--within", "0.1"]
    done = CliRunner().invoke(app, ["init", "notes.csv", *asked])
    assert done.exception is None, done.output
    longest = max(sizes(*((f"{words} {n}",) for n in range(60))))
    assert 256 < longest <= 512
    assert "max_length: 512" in (tmp_path / "notes" / "tasks" / "notes.yaml").read_text()
    assert "by the tokenizer of toy" in " ".join(done.output.split())
