"""What trials are given: backbone, method and device against the place they get."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from virtual_sweeps import Project

from orchestrator.cli.plan.placement import place_words, show_placements
from orchestrator.cli.plan.view import plan_json
from orchestrator.config import Inputs, load_catalogue, load_sweep
from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.contracts.device import GIB
from orchestrator.contracts.gpus import Gpu
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import ConfigError
from orchestrator.planning import Plan, make_plan
from orchestrator.planning.fingerprints import fingerprint
from orchestrator.planning.memory import estimate
from orchestrator.planning.placement import Placement, Placer

A100, A10G, T4, H200 = "nvidia-a100-80gb", "nvidia-a10g", "nvidia-t4", "nvidia-h200"
SWEEPS = builtin_catalogue() / "sweeps"


def planned(tmp_path: Path, name: str, device: str | None, **more: Any) -> Plan:
    """A sweep of the catalogue, through the front door, on some device."""
    asked = {"device": device, "cpus": 2, **more}
    (tmp_path / "here").mkdir(exist_ok=True)
    sweep = load_sweep(SWEEPS / f"{name}.yaml", [f"resources={json.dumps(asked)}"], cwd=tmp_path / "here")
    cells = sweep.grid.cells
    inputs = Inputs(
        data={c.task.spec.name: "d" for c in cells},
        weights={c.backbone.name: "w" for c in cells},
        code="c",
        metrics="1",
    )
    return make_plan(sweep, inputs, {})


@pytest.mark.parametrize(
    ("prices", "usual", "expected"),
    [
        ("prices=taylor-2024", A10G, {"full": ["nvidia-b200", "nvidia-gb200", "nvidia-h200"]}),
        ("prices=null", None, {}),  # one GPU of the catalogue holds each
    ],
)
def test_what_a_fixed_gpu_may_not_hold_is_told_and_stays(
    tmp_path: Path, prices: str, usual: str | None, expected: dict[str, list[str]]
) -> None:
    sweep = load_sweep(SWEEPS / "paper.yaml", [prices, "models=[base,llama-2-7b]"], cwd=tmp_path)
    cells = sweep.grid.cells
    names = {c.task.spec.name: "d" for c in cells}, {c.backbone.name: "w" for c in cells}
    plan = make_plan(sweep, Inputs(data=names[0], weights=names[1], code="c", metrics="1"), {})
    found = plan_json(plan)["too_large"]
    assert {line["method"]: line["fits_on"] for line in found} == expected
    assert {(line["backbone"], line["trials"], line["usual"]) for line in found} <= {
        ("llama-2-7b", 21, usual)
    }
    assert not any(r.cell.model == "llama-2-7b" and r.cell.domain == "general" for r in plan.refused)


def place(plan: Plan, model: str, entry: str, task: str = "mimic-mortality") -> str:
    """In words; why not, where it is refused."""
    cells = {c.name: c for c in (*(t.cell for t in plan.trials), *(r.cell for r in plan.refused))}
    [name] = [
        name
        for name, c in cells.items()
        if (c.model, c.domain, c.task) == (model, "general", task)
        and re.split(r"-r\d+", c.method)[0] == entry
    ]
    if name in plan.placements:
        return place_words(plan.placements[name].resources)
    return next(r.reason for r in plan.refused if r.cell.name == name)


# Texts of 480 tokens; encoders in fp32, 32 a step; Llama in bf16, 16 a step one at a time (as in the study).
TABLE = [
    ("paper", "tiny", "full", A100, "an eighth of a GPU"),
    ("paper", "tiny", "full", A10G, "an eighth of a GPU"),
    ("paper", "tiny", "full", T4, "a quarter of a GPU"),
    ("paper", "base", "full", A100, "a quarter of a GPU"),
    ("paper", "base", "full", A10G, "a GPU"),
    ("paper", "base", "full", T4, "a GPU"),
    ("paper", "base", "lora", A10G, "a GPU"),
    ("paper", "mobile", "ia3", A10G, "half a GPU"),
    ("paper", "llama-2-7b", "full", A100, "2 GPUs (2 processes, fsdp)"),
    ("paper", "llama-2-7b", "full", H200, "a GPU"),
    ("paper", "llama-2-7b", "full", A10G, "it does not fit: nvidia-a10g has 22.0 GiB"),
    ("paper", "llama-2-7b", "ia3", A100, "half a GPU"),
    ("paper", "llama-2-7b", "lora", A100, "a GPU"),  # it trains for twelve hours, however far that is
    ("paper", "llama-2-7b", "lora", A10G, "a GPU"),
    ("paper", "llama-2-7b", "lora", T4, "recipe.precision is bf16, which nvidia-t4 has not in hardware"),
    ("scale", "llama-2-7b", "qlora", A100, "a quarter of a GPU"),
    ("scale", "llama-2-13b", "lora", A100, "half a GPU"),
    ("scale", "llama-2-13b", "lora", A10G, "4 GPUs (4 processes, fsdp)"),
    ("scale", "llama-2-70b", "qlora", A100, "a GPU"),
    ("scale", "llama-2-70b", "qlora", A10G, "it does not fit: nvidia-a10g has 22.0 GiB"),
]


@pytest.mark.parametrize(("sweep", "model", "entry", "device", "expected"), TABLE)
def test_every_cell_gets_the_least_that_is_enough(
    tmp_path: Path, sweep: str, model: str, entry: str, device: str, expected: str
) -> None:
    assert place(planned(tmp_path, sweep, device), model, entry).startswith(expected)


def test_a_cell_that_fits_nowhere_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    plan = planned(tmp_path, "paper", A10G, most_gpus=1)
    told = place(plan, "llama-2-7b", "full")
    assert "24.6 GiB weights (fp32)" in told
    assert "49.2 GiB optimiser's moments" in told
    assert "= 118 GiB" in told
    assert "gradient checkpointing" in told
    assert "most_gpus is 1" in told
    quantised = place(planned(tmp_path, "scale", A10G), "llama-2-70b", "qlora")
    assert "34.8 GiB weights (frozen in nf4)" in quantised
    assert "cannot be spread over devices" in quantised


def test_fp16_is_for_whole_models_on_gpus_without_bf16(tmp_path: Path) -> None:
    def of(precision: str) -> Plan:
        asked = [f"resources={json.dumps({'device': T4, 'cpus': 2})}", f"recipe.precision={precision}"]
        cells = ["models=[tiny]", "domains=[general]", "methods=[full,adalora]", "tasks=[mimic-mortality]"]
        sweep = load_sweep(SWEEPS / "paper.yaml", [*asked, *cells], cwd=tmp_path)
        names = {cell.backbone.name: "w" for cell in sweep.grid.cells}
        return make_plan(
            sweep, Inputs(data={"mimic-mortality": "d"}, weights=names, code="c", metrics="1"), {}
        )

    def told(plan: Plan) -> str:
        show_placements(plan, Console(file=(written := StringIO()), width=200))
        return written.getvalue()

    scaled, auto = of("fp16"), of("auto")
    [(name, placed)] = scaled.placements.items()
    assert placed.precision is Precision.FP16
    assert auto.placements[name].precision is Precision.FP32
    assert {r.reason for r in scaled.refused} == {
        "adalora cannot train in fp16: gradients that overflow would count; set precision: fp32"
    }
    assert "set precision: fp16 to use its tensor cores" in told(auto)
    assert "tensor cores" not in told(scaled)


def test_more_gpus_than_a_node_has_are_taken_from_several(tmp_path: Path) -> None:
    plan = planned(tmp_path, "paper", A100, gpus_a_node=1)
    assert place(plan, "llama-2-7b", "full") == "2 GPUs (2 processes, 2 nodes, fsdp)"
    zero = planned(tmp_path, "paper", A100, backend="deepspeed")
    assert "zero" in place(zero, "llama-2-7b", "full")


def test_whole_gpus_for_wall_times_that_compare(tmp_path: Path) -> None:
    plan = planned(tmp_path, "paper", A100, share=False)
    assert {trial.resources.gpus for trial in plan.trials} == {1, 2}


def test_a_budget_of_seconds_is_spent_on_a_whole_gpu(tmp_path: Path) -> None:
    plan = planned(tmp_path, "time-budget", A100)
    assert {trial.resources.gpus for trial in plan.trials} == {1}
    assert any(trial.resources.gpus < 1 for trial in planned(tmp_path, "paper", A100).trials)


def test_smaller_passes_come_before_activations_that_are_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(
        json.dumps(
            {
                "name": "large",
                "models": ["base"],
                "domains": ["general"],
                "methods": ["full"],
                "tasks": ["demo-outcome"],
                "recipe": {"batch_size": 256, "max_length": 512},
                "resources": {"device": T4},
            }
        )
    )
    sweep = load_sweep(path, cwd=tmp_path)
    [cell] = sweep.grid.cells
    placed = Placer(sweep.config.resources, sweep.catalogue.devices).place(cell)
    assert isinstance(placed, Placement)
    assert placed.precision is Precision.FP32
    # 12 layers keep 42 x 768 + 8.9 x 3,072 bytes a token: 0.34 GiB an example.
    assert placed.resources.micro_batch_size == 16
    assert not placed.resources.gradient_checkpointing


def test_a_place_changes_neither_name_nor_fingerprint(tmp_path: Path) -> None:
    small, large = planned(tmp_path, "paper", A10G), planned(tmp_path, "paper", A100)
    marks = {trial.name: trial.fingerprint for trial in large.trials}
    assert all(marks[trial.name] == trial.fingerprint for trial in small.trials)
    assert any(
        a.resources != next(b for b in large.trials if b.name == a.name).resources for a in small.trials
    )
    for plan, device in ((small, A10G), (large, A100)):
        assert {trial.resources.device for trial in plan.trials} == {device}
    trial = small.trials[0]
    assert fingerprint(small.spec(trial)) == trial.fingerprint


@pytest.mark.parametrize("asked", ["auto", {"device": None, "cpus": 2}])
def test_without_a_gpu_auto_means_one_process_on_cores(tmp_path: Path, asked: Any) -> None:
    plan = Project(tmp_path).plan(resources=asked)
    cores = 1 if asked == "auto" else 2
    assert {trial.resources for trial in plan.trials} == {Resources(cpus=cores)}
    assert plan.forecast.device == "core-hours"
    [placed] = {json.dumps(p) for p in plan_json(plan)["placed"].values()}
    assert json.loads(placed)["resources"]["gpus"] == 0
    assert plan.sweep.raw["resources"] == {"device": None} | ({} if asked == "auto" else {"cpus": 2})


def test_the_gpu_that_is_found_here_is_the_device(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    keys = {"models": ["base"], "domains": ["general"], "methods": ["full"], "tasks": ["demo-outcome"]}
    path.write_text(json.dumps({"name": "ours", "resources": "auto", **keys}))
    found = load_sweep(path, cwd=tmp_path, gpu_here=lambda: Gpu("GPU-a", "nvidia a10G", 23 * GIB, (8, 6)))
    assert found.config.resources.device == A10G  # type: ignore[union-attr]
    assert found.raw["resources"] == {"device": None}, "another machine finds its own"
    with pytest.raises(ConfigError, match="'Riva 128', which is none of the catalogue's devices"):
        load_sweep(path, cwd=tmp_path, gpu_here=lambda: Gpu("GPU-r", "Riva 128", 4 * 2**20, None))


def test_a_gpu_that_the_catalogue_lacks_is_taken_as_its_driver_describes_it(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    keys = {"models": ["base"], "domains": ["general"], "methods": ["full"], "tasks": ["demo-outcome"]}
    path.write_text(json.dumps({"name": "ours", "resources": "auto", **keys}))
    found = load_sweep(path, cwd=tmp_path, gpu_here=lambda: Gpu("GPU-x", "NVIDIA X1 Pro", 20 * GIB, (8, 9)))
    assert found.config.resources.device == "nvidia-x1-pro"  # type: ignore[union-attr]
    kind = found.catalogue.devices["nvidia-x1-pro"]
    assert (kind.memory_gib, kind.bf16, kind.compute_capability) == (pytest.approx(19.6), True, (8, 9))
    inputs = Inputs(data={"demo-outcome": "d"}, weights={"bert-base": "w"}, code="c", metrics="1")
    console = Console(file=StringIO(), width=200)
    show_placements(make_plan(found, inputs, {}), console)
    assert "on NVIDIA X1 Pro, which is not in the catalogue: its driver reports 19.6 GiB" in written(console)


def test_cores_that_end_before_the_shares_of_a_gpu_are_told(tmp_path: Path) -> None:
    capacity = [{"nodes": 2, "cpus": 6, "gpus": 1, "device": A10G}]
    project = Project(tmp_path, keys={"resources": {"device": A10G}, "capacity": capacity})
    console = Console(file=StringIO(), width=200)
    show_placements(project.plan(), console)
    assert "at most 6 trials with an eighth of a GPU at once: the cores end before" in written(console)


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"resources": {"device": "nvidia-a100"}}, r"resources\.device: device not in the catalogue"),
        ({"resources": {"device": A100, "gpus": 1}}, r"resources\.gpus: excludes `device`"),
        (
            {"resources": {"device": A100}, "recipe": {"device_hours": 1}},
            r"recipe\.device_hours: is a budget",
        ),
        (
            {
                "resources": {"gpus": 0.5},
                "rules": [{"match": {"model": "tiny"}, "set": {"train_seconds": 60}}],
            },
            r"(?s)rules\.0\.set\.train_seconds: is a budget of time, .* has 0\.5 of a GPU.*gpus to 1",
        ),
        ({"resources": {"device": A100, "cpu": 1}}, r"(?s)resources\.cpu: unknown key.*did you mean 'cpus'"),
    ],
)
def test_mistakes_name_key_value_and_remedy(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Project(tmp_path).plan(**keys)


def test_kept_states_count_where_one_process_keeps_them() -> None:
    catalogue = load_catalogue()
    backbone, settings = catalogue.backbones["base", "general"], catalogue.methods["head-only"].settings
    recipe = Recipe(learning_rate=1e-3, batch_size=16)

    def need(states: int | None, **given: Any) -> float:
        found = estimate(backbone, settings, recipe, Resources(**given), Precision.BF16, states)
        assert found is not None
        return found.bytes

    states = GIB // 2
    assert need(states, gpus=1) == need(0, gpus=1) + states
    assert need(None, gpus=1) == need(0, gpus=1)
    two = {"gpus": 2, "processes": 2, "cpus": 2}
    assert need(states, **two) == need(0, **two)


def test_the_states_of_a_large_task_leave_room_for_fewer_trials_on_a_gpu(tmp_path: Path) -> None:
    """Of 36 tokens each: 100 texts keep 11 MB of states, 5,000 half a GiB."""

    def given(**keys: Any) -> float:
        found = Project(tmp_path).plan(
            models=["base"], methods=["head-only"], resources={"device": T4, "cpus": 1}, **keys
        )
        [gpus] = {trial.resources.gpus for trial in found.trials}
        return gpus

    few, many = (given(tasks=["ncbi-disease"], recipe={"train_rows": rows}) for rows in (100, 5000))
    assert few < many


def test_the_estimate_follows_method_sharding_and_passes() -> None:
    catalogue = load_catalogue()
    backbone = catalogue.backbones["llama-2-7b", "general"]
    recipe = Recipe(learning_rate=1e-4, batch_size=16, max_length=512, evaluation_batch_size=1)

    def need(entry: str, **given: Any) -> float:
        resources = Resources(**{"gpus": 1, "micro_batch_size": 1, **given})
        settings = catalogue.methods[entry].settings
        found = estimate(backbone, settings, recipe, resources, Precision.BF16)
        assert found is not None
        assert found.bytes == pytest.approx(sum(part.bytes for part in found.parts))
        return found.bytes

    two = {"gpus": 2, "processes": 2, "cpus": 2}
    assert need("full") > 16 * 6.6e9, "weights, gradients and two moments in fp32"
    assert 2 * 6.6e9 < need("lora") < 20 * 2**30, "a frozen decoder in bf16, no gradients or moments"
    assert need("qlora") < need("lora")
    assert need("head-only") < need("lora"), "nothing is kept for a backward pass"
    assert need("lora", micro_batch_size=4) > need("lora")
    assert need("lora", gradient_checkpointing=True) < need("lora")
    assert need("full", **two, sharding="fsdp") < need("full") * 0.6
    assert need("full", **two) > need("full"), "every process holds all of it, and buffers to exchange it"
    stages = [need("full", **two, sharding=f"zero{stage}") for stage in (1, 2, 3)]
    assert stages == sorted(stages, reverse=True)
    assert need("full", **two, sharding="fsdp", offload=True) < need("full", **two, sharding="fsdp") / 2
