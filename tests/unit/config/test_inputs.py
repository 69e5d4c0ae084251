"""Digests of what a sweep reads."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import Inputs, digest_inputs, inputs
from orchestrator.config.corpus_digests import CorpusDigests
from orchestrator.config.data_digests import digest_data
from orchestrator.config.inputs import metrics_version
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError
from workers.data import read_split

FILES = ("train.tsv", "devel.tsv", "test.tsv")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "ncbi_disease"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text(f"{name}\tO\n")
    return folder


def digests(load: Any, tmp_path: Path, *arguments: str, **keys: Any) -> Inputs:
    keys = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "tasks": ["ncbi-disease"]} | keys
    return digest_inputs(load(*arguments, **keys), tmp_path / "cache", tmp_path / "own")


def test_a_digest_follows_the_content_and_not_the_place(load: Any, tmp_path: Path, data: Path) -> None:
    first = digests(load, tmp_path, "data_dir=data")
    assert first.missing == ()
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert digests(load, tmp_path, "data_dir=elsewhere").data == first.data
    (tmp_path / "elsewhere" / "ncbi_disease" / "dev.tsv").write_text("not one of the files")
    assert digests(load, tmp_path, "data_dir=elsewhere").data == first.data
    (tmp_path / "elsewhere" / "ncbi_disease" / "train.tsv").write_text("another\tO\n")
    assert digests(load, tmp_path, "data_dir=elsewhere").data != first.data


def test_splits_that_change_places_change_the_digest(load: Any, tmp_path: Path, data: Path) -> None:
    first = digests(load, tmp_path, "data_dir=data")
    (data / "train.tsv").rename(data / "swap")
    (data / "test.tsv").rename(data / "train.tsv")
    (data / "swap").rename(data / "test.tsv")
    assert digests(load, tmp_path, "data_dir=data").data != first.data


def test_unchanged_files_are_not_read_twice(load: Any, tmp_path: Path, data: Path) -> None:
    first = digests(load, tmp_path, "data_dir=data")
    file = data / "train.tsv"
    status = file.stat()
    file.write_text("x" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests(load, tmp_path, "data_dir=data").data == first.data  # only the stamp was looked at
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert digests(load, tmp_path, "data_dir=data").data != first.data


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"a": 1}', '["ab"]', '{"salt": "a", "known": []}', '{"salt": 1}']
)
def test_a_broken_cache_is_made_again(load: Any, tmp_path: Path, data: Path, content: str) -> None:
    first = digests(load, tmp_path, "data_dir=data")
    (cache,) = (tmp_path / "own").iterdir()
    cache.write_text(content)
    assert digests(load, tmp_path, "data_dir=data") == first


def test_what_is_remembered_of_a_corpus_names_no_file_and_gives_no_digest_of_a_note(
    tmp_path: Path,
) -> None:
    notes = tmp_path / "corpus" / "Smith_Eve"
    notes.mkdir(parents=True)
    for name in ("Zzpatientword-1.xml", "Zzpatientword-2.xml"):
        (notes / name).write_text("one text")
    first = CorpusDigests(tmp_path / "own")
    digest = first.of(tmp_path / "corpus")
    first.save()
    (kept,) = (tmp_path / "own").iterdir()
    written = kept.read_text()
    assert digest is not None
    assert not any(name in written for name in ("Zzpatientword", "Smith", sha256(b"one text").hexdigest()))
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    (notes / "Zzpatientword-2.xml").unlink()
    assert CorpusDigests(tmp_path / "own").of(tmp_path / "corpus") != digest


def test_a_link_out_of_the_data_directory_is_refused(load: Any, tmp_path: Path, data: Path) -> None:
    (data / "train.tsv").rename(tmp_path / "train.tsv")
    (data / "train.tsv").symlink_to(tmp_path / "train.tsv")
    (data / "test.tsv").rename(data / "there.tsv")
    (data / "test.tsv").symlink_to("there.tsv")
    found = digests(load, tmp_path, "data_dir=data")
    (problem,) = found.missing
    assert problem.key == "reader.files.train"
    assert problem.problem == f"a link leads from {data / 'train.tsv'} out of data_dir"
    reader = load("data_dir=data", tasks=["ncbi-disease"]).grid.cells[0].task.spec
    with pytest.raises(DataError, match="a link leads from it out of data_dir"):
        read_split(reader, Split.TRAIN, tmp_path / "data")


def test_each_missing_file_is_named(load: Any, tmp_path: Path, data: Path) -> None:
    (data / "train.tsv").rename(data / "trian.tsv")
    found = digests(load, tmp_path, "data_dir=data")
    assert found.data == {"ncbi-disease": None}
    (problem,) = found.missing
    assert problem.key == "reader.files.train"
    assert str(data / "train.tsv") in problem.problem
    assert problem.fix == (
        "put it there, or correct data_dir; 1 of the 3 names in that folder are close to it"
    )
    (data / "trian.tsv").rename(data / "Train.tsv.gz")
    (problem,) = digests(load, tmp_path, "data_dir=data").missing
    assert problem.fix == "did you mean 'Train.tsv.gz'?"


@pytest.mark.parametrize(("arguments", "problem"), [((), "is not set"), (("data_dir=nowhere",), "nowhere")])
def test_no_data_directory_is_one_problem_however_many_tasks(
    load: Any, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    found = digests(load, tmp_path, *arguments, tasks=["ncbi-disease", "mts-dialog"])
    (reported,) = found.missing
    assert reported.key == "data_dir"
    assert problem in reported.problem


def test_made_inputs_have_digests_before_they_are_made(load: Any, tmp_path: Path) -> None:
    keys = {
        "models": ["demo-tiny"],
        "domains": ["general", "clinical"],
        "tasks": ["demo-ner", "demo-outcome"],
    }
    found = digests(load, tmp_path, **keys)
    assert found.missing == ()
    assert None not in [*found.data.values(), *found.weights.values()]
    assert len({*found.data.values(), *found.weights.values()}) == 4


def folder_entry(tmp_path: Path) -> Path:
    entries, weights = tmp_path / "mine" / "backbones", tmp_path / "w"
    entries.mkdir(parents=True)
    weights.mkdir()
    (entries / "ours.yaml").write_text(
        "{model: ours, domain: clinical, architecture: bert, weights: {kind: folder, folder: ../../w}}"
    )
    return weights


def test_weights_of_a_folder_are_known_by_content(load: Any, tmp_path: Path) -> None:
    weights = folder_entry(tmp_path)
    keys: dict[str, Any] = {
        "catalogues": ["mine"],
        "models": ["ours"],
        "domains": ["clinical"],
        "tasks": ["demo-ner"],
    }
    (weights / "pytorch_model.bin").write_bytes(b"pickled")
    none = digests(load, tmp_path, **keys)
    assert none.weights == {"ours": None}
    assert "*.safetensors" in none.missing[0].problem
    (weights / "model.safetensors").write_bytes(b"one")
    one = digests(load, tmp_path, **keys)
    assert one.missing == ()
    (weights / "config.json").write_text("{}")
    two = digests(load, tmp_path, **keys)
    assert len({None, one.weights["ours"], two.weights["ours"]}) == 3
    assert (none.weights_files["ours"], two.weights_files["ours"]) == (
        {},
        {"config.json": sha256(b"{}").hexdigest(), "model.safetensors": sha256(b"one").hexdigest()},
    )


def test_a_package_that_is_not_installed_is_named_with_its_extra(load: Any, tmp_path: Path) -> None:
    entries = tmp_path / "mine" / "backbones"
    entries.mkdir(parents=True)
    (entries / "ours.yaml").write_text(
        "{model: ours, domain: clinical, architecture: bert, "
        "weights: {kind: package, package: no_such_package_here, extra: public}}"
    )
    found = digests(
        load, tmp_path, catalogues=["mine"], models=["ours"], domains=["clinical"], tasks=["demo-ner"]
    )
    assert "no_such_package_here is not installed" in found.missing[0].problem
    assert "[public]" in found.missing[0].fix


def test_the_version_of_the_metrics_is_read_without_importing_them(tmp_path: Path) -> None:
    (tmp_path / "metrics.py").write_text('raise RuntimeError("imported")\nVERSION: str = "7"\n')
    assert metrics_version(tmp_path) == "7"
    (tmp_path / "metrics.py").write_text("OTHER = 1\n")
    with pytest.raises(LookupError):
        metrics_version(tmp_path)


@pytest.mark.parametrize(
    ("file", "counts"),
    [("train.py", True), ("selfcheck/row.py", False), ("exported/row.py", False)],
)
def test_a_result_depends_on_what_trains_and_not_on_checks_or_exports(
    load: Any, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, file: str, counts: bool
) -> None:
    worker = tmp_path / "worker"
    for room in ("exported", "selfcheck"):
        (worker / room).mkdir(parents=True)
    (worker / "metrics.py").write_text('VERSION = "1"\n')
    monkeypatch.setattr(inputs, "worker_directory", lambda: worker)
    before = digests(load, tmp_path, "data_dir=data").code
    (worker / file).write_text("x = 1\n")
    assert (digests(load, tmp_path, "data_dir=data").code != before) is counts


def test_planning_loads_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator.config, orchestrator.planning\n"
        "heavy = {'ray', 'mlflow', 'torch', 'transformers', 'peft', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_read_of_a_data_set_of_a_hub_is_part_of_its_digest(tmp_path: Path) -> None:
    entry = {"name": "t", "title": "T", "kind": "ner", "domain": "d", "metric": "entity_f1"}

    def digest(**reader: Any) -> str | None:
        reader = {"format": "hub", "dataset": "a/b", "revision": "c" * 40} | reader
        return digest_data(TaskSpec.model_validate(entry | {"reader": reader}), tmp_path)

    splits = {"train": ["train"], "dev": ["validation"], "test": ["test"]}
    assert digest() == digest(files=splits)
    others = [{"files": splits | {"test": ["test_hard"]}}, {"config": "notes"}, {"revision": "d" * 40}]
    assert len({digest(), *(digest(**other) for other in others)}) == 4
