"""AdaLoRA takes ranks away as planned, and goes on after a stop as if there had been none."""

from __future__ import annotations

import pytest
import torch
from tiny_models import adapted_tiny
from torch.nn.functional import cross_entropy

from orchestrator.contracts.methods.low_rank import AdaLora
from workers.checkpoint import clone_weights, load_trained_weights, trained_weights
from workers.export import export_model, load_exported
from workers.methods.adalora import schedule

SETTINGS = AdaLora(rank=2, initial_rank=4, dropout=0.0)
IDS = torch.arange(7, 31).view(4, 6)
LABELS = torch.tensor([0, 1, 2, 0])
STEPS = 12


def trained(until, start=None):
    """A model after `until` of the planned steps, and its optimiser; `start` is where another one stopped."""
    adapted = adapted_tiny("bert", SETTINGS, steps=STEPS)
    weights = [p for p in adapted.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-2)
    first = 1
    if start is not None:
        first, saved, extra_state, state = start
        load_trained_weights(adapted.model, saved)
        adapted.load_extra_state(extra_state)
        optimiser.load_state_dict(state)
    adapted.train_mode()
    adapted.model.eval()  # no dropout: the random state is another matter
    for step in range(first, until + 1):
        loss = cross_entropy(adapted.model(input_ids=IDS).logits, LABELS) + adapted.penalty()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        adapted.after_step(step)
    return adapted, optimiser


def ranks(adapted):
    return [int((p != 0).sum()) for name, p in adapted.model.named_parameters() if "lora_E" in name]


def test_the_ranks_end_at_the_mean_that_was_asked_for():
    assert sum(ranks(trained(1)[0])) > SETTINGS.rank * 4
    assert sum(ranks(trained(STEPS)[0])) == SETTINGS.rank * 4  # modules: query and value in two layers


@pytest.mark.parametrize("stop", [3, 9])
def test_a_resumed_trial_ends_with_the_very_same_weights(stop):
    whole, _ = trained(STEPS)
    part, optimiser = trained(stop)
    extra_state = part.extra_state()
    assert {name.split("/")[0] for name in extra_state} >= {"ranks"}
    start = (stop + 1, clone_weights(trained_weights(part.model)), extra_state, optimiser.state_dict())
    resumed, _ = trained(STEPS, start)
    for (name, ours), theirs in zip(
        trained_weights(resumed.model).items(), trained_weights(whole.model).values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_weights_from_a_time_of_more_ranks_are_kept_whole(tmp_path):
    """The best evaluation may lie before the last ranks were taken away."""
    early = clone_weights(trained_weights(trained(2)[0].model))
    adapted, _ = trained(STEPS)
    load_trained_weights(adapted.model, early)
    with torch.inference_mode():
        said = adapted.model.eval()(input_ids=IDS).logits
    export_model(adapted, None, tmp_path / "kept", "adapters")
    again = adapted_tiny("bert", SETTINGS, seed=5, steps=STEPS)
    load_exported(again, tmp_path / "kept")
    with torch.inference_mode():
        assert torch.allclose(again.model.eval()(input_ids=IDS).logits, said, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_a_plan_leaves_time_to_take_ranks_away(steps):
    plan = schedule(steps)
    assert plan["tinit"] < plan["total_step"] - plan["tfinal"]
    assert plan["total_step"] - plan["tfinal"] >= 2  # importance is measured once before ranks are settled
