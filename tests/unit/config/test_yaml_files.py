"""YAML as a reader of the file would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.yaml_files import parse, read_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-5", 3e-5),
        ("1.5E+3", 1500.0),
        ("-.5", -0.5),
        ("7", 7),
        ("012", 12),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-02-16", "2024-02-16"),
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ("'8'", "8"),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    got, complaints = parse(text, "here")
    assert (got, type(got), complaints) == (value, type(value), [])


def test_every_key_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    _, complaints = read_mapping(file)
    assert {(c.key, c.problem.split(":")[0]) for c in complaints} == {("a", "line 3"), ("c", "line 2")}


def test_a_fault_of_syntax_is_a_complaint_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: [1, 2\nc: 3\n")
    raw, (complaint,) = read_mapping(file)
    assert raw == {}
    assert complaint.where == str(file)
    assert complaint.problem.startswith("line 3: not YAML")


@pytest.mark.parametrize("text", ["", "- a\n", "just text"])
def test_a_file_without_keys_is_a_complaint(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    _, (complaint,) = read_mapping(file)
    assert "expected `key: value` lines" in complaint.problem


@pytest.mark.parametrize("text", ["a: !!binary aGk=", "a: &x [*x]", "a: !!python/name:os.system"])
def test_what_is_no_plain_value_is_a_complaint(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    raw, complaints = read_mapping(file)
    assert raw == {}
    assert len(complaints) == 1


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("a: 1")
    _, (complaint,) = read_mapping(tmp_path / "dmeo.yaml")
    assert "demo.yaml" in complaint.remedy


def test_bytes_that_are_no_text_are_a_complaint(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: \xff\xfe")
    _, (complaint,) = read_mapping(file)
    assert "UTF-8" in complaint.remedy
