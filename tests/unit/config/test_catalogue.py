"""The entries that come with the project, and entries of a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_data import snippets, write_example

from orchestrator.config import Catalogue, load_catalogue, load_sweep
from orchestrator.config.inputs import digest_inputs
from orchestrator.contracts.readers import ConllReader, TableReader
from orchestrator.contracts.vocabulary import Sensitivity, Split, TaskKind
from orchestrator.errors import ConfigError
from workers.data import label_set, read_split

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


SIZES = {  # cells, refused cells
    "architectures": (102, 114),
    "cross-domain": (120, 0),
    "demo": (36, 0),
    "fewshot": (144, 0),
    "gallery": (18, 0),
    "paper": (273, 42),
    "paper-domain": (192, 0),
    "placement-of-lora": (54, 0),
    "prompt-methods": (72, 8),
    "public-mini": (12, 0),
    "rank": (120, 0),
    "scale": (36, 6),
    "time-budget": (27, 33),
    "tune-lr": (18, 0),
}


@pytest.mark.parametrize("file", sorted((CONFIGS / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_sweep_that_comes_with_the_project_has_the_size_that_it_states(
    file: Path, tmp_path: Path
) -> None:
    grid = load_sweep(file, cwd=tmp_path).grid
    assert (len(grid.cells), len(grid.refused)) == SIZES[file.stem]
    assert all(refused.reason for refused in grid.refused)


def test_tasks_over_corpora_under_an_agreement_are_marked_as_sensitive(catalogue: Catalogue) -> None:
    specs = {name: entry.spec for name, entry in catalogue.tasks.items()}
    agreements = ("data use agreement", "Credentialed")
    agreed = {name for name, spec in specs.items() if any(word in str(spec.licence) for word in agreements)}
    assert {name for name, spec in specs.items() if spec.data is Sensitivity.SENSITIVE} == agreed
    assert len(agreed) == 10
    assert {name for name, spec in specs.items() if spec.corpus is not None} == agreed


def test_the_study_lacks_two_backbones_and_nothing_else(tmp_path: Path) -> None:
    grid = load_sweep(CONFIGS / "sweeps" / "paper.yaml", cwd=tmp_path).grid
    assert len(grid.cells) + len(grid.refused) == 5 * 3 * 3 * 7
    lacking = {(refused.cell.model, refused.cell.domain) for refused in grid.refused}
    assert lacking == {("llama-2-7b", "biomedical"), ("llama-2-7b", "clinical")}


def test_the_backbones_of_the_study_are_there_with_their_published_counts(catalogue: Catalogue) -> None:
    counts = {
        (model, domain): backbone.parameters
        for (model, domain), backbone in catalogue.backbones.items()
        if model in ("tiny", "mobile", "distil", "base", "llama-2-7b")
    }
    assert counts == {
        ("tiny", "general"): 14_350_874,
        ("tiny", "biomedical"): 13_874_762,
        ("tiny", "clinical"): 13_874_762,
        ("mobile", "general"): 24_582_914,
        ("mobile", "biomedical"): 24_582_914,
        ("mobile", "clinical"): 24_582_914,
        ("distil", "general"): 66_955_010,
        ("distil", "biomedical"): 66_955_010,
        ("distil", "clinical"): 65_783_042,
        ("base", "general"): 109_483_778,
        ("base", "biomedical"): 108_311_810,
        ("base", "clinical"): 108_311_810,
        ("llama-2-7b", "general"): 6_607_351_808,
    }


def test_the_eight_groups_take_in_each_of_the_twenty_sections(catalogue: Catalogue) -> None:
    sections = catalogue.tasks["mts-dialog"].spec.labels
    grouped = catalogue.tasks["mts-dialog-8"].spec
    assert sections is not None
    assert isinstance(grouped.reader, TableReader)
    assert len(sections) == 20
    assert list(sections) == sorted(sections)
    assert set(grouped.reader.merge) == set(sections)
    assert set(grouped.reader.merge.values()) == set(grouped.labels or ())
    assert len(grouped.labels or ()) == 8


def test_tasks_with_doubtful_or_invented_scores_say_so(catalogue: Catalogue) -> None:
    assert "noisy" in (catalogue.tasks["bc5cdr-relation"].spec.note or "")
    invented = {name for name, entry in catalogue.tasks.items() if entry.spec.invented}
    assert invented == {name for name in catalogue.tasks if name.startswith("demo-")}


@pytest.mark.parametrize(
    ("task", "train"),
    [("ncbi-disease", 5432), ("bc5cdr-relation", 4615), ("mts-dialog", 1201), ("mts-dialog-8", 1201)],
)
def test_entries_read_the_public_corpora(catalogue: Catalogue, corpora: Path, task: str, train: int) -> None:
    spec = catalogue.tasks[task].spec
    examples = read_split(spec, Split.TRAIN, corpora)
    assert len(examples) == train == spec.train_examples
    assert label_set(spec, examples)


def write_entry(root: Path, kind: str, name: str, text: str) -> Path:
    file = root / kind / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


FOLDER = "{model: ours, domain: clinical, architecture: bert, weights: {kind: folder, folder: ../../w}}"


def test_a_folder_of_weights_is_found_from_the_entry(tmp_path: Path) -> None:
    write_entry(tmp_path / "mine", "backbones", "ours-clinical.yaml", FOLDER)
    backbone = load_catalogue([tmp_path / "mine"]).backbones["ours", "clinical"]
    assert backbone.name == "ours-clinical"
    assert getattr(backbone.weights, "folder", None) == str(tmp_path / "w")


@pytest.mark.parametrize(
    ("kind", "name", "text", "problem"),
    [
        ("methods", "lora.yaml", "settings: {kind: lora}", "stands already in"),
        ("backbones", "b.yaml", FOLDER.replace("ours", "tiny"), "already the backbone 'tiny-clinicalbert'"),
        ("backbones", "b.yaml", FOLDER.replace("ours", "a/b"), "cannot be a directory's name"),
        ("backbones", "b.yaml", FOLDER.replace("ours", '"ours\\n"'), "cannot be a directory's name"),
        ("task", "a.yaml", "title: a", "has no directory 'task'"),
        ("tasks", "a.yml", "title: a", "not an entry"),
        ("tasks", "a b.yaml", "title: a", "not an entry"),
        ("methods", "m.yaml", "name: m\nsettings: {kind: full}", "unknown key, got name"),
        ("methods", "m.yaml", "settings: {kind: lora, rnk: 4}", "unknown key, got rnk"),
        ("methods", "m.yaml", "settings: {kind: dora}", "unknown kind, got 'dora'"),
        ("methods", "m.yaml", "settings: {kind: full}\nrecipe: {epochs: 0}", "got 0"),
        ("prices", "p.yaml", "currency: pounds", "pounds"),
    ],
)
def test_entries_of_ones_own_are_checked(
    tmp_path: Path, kind: str, name: str, text: str, problem: str
) -> None:
    file = write_entry(tmp_path, kind, name, text)
    with pytest.raises(ConfigError) as caught:
        load_catalogue([tmp_path])
    first = caught.value.problems[0]
    assert problem in first.problem
    assert first.where in (str(file), str(file.parent))


def test_what_is_beside_the_entries_is_left_alone(tmp_path: Path) -> None:
    write_entry(tmp_path, "backbones", "ours-clinical.yaml", FOLDER)
    for name in ("letters.csv", "second.yaml", "notes.txt"):
        (tmp_path / name).write_text("a: [")
    for name in ("data", "results", "sweeps"):
        (tmp_path / name).mkdir()
    assert ("ours", "clinical") in load_catalogue([tmp_path]).backbones


def test_a_catalogue_whose_entries_are_in_no_directory(tmp_path: Path) -> None:
    (tmp_path / "ours-clinical.yaml").write_text(FOLDER)
    with pytest.raises(ConfigError, match="has no entries") as caught:
        load_catalogue([tmp_path])
    assert "backbones" in caught.value.problems[0].fix


def test_a_misspelt_kind_of_weights_is_named_by_the_key_of_the_file(tmp_path: Path) -> None:
    write_entry(tmp_path, "backbones", "b.yaml", FOLDER.replace("folder: ../../w", "foldr: ../../w"))
    with pytest.raises(ConfigError) as caught:
        load_catalogue([tmp_path])
    assert {c.key for c in caught.value.problems} == {"weights.folder", "weights.foldr"}
    assert "did you mean 'folder'?" in str(caught.value)


def test_a_catalogue_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such catalogue directory"):
        load_catalogue([tmp_path / "mine"])


def test_the_worked_example_of_the_readme_needs_yaml_only(tmp_path: Path) -> None:
    file = write_example(tmp_path)
    assert len(snippets()) == 5
    sweep = load_sweep(file, cwd=tmp_path)
    assert len(sweep.grid.cells) == 3 * 4
    missing = digest_inputs(sweep, tmp_path / "cache").missing
    assert [c for c in missing if c.where != "backbone minilm"] == []
    specs = {name: sweep.catalogue.tasks[name].spec for name in sweep.config.tasks}
    labels = {
        name: label_set(spec, read_split(spec, Split.TRAIN, tmp_path / "data"))
        for name, spec in specs.items()
    }
    assert labels == {
        "my-ner": ("O", "B-Dose", "I-Dose", "B-Drug", "I-Drug"),
        "my-triage": ("cardiology", "respiratory"),
        "my-follow-up": ("no", "yes"),
        "my-relation": ("none", "causes"),
    }
    follow_up = [len(read_split(specs["my-follow-up"], split, tmp_path / "data")) for split in Split]
    assert sum(follow_up) == 60
    assert min(follow_up) > 0
    assert isinstance(specs["my-ner"].reader, ConllReader)
    assert specs["my-relation"].kind is TaskKind.RELATION
