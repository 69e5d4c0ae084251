"""`frontier init` from its words to its two files, or to one list of what it could not see."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.init.models import Weights, start
from orchestrator.config import load_catalogue, load_sweep
from orchestrator.contracts.readers import TableReader
from orchestrator.errors import ConfigError, FrontierError, InputError
from orchestrator.planning.steps import FEW_STEPS

MARKER = "Xanadu"  # in each text: nothing that is printed or written may hold it
Init = Callable[..., Result]


def letters(head: str = "patient,letter,urgency") -> str:
    lines = (
        f"P{n // 2:03d},{MARKER} wrote invented letter {n} about a matter that is {kind},{kind}"
        for n, kind in enumerate(["routine", "soon", "urgent"] * 40)
    )
    return "\n".join([head, *lines]) + "\n"


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Run `frontier init` in a folder with one file."""
    monkeypatch.chdir(tmp_path)

    def run(content: str, *words: str, name: str = "letters.csv") -> Result:
        (tmp_path / name).write_text(content)
        return CliRunner().invoke(app, ["init", name, *words])

    return run


def mistakes(result: Result) -> dict[str, str]:
    assert isinstance(result.exception, ConfigError), result.output
    return {problem.key: f"{problem.problem}; {problem.fix}" for problem in result.exception.problems}


def test_a_csv_becomes_a_sweep_that_loads_and_the_guesses_are_said_with_reasons(
    init: Init, tmp_path: Path
) -> None:
    result = init(letters(), "--model", "demo-tiny", "--within", "0.02")
    assert result.exit_code == 0, result.output
    sweep = load_sweep(Path("letters/sweep.yaml"), cwd=tmp_path)
    task = sweep.catalogue.tasks["letters"].spec
    assert isinstance(task.reader, TableReader)
    assert (task.reader.text, task.reader.label, task.reader.id) == ("letter", "urgency", "patient")
    assert sweep.data_dir == tmp_path
    assert sweep.config.good_enough is not None
    assert sweep.config.good_enough.within == 0.02
    assert {cell.cell.domain for cell in sweep.grid.cells} == {"general", "clinical"}
    said = " ".join(result.output.split())
    for words in ("the only column with texts", "from its name; 60 ids in 120 rows", "assumed; --domain"):
        assert words in said
    written = [path.read_text() for path in (tmp_path / "letters").rglob("*.yaml")]
    assert len(written) == 2
    assert not any(MARKER in text for text in [result.output, *written])
    assert result.output.splitlines()[-2:] == [
        "  frontier plan letters/sweep.yaml",
        "  frontier run letters/sweep.yaml",
    ]


