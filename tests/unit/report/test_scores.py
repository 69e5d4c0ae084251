"""The composite scores of the paper: their values, and how they depend on the set of points."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ledger_builder import LedgerBuilder, task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.results.score import scores_and_notes
from orchestrator.errors import ConfigError
from orchestrator.report import build_report
from orchestrator.report.scores.efficiency import COLUMNS, Preset, score
from orchestrator.report.scores.points import points_to_score
from orchestrator.report.scores.set_dependence import ScorePoint
from orchestrator.report.scores.table import read_score_points

# Seconds to the best score on dev, trained and total parameters of the nine points of the study.
NINE = """name,seconds,trainable_parameters,total_parameters
biobert full,1712,108311810,108311810
biobert lora,3682,294912,108311810
biodistilbert full,1005,66955010,66955010
biodistilbert lora,1316,811776,66955010
biomobilebert full,1701,24582914,24582914
biomobilebert lora,1852,221184,24582914
tinybiobert full,834,13874762,13874762
tinybiobert lora,1922,59904,13874762
llama-2-7b lora,27786,4194304,6607351808
"""
# -(t' + p' + P') / 3, worked out apart from the code with exact fractions. The ranges are 834 to 27,786 s,
# 59,904 to 108,311,810 trained and 13,874,762 to 6,607,351,808 parameters in all.
RAW = {
    "biobert full": "-0.348966",
    "biobert lora": "-0.040721",
    "biodistilbert full": "-0.210784",
    "biodistilbert lora": "-0.010960",
    "biomobilebert full": "-0.086776",
    "biomobilebert lora": "-0.013628",
    "tinybiobert full": "-0.042539",
    "tinybiobert lora": "-0.013456",
    "llama-2-7b lora": "-0.679397",
}

figures = st.floats(0, 1e12, allow_subnormal=False)


def points(rows: list[tuple[float, float, float]]) -> list[ScorePoint]:
    """`seconds`, `trainable_parameters` and `total_parameters`, the first two also as flops and bytes."""
    return [
        ScorePoint(
            name=f"p{i}",
            values={
                "seconds": s,
                "trainable_parameters": t,
                "total_parameters": p,
                "flops": s,
                "model_bytes": p,
            },
        )
        for i, (s, t, p) in enumerate(rows)
    ]


@pytest.fixture
def nine(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(NINE)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_holistic_score_of_the_papers_nine_points(nine):
    found = score(Preset.HOLISTIC, read_score_points(nine, Preset.HOLISTIC))
    assert {s.name: f"{s.raw:.6f}" for s in found.scores} == RAW
    rescaled = {s.name: s.rescaled for s in found.scores}
    assert rescaled["llama-2-7b lora"] == 0
    assert rescaled["biodistilbert lora"] == 1
    assert found.spans[0].low_point == "tinybiobert full"
    assert found.spans[2].high == 6607351808


def test_flops_v0_is_a_multiple_of_the_least_efficient():
    rows = [(100.0, 50.0, 0.0), (60.0, 10.0, 0.0), (20.0, 30.0, 0.0), (20.0, 10.0, 0.0)]
    found = score(Preset.FLOPS_V0, points(rows))
    # s = (flops - 20) / 100 + (trainable - 10) / 50: 1.6, 0.4, 0.4, 0
    assert [s.raw for s in found.scores] == [1.0, pytest.approx(4.0), pytest.approx(4.0), None]
    assert found.scores[3].rescaled is None


def test_size_v1_is_one_less_the_sum():
    rows = [(10.0, 0.0, 5.0), (20.0, 0.0, 10.0), (30.0, 0.0, 25.0)]
    found = score(Preset.SIZE_V1, points(rows))
    # seconds' and flops' are 0, 1/2, 1; bytes' 0, 1/4, 1
    assert [s.raw for s in found.scores] == [1.0, -0.25, -2.0]
    assert [s.rescaled for s in found.scores] == [1.0, pytest.approx(1.75 / 3), 0.0]


@pytest.mark.parametrize("preset", Preset)
def test_one_point_and_equal_columns_are_defined(preset):
    alone = score(preset, points([(3.0, 4.0, 5.0)]))
    expected = 0.0 if preset is Preset.HOLISTIC else 1.0
    assert [(s.raw, s.rescaled) for s in alone.scores] == [(expected, 0.0)]
    assert math.copysign(1, alone.scores[0].raw) == 1
    equal = score(preset, points([(3.0, 4.0, 5.0)] * 3))
    assert {(s.raw, s.rescaled) for s in equal.scores} == {(expected, 0.0)}
    assert all("all equal" in line for line in equal.normalisation)
    [line, *_] = score(preset, points([(6.73601167183324, 4.0, 5.0)])).normalisation
    assert "6.73601 (" in line
    assert score(preset, []).scores == ()


def test_a_point_on_which_the_order_hangs_is_named_with_the_pair():
    # a is slow, b trains much. With far (which trains most) b's training counts little; without it, much.
    rows = {"a": (10.0, 0.0, 1.0), "b": (0.0, 10.0, 1.0), "far": (5.0, 100.0, 1.0)}
    found = score(
        Preset.HOLISTIC,
        [
            ScorePoint(
                name=n, values=dict(zip(COLUMNS[Preset.HOLISTIC], (s, t + (n == "b"), p), strict=True))
            )
            for n, (s, t, p) in rows.items()
        ]
        + [
            ScorePoint(
                name="slow",
                values={"seconds": 12.0, "trainable_parameters": 0.0, "total_parameters": 1.0},
            )
        ],
    )
    swaps = {(s.without, s.better, s.worse) for s in found.swaps}
    assert ("far", "b", "a") in swaps
    assert any(
        line == "The order depends on far: without it, a scores better than b." for line in found.warnings
    )


@given(st.lists(st.tuples(figures, figures, figures), min_size=1, max_size=9), st.sampled_from(Preset))
def test_scores_are_finite_and_rescaled_to_the_unit_interval(rows, preset):
    for s in score(preset, points(rows)).scores:
        if preset is not Preset.FLOPS_V0:
            assert s.raw is not None
        if s.raw is not None:
            assert math.isfinite(s.raw)
            assert 0 <= s.rescaled <= 1


@given(
    st.lists(st.tuples(*[st.integers(0, 10**6)] * 3), min_size=2, max_size=9),
    st.integers(1, 1000),
    st.integers(0, 10**6),
)
def test_the_score_does_not_change_with_the_unit_of_a_column(rows, scale, offset):
    """Seconds as hours, or counted from another moment: each x' stays, so each score does."""
    before = score(Preset.HOLISTIC, points([tuple(map(float, r)) for r in rows]))
    after = score(
        Preset.HOLISTIC, points([(float(s * scale + offset), float(t), float(p)) for s, t, p in rows])
    )
    for one, other in zip(before.scores, after.scores, strict=True):
        assert one.raw == pytest.approx(other.raw, abs=1e-12)


