"""One file under two splits of a task, by name, by link and by content: refused by whatever reads it."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from split_tasks import TABLE, rows, table, write_sweep, write_task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config import known_counts
from orchestrator.errors import ConfigError, DataError, Problem

FILES = {f"{split}.csv": table(*rows(split)) for split in ("train", "dev", "test")}


def problems(words: list[str]) -> tuple[Problem, ...]:
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ConfigError), error
    return error.problems


def named(**files: list[str]) -> dict[str, object]:
    return TABLE | {"files": files}


def test_one_name_under_two_splits_is_a_mistake_of_the_entry(tmp_path: Path) -> None:
    reader = named(train=["train.csv", "more.csv", "more.csv"], dev=["./train.csv"], test=["test.csv"])
    words = write_task(tmp_path, FILES, reader)
    found = {problem.key: problem.problem for problem in problems(words)}
    assert found == {
        "reader.files.train": "names more.csv 2 times",
        "reader.files.dev": "names train.csv, which files.train names as well",
    }
    assert problems(["plan", str(write_sweep(tmp_path))])[0].fix == "name it once"


def linked(data: Path) -> None:
    (data / "test.csv").unlink()
    (data / "test.csv").symlink_to("train.csv")


def copied(data: Path) -> None:
    shutil.copy(data / "train.csv", data / "test.csv")


@pytest.mark.parametrize("double", [linked, copied])
def test_equal_files_stop_inspect_plan_and_run(tmp_path: Path, double: Callable[[Path], None]) -> None:
    words = write_task(tmp_path, FILES, TABLE)
    double(tmp_path / "data")
    sweep = str(write_sweep(tmp_path))
    for command in (words, ["plan", sweep], ["run", sweep, "--launcher", "local"]):
        (found,) = problems(command)
        assert (found.where, found.key) == ("task mine", "reader.files.test")
        assert found.problem == "test.csv and train.csv of files.train hold the same, byte for byte"
        assert "hold out a part of train" in found.fix
    assert not (tmp_path / "sweeps" / "case").exists()


def test_a_copy_within_a_split_is_named(tmp_path: Path) -> None:
    words = write_task(tmp_path, FILES | {"train.again.csv": FILES["train.csv"]}, TABLE)
    (found,) = problems(words)
    assert found.key == "reader.files.train"
    assert found.fix == "remove one of the two"


def test_equal_and_nested_directories_are_named(tmp_path: Path) -> None:
    """Of formats that read directories: a copy of one, and one inside another."""
    record = '<R><TEXT>Severe pain</TEXT><TAGS><E start="7" end="11" text="pain" type="x"/></TAGS></R>'
    other = record.replace("pain", "rash")
    files = {"a/1.xml": record, "b/1.xml": record, "c/1.xml": other, "c/d/2.xml": other}
    reader = {"format": "i2b2-xml", "attribute": "type"}
    splits = {"train": ["a"], "dev": ["b"], "test": ["c"]}
    (equal,) = problems(write_task(tmp_path, files, reader | {"files": splits}, "ner"))
    assert equal.problem == "b and a of files.train hold the same, byte for byte"
    splits = {"train": ["c"], "dev": ["a"], "test": ["c/d"]}
    (nested,) = problems(write_task(tmp_path, files, reader | {"files": splits}, "ner"))
    assert nested.problem == "c/d and c of files.train overlap: c/d is a part of c"


def test_empty_files_are_left_to_their_reader(tmp_path: Path) -> None:
    words = write_task(tmp_path, FILES | {"dev.csv": "", "test.csv": ""}, TABLE)
    assert "no example" in str(CliRunner().invoke(app, words).exception)


def with_line_ends_of_windows(data: Path) -> None:
    (data / "test.csv").write_text(FILES["train.csv"].replace("\n", "\r\n"), newline="")


def with_quotes(data: Path) -> None:
    lines = FILES["train.csv"].splitlines()[1:5]
    content = "label,note\n" + "".join('"{1}",{0}\n'.format(*line.rsplit(",", 1)) for line in lines)
    (data / "test.csv").write_text(content)


def in_other_order(data: Path) -> None:
    (data / "test.csv").write_text(table(*reversed(rows("train"))))


@pytest.mark.parametrize(
    ("copy", "count"), [(with_line_ends_of_windows, 8), (with_quotes, 4), (in_other_order, 8)]
)
def test_a_copy_in_other_bytes_stops_inspect_stage_and_run(
    tmp_path: Path, copy: Callable[[Path], None], count: int
) -> None:
    words = write_task(tmp_path, FILES, TABLE)
    copy(tmp_path / "data")
    problem = f"all {count} texts of test are also in train"
    shown = CliRunner().invoke(app, words)
    assert isinstance(shown.exception, DataError)
    assert shown.exception.exit_code == 2
    assert f"task mine: {problem}\n    -> name other files under reader.files.test" in str(shown.exception)
    assert "also in train" in shown.stdout
    sweep = str(write_sweep(tmp_path))
    for command in (["stage", sweep], ["run", sweep, "--launcher", "local"]):
        (found,) = problems(command)
        assert (found.where, found.problem) == ("task mine", problem)


def test_a_compressed_copy_under_two_splits_is_named_for_both(tmp_path: Path) -> None:
    words = write_task(tmp_path, {"train.csv": FILES["train.csv"]}, TABLE)
    for split in ("dev", "test"):
        packed = gzip.compress(FILES["train.csv"].encode(), mtime=len(split))
        (tmp_path / "data" / f"{split}.csv.gz").write_bytes(packed)
    named = {"train": ["train.csv"], "dev": ["dev.csv.gz"], "test": ["test.csv.gz"]}
    words = write_task(tmp_path, {}, TABLE | {"files": named})
    said = str(CliRunner().invoke(app, words).exception)
    assert "all 8 texts of dev are also in train; all 8 texts of test are also in train" in said
    assert "name other files under reader.files.dev and reader.files.test" in said


def test_a_plan_counts_a_task_whose_entry_states_no_size_and_forecasts_it(tmp_path: Path) -> None:
    write_task(tmp_path, FILES | {"test.csv": table(*rows("test"), *rows("train", 3))}, TABLE)
    sweep = str(write_sweep(tmp_path))
    said = CliRunner().invoke(app, ["plan", sweep]).stdout
    assert "3 of 11 test texts are also in train." in said
    assert "1 trial to run; about " in said
    plan = json.loads(CliRunner().invoke(app, ["plan", sweep, "--json"]).stdout)
    assert plan["forecast"]["device_hours"] > 0


def test_a_plan_reports_a_task_that_it_cannot_count_and_is_made_all_the_same(tmp_path: Path) -> None:
    write_task(tmp_path, FILES | {"train.csv": "note,label\none,two,three\n"}, TABLE)
    done = CliRunner().invoke(app, ["plan", str(write_sweep(tmp_path))])
    assert done.exit_code == 0
    assert "3 columns, where the header has 2" in " ".join(done.output.split())


def test_a_plan_says_what_an_inspection_has_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"test.csv": table(*rows("test"), *rows("train", 3))}
    sizes = {"train_examples": 8, "mean_tokens": 6}  # else the plan counts them itself
    words = write_task(tmp_path, FILES | shared, TABLE, **sizes)
    sweep = str(write_sweep(tmp_path))
    said = "3 of 11 test texts are also in train."
    assert said not in CliRunner().invoke(app, ["plan", sweep]).stdout
    CliRunner().invoke(app, [*words, "--storage", str(tmp_path / "sweeps")])
    assert said in CliRunner().invoke(app, ["plan", sweep]).stdout
    # Another version of what counts may count otherwise.
    monkeypatch.setattr(known_counts, "_code", lambda: "another version")
    assert said not in CliRunner().invoke(app, ["plan", sweep]).stdout