def test_the_files_may_be_beside_the_data_and_the_results(init: Init, tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    assert init(letters(), "--model", "demo-tiny", "--into", ".").exit_code == 0
    sweep = load_sweep(Path("sweep.yaml"), cwd=tmp_path)
    assert {cell.cell.task for cell in sweep.grid.cells} == {"letters"}
    assert sweep.data_dir == tmp_path


def test_a_first_sweep_trains_for_as_many_steps_as_the_plan_asks_for() -> None:
    catalogue = load_catalogue()
    for examples in (1, 40, 55, 120, 5_000):
        begin = start(catalogue, Weights.HERE, ["demo-tiny"], examples)
        assert begin.epochs * math.ceil(examples / begin.batch_size) >= FEW_STEPS
    assert start(catalogue, Weights.HERE, ["demo-tiny"], 120).epochs == 20


@pytest.mark.parametrize("model", ["demo-tiny", "minilm"])
def test_a_length_that_cuts_most_texts_is_not_said_to_cut_few(init: Init, model: str) -> None:
    result = init(letters().replace("a matter", "a matter " * 900), "--model", model)
    said = " ".join(result.output.split())
    assert "the longest usual length, which cuts more than one text in twenty" in said
    assert "19 of 20" not in said


def test_few_rows_are_told_of_folds_and_a_flag_writes_them(init: Init, tmp_path: Path) -> None:
    plain = init(letters(), "--model", "demo-tiny")
    assert "with 120 rows, consider `--folds 5`" in " ".join(plain.output.split())
    assert "{dev: 0.2, folds: 5} would test every row" in Path("letters/tasks/letters.yaml").read_text()
    folded = init(letters(), "--model", "demo-tiny", "--folds", "5", "--into", "folded")
    assert "on the others; dev is a share of these" in Path("folded/tasks/letters.yaml").read_text()
    said = " ".join(folded.output.split())
    assert "consider" not in said
    assert "5 folds: each of the 60 documents is tested once per seed" in said
    sweep = load_sweep(Path("folded/sweep.yaml"), cwd=tmp_path)
    assert sweep.catalogue.tasks["letters"].spec.folds == 5
    (tmp_path / "other.csv").write_text(letters())
    wrong = mistakes(
        init(letters(), "--model", "demo-tiny", "--folds", "5", "--test", "other.csv", "--name", "b")
    )
    assert wrong["--folds"].startswith("tests each row of FILE, and test has a file of its own")


@pytest.mark.parametrize(
    ("words", "comment"),
    [((), "; {folds: 5} would test every row"), (("--folds", "5"), ", by training on the others\n")],
)
def test_a_dev_file_is_no_share_of_what_the_folds_learn_from(
    init: Init, tmp_path: Path, words: tuple[str, ...], comment: str
) -> None:
    (tmp_path / "dev.csv").write_text(letters().replace("invented", "another").replace(",P0", ",Q0"))
    result = init(letters(), "--model", "demo-tiny", "--dev", "dev.csv", *words)
    assert result.exit_code == 0, result.output
    written = Path("letters/tasks/letters.yaml").read_text()
    assert comment in written
    assert "{dev: 0.2" not in written


def test_what_the_file_does_not_say_is_one_list_of_flags_and_nothing_is_written(
    init: Init, tmp_path: Path
) -> None:
    content = "\n".join(
        ["ref,note,reply,a,b"]
        + [
            f"r{n // 3},{MARKER} is seen again today,We answered on this day {n},{n % 2},{n % 3}"
            for n in range(60)
        ]
    )
    wrong = mistakes(init(content))
    assert list(wrong) == ["--text", "--label", "--id"]
    assert "; add --text note, or --text reply; or another column: ref, a, b" in wrong["--text"]
    assert "; add --label ref, or --label a, or --label b; or another column: note, reply" in wrong["--label"]
    assert not any(MARKER in words for words in wrong.values())
    assert [path.name for path in tmp_path.iterdir()] == ["letters.csv"]


def test_names_of_columns_with_spaces_are_quoted_and_numbers_are_offered_as_labels(init: Init) -> None:
    header = "brief text,klasse (neu),liegezeit in tagen,it's"
    rows = [f"{MARKER} wrote invented letter {n},{n % 3},{n % 40}.5,{n % 2}" for n in range(120)]
    wrong = mistakes(init("\n".join([header, *rows])))
    assert wrong["--label"].endswith(
        "; add --label 'klasse (neu)', or --label 'liegezeit in tagen', or --label 'it'\"'\"'s'; "
        "or another column: 'brief text'"
    )
    flags = ("--label", "klasse (neu)", "--id", "none", "--model", "demo-tiny")
    result = init("\n".join([header, *rows]), *flags)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (lambda n: f'"{n % 90},5"', "write the numbers of 'score' with a decimal point: 12.5, and not 12,5"),
        (
            lambda n: f"I{n % 70}",
            "name another column, or a file in which its values are grouped into 2 to 50",
        ),
    ],
)
def test_a_label_that_cannot_be_one_is_not_suggested(
    init: Init, value: Callable[[int], str], fix: str
) -> None:
    rows = [f"{MARKER} wrote invented letter {n},{value(n)}" for n in range(140)]
    wrong = mistakes(init("\n".join(["text,score", *rows])))
    assert fix in wrong["--label"]
    assert list(wrong) == ["--label"]  # which is not asked for as the id either
    assert fix in mistakes(init("\n".join(["text,score", *rows]), "--label", "score"))["--label"]


def test_sentences_of_one_document_are_not_held_out(init: Init) -> None:
    sentences = "\n\n".join(f"{MARKER} O\naspirin B-DRUG\nday{n} O" for n in range(60))
    wrong = mistakes(init(f"-DOCSTART- O\n\n{sentences}\n", name="letters.conll"))
    assert "its -DOCSTART- lines begin 1 document, of which no share can be held out" in wrong["FILE"]
    assert init(f"{sentences}\n", "--model", "demo-tiny", name="letters.conll").exit_code == 0


def test_a_label_that_is_null_is_empty(init: Init) -> None:
    rows = [
        f'{{"text": "{MARKER} wrote letter {n}", "label": {["1", "0", "null"][n % 3]}}}' for n in range(60)
    ]
    result = init("\n".join(rows), "--model", "demo-tiny", name="letters.jsonl")
    assert "lines 3, 6, 9" in str(result.exception)
    assert "the label is empty" in str(result.exception)


def test_a_label_with_one_value_is_named(init: Init) -> None:
    rows = [f"{MARKER} wrote invented letter {n},yes" for n in range(60)]
    wrong = mistakes(init("\n".join(["text,label", *rows])))
    assert "no column has 2 to 50 values that repeat: 'label' has 1 value in 60 rows" in wrong["--label"]