@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 3), min_size=1, max_size=8))
def test_a_point_beyond_the_range_changes_the_set(rows):
    given_points = points([tuple(map(float, r)) for r in rows])
    beyond = ScorePoint(name="beyond", values={**given_points[0].values, "seconds": 2000.0})
    before, after = score(Preset.HOLISTIC, given_points), score(Preset.HOLISTIC, [*given_points, beyond])
    assert before.spans[0].high < after.spans[0].high == 2000
    assert after.spans[0].high_point == "beyond"
    assert after.spans[1:] == before.spans[1:]


@example([(3, 0, 0), (3, 0, 2), (19, 0, 23), (19, 0, 24), (27, 0, 8)], Preset.SIZE_V1)  # two share a place
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=3, max_size=7), st.sampled_from(Preset))
def test_the_warnings_are_those_that_leaving_out_each_point_gives(rows, preset):
    """The shortcut (only a point that alone sets an end can move the others) against trying all."""
    all_points = points([tuple(map(float, r)) for r in rows])
    expected = set()
    for gone in all_points:
        rest = [p for p in all_points if p.name != gone.name]
        before = {s.name: s.raw for s in score(preset, all_points).scores}
        after = {s.name: s.raw for s in score(preset, rest).scores}
        high = math.inf
        for one in rest:
            for other in rest:
                was = [high if before[p.name] is None else before[p.name] for p in (one, other)]
                now = [high if after[p.name] is None else after[p.name] for p in (one, other)]
                if was[0] > was[1] + 1e-9 and now[1] > now[0] + 1e-9:
                    expected.add(gone.name)
    assert {s.without for s in score(preset, all_points).swaps} == expected


