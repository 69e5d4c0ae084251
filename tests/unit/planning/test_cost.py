"""What a plan says it will cost, and on what ground."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.config import load_catalogue
from orchestrator.contracts.kept_states import MOST_BYTES
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning.cost import ASSUMED_CLOSING_SECONDS, ASSUMED_START_SECONDS
from orchestrator.planning.workload import PASS_OF_HEAD, Workload, compute_parameters, training_examples

ONE: dict[str, Any] = {
    "models": ["base"],
    "domains": ["general"],
    "methods": ["full"],
    "tasks": ["ncbi-disease"],
    "seeds": [1, 2, 3],
}


def seconds(plan: Any) -> dict[str, float | None]:
    return {trial.name: trial.forecast_seconds for trial in plan.trials}


def test_embeddings_are_not_multiplied_with() -> None:
    backbones = load_catalogue().backbones
    # 12 layers of 4·768² + 2·768·3072 weights, and biases, norms, positions and pooler on top
    assert compute_parameters(backbones["base", "general"]) == pytest.approx(12 * 7_077_888, rel=0.02)
    assert compute_parameters(backbones["demo-tiny", "general"]) == 2 * (4 * 64**2 + 2 * 64 * 256)


def test_operations_follow_the_method_the_rows_and_the_length() -> None:
    catalogue = load_catalogue()
    backbone, task = catalogue.backbones["base", "general"], catalogue.tasks["ncbi-disease"].spec
    recipe = Recipe(learning_rate=1e-3, epochs=2, train_rows=100, max_length=10)
    found = {
        name: Workload(
            backbone,
            MethodSpec(name=name, entry=name, settings=catalogue.methods[name].settings),
            task,
            recipe,
        ).operations()
        for name in ("full", "lora", "ia3", "head-only")
    }
    weights = compute_parameters(backbone)
    assert weights is not None
    assert found == {
        "full": 6 * weights * 2000,
        "lora": 4 * weights * 2000,
        "ia3": 4 * weights * 2000,
        # The backbone reads 100 texts of 10 tokens once; the second epoch is the head's alone.
        "head-only": 2 * weights * (1000 + PASS_OF_HEAD * 1000),
    }


@pytest.mark.parametrize(
    ("recipe", "examples"),
    [
        ({"epochs": 3, "train_rows": 10}, 30),
        ({"epochs": 3, "train_rows_per_class": 5}, 3 * 5 * 4),
        ({"epochs": 3, "train_rows_per_class": 10_000}, 3 * 1000),
        ({"steps": 7, "batch_size": 8}, 56),
        ({"steps": 7, "train_rows": 3}, 7 * 32),
        ({"train_seconds": 60.0}, None),
    ],
)
def test_examples_follow_caps_and_budgets(recipe: dict[str, Any], examples: int | None) -> None:
    task = load_catalogue().tasks["mts-dialog"].spec
    known = {"labels": ("a", "b", "c", "d"), "train_examples": 1000}
    found = training_examples(task.model_copy(update=known), Recipe(learning_rate=1e-3, **recipe))
    assert found == examples


def test_how_many_classes_there_are_must_be_known() -> None:
    task = load_catalogue().tasks["mts-dialog"].spec.model_copy(update={"labels": None})
    assert training_examples(task, Recipe(learning_rate=1e-3, train_rows_per_class=5)) is None


def test_a_budget_of_seconds_is_what_a_trial_takes_and_teaches_nothing(plan: Any, finished: Any) -> None:
    first = plan(**ONE, recipe={"train_seconds": 600.0})
    assert set(seconds(first).values()) == {602.0}
    history = finished(first, first.trials, wall_seconds=640.0, device_type="cpu")
    assert plan(history, **ONE).forecast.basis == "estimate"


def test_without_history_it_is_an_estimate_and_says_on_what_it_rests(plan: Any) -> None:
    found = plan(**ONE, slots=2).forecast
    assert found.basis == "estimate"
    assert found.device == "core-hours"
    assert "20 GFLOP/s a core" in (found.assumption or "")
    assert found.wall_seconds == pytest.approx(found.device_hours * 3600 * 2 / 3, rel=0.05)


@pytest.mark.parametrize(
    ("keys", "rate"),
    [
        ({"resources": {"device": "nvidia-a100-80gb", "share": False}}, 0.3 * 312e12),
        ({"resources": {"device": "nvidia-a100-80gb", "share": False}, "fp32": True}, 0.3 * 312e12 / 8),
        ({"resources": {"device": "nvidia-t4", "share": False}}, 0.3 * 65e12 / 8),  # it has no bf16
        ({"resources": {"gpus": 1}, "prices": "taylor-2024"}, 0.3 * 70e12),  # the book's A10G
        ({"resources": {"gpus": 1}}, 3e13),
    ],
)
def test_an_estimate_takes_a_gpu_at_three_tenths_of_its_peak(
    plan: Any, keys: dict[str, Any], rate: float
) -> None:
    precision = {"precision": "fp32"} if keys.get("fp32") else {}
    asked = {key: value for key, value in keys.items() if key != "fp32"}
    made = plan(**ONE, **asked, recipe={"train_rows": 5000, **precision})
    cell = made.cells["base/general/full/ncbi-disease"]
    work = Workload.of_cell(cell).operations()
    assert work is not None
    [found] = set(seconds(made).values())
    assert found == pytest.approx(2 + work / rate)
    assert ("30% of" in (made.forecast.assumption or "")) == (rate != 3e13)


def test_finished_trials_give_the_median_of_their_seconds(plan: Any, finished: Any) -> None:
    first = plan(**ONE)
    history = {}
    for trial, took in zip(first.trials, (100.0, 130.0, 400.0), strict=True):
        history |= finished(first, [trial], wall_seconds=took, device_type="cpu")
    again = plan(history, **ONE | {"seeds": [1, 2, 3, 4]})
    assert seconds(again)["base/general/full/ncbi-disease/seed-4"] == pytest.approx(130)
    assert again.forecast.basis == "ledger"
    assert again.forecast.assumption is None
    # A sum pays for slow ones: the mean of the three, shrunken by 20 trials that take what is usual.
    slow = (100 / 130 + 1 + 400 / 130 + 20) / 23
    assert again.forecast.device_hours == pytest.approx(130 * slow / 3600)


def test_a_longer_recipe_is_scaled_from_a_shorter(plan: Any, finished: Any) -> None:
    first = plan(**ONE, recipe={"epochs": 1})
    history = finished(first, first.trials, wall_seconds=50.0, device_type="cpu")
    again = plan(history, **ONE, recipe={"epochs": 4})
    assert list(seconds(again).values()) == pytest.approx([200, 200, 200])


def test_later_epochs_of_head_only_take_what_the_head_does(plan: Any, finished: Any) -> None:
    keys = ONE | {"methods": ["head-only"]}
    first = plan(**keys, recipe={"epochs": 1})
    history = finished(first, first.trials, wall_seconds=50.0, device_type="cpu")
    again = plan(history, **keys, recipe={"epochs": 4})
    assert list(seconds(again).values()) == pytest.approx([50 * (1 + 3 * PASS_OF_HEAD)] * 3)


HEAD_ALONE = ONE | {"methods": ["head-only"]}
TEN_EPOCHS = {"epochs": 10, "batch_size": 32, "train_rows": 1024}


@pytest.mark.parametrize(
    ("read", "dev", "trained", "scored"),
    [
        (0.1, 1, 1 + 9 * PASS_OF_HEAD, 1 + 9 * PASS_OF_HEAD),
        (1.0, 10, 10, 10),  # as before states were kept
        (None, None, 10, 10),
        (0.2, 2, 2 + 8 * PASS_OF_HEAD, 2 + 8 * PASS_OF_HEAD),  # it resumed, and read again
    ],
)
def test_the_record_says_how_many_passes_head_only_made(
    plan: Any, finished: Any, read: float | None, dev: int | None, trained: float, scored: float
) -> None:
    """Ten epochs in 10 s, ten evaluations in 4 s: lora, which passes ten times and computes twice as much,
    rests on the pace of a pass, and so does head-only."""
    first = plan(**HEAD_ALONE, recipe=TEN_EPOCHS)
    timing = told(read_share=read, dev_reads=dev, steps=320, rows={})
    history = finished(first, first.trials, wall_seconds=20.0, device_type="cpu", timing=timing)
    both = ONE | {"methods": ["head-only", "lora"], "seeds": [4]}
    taken = seconds(plan(history, **both, recipe=TEN_EPOCHS))
    a_pass, a_score = 10.0 / trained, 4.0 / scored
    assert taken["base/general/lora-r8/ncbi-disease/seed-4"] == pytest.approx(6 + 20 * a_pass + 10 * a_score)
    few = 1 + 9 * PASS_OF_HEAD
    assert taken["base/general/head-only/ncbi-disease/seed-4"] == pytest.approx(6 + few * (a_pass + a_score))


def test_several_processes_keep_no_states(plan: Any, finished: Any) -> None:
    several = HEAD_ALONE | {"resources": {"cpus": 2, "processes": 2}}
    first = plan(**several, recipe={"epochs": 1})
    history = finished(first, first.trials, wall_seconds=50.0, device_type="cpu")
    assert list(seconds(plan(history, **several, recipe={"epochs": 4})).values()) == pytest.approx([200] * 3)


def head_alone(task: str, backbone: tuple[str, str] = ("base", "general"), **recipe: Any) -> Workload:
    catalogue = load_catalogue()
    method = MethodSpec(name="head-only", entry="head-only", settings=catalogue.methods["head-only"].settings)
    spec = Recipe(learning_rate=1e-3, max_length=128, **recipe)
    return Workload(catalogue.backbones[backbone], method, catalogue.tasks[task].spec, spec)


def test_ner_keeps_the_states_of_all_tokens_and_other_tasks_one_of_a_text() -> None:
    ner, texts = head_alone("ncbi-disease", epochs=2), head_alone("mts-dialog", epochs=2)
    assert ner.state_bytes({"train_available": 1000, "dev_available": 100}) == 1100 * 36 * 768 * 4
    assert texts.state_bytes({"train_available": 1000, "dev_available": 100}) == 1100 * 768 * 4
    assert head_alone("mts-dialog", dev_rows=10, train_rows=90).state_bytes() == 100 * 768 * 4
    assert replace(texts, one_process=False).state_bytes() == 0
    full = load_catalogue().methods["full"].settings
    assert replace(texts, method=MethodSpec(name="full", entry="full", settings=full)).state_bytes() == 0


def test_states_that_take_more_than_the_most_are_not_kept_and_every_pass_is_an_ordinary_one() -> None:
    work = head_alone("ncbi-disease", epochs=3, evaluations_per_epoch=2)
    fit = {"train_available": MOST_BYTES // (36 * 768 * 4)}
    one_more = {"train_available": fit["train_available"] + 1}
    assert 0 < (work.state_bytes(fit) or 0) <= MOST_BYTES
    assert work.training_passes(fit) == pytest.approx(fit["train_available"] * (1 + 2 * PASS_OF_HEAD))
    assert work.evaluations(None, fit) == pytest.approx(1 + 5 * PASS_OF_HEAD)
    assert work.state_bytes(one_more) == 0
    assert work.training_passes(one_more) == 3 * one_more["train_available"]
    assert work.evaluations(None, one_more) == 6


def test_where_the_length_of_texts_is_unknown_states_are_taken_as_kept() -> None:
    work = head_alone("ncbi-disease", epochs=3, train_rows=10)
    unknown = replace(work, task=work.task.model_copy(update={"mean_tokens": None}))
    assert unknown.state_bytes() is None
    assert unknown.training_passes() == pytest.approx(10 * (1 + 2 * PASS_OF_HEAD))


def test_a_neighbour_serves_where_there_is_no_twin(plan: Any, finished: Any) -> None:
    first = plan(**ONE)
    history = finished(first, first.trials, wall_seconds=60.0, device_type="cpu")
    again = plan(history, **ONE | {"methods": ["full", "lora"]})
    assert seconds(again)["base/general/lora-r8/ncbi-disease/seed-1"] == pytest.approx(60 * 4 / 6)
    assert again.forecast.basis == "ledger"


def test_seconds_of_another_kind_of_device_say_nothing(plan: Any, finished: Any) -> None:
    first = plan(**ONE)
    history = finished(first, first.trials[:1], wall_seconds=60.0, device_type="NVIDIA A10G")
    assert plan(history, **ONE).forecast.basis == "estimate"
    on_gpu = plan(history, **ONE, resources={"gpus": 1}).forecast
    assert (on_gpu.basis, on_gpu.device) == ("ledger", "GPU-hours")


def test_hours_count_the_devices_and_money_the_hours(plan: Any, finished: Any) -> None:
    keys: dict[str, Any] = ONE | {
        "resources": {"cpus": 4, "gpus": 2, "processes": 2},
        "prices": "taylor-2024",
    }
    first = plan(**keys)
    history = finished(first, first.trials[:1], wall_seconds=1800.0, device_type="NVIDIA A10G")
    found = plan(history, **keys).forecast
    assert found.device_hours == pytest.approx(2 * 2 * 0.5)  # two trials left, two GPUs, half an hour
    assert found.money == pytest.approx(2 * 2.03)
    assert found.currency == "GBP"


def test_a_price_of_gpu_hours_prices_no_core_hours(plan: Any) -> None:
    found = plan(**ONE, prices="taylor-2024").forecast
    assert found.device_hours is not None
    assert (found.money, found.currency) == (None, None)


def test_one_unknown_trial_leaves_the_totals_open(plan: Any, tmp_path: Any) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "letters.yaml").write_text(
        "title: x\nkind: ner\ndomain: clinical\nmetric: entity_f1\n"
        "reader: {format: conll, files: {train: [a.tsv], dev: [b.tsv], test: [c.tsv]}}\n"
    )
    keys: dict[str, Any] = ONE | {"catalogues": [str(tmp_path)], "tasks": ["ncbi-disease", "letters"]}
    found = plan(**keys, slots=2)
    assert found.forecast.unknown_trials == 3
    assert found.forecast.device_hours is None
    assert found.forecast.wall_seconds is None
    assert found.to_run[0].trial.cell.task == "letters"  # unknown ones lead


@pytest.mark.parametrize(
    ("slots", "concurrency", "at_once"),
    [(2, None, 2), (None, 3, 3), (4, 2, 2), (2, 4, 2), (None, None, None)],
)
def test_wall_seconds_need_to_know_how_many_run_at_once(
    plan: Any, slots: int | None, concurrency: int | None, at_once: int | None
) -> None:
    keys: dict[str, Any] = ONE | {"seeds": list(range(12)), "concurrency": concurrency}
    found = plan(**keys, slots=slots).forecast
    if at_once is None:
        assert found.wall_seconds is None
    else:
        keys["concurrency"] = None
        assert found.wall_seconds == plan(**keys, slots=at_once).forecast.wall_seconds
        assert found.wall_seconds > plan(**keys, slots=at_once + 1).forecast.wall_seconds


def told(**changes: Any) -> Timing:
    """A trial of 10 s of training: 20 s in all."""
    parts: dict[str, Any] = {
        "start_seconds": 1.0,
        "load_seconds": 2.0,
        "tokenise_seconds": 1.0,
        "train_seconds": 10.0,
        "evaluate_seconds": 4.0,
        "closing_seconds": 2.0,
        "rows": {"train_available": 1000, "train": 1000},
    }
    return Timing(device_type="cpu", **parts | changes)


def test_only_training_grows_with_the_epochs_and_scoring_with_the_evaluations(
    plan: Any, finished: Any
) -> None:
    first = plan(**ONE, recipe={"epochs": 2})
    history = finished(first, first.trials, wall_seconds=20.0, device_type="cpu", timing=told())
    again = plan(history, **ONE, recipe={"epochs": 6, "evaluations_per_epoch": 2})
    # 4 s before the training, 3 times the training, 12 evaluations instead of 2, and 2 s at the end
    assert list(seconds(again).values()) == pytest.approx([4 + 30 + 24 + 2] * 3)


def test_a_candidate_of_a_search_is_spared_the_scoring_of_test(plan: Any, finished: Any) -> None:
    first = plan(**ONE, recipe={"epochs": 2})
    history = finished(first, first.trials, wall_seconds=20.0, device_type="cpu", timing=told())
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    searched = [{"name": "full", "tune": {"trials": 4, "space": space}}]
    again = plan(history, **ONE | {"methods": searched}, recipe={"epochs": 2})
    [search] = again.searches
    assert [p.seconds for part in search.ahead for p in part] == pytest.approx([18.0] * 4)
    assert again.forecast.tuning_device_hours == pytest.approx(4 * 18 / 3600)
    assert list(seconds(again).values()) == pytest.approx([20.0] * 3)


def test_without_history_a_candidate_is_spared_it_too(plan: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    found = plan(**ONE | {"methods": [{"name": "full", "tune": {"trials": 1, "space": space}}]})
    [search], [trial, *_] = found.searches, found.trials
    assert search.ahead[0][0].seconds == pytest.approx(trial.forecast_seconds - ASSUMED_CLOSING_SECONDS)


def test_a_finished_twin_stands_before_a_probe_and_a_probe_before_a_neighbour(
    plan: Any, finished: Any
) -> None:
    keys: dict[str, Any] = ONE | {"methods": ["full", "lora"], "recipe": {"epochs": 2}}
    first = plan(**keys)
    full = [t for t in first.trials if t.cell.method == "full"]
    lora = [t for t in first.trials if t.cell.method != "full"]
    history = finished(first, full, wall_seconds=20.0, device_type="cpu", timing=told())
    slow = told(train_seconds=100.0, peak_memory_bytes=7)
    probes = finished(first, [full[0], lora[0]], wall_seconds=110.0, device_type="cpu", timing=slow)
    again = plan(history, probes=probes, **keys | {"seeds": [1, 2, 3, 4]})
    assert [item.forecast_seconds for item in again.trials] == pytest.approx([20.0] * 4 + [110.0] * 4)
    assert again.forecast.basis == "mixed"
    assert again.forecast.trials_by_basis == {"ledger": 1, "probe": 4}
    assert again.forecast.peak_memory_bytes == 7


def test_every_total_has_an_interval_that_is_wider_the_less_is_known(plan: Any, finished: Any) -> None:
    blind = plan(**ONE, slots=1, prices="aws-us-east-1", recipe={"epochs": 2})
    done = finished(blind, blind.trials, wall_seconds=20.0, device_type="cpu", timing=told())
    width = []
    for found in (
        plan(done, **ONE | {"seeds": [4, 5]}, slots=1, prices="aws-us-east-1", recipe={"epochs": 2}).forecast,
        plan(probes=done, **ONE, slots=1, prices="aws-us-east-1", recipe={"epochs": 2}).forecast,
        blind.forecast,
    ):
        low, high = found.device_hours_interval
        assert low < found.device_hours < high
        width.append((high - low) / found.device_hours)
        for value, around in (
            (found.money, found.money_interval),
            (found.kwh, found.kwh_interval),
        ):
            assert around == pytest.approx(
                (value * low / found.device_hours, value * high / found.device_hours)
            )
        shortest, longest = found.wall_interval  # on one slot it is the sum of what all take
        assert (shortest, longest) == pytest.approx((low * 3600, high * 3600))
        assert found.wall_seconds == pytest.approx(found.device_hours_twentieths[9] * 3600)
        assert found.interval_level == 0.9
        assert found.device_hours_twentieths == tuple(sorted(found.device_hours_twentieths))
    assert width == sorted(width)


def test_the_wall_clock_waits_for_the_longest_trial_and_so_is_longer_and_less_sure_than_a_mean(
    plan: Any, finished: Any
) -> None:
    keys: dict[str, Any] = ONE | {"recipe": {"epochs": 2}}
    first = plan(**keys)
    done = finished(first, first.trials, wall_seconds=20.0, device_type="cpu", timing=told())
    found = plan(done, **keys | {"seeds": list(range(4, 16))}, slots=12).forecast
    shortest, longest = found.wall_interval
    assert 20.0 < shortest < found.wall_seconds < longest
    assert longest > 1.3 * found.wall_seconds
    assert found.device_hours_interval[1] / found.device_hours < longest / found.wall_seconds


def test_a_straggler_is_allowed_for_before_any_was_seen(plan: Any, finished: Any) -> None:
    first = plan(**ONE)
    history = finished(first, first.trials, wall_seconds=60.0, device_type="cpu")
    one = plan(history, **ONE | {"seeds": [4]}).forecast
    many = plan(history, **ONE | {"seeds": list(range(4, 40))}).forecast
    above = [found.device_hours_interval[1] / found.device_hours for found in (one, many)]
    assert above[0] > above[1] > 1.1


def test_energy_is_metered_where_trials_told_it_and_rated_by_the_book_elsewhere(
    plan: Any, finished: Any
) -> None:
    keys: dict[str, Any] = ONE | {"prices": "aws-us-east-1", "recipe": {"epochs": 2}}
    first = plan(**keys)
    assert (first.forecast.kwh_basis, first.forecast.priced_as) == ("rated", "cpu")
    assert first.forecast.kwh == pytest.approx(first.forecast.device_hours * 8 / 1000)
    metered = finished(
        first, first.trials[:1], wall_seconds=20.0, device_type="cpu", timing=told(joules=20 * 15.0)
    )
    again = plan(metered, **keys).forecast
    assert again.kwh_basis == "metered"
    assert again.kwh == pytest.approx(again.device_hours * 15 / 1000)


def test_own_power_is_paid_on_top_of_the_hours(plan: Any) -> None:
    found = plan(**ONE, prices="own-hardware-uk").forecast
    hourly = 0.0107 + 8 / 1000 * 1.3 * 0.22
    assert found.money == pytest.approx(found.device_hours * hourly)


def test_the_device_that_trials_told_is_the_one_that_is_priced(plan: Any, finished: Any) -> None:
    keys: dict[str, Any] = ONE | {
        "resources": {"gpus": 1},
        "prices": "aws-us-east-1",
        "recipe": {"epochs": 2},
    }
    first = plan(**keys)
    assert first.forecast.priced_as == "NVIDIA A10G"
    on_l4 = told().model_copy(update={"device_type": "NVIDIA L4"})
    history = finished(first, first.trials[:1], wall_seconds=20.0, device_type="NVIDIA L4", timing=on_l4)
    found = plan(history, **keys).forecast
    assert found.priced_as == "NVIDIA L4"
    assert found.money == pytest.approx(found.device_hours * 0.8048)


def test_a_forecast_counts_what_a_checkpoint_has_not_done(plan: Any) -> None:
    demo = ONE | {"models": ["demo-tiny"], "tasks": ["demo-ner"]}
    fresh = plan(**demo)
    trial = fresh.trials[0]
    found = FingerprintHistory(state=TrialState.UNFINISHED, done_share=0.25)
    again = plan({trial.name: TrialHistory(by_fingerprint={trial.fingerprint: found})}, **demo)
    saved = 0.25 * trial.forecast_seconds * trial.resources.devices / 3600
    assert again.forecast.device_hours == pytest.approx(fresh.forecast.device_hours - saved)
    [resumed] = [t for t in again.trials if t.name == trial.name]
    assert resumed.forecast_seconds == trial.forecast_seconds
    assert resumed.seconds_left == pytest.approx(0.75 * trial.forecast_seconds)


def test_a_trial_that_has_only_to_be_scored_still_takes_time(plan: Any) -> None:
    demo = ONE | {"models": ["demo-tiny"], "tasks": ["demo-ner"], "seeds": [1]}
    trial = plan(**demo).trials[0]
    found = FingerprintHistory(state=TrialState.UNFINISHED, done_share=1.0)
    again = plan({trial.name: TrialHistory(by_fingerprint={trial.fingerprint: found})}, **demo)
    least = (ASSUMED_START_SECONDS + ASSUMED_CLOSING_SECONDS) / 3600
    assert again.forecast.device_hours == pytest.approx(least * trial.resources.devices, rel=0.2)