def test_a_flag_names_a_column_that_is_there_and_a_label_that_has_classes(init: Init) -> None:
    wrong = mistakes(
        init(letters(), "--text", "leter", "--label", "patient", "--kind", "ner", "--model", "minilmm")
    )
    assert "did you mean 'letter'?" in wrong["--text"]
    assert "60 values in 120 rows are no classes" in wrong["--label"]
    assert "no words with BIO tags" in wrong["--kind"]
    assert "did you mean 'minilm'?" in wrong["--model"]


def test_a_folder_that_cannot_be_written_is_a_mistake(init: Init, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    wrong = mistakes(init(letters(), "--into", str(tmp_path / "file" / "folder")))
    assert wrong == {"": "cannot be written (Not a directory); give --into another directory"}


def test_nothing_is_overwritten(init: Init, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "sweep.yaml").write_text("mine")
    wrong = mistakes(init(letters()))
    assert wrong == {"": "this file exists already; remove it, or give --into DIRECTORY or --name NAME"}
    assert (tmp_path / "letters" / "sweep.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (letters().replace("matter", "Fürsorge"), "not UTF-8"),
        (letters() + "P999,only two cells\n", "2 columns, where the header has 3"),
    ],
    ids=["encoding", "row"],
)
def test_a_broken_encoding_or_row_ends_it_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.csv").write_bytes(content.encode("latin-1"))
    result = CliRunner().invoke(app, ["init", "letters.csv"])
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert MARKER not in str(result.exception)
    assert not (tmp_path / "letters").exists()


def test_files_of_each_split_are_named_and_a_taken_name_is_changed(init: Init, tmp_path: Path) -> None:
    for name in ("dev", "test"):
        (tmp_path / f"{name}.csv").write_text(letters().replace("letter ", f"{name} letter "))
    words = ["--dev", "dev.csv", "--test", "test.csv", "--model", "demo-tiny", "--id", "none", "--sensitive"]
    result = init(letters(), *words, "--domain", "general", name="mednli.csv")
    assert result.exit_code == 0, result.output
    task = load_sweep(Path("my-mednli/sweep.yaml"), cwd=tmp_path).catalogue.tasks["my-mednli"].spec
    assert {str(split): files for split, files in task.reader.files.items()} == {
        "train": ("mednli.csv",),
        "dev": ("dev.csv",),
        "test": ("test.csv",),
    }
    assert (task.data, task.domain, getattr(task.reader, "id", "")) == ("sensitive", "general", None)


def test_a_missing_file_is_one_mistake(init: Init) -> None:
    error = CliRunner().invoke(app, ["init", "nowhere.csv"]).exception
    assert isinstance(error, FrontierError)
    assert "nowhere.csv: there is no such file" in str(error)


def stays() -> str:
    rows = (f"{MARKER} wrote invented letter {n} about a stay,{n % 20}.5" for n in range(120))
    return "\n".join(["letter,days", *rows]) + "\n"


def test_a_label_of_few_numbers_is_asked_about_and_a_unit_answers(init: Init, tmp_path: Path) -> None:
    wrong = mistakes(init(stays()))
    assert list(wrong) == ["--kind"]
    assert "add --kind regression, or --kind classification" in wrong["--kind"]
    result = init(stays(), "--unit", "days", "--model", "demo-tiny", "--domain", "clinical")
    assert result.exit_code == 0, result.output
    loaded = load_sweep(tmp_path / "letters" / "sweep.yaml", cwd=tmp_path)
    task = loaded.catalogue.tasks["letters"].spec
    assert (task.kind, task.metric, task.unit) == ("regression", "mae", "days")
    assert loaded.config.good_enough is not None
    assert loaded.config.good_enough.within == 0.3  # a twentieth of the standard deviation, 5.8
    assert "within: 0.3}  # in days\n" in (tmp_path / "letters" / "sweep.yaml").read_text()
    assert "about a twentieth of the standard deviation" in " ".join(result.output.split())


def test_a_margin_that_was_given_is_as_you_said(init: Init) -> None:
    flags = ("--kind", "regression", "--unit", "days", "--within", "0.5")
    result = init(stays(), *flags, "--model", "demo-tiny", "--domain", "clinical")
    assert "in days; as you said" in " ".join(result.output.split())


def test_a_column_with_several_labels_is_recognised(init: Init, tmp_path: Path) -> None:
    labels = ["I10;E11", "I10", "", "E11;J45", "J45", "I10;J45"] * 20
    rows = [f"{MARKER} wrote invented letter {n} on this day,{codes}" for n, codes in enumerate(labels)]
    result = init("\n".join(["letter,codes", *rows]) + "\n", "--model", "demo-tiny")
    assert result.exit_code == 0, result.output
    task = load_sweep(tmp_path / "letters" / "sweep.yaml", cwd=tmp_path).catalogue.tasks["letters"].spec
    assert (task.kind, getattr(task.reader, "label_separator", None)) == ("multilabel", ";")
    assert "its labels have ';' between them: 3 labels in 100 rows" in " ".join(result.output.split())