def test_a_column_on_whose_range_the_order_hangs_is_named_with_the_pair():
    # p2 is a little better than the other two, which are best in one column and worst in the other.
    found = score(Preset.HOLISTIC, points([(0.0, 9.0, 1.0), (10.0, 0.0, 1.0), (9.0, 0.5, 1.0)]))
    assert [s.column for s in found.stretches] == ["seconds", "trainable_parameters"]
    assert [(s.better, s.worse) for s in found.stretches] == [("p2", "p1"), ("p2", "p0")]
    assert any(
        "range of training time in seconds: with a point added far enough above it" in w
        for w in found.warnings
    )
    assert score(Preset.HOLISTIC, points([(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)])).stretches == ()


def test_a_point_that_is_far_out_in_two_columns_at_once_is_thought_of():
    """A larger model is far out in several columns, and no single one of them turns these two points."""
    low, high = (0.0, 0.0, 0.0), (1e3, 1e6, 1e8)
    found = score(Preset.HOLISTIC, points([low, low, high, high, (300.0, 3e5, 6e7), (420.0, 4.2e5, 5.2e7)]))
    assert [(s.column, s.better, s.worse) for s in found.stretches] == [
        ("seconds and trainable_parameters", "p4", "p5")
    ]
    assert (
        "range of training time in seconds and trained parameters: with a point added" in found.warnings[-1]
    )


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=2, max_size=6), st.sampled_from(Preset))
def test_columns_are_named_where_some_point_far_out_in_them_changes_the_order(rows, preset):
    """The limit against points added at many distances, above the range and below it."""
    before = points([tuple(map(float, r)) for r in rows])
    named = {s.column for s in score(preset, before).stretches}

    def rank(found):
        return {s.name: math.inf if s.raw is None else s.raw for s in found.scores}

    for column in COLUMNS[preset]:
        overturned = False
        for value in (0.0, *(float(40 * 10**power) for power in range(9))):
            added = ScorePoint(name="added", values={**before[0].values, column: value})
            was, now = rank(score(preset, before)), rank(score(preset, [*before, added]))
            for one, other in itertools.permutations(was, 2):
                gap = 1e-6 * max(1.0, was[other], was[one]) if math.isfinite(was[one] + was[other]) else 0
                overturned |= was[one] > was[other] + gap and now[other] > now[one] * (1 + 1e-9) + 1e-9
        assert column in named or not overturned
        assert overturned or column not in named


