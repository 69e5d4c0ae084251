"""YAML as a reader of the file would read it."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import yaml

from orchestrator.config import yaml_loader
from orchestrator.config.yaml_sources import parse_yaml, read_mapping
from orchestrator.errors import Problem


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
    got, problems = parse_yaml(text, "here")
    assert (got, type(got), problems) == (value, type(value), [])


def test_every_key_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    _, problems = read_mapping(file)
    assert {(c.key, c.line) for c in problems} == {("a", 3), ("c", 2)}


def test_a_syntax_error_is_a_problem_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: [1, 2\nc: 3\n")
    found, (problem,) = read_mapping(file)
    assert found.raw == {}
    assert (problem.where, problem.line) == (str(file), 3)
    assert problem.problem.startswith("not YAML")


@pytest.mark.parametrize("text", ["", "- a\n", "just text"])
def test_a_file_without_keys_is_a_problem(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    _, (problem,) = read_mapping(file)
    assert "expected `key: value` lines" in problem.problem


@pytest.mark.parametrize("text", ["a: !!binary aGk=", "a: &x [*x]", "a: !!python/name:os.system"])
def test_what_is_no_plain_value_is_a_problem(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    found, (problem,) = read_mapping(file)
    assert found.raw == {}
    assert problem.line == 1


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("a: 1")
    _, (problem,) = read_mapping(tmp_path / "dmeo.yaml")
    assert "demo.yaml" in problem.fix


@pytest.mark.parametrize(
    "content", [b"a: \xff\xfe", "a: 1\nb: caf\u00e9".encode("latin-1"), b"\xff\xfea\0:\0"]
)
def test_bytes_that_are_no_text_are_a_problem(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    _, (problem,) = read_mapping(file)
    assert "UTF-8" in problem.fix


def test_a_byte_that_is_no_utf_8_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("a: 1\nb: caf\u00e9".encode("latin-1"))
    _, (problem,) = read_mapping(file)
    assert (problem.line, problem.column) == (2, 7)
    assert "0xe9" in problem.problem
    assert str(problem).startswith(f"{file}, line 2, column 7: not UTF-8")


@pytest.mark.parametrize(
    ("text", "line", "column", "name"),
    [
        ("name: x\nmodels: [demo-tiny\x01]\n", 2, 19, "U+0001"),
        ("a: \x00", 1, 4, "U+0000"),
        ("a: 1\nb: \x1b[31mred", 2, 4, "U+001B"),
        ("# \x7f", 1, 3, "U+007F"),
        ("a: '\x9b'", 1, 5, "U+009B"),
        ("a: \ufffe", 1, 4, "U+FFFE"),
    ],
)
def test_a_control_character_is_named_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, name: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    _, (problem,) = read_mapping(file)
    assert (problem.line, problem.column) == (line, column)
    assert name in problem.problem
    assert problem.fix == "remove it"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in itertools.pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 3000 + "]" * 3000, "nested more than"),
        ("{a: " * 3000 + "1" + "}" * 3000, "nested more than"),
        ("- " * 3000 + "x", "nested more than"),
        (BOMB, "aliases"),
        (BOMB.replace("[", "{<<: [").replace("]", "]}").replace("x, ", "{x: 1}, "), ""),
        ("a: &x [1, *x]", "refers to the value that it is part of"),
        ("a: *nowhere", "undefined alias"),
        ("a: " + "9" * 5000, "5,000 digits"),
        ("a: 1e999999", "beyond all numbers"),
        ("a: -1e400", "beyond all numbers"),
        ('a: "\\ud800"', "not YAML"),
        ('a: "\\0"', "U+0000"),
        ('a: "\\U99999999"', "not YAML"),
        ("a: !!int x", "the tag"),
        ("a: !!float ''", "the tag"),
        ("a: !!bool x", "the tag"),
        ("a: !!timestamp 2020-01-01", "the tag"),
        ("a: !!set {x}", "the tag"),
        ("{[1]: 2}", "as a key"),
        ("<<: 3", "not YAML"),
        ("a: 1\n---\na: 2", "two YAML documents"),
        ("%YAML 3.0\n---\na: 1", "not YAML"),
    ],
)
def test_whatever_a_file_holds_it_is_one_problem_and_never_a_traceback(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    found, (problem,) = read_mapping(file)
    assert found.raw == {}
    assert words in problem.problem
    assert problem.line is not None


def test_the_parser_of_python_reads_what_libyaml_reads(tmp_path: Path) -> None:
    """PyYAML may be built without libyaml."""
    text = "a: [1, &x {b: 2.5}]\nc: {<<: *x, d: 'no'}\ne: |\n  two\n  lines\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml.cyaml, "CParser")
        with_python = importlib.util.module_from_spec(spec := importlib.util.find_spec(yaml_loader.__name__))
        spec.loader.exec_module(with_python)
    assert with_python.Loader(text).get_single_data() == yaml_loader.Loader(text).get_single_data()
    assert with_python.Loader(text).get_single_data() == {
        "a": [1, {"b": 2.5}],
        "c": {"b": 2.5, "d": "no"},
        "e": "two\nlines\n",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x-usual: &u {a: 1, b: 2}\nr: {<<: *u, b: 3}", {"r": {"a": 1, "b": 3}}),
        ("x-usual: &u {a: 1, b: 2}\nr: {b: 3, <<: *u}", {"r": {"a": 1, "b": 3}}),
        ("r: {<<: {a: 1}, b: 3}", {"r": {"a": 1, "b": 3}}),
        ("x-1: &u {a: 1}\nx-2: &v {a: 2, b: 2}\nr: {<<: [*u, *v]}", {"r": {"a": 1, "b": 2}}),
        ("x-1: &u {a: 1}\nx-2: &v {<<: *u, a: 2}\nr: {<<: *v, c: 3}", {"r": {"a": 2, "c": 3}}),
        ("r: &u {a: 1}\ns: {'<<': 2}\nt: *u", {"r": {"a": 1}, "s": {"<<": 2}, "t": {"a": 1}}),
        ("r: [<<]", {"r": ["<<"]}),
    ],
)
def test_a_merge_key_is_read_and_the_keys_beside_it_win(tmp_path: Path, text: str, value: object) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    found, problems = read_mapping(file)
    assert (found.raw, problems) == (value, [])


def test_a_merge_key_that_stands_twice_is_told_how_to_take_both(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("x-1: &u {a: 1}\nx-2: &v {b: 1}\nr:\n  <<: *u\n  <<: *v\n")
    _, (problem,) = read_mapping(file)
    assert (problem.line, problem.fix) == (5, "write `<<: [*one, *other]`")


def test_a_key_that_was_merged_lies_where_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("x-usual: &u\n  a: 1\n  b: 2\nr:\n  <<: *u\n  b: 3\n")
    found, _ = read_mapping(file)
    assert (found.lines["r.a"], found.lines["r.b"], found.lines["r"]) == (2, 6, 4)


def test_a_terminal_never_gets_a_control_character_of_a_file() -> None:
    shown = str(Problem("a.yaml", "\x1b[2J", "unknown key, got '\x9b'", "remove it"))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
