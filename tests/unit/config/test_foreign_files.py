"""Files that are not what they are taken for, or not what a text file is: through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config import builtin_catalogue, catalogue, load_sweep, sweep
from orchestrator.errors import ConfigError, LedgerError, Problem

SWEEP = "name: x\nmodels: [tiny]\ndomains: [general]\nmethods: [full]\ntasks: [ncbi-disease]\nseeds: [1]\n"
CONTROL = "name: x\nmodels: [demo-tiny\x01]\n"


def problems(*words: str | Path) -> tuple[Problem, ...]:
    error = CliRunner().invoke(app, [str(word) for word in words]).exception
    assert isinstance(error, ConfigError), error
    return error.problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONTROL, "U+0001"),
        ("", "an empty file"),
        ("# nothing yet\n", "an empty file"),
        ("- a\n- b\n", "a list"),
        (SWEEP + "---\n" + SWEEP, "two YAML documents"),
        ("kind: ner\nreader: {format: conll}\nmetric: entity_f1\n", "a task of a catalogue"),
        ("model: tiny\narchitecture: bert\nweights: {kind: random}\n", "a backbone of a catalogue"),
        ("settings: {kind: full}\n", "a method of a catalogue"),
        ("currency: USD\ndevices: {}\n", "a price book"),
        ("backbones: {}\n", "a lock file"),
        ("apiVersion: v1\nkind: Pod\n", "a Kubernetes object"),
        ("[" * 3000, "nested more than"),
    ],
)
def test_a_file_that_is_no_sweep_is_named_for_what_it_is(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    (problem,) = problems("plan", file)
    assert problem.where == str(file)
    assert words in problem.problem
    assert problem.fix


def test_the_record_of_a_sweep_given_as_a_sweep_is_named(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"])
    (record,) = tmp_path.rglob("sweep.json")
    (problem,) = problems("plan", record)
    assert "the record of a sweep" in problem.problem
    assert "frontier status" in problem.fix


@pytest.mark.parametrize("kind", catalogue.KINDS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SWEEP.encode(), "a sweep file"),
        (CONTROL.encode(), "U+0001"),
        (b"", "an empty file"),
        (b"a: \xff", "not UTF-8"),
        (b"a: *nowhere", "undefined alias"),
    ],
)
def test_whatever_lies_in_a_catalogue_is_one_problem(
    tmp_path: Path, kind: str, content: bytes, words: str
) -> None:
    file = tmp_path / "mine" / kind / "ours.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (tmp_path / "sweep.yaml").write_text(SWEEP + "catalogues: [mine]\n")
    use = "resources={device: ours}" if kind == "devices" else f"{kind}=ours".replace("backbones", "models")
    (problem,) = (p for p in problems("plan", tmp_path / "sweep.yaml", use) if p.where == str(file))
    assert words in problem.problem


@pytest.mark.parametrize(
    ("content", "words"), [(CONTROL, "U+0001"), (SWEEP, "a sweep file"), ("[" * 3000, "nested")]
)
def test_a_lock_file_and_a_price_book_go_through_the_same_door(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP + "prices: ours.yaml\n")
    for name in ("sweep.lock", "ours.yaml"):
        (tmp_path / name).write_text(content)
    found = problems("plan", tmp_path / "sweep.yaml")
    assert {Path(problem.where).name for problem in found} == {"sweep.lock", "ours.yaml"}
    assert all(words in problem.problem for problem in found)


@pytest.mark.parametrize("content", [b"a,b\n1,\x01\n", b"name,value\n\xff,1\n", b"\x1f\x8b\x08", b""])
def test_a_table_of_published_results_goes_through_the_same_door(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "theirs.csv"
    table.write_bytes(content)
    for words in (["report", "x", "--against", table], ["score", table]):
        assert {Path(problem.where).name for problem in problems(*words)} == {"theirs.csv"}


@pytest.mark.parametrize("content", ["kind: Pod\nname: \x01", "[" * 20000, "a: [", 'kind: "\\U99999999"'])
def test_a_manifest_goes_through_the_same_door(tmp_path: Path, content: str) -> None:
    (tmp_path / "pod.yaml").write_text(content)
    (problem,) = problems("doctor", "--manifests", tmp_path / "pod.yaml")
    assert problem.where == str(tmp_path / "pod.yaml")


@pytest.mark.parametrize(
    "words", ["question=\x01", "seeds=[1", "recipe.learning_rate=1e999", "models=\udcff"]
)
def test_an_override_goes_through_the_same_door(tmp_path: Path, words: str) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    (problem,) = problems("plan", tmp_path / "sweep.yaml", words)
    assert (problem.where, problem.key) == ("command line", words.partition("=")[0])
    assert problem.line is None


@pytest.mark.parametrize("content", [b"", b'{"name": "x"', b"[]", b"\xff\xfe\0", b"[" * 5000, SWEEP.encode()])
@pytest.mark.parametrize("name", ["sweep.json", "order.json", "outcome.json", "bill.json"])
def test_a_damaged_record_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes) -> None:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"])
    built.finish_all()
    record = next(tmp_path.rglob(name))
    record.write_bytes(content)
    directory = next(tmp_path.rglob("sweep.json")).parent
    error = CliRunner().invoke(app, ["status", str(directory)]).exception
    assert isinstance(error, LedgerError)
    assert str(record) in str(error)
    assert "-> it was written by another version or damaged" in str(error)


def test_merge_keys_are_read_and_an_x_key_may_hold_what_they_name(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "x-usual: &usual {epochs: 1, batch_size: 8}\n" + SWEEP + "recipe:\n  <<: *usual\n  batch_size: 4\n"
    )
    recipe = load_sweep(file, cwd=tmp_path).config.recipe
    assert (recipe.epochs, recipe.batch_size) == (1, 4)


@pytest.mark.parametrize(
    "text",
    [
        "usual: &usual {epochs: 1}\n" + SWEEP + "recipe: {<<: *usual}\n",
        SWEEP + "usual: &usual\n  epochs: 1\nrecipe: *usual\n",
        "usual:\n  short: &short {epochs: 1}\n" + SWEEP + "recipe: {<<: *short}\n",
        "usual: [&short {epochs: 1}]\n" + SWEEP + "recipe: {<<: *short}\n",
    ],
)
def test_an_unknown_key_that_holds_an_anchor_is_told_how_to(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    (problem,) = problems("plan", file)
    assert problem.key == "usual"
    assert problem.fix == "begin its name with `x-`, say `x-usual`, to keep an anchor in it"


def test_an_unknown_key_without_an_anchor_of_its_own_is_told_the_known_ones(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("x-usual: &usual {epochs: 1}\n" + SWEEP + "recipes: *usual\n")
    (problem,) = problems("plan", file)
    assert (problem.key, problem.fix) == ("recipes", "did you mean 'recipe'?")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (
            "x-usual: &usual\n  epochs: 1\n  batch_sise: 8\n" + SWEEP + "recipe:\n  <<: *usual\n",
            "recipe.batch_sise",
            3,
        ),
        (SWEEP + "usual: &usual {epochs: 1}\nrecipe: {<<: *usual}\n", "usual", 7),
        (SWEEP + "recipe:\n  epochs: x\n", "recipe.epochs", 8),
        (SWEEP.replace("[full]", "\n  - full\n  - {rank: 4}"), "methods.1.name", 6),
    ],
)
def test_a_problem_names_the_line_where_its_key_is_written(
    tmp_path: Path, text: str, key: str, line: int
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    (problem,) = problems("plan", file)
    assert (problem.key, problem.line) == (key, line)
    assert f"{file}, line {line}: {key}: " in str(problem)


@pytest.mark.parametrize("value", ["~nobody-of-this-name/x", "/" + "a" * 300, "loop"])
@pytest.mark.parametrize("key", ["data_dir", "catalogues", "prices"])
def test_a_path_that_leads_nowhere_is_no_traceback(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    written = f"[{value}]" if key == "catalogues" else f"{value}/x.yaml" if key == "prices" else value
    (tmp_path / "sweep.yaml").write_text(SWEEP + f"{key}: {written}\n")
    error = CliRunner().invoke(app, ["plan", str(tmp_path / "sweep.yaml"), f"--storage={tmp_path}"]).exception
    assert error is None or isinstance(error, ConfigError)


SHIPPED = [
    path.read_text(encoding="utf-8") for path in sorted((builtin_catalogue() / "sweeps").glob("*.yaml"))
]
BITS = st.sampled_from(
    [
        *["[", "]", "{", "}", "|", ">", "?", "&", "*", ":", "-", "~", "%", "@", "<<", "''"],
        *("<<: *u", "x-u: &u {a: 1}\n", "*u", "---\n", "!!int ", "\t", "\x01", '"\\0"', "~nobody/x"),
        *("null", "[[]]", "{match: {}}", "1e999", ".nan", "-1", "..", "9" * 5000, "x" * 300),
    ]
)
CHANGE = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 2000), st.one_of(BITS, st.characters(codec="utf-8"))),
    st.tuples(st.just("cut"), st.integers(0, 2000), st.integers(1, 40)),
    st.tuples(st.just("swap"), st.integers(0, 60), st.integers(0, 60)),
    st.tuples(st.just("set"), st.integers(0, 60), BITS),
)


def changed(text: str, change: tuple[str, int, object]) -> str:
    verb, at, what = change
    lines = text.split("\n")
    first, second = at % len(lines), what % len(lines) if isinstance(what, int) else 0
    if verb == "put":
        return text[:at] + str(what) + text[at:]
    if verb == "cut":
        return text[:at] + text[at + second :]
    if verb == "swap":
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first] = lines[first].partition(":")[0] + f": {what}"
    return "\n".join(lines)


@pytest.fixture(scope="module")
def read_once() -> object:
    """The catalogue that comes with the project, read once: no example changes it."""
    found = catalogue.read_catalogue([])
    with pytest.MonkeyPatch.context() as patch:
        real = catalogue.read_catalogue
        patch.setattr(sweep, "read_catalogue", lambda own: real(own) if own else found)
        yield


@pytest.mark.usefixtures("read_once")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.sampled_from(SHIPPED), changes=st.lists(CHANGE, min_size=1, max_size=4))
@example(text=SHIPPED[0], changes=[("put", 0, "\x01")])
@example(text=SHIPPED[0], changes=[("put", 0, "[" * 3000)])
@example(text=SHIPPED[0], changes=[("set", 2, "9" * 5000)])
def test_a_shipped_sweep_changed_at_random_is_a_sweep_or_a_list_of_mistakes(
    tmp_path: Path, text: str, changes: list[tuple[str, int, object]]
) -> None:
    for change in changes:
        text = changed(text, change)
    file = tmp_path / "changed.yaml"
    file.write_text(text, encoding="utf-8")
    found: tuple[Problem, ...] = ()
    try:
        load_sweep(file, cwd=tmp_path)
    except ConfigError as error:
        found = error.problems
    assert all(problem.problem and problem.fix and str(problem) for problem in found)