def test_the_command_prints_exactly_the_list_and_tells_the_set_apart(nine):
    done = run("score", "--preset", "holistic", str(nine), "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [set(row) for row in found] == [{"name", "raw", "rescaled"}] * 9
    exact = score(Preset.HOLISTIC, read_score_points(nine, Preset.HOLISTIC)).scores
    assert [(r["name"], r["raw"], r["rescaled"]) for r in found] == [
        (s.name, s.raw, s.rescaled) for s in exact
    ]
    assert "Normalisation set: 9 points" in done.stderr
    table = CliRunner().invoke(app, ["score", str(nine)]).stdout
    assert "Normalisation set: 9 points" in table
    assert table.index("biodistilbert lora") < table.index("llama-2-7b lora")


def test_every_mistake_of_a_table_is_named_at_once(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(
        "name,seconds,trainable_parameters,total_parameters\na,x,-2,3\nb,nan,1,1\na,1,1,1\nc,1,1\n"
    )
    done = run("score", str(path))
    assert done.returncode == 2
    for part in (
        "line 2, seconds: is not a number, got 'x'",
        "line 2, trainable_parameters: cannot be negative, got -2",
        "line 3, seconds: is not a number",
        "line 4, name: 'a' is already used in line 2",
        "line 5: has 3 values, and the head has 4 columns",
    ):
        assert part in done.stderr


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("above", ["", "sep={}\n", "sep={}\r\n\r\n"])
def test_points_are_read_whatever_separates_their_columns(nine, separator, above):
    expected = read_score_points(nine, Preset.HOLISTIC)
    nine.write_text(above.format(separator) + NINE.replace(",", separator))
    assert read_score_points(nine, Preset.HOLISTIC) == expected


def test_points_are_read_with_a_space_behind_each_comma(nine):
    expected = read_score_points(nine, Preset.HOLISTIC)
    nine.write_text(NINE.replace(",", ", "))
    assert read_score_points(nine, Preset.HOLISTIC) == expected


def test_a_header_in_the_middle_and_lines_below_a_declaration_are_named(tmp_path):
    path = tmp_path / "bad.csv"
    head = "name;seconds;trainable_parameters;total_parameters\n"
    path.write_text(f"sep=;\n{head}a;1,5;2;3\n{head.upper()}{head}")
    with pytest.raises(ConfigError) as caught:
        read_score_points(path, Preset.HOLISTIC)
    assert "line 3, seconds: is not a number, got '1,5'" in str(caught.value)
    assert "line 4: repeats the header" in str(caught.value)
    assert "line 5: repeats the header" in str(caught.value)


def test_a_missing_column_gets_a_suggestion(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("name,second,trainable_parameters,total_parameters\na,1,2,3\n")
    with pytest.raises(ConfigError, match=r"'seconds' is missing\n.*'second'"):
        read_score_points(path, Preset.HOLISTIC)


@given(st.binary(max_size=200))
def test_any_bytes_give_points_or_complaints(content):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "t.csv")
        path.write_bytes(b"name,seconds,trainable_parameters,total_parameters\n" + content)
        try:
            found = read_score_points(path, Preset.HOLISTIC)
        except ConfigError:
            return
        assert found


def test_a_sweep_is_scored_from_its_records(tmp_path):
    built = LedgerBuilder(tmp_path, "swept")
    built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8"], [task("one"), task("two")], seeds=[11, 12])
    built.finish_all(seconds=100)
    with pytest.raises(ConfigError, match="name one with --task: one, two"):
        scores_and_notes("swept", "holistic", str(tmp_path), None)
    scores, notes = scores_and_notes("swept", "holistic", str(tmp_path), "one")
    assert {s.name for s in scores.scores} == {
        f"{m}/general/{w}" for m in ("tiny", "mini") for w in ("full", "lora-r8")
    }
    assert "training time: up to the best evaluation" in notes[0]
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    [tiny] = [p for p in points_to_score(report.tasks[0])[0] if p.name == "tiny/general/lora-r8"]
    # 60 % of 60 s are training, the best of its 30 steps was the 20th; 9,000 trained, 1,000 of them the head
    assert tiny.values["seconds"] == pytest.approx(60 * 0.6 * 20 / 30)
    assert tiny.values["trainable_parameters"] == 8_000
    assert report.tasks[0].scores.scores.points == 4
    with pytest.raises(ConfigError, match="size-v1 needs FLOPs"):
        scores_and_notes("swept", "size-v1", str(tmp_path), "one")
